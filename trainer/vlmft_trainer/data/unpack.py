"""Unpacked files: a gzipped data file as a plain one in the user's cache, whose rows can be read in any order."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs

from vlmft_core.errors import DataError
from vlmft_core.plan.data_files import plain_name

KEPT_S: Final = 7 * 24 * 3600
"""Seconds that an unpacked file is kept since it was last opened, once its gzipped one has changed."""


def unpacked(file: Path) -> Path:
    """The plain file of a gzipped one, written first where it is not there yet.

    Raises:
        DataError: it is broken, or there is no room.
    """
    info = file.stat()
    known = hashlib.blake2b(os.fsencode(file.resolve()), digest_size=12).hexdigest()
    folder = Path(platformdirs.user_cache_dir("vlmft")) / "unpacked" / known
    plain = folder / f"{info.st_mtime_ns}-{info.st_size}" / plain_name(file)
    try:
        if plain.is_file():
            os.utime(plain.parent)
            return plain
        plain.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=plain.parent)
        try:
            with gzip.open(file) as packed, os.fdopen(handle, "wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
            Path(unfinished).replace(plain)
        finally:
            Path(unfinished).unlink(missing_ok=True)
        for other in folder.iterdir():
            with suppress(FileNotFoundError):  # another process does the same
                if time.time() - other.stat().st_mtime > KEPT_S:
                    shutil.rmtree(other, ignore_errors=True)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"data source {file}: not a whole gzip file: {error}", "pack or copy it again") from error
    except OSError as error:
        raise DataError(f"data source {file}: cannot be unpacked to {folder}: {error.strerror}") from error
    return plain
