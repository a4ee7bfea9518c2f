"""The run folder: where everything about one run is kept."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vlmft_console.errors import RunFolderError

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a run may be called."""

_VERSIONED = ("vlmft", "torch", "transformers", "peft", "deepspeed", "accelerate", "datasets", "flash-attn")


@dataclass(frozen=True)
class RunFolder:
    """Paths inside one run folder, and the files that the launching side writes."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def preset_file(self) -> Path:
        return self.path / "preset.yaml"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def stop_file(self) -> Path:
        return self.path / "stop.json"

    def events_file(self, segment: int = 1) -> Path:
        """The event log of one segment; segments count from 1."""
        return self.logs / f"events-{segment:04d}.jsonl"

    @classmethod
    def create(cls, root: Path, name: str) -> RunFolder:
        """Make `root/name` and its `logs`, readable by the owner alone.

        Raises:
            RunFolderError: a bad name, a folder of that name, a symlink in its place, or no permission.
        """
        check_name(name)
        folder = cls(root / name)
        if folder.path.is_symlink():
            raise RunFolderError(f"{folder.path} is a symbolic link: a run folder must be a real folder")
        try:
            root.mkdir(parents=True, exist_ok=True)
            folder.path.mkdir(mode=0o700)
            folder.logs.mkdir(mode=0o700)
        except FileExistsError:
            raise RunFolderError(f"{folder.path} exists already", "choose another --run-name") from None
        except OSError as error:
            raise RunFolderError(f"{folder.path} cannot be made: {error.strerror}") from None
        return folder

    def write_run(self, *, preset_name: str, preset_text: str, argv: Sequence[str]) -> str:
        """Write `preset.yaml` and `run.json`, and return the new run's id (32 hex digits)."""
        run_id = uuid.uuid4().hex
        write_whole(self.preset_file, preset_text)
        write_whole(
            self.path / "run.json",
            _as_json(
                {
                    "run_id": run_id,
                    "name": self.name,
                    "created": datetime.now(UTC).isoformat(timespec="seconds"),
                    "preset": {
                        "name": preset_name,
                        "sha256": hashlib.sha256(preset_text.encode()).hexdigest(),
                    },
                    "argv": list(argv),
                    "versions": {"python": platform.python_version(), **_installed()},
                    "hosts": [platform.node()],
                }
            ),
        )
        return run_id

    def request_stop(self, reason: str) -> None:
        """Ask the ranks to save a checkpoint and end; they look at step boundaries."""
        write_whole(self.stop_file, _as_json({"reason": reason, "t": time.time()}))


def check_name(name: str) -> None:
    """Raises:
    RunFolderError: `name` cannot name a run folder.
    """
    if not NAME.fullmatch(name) or name in (".", ".."):
        raise RunFolderError(f"{name!r} cannot name a run", "use 1 to 64 letters, digits, '.', '_' and '-'")


def default_name(preset_name: str) -> str:
    """`preset_name` and the UTC time, such as `best-20260102-030405`."""
    return f"{re.sub(r'[^A-Za-z0-9._-]', '-', preset_name)[:40]}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, and survives a power cut (temp file, fsync, rename)."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _installed() -> dict[str, str]:
    """Versions of the libraries that matter for a run, by name; those not installed are left out."""
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
