"""Known figures: what the logs of runs came to when they were read last, so that a list of runs need not read them.

Kept in one file beside the registry. A run's are believed while the files of its event log have the size, time and
inode that they had; the file itself, while it is as a program of this user left it. Else logs are read.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import Any

import platformdirs

from vlmft_console.history.log_figures import LogFigures
from vlmft_console.history.programs import programs
from vlmft_console.own_key import own_key
from vlmft_console.runs.folder import RunFolder
from vlmft_core.durable import write_whole

_MOST = 10_000
"""Runs that are kept in mind, those looked at last."""
_LARGEST = 64 << 20


class KnownFigures:
    """The file as it was when this was made, and what has been added since."""

    def __init__(self) -> None:
        self._file = Path(platformdirs.user_state_dir("vlmft")) / "figures.json"
        self._known = self._read()
        self._seen: dict[str, Any] = {}
        self._changed = False

    def of(self, folder: RunFolder) -> LogFigures | None:
        """What the run's log came to; None where that is not known, or was before the log changed.

        Raises:
            OSError: as `log_files`.
        """
        entry = self._known.get(str(folder.path.absolute()))
        if entry is None or entry["files"] != log_files(folder):
            return None
        self._seen[str(folder.path.absolute())] = entry
        return LogFigures(**entry["figures"])

    def add(self, folder: RunFolder, files: list[list[Any]], figures: LogFigures) -> None:
        """Keep in mind what a log came to.

        Args:
            folder: the run's.
            files: what `log_files` said before it was read.
            figures: those.
        """
        self._seen[str(folder.path.absolute())] = {"files": files, "figures": asdict(figures)}
        self._changed = True

    def keep(self) -> None:
        """Write them down, if there are new ones. Of two processes that do so at once, one is not heard: its runs are
        read again."""
        if not self._changed:
            return
        others = {path: entry for path, entry in self._known.items() if path not in self._seen}
        latest = dict([*others.items(), *self._seen.items()][-_MOST:])
        with suppress(OSError):  # no room, or closed to us: it is of no consequence
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            text = json.dumps({"programs": programs(), "runs": latest})
            write_whole(self._file, f"{_seal(text)}\n{text}")

    def _read(self) -> dict[str, Any]:
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, encoding="ascii") as file:
                seal, _, text = file.read(_LARGEST).partition("\n")
            value = json.loads(text) if compare_digest(seal, _seal(text)) else {}
        except (OSError, ValueError):
            return {}
        runs: dict[str, Any] = value["runs"] if value.get("programs") == programs() else {}
        return runs


def _seal(text: str) -> str:
    return blake2b(text.encode("ascii"), key=own_key(), digest_size=32).hexdigest()


def log_files(folder: RunFolder) -> list[list[Any]]:
    """By what the event logs of a run are known again: name, inode, size and time of each.

    Raises:
        OSError: they cannot be looked at.
    """
    return [[file.name, (info := file.stat()).st_ino, info.st_size, info.st_mtime_ns] for file in folder.segments]
