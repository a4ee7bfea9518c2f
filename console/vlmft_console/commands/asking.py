"""Answers of one of the trainer's programs; its notes and its progress go to standard error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from vlmft_console.commands.output import StatusLine, say
from vlmft_console.programs.ask import Broken, ask
from vlmft_console.programs.log_file import log_file
from vlmft_core.errors import EXIT_FAILED, EXIT_INTERRUPTED
from vlmft_core.jobs import Job


def answers(
    program: str,
    job: Job,
    processes: int = 1,
    log: Path | None = None,
    *,
    counted: str = "questions answered",
) -> Iterator[tuple[str, Any]]:
    """The program's results, as (name, value); notes and progress are shown.

    On a terminal progress is one line that changes; elsewhere, with `log`, a line for each new thing.

    Args:
        processes: how many share the work.
        log: where else it says goes; a temporary file for None.
        counted: what progress counts, in words.

    Raises:
        VlmftError: a user's mistake.
        typer.Exit: with status 1 when it broke, 130 when it was interrupted, after one line that says so.
    """
    progress, last, far = StatusLine(), "", ""
    try:
        with log_file(log) as errors:
            for name, value in ask(program, job, errors, processes):
                if name == "note":
                    progress.clear()
                    say(f"note: {value}", err=True)
                elif name == "progress":
                    what, done, total = f"{value['task']}, {value['side']}", value["done"], value["total"]
                    far = f"{done:,} of {total:,} {counted}"
                    text = f"{what}: {far}"
                    if progress.watched:
                        progress.show(text)
                    elif log and (what != last or done == total):
                        say(text, err=True)
                    last = what
                else:
                    yield name, value
    except KeyboardInterrupt:
        progress.clear()
        kept = "what was answered is kept" if log else f"{far}, nothing of it is kept" if far else ""
        say(f"interrupted; {kept}" if kept else "interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except Broken as error:
        progress.clear()
        say(f"vlmft: it broke: {error}" + (f" (see {log})" if log else ""), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    finally:
        progress.clear()
