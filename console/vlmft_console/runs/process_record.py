"""Process record: who runs a run, on which machine, and in which folder, as its supervisor writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmft_console.runs.processes import Identity
from vlmft_core.run_folder.events import boot_id


@dataclass(frozen=True)
class ProcessRecord:
    """What a record says; nothing is believed to be so still."""

    supervisor: Identity | None = None
    launcher: Identity | None = None
    ranks: Mapping[int, Identity] = field(default_factory=dict)
    segment: int | None = None
    """The segment of the event log that the latest start writes."""
    host: str = ""
    """Name of the machine."""
    path: str = ""
    """Where the folder was."""
    folder: tuple[int, int] | None = None
    """The folder's device and inode: a copy of it, and the same seen through another mount, have others."""
    t: float = 0.0
    """When it was written, unix time; 0 for a record that does not say."""

    @property
    def by_role(self) -> dict[str, Identity]:
        """Supervisor, launcher and ranks: `supervisor`, `launcher`, `rank 0`, …"""
        roles = {"supervisor": self.supervisor, "launcher": self.launcher}
        roles |= {f"rank {rank}": identity for rank, identity in self.ranks.items()}
        return {role: identity for role, identity in roles.items() if identity}

    @property
    def of_another_boot(self) -> bool:
        """Whether the machine, or this one if it was it, has been started again since."""
        return any(identity.boot_id != boot_id() for identity in self.by_role.values())

    def is_of(self, path: Path) -> bool:
        """Whether it was written of this very folder."""
        return self.folder == folder_identity(path)

    def shares_files_with(self, path: Path) -> bool:
        """Whether a folder in which the same lock is held is another one on the same disk, made by hard links.

        Seen through another mount, this folder is on another device.
        """
        here = folder_identity(path)
        return here is not None and self.folder is not None and here[0] == self.folder[0] and here[1] != self.folder[1]

    def as_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        return {
            "t": self.t,
            "segment": self.segment,
            "host": self.host,
            "path": self.path,
            "folder": list(self.folder) if self.folder else None,
            "supervisor": self.supervisor.as_json() if self.supervisor else None,
            "launcher": self.launcher.as_json() if self.launcher else None,
            "ranks": {str(rank): identity.as_json() for rank, identity in self.ranks.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProcessRecord:
        """What was written by `as_json`; whatever is missing, or not as it should be, is left out."""
        ranks = value.get("ranks")
        known = {
            int(rank): identity
            for rank, one in (ranks.items() if isinstance(ranks, Mapping) else ())
            if rank.isascii() and rank.isdecimal() and len(rank) < 7 and (identity := Identity.from_json(one))
        }
        segment, folder = value.get("segment"), value.get("folder")
        whole = isinstance(folder, list) and len(folder) == 2 and all(type(part) is int for part in folder)
        return cls(
            Identity.from_json(value.get("supervisor")),
            Identity.from_json(value.get("launcher")),
            known,
            segment if type(segment) is int else None,
            str(value.get("host") or ""),
            str(value.get("path") or ""),
            (folder[0], folder[1]) if whole and isinstance(folder, list) else None,
            _time(value.get("t")),
        )


def _time(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0.0


def folder_identity(path: Path) -> tuple[int, int] | None:
    """A folder's device and inode; None where there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino
