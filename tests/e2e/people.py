"""Other people of this machine: users who can do what users can, and not what we can."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import VLMFT

_CHECKOUT = Path(__file__).parents[2]
_ENTER = """
set -e; hold=$1; closed=$2; shift 2
number=0
for path; do
    [ "$path" = -- ] && break
    number=$((number + 1)); mkdir "$hold/$number"; mount --bind "$path" "$hold/$number"
done
[ -z "$closed" ] || mount -t tmpfs -o mode=755 tmpfs "$closed"
number=0
while [ "$1" != -- ]; do
    number=$((number + 1)); mkdir -p "$1"; mount --move "$hold/$number" "$1"; rmdir "$hold/$number"; shift
done
shift; exec "$@"
"""
"""Lets them reach the interpreter where it lies in a folder that is closed to others, and nothing else there."""


class Person:
    """A user without a name.

    Args:
        number: user and group.
        root: a folder that everybody may look into; theirs is made in it.
    """

    def __init__(self, number: int, root: Path) -> None:
        self.number = number
        self.home = root / f"home-{number}"
        self._hold = root / f"hold-{number}"
        for folder in (self.home, self._hold):
            folder.mkdir(mode=0o755)
        os.chown(self.home, number, number)
        names = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
        self._environment = {name: str(self.home / name.lower()) for name in names} | {"HOME": str(self.home)}
        sources = (os.environ.get("PYTHONPATH", ""), str(_CHECKOUT))
        self._environment["PYTHONPATH"] = os.pathsep.join(filter(None, sources))  # an empty entry is the working folder
        if self.run(sys.executable, "-c", "import vlmft_console").returncode:
            pytest.skip("needs an interpreter that other users can reach")

    def run(self, *argv: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A program of theirs, to its end."""
        return subprocess.run(
            self.command(*argv),
            cwd=folder or self.home,
            env=os.environ | self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def vlmft(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.run(VLMFT, *arguments, folder=folder)

    def command(self, *argv: str) -> list[str]:
        """What root starts to have a program started by them."""
        user = ["setpriv", f"--reuid={self.number}", f"--regid={self.number}", "--clear-groups", "--", *argv]
        needed = [Path(sys.base_prefix), Path(sys.prefix), _CHECKOUT]
        closed = next((top for path in needed for top in reversed(path.parents) if _closed(top)), None)
        behind = [str(path) for path in needed if closed and closed in path.parents]
        return ["unshare", "--mount", "sh", "-c", _ENTER, "-", str(self._hold), str(closed or ""), *behind, "--", *user]


def _closed(folder: Path) -> bool:
    return not folder.stat().st_mode & stat.S_IXOTH
