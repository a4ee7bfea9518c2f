"""Log file of a program: where goes what it says besides its answers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vlmft_console.errors import RunFolderError
from vlmft_core.durable import open_own


@contextmanager
def log_file(log: Path | None) -> Iterator[IO[bytes]]:
    """The file, emptied, its folder made where there is none; a temporary one for None.

    Raises:
        RunFolderError: it cannot be written.
    """
    if log is None:
        with tempfile.TemporaryFile() as file:
            yield file
        return
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        opened = os.fdopen(open_own(log, os.O_RDWR | os.O_TRUNC), "w+b")
    except OSError as error:
        raise RunFolderError(f"{log.parent}: {error.strerror}", "choose another folder with -o") from None
    with opened:
        yield opened
