"""Errors of the console, and the one place where errors are shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vlmft_console.sanitize import sanitize
from vlmft_core.errors import EXIT_BUSY, EXIT_MISTAKE, VlmftError


class RunFolderError(VlmftError):
    """A run folder cannot be used."""


class RunBusyError(RunFolderError):
    """The run has a supervisor, or living ranks, already."""


class MachineError(VlmftError):
    """This machine lacks something the run needs."""


@contextmanager
def shown_once() -> Iterator[None]:
    """Print a `VlmftError` to stderr, a line for each mistake, and exit with `EXIT_MISTAKE` or `EXIT_BUSY`.

    A file that the system refuses, such as one in another person's folder, is such a mistake too.
    """
    try:
        yield
    except (VlmftError, PermissionError) as error:
        import typer  # the app, which shows errors in its own way, starts sooner without it

        text = f"{error.filename}: {error.strerror}" if isinstance(error, PermissionError) else str(error)
        for line in sanitize(text).splitlines():
            print(f"vlmft: {line}", file=sys.stderr)
        raise typer.Exit(EXIT_BUSY if isinstance(error, RunBusyError) else EXIT_MISTAKE) from None
