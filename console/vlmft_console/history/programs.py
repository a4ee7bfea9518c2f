"""Programs by which a log becomes figures: what is kept for later is of use to the very same ones only."""

from __future__ import annotations

import errno
import os
import sys
import time
from functools import cache
from hashlib import sha256
from pathlib import Path

import vlmft_core

_PACKAGES = Path(vlmft_core.__file__).parent, Path(__file__).parent


@cache
def programs() -> str:
    """What stands for them: a change of any of their files changes it.

    Raises:
        OSError: they are not there as files, or not the ones that this process was started with any more.
    """
    began = _process_began()
    digest = sha256(sys.version.encode())
    for package in _PACKAGES:
        for folder, _, names in sorted(os.walk(package)):
            for name in sorted(names):
                if name.endswith(".py"):
                    path = Path(folder, name)
                    info = path.stat()
                    if info.st_ctime > began:
                        raise OSError(errno.ESTALE, "installed after this process began", str(path))
                    digest.update(f"{path} {info.st_size} {info.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _process_began() -> float:
    """Unix time."""
    ticks = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])  # proc(5), field 22
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
