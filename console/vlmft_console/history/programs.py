"""Programs by which a log becomes figures: what is kept for later is of use to the very same ones only."""

from __future__ import annotations

import os
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path

import vlmft_core

_PACKAGES = Path(vlmft_core.__file__).parent, Path(__file__).parent


@cache
def programs() -> str:
    """What stands for them: a change of any of their files changes it.

    Raises:
        OSError: they are not there as files.
    """
    digest = sha256(sys.version.encode())
    for package in _PACKAGES:
        for folder, _, names in sorted(os.walk(package)):
            for name in sorted(names):
                if name.endswith(".py"):
                    path = Path(folder, name)
                    info = path.stat()
                    digest.update(f"{path} {info.st_size} {info.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
