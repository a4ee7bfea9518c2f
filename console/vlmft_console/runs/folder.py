"""Run folder: the files of a run that its launching side writes."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
import shlex
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vlmft_console.errors import RunFolderError
from vlmft_console.runs.processes import Identity, myself
from vlmft_core.durable import as_json, read_json, write_whole
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
            root.mkdir(parents=True, exist_ok=True)
            folder.path.mkdir(mode=0o700)
            folder.logs.mkdir(mode=0o700)
        except FileExistsError:
            delete = f", or delete that run: vlmft rm {folder.path}" if folder.run_file.is_file() else ""
            raise RunFolderError(f"{folder.path} exists already", f"choose another --run-name{delete}") from None
        except OSError as error:
            raise RunFolderError(f"{folder.path} cannot be made: {error.strerror}") from None
        return folder

    def write_run(self, *, preset_name: str, preset_text: str, command: Command) -> str:
        """Write `preset_file` and `run_file`, and return the new run's id (32 hex digits)."""
        run_id = uuid.uuid4().hex
        write_whole(self.preset_file, preset_text)
        record = {
            "run_id": run_id,
            "name": self.name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "preset": {"name": preset_name, "sha256": hashlib.sha256(preset_text.encode()).hexdigest()},
            "argv": list(command.argv),
            "env": {**command.env, "VLMFT_RUN_ID": run_id},
            "versions": installed_versions(),
            "hosts": [platform.node()],
        }
        write_whole(self.run_file, as_json(record))
        return run_id

    def change_command(self, command: Command) -> None:
        """Start the run with another command from now on; everything else in `run_file` stays."""
        record = self.record()
        env = {**command.env, "VLMFT_RUN_ID": str(record.get("run_id", ""))}
        write_whole(self.run_file, as_json({**record, "argv": list(command.argv), "env": env}))

    def record(self) -> dict[str, Any]:
        """What `run_file` says.

        Raises:
            RunFolderError: it is missing or broken, so this is no run folder.
        """
        record = read_json(self.run_file)
        if record is None:
            raise RunFolderError(f"{self.path} is not a run folder", f"its {self.run_file.name} is missing or broken")
        return record

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

    def write_processes(self, launcher: Identity, ranks: Mapping[int, Identity], segment: int) -> None:
        """Tell others who runs the run, and which segment of the event log this start writes.

        A full disk does not matter: a run goes on without this file, and only cannot be adopted.
        """
        record = {
            "segment": segment,
            "supervisor": myself().as_json(),
            "launcher": launcher.as_json(),
            "ranks": {str(rank): identity.as_json() for rank, identity in ranks.items()},
        }
        with contextlib.suppress(OSError):
            write_whole(self.processes_file, as_json(record))

    def processes(self) -> dict[str, Identity]:
        """Who ran the run last, by role: `supervisor`, `launcher`, `rank 0`, …; they may be long gone."""
        record = read_json(self.processes_file) or {}
        ranks = record.get("ranks")
        roles = {"supervisor": record.get("supervisor"), "launcher": record.get("launcher")}
        roles |= {f"rank {rank}": value for rank, value in ranks.items()} if isinstance(ranks, dict) else {}
        found = {role: Identity.from_json(value) for role, value in roles.items()}
        return {role: identity for role, identity in found.items() if identity}

    def ranks(self) -> dict[int, Identity]:
        """The ranks among `processes`, by number."""
        named = {role.removeprefix("rank "): who for role, who in self.processes().items() if role.startswith("rank ")}
        return {int(rank): who for rank, who in named.items() if rank.isdecimal()}

    def current_segment(self) -> int | None:
        """The segment of the latest start, even when its ranks have not begun it yet; None where no start is known."""
        segment = (read_json(self.processes_file) or {}).get("segment")
        return segment if isinstance(segment, int) else None

    def owner(self) -> str:
        """The living processes of the run, for a message."""
        alive = [f"{role} (pid {who.pid})" for role, who in self.processes().items() if who.alive]
        return ", ".join(alive) or "a process that has not said its pid yet"

    def put_away_end(self) -> None:
        """Before a new segment: the last one's end is kept under `logs/`, and its stop request is over."""
        self.stop_file.unlink(missing_ok=True)
        if self.exit_file.exists():
            self.exit_file.replace(self.earlier_exit_file(self.last_segment))


def check_name(name: str) -> None:
    """Raises:
    RunFolderError: `name` cannot name a run folder.
    """
    if not NAME.fullmatch(name):
        allowed = "use 1 to 64 letters, digits, '.', '_' and '-', the first neither '.' nor '-'"
        raise RunFolderError(f"{name!r} cannot name a run", allowed)


def default_name(preset_name: str) -> str:
    """`preset_name` and the UTC time, such as `best-20260102-030405`."""
    begin = re.sub(r"[^A-Za-z0-9._-]", "-", preset_name)[:40].lstrip(".-") or "run"
    return f"{begin}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
