"""Run folder: the files of a run that its launching side writes."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
import shlex
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vlmft_console.errors import RunFolderError
from vlmft_console.places.place import Place
from vlmft_console.places.place import as_json as place_as_json
from vlmft_console.places.place import from_json as place_from_json
from vlmft_console.runs.process_record import ProcessRecord, folder_identity
from vlmft_console.runs.processes import RUN_ID, Identity, myself, of_run
from vlmft_core.durable import as_json, delete, read_json, write_whole
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.versions import installed_versions

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
"""What a run may be called: no option of a command, and nothing that `ls` hides."""


@dataclass(frozen=True)
class Command:
    """`argv` for exec, never for a shell, its program as an absolute path; `env` is added to the environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]

    def __str__(self) -> str:
        """The same as one line for a POSIX shell."""
        words = [f"{key}={shlex.quote(value)}" for key, value in self.env.items()]
        return " ".join([*words, shlex.join(self.argv)])


class RunFolder(RunLayout):
    """A run folder, with the files that the launching side writes."""

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
            _make_root(root)
            folder.path.mkdir(mode=0o700)
            folder.logs.mkdir(mode=0o700)
        except FileExistsError:
            delete = f", or delete that run: vlmft rm {folder.path}" if folder.run_file.is_file() else ""
            raise RunFolderError(f"{folder.path} exists already", f"choose another --run-name{delete}") from None
        except OSError as error:
            with contextlib.suppress(OSError):
                folder.path.rmdir()  # the disk had room for the folder and none for what is in it
            raise RunFolderError(f"{folder.path} cannot be made: {error.strerror}") from None
        return folder

    def write_run(self, *, preset_name: str, preset_text: str, command: Command, place: Place | None = None) -> str:
        """Write `preset_file`, `run_file` and `processes_file`, and return the new run's id (32 hex digits).

        Args:
            place: where the ranks are started; None for here.

        Raises:
            OSError: one of them cannot be written.
        """
        run_id = uuid.uuid4().hex
        write_whole(self.preset_file, preset_text)
        record = {
            "run_id": run_id,
            "name": self.name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "preset": {"name": preset_name, "sha256": hashlib.sha256(preset_text.encode()).hexdigest()},
            "argv": list(command.argv),
            "env": {**command.env, RUN_ID: run_id},
            "versions": installed_versions(),
            "hosts": [platform.node()],
            "place": place and place_as_json(place),
        }
        write_whole(self.run_file, as_json(record))
        self.write_processes()
        return run_id

    def change_command(self, command: Command) -> None:
        """Start the run with another command from now on; everything else in `run_file` stays."""
        record = self.record()
        env = {**command.env, RUN_ID: self.run_id}
        write_whole(self.run_file, as_json({**record, "argv": list(command.argv), "env": env}))

    @property
    def place(self) -> Place | None:
        """Where the ranks are started; None for the machine that `vlmft run` was called on.

        Raises:
            RunFolderError: that is no place that this version knows.
        """
        try:
            return place_from_json((read_json(self.run_file) or {}).get("place"))
        except VlmftError as error:
            hint = "ask the vlmft that started the run"
            raise RunFolderError(f"{self.run_file}: {error.message}", hint) from None

    def change_place(self, place: Place) -> None:
        """Keep what has become known of the place; everything else in `run_file` stays."""
        write_whole(self.run_file, as_json({**self.record(), "place": place_as_json(place)}))

    def record(self) -> dict[str, Any]:
        """What `run_file` says.

        Raises:
            RunFolderError: it is missing or broken, so this is no run folder.
        """
        record = read_json(self.run_file)
        if record is None:
            raise RunFolderError(f"{self.path} is not a run folder", f"its {self.run_file.name} is missing or broken")
        return record

    @property
    def run_id(self) -> str:
        """What all processes of the run have in their environment; empty where it is not known."""
        return str((read_json(self.run_file) or {}).get("run_id") or "")

    def command(self) -> Command:
        """The launcher's command as written by `write_run`.

        Raises:
            RunFolderError: as `record`.
        """
        record = self.record()
        argv, env = record.get("argv"), record.get("env")
        if not isinstance(argv, list) or not argv or not isinstance(env, dict):
            raise RunFolderError(f"{self.run_file} names no command")
        return Command(tuple(map(str, argv)), {str(key): str(value) for key, value in env.items()})

    def write_processes(
        self, launcher: Identity | None = None, ranks: Mapping[int, Identity] | None = None, segment: int | None = None
    ) -> None:
        """Tell others who runs the run, where, and which segment of the event log this start writes; nobody does yet
        where no launcher is given.

        A full disk does not matter: a run goes on without this file, and only cannot be adopted.
        """
        record = ProcessRecord(
            myself() if launcher else None,
            launcher,
            ranks or {},
            segment,
            platform.node(),
            str(self.path.resolve()),
            folder_identity(self.path),
            time.time(),
        )
        with contextlib.suppress(OSError):
            write_whole(self.processes_file, as_json(record.as_json()))

    def process_record(self) -> ProcessRecord:
        """Who ran the run last, or the run that this folder is a copy of."""
        return ProcessRecord.from_json(read_json(self.processes_file) or {})

    def processes(self) -> dict[str, Identity]:
        """Who ran the run last, by role: `supervisor`, `launcher`, `rank 0`, …; they may be long gone.

        Those of the folder that this one is a copy of are not among them.
        """
        record = self.process_record()
        return record.by_role if record.is_of(self.path) else {}

    def alive(self) -> list[str]:
        """The living processes of the run, by role; those that nobody wrote down, by number."""
        record = self.process_record()
        if not record.is_of(self.path):
            return []
        known = {identity: role for role, identity in record.by_role.items()}
        found = [role for identity, role in known.items() if identity.alive]
        if not self.run_id or record.of_another_boot:
            return found
        others = (seen.identity for seen in of_run(self.run_id))
        return [*found, *(f"process {identity.pid}" for identity in others if identity not in known)]

    def owner(self) -> str:
        """The living processes of the run, for a message."""
        alive = [f"{role} (pid {who.pid})" for role, who in self.processes().items() if who.alive]
        host = self.process_record().host
        unknown = "a process that has not said its pid yet"
        return ", ".join(alive) or (unknown if host in ("", platform.node()) else f"a process on {host}")

    def put_away_end(self) -> None:
        """Before a new segment: the last one's end is kept under `logs/`, and its stop request is over."""
        delete(self.stop_file)
        self.keep_earlier_end()

    def keep_earlier_end(self) -> None:
        """Keep how the last segment ended under `logs/`: it is not how the run ended."""
        if self.exit_file.exists():
            self.exit_file.replace(self.earlier_exit_file(self.last_segment))

    def bring_back_end(self) -> None:
        """Take back `put_away_end`: there is no new segment after all."""
        earlier = self.earlier_exit_file(self.last_segment)
        if earlier.exists():
            earlier.replace(self.exit_file)


def _make_root(root: Path) -> None:
    """Make the folder that run folders are in.

    Raises:
        RunFolderError: what stands there is no folder.
        OSError: it cannot be made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise RunFolderError(f"{root} is no folder", "choose another --output-root") from None


def check_name(name: str) -> None:
    """Refuse a name that no run folder can have.

    Raises:
        RunFolderError: `name` cannot name a run folder.
    """
    if not NAME.fullmatch(name):
        allowed = "use 1 to 64 letters, digits, '.', '_' and '-', the first neither '.' nor '-'"
        raise RunFolderError(f"{name!r} cannot name a run", allowed)


def default_name(preset_name: str) -> str:
    """`preset_name` and the UTC time, such as `best-20260102-030405`."""
    begin = re.sub(r"[^A-Za-z0-9._-]", "-", preset_name)[:40].lstrip(".-") or "run"
    return f"{begin}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
