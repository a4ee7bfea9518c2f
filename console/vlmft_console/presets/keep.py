"""Unsaved changes: kept on disk, so that a hangup, a crash or a closed terminal loses none of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vlmft_core.durable import as_json, read_json, write_whole
from vlmft_core.home import expanded
from vlmft_core.preset import LoadedPreset
from vlmft_core.run_folder.events import boot_id


@dataclass(frozen=True)
class Kept:
    """Changes that an earlier session left."""

    file: Path
    texts: Mapping[str, str]
    """What was typed, by dotted key."""
    when: datetime
    """When the last of them was made, in local time."""
    elsewhere: str = ""
    """The machine, if it was another one, which shares this home: whether its session is over cannot be told here."""


class Keeper:
    """Keeps the unsaved changes to one preset, a file for each session that has some."""

    def __init__(self, loaded: LoadedPreset) -> None:
        whole_path = str(expanded(loaded.path).resolve())
        digest = hashlib.sha256(whole_path.encode(errors="surrogateescape")).hexdigest()[:16]
        self._prefix = f"{digest}-"
        self.file = drafts_folder() / f"{self._prefix}{boot_id()[:8]}-{os.getpid()}.json"
        self._preset = whole_path

    def keep(self, texts: Mapping[str, str]) -> None:
        """Write the changes down; without any, forget those that were there.

        A disk that is full or read-only is no reason to disturb the person who types.
        """
        if not texts:
            self.forget()
            return
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            by = {"host": platform.node(), "boot_id": boot_id(), "pid": os.getpid()}
            write_whole(self.file, as_json({"preset": self._preset, "texts": dict(texts), "by": by}))

    def forget(self) -> None:
        """The changes were saved or given up."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)

    def left(self) -> Kept | None:
        """The newest changes left by a session that is over; if there are none, the newest of another machine."""
        found = [kept for file in self.file.parent.glob(f"{self._prefix}*.json") if (kept := _read(file))]
        return max(found, key=lambda kept: (not kept.elsewhere, kept.when), default=None)


def drafts_folder() -> Path:
    """Where unsaved changes are kept (`~/.local/state/vlmft/drafts` on Linux)."""
    import platformdirs

    return Path(platformdirs.user_state_dir("vlmft")) / "drafts"


def _read(file: Path) -> Kept | None:
    """What a file holds; None when its session is still there, or it cannot be read."""
    said = read_json(file) or {}
    texts, by = said.get("texts"), said.get("by")
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        return None
    by = by if isinstance(by, dict) else {}
    host, pid = str(by.get("host") or ""), by.get("pid")
    here = by.get("boot_id") == boot_id()
    if here and pid != os.getpid() and Path("/proc", str(pid)).exists():
        return None
    # A session of this machine that began before it was started again is over.
    elsewhere = "" if here or host == platform.node() else host
    try:
        return Kept(file, texts, datetime.fromtimestamp(file.stat().st_mtime), elsewhere)
    except OSError:
        return None
