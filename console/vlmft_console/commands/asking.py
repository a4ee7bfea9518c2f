"""Running one of the programs that use a trained model, with its progress on standard error."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from vlmft_core.jobs import Weights


def answers(program: str, job: Weights, processes: int = 1, log: Path | None = None) -> Iterator[tuple[str, Any]]:
    """The program's results, as (name, value); notes and progress are shown.

    Args:
        log: where else it says goes; a temporary file for None.

    Exits with status 2 for a user's mistake, 1 when it broke, 130 when it was interrupted, each with one line.
    """
    from vlmft_console.errors import shown_once
    from vlmft_console.programs.ask import Broken, ask
    from vlmft_console.sanitize import sanitize
    from vlmft_core.errors import EXIT_FAILED, EXIT_INTERRUPTED

    status = Status()
    try:
        with shown_once(), _errors(log) as errors:
            for name, value in ask(program, job, errors, processes):
                if name == "note":
                    status.say(str(value))
                elif name == "progress":
                    status.progress(value)
                else:
                    yield name, value
    except KeyboardInterrupt:
        status.clear()
        typer.echo("interrupted; what was answered is kept" if log else "interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except Broken as error:
        status.clear()
        where = f" (see {log})" if log else ""
        typer.echo(sanitize(f"vlmft: it broke: {error}{where}"), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    finally:
        status.clear()


@contextmanager
def _errors(log: Path | None) -> Iterator[IO[bytes]]:
    """A file for what the program says besides its answers.

    Raises:
        RunFolderError: it cannot be written.
    """
    from vlmft_console.errors import RunFolderError

    if log is None:
        with tempfile.TemporaryFile() as file:
            yield file
        return
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        opened = log.open("w+b")
    except OSError as error:
        raise RunFolderError(f"{log.parent}: {error.strerror}", "choose another folder with -o") from None
    with opened:
        yield opened


class Status:
    """What goes on, on standard error: on a terminal one line that changes, elsewhere a line for each new thing."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = 0
        self._last = ""

    def say(self, text: str) -> None:
        """A note."""
        from vlmft_console.sanitize import sanitize

        self.clear()
        typer.echo(sanitize(f"note: {text}"), err=True)

    def progress(self, value: Any) -> None:
        """How far it is: `side`, `task`, `done`, `total`."""
        from vlmft_console.sanitize import sanitize

        name, done, total = f"{value['task']}, {value['side']}", value["done"], value["total"]
        if self._live:
            text = sanitize(f"{name}: {done:,} of {total:,} questions answered")
            sys.stderr.write("\r" + text.ljust(self._shown))
            sys.stderr.flush()
            self._shown = len(text)
        elif name != self._last or done == total:
            typer.echo(sanitize(f"{name}: {done:,} of {total:,} questions answered"), err=True)
        self._last = name

    def clear(self) -> None:
        """Take the changing line away."""
        if self._shown:
            sys.stderr.write("\r" + " " * self._shown + "\r")
            sys.stderr.flush()
            self._shown = 0
