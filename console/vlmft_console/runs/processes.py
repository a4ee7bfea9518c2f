"""Processes by their identity: a pid alone may long belong to somebody else."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlmft_core.run_folder.events import boot_id

RUN_ID = "VLMFT_RUN_ID"
"""The variable that all processes of a run but its supervisor have."""
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Identity:
    """One process for as long as the machine runs, and never another one.

    Attributes:
        pid: process id.
        start: when it started, in clock ticks since boot (`/proc/PID/stat`, field 22).
        boot_id: which boot of the machine that was.
    """

    pid: int
    start: int
    boot_id: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        seen = look(self.pid)
        return seen is not None and seen.identity == self and not seen.zombie

    def send(self, number: signal.Signals) -> bool:
        """Signal this very process; False when it is gone or not ours to signal."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            # The descriptor holds on to whoever has the pid now: check that it is still the same one, then signal.
            if not self.alive:
                return False
            signal.pidfd_send_signal(descriptor, number)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Identity | None:
        """The identity written by `as_json`, or None for anything else."""
        if not isinstance(value, Mapping):
            return None
        pid, start, boot_id = value.get("pid"), value.get("start"), value.get("boot_id")
        if type(pid) is int and 0 < pid < 2**31 and type(start) is int and isinstance(boot_id, str):
            return cls(pid, start, boot_id)
        return None


@dataclass(frozen=True)
class Seen:
    """What `/proc` tells of one process. `exit_status` is a zombie's, as `waitpid` gives it."""

    identity: Identity
    parent: int
    zombie: bool
    exit_status: int


def look(pid: int) -> Seen | None:
    """One process as it is now, or None when there is none of that pid."""
    try:
        # the name in parentheses may hold anything; after the last one: state, parent, … by their numbers in proc(5)
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    state, parent, start, exit_status = fields[0], int(fields[1]), int(fields[19]), int(fields[49])
    return Seen(Identity(pid, start, boot_id()), parent, state in (b"Z", b"X"), exit_status)


def myself() -> Identity:
    """This process."""
    seen = look(os.getpid())
    assert seen is not None
    return seen.identity


def descendants(*pids: int) -> list[Seen]:
    """Children of `pids` and theirs, zombies included, parents before children; twice below two of them."""
    children: dict[int, list[Seen]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (seen := look(int(entry.name))):
            children.setdefault(seen.parent, []).append(seen)
    found: list[Seen] = []
    queue = list(pids)
    while queue:
        family = children.get(queue.pop(0), [])
        found += family
        queue += [seen.identity.pid for seen in family]
    return found


@dataclass(frozen=True)
class RankInfo:
    """What a launcher told a process by its variables: its rank of how many, on its host, too; None for what it did
    not."""

    rank: int | None
    world_size: int | None
    local_rank: int | None = None
    local_size: int | None = None

    @property
    def on_its_host(self) -> range:
        """The ranks on the host of this one: launchers number them in one go. All, where it was not told of hosts."""
        world = self.world_size or 0
        if self.rank is None or self.local_rank is None or self.local_size is None:
            return range(world)
        first = self.rank - self.local_rank
        here = range(first, first + self.local_size)
        return here if first >= 0 and self.rank in here and here.stop <= world else range(world)


def rank_info(pid: int) -> RankInfo:
    """What a process was told by the launcher of its ranks; nothing where it is gone, or not ours to look at."""
    variables = (variable.partition(b"=") for variable in _variables(pid))
    told = {name: int(value) for name, _, value in variables if value.isdigit() and len(value) < 7}
    local_size = told.get(b"LOCAL_SIZE") or told.get(b"LOCAL_WORLD_SIZE")  # DeepSpeed's; torchrun's
    return RankInfo(told.get(b"RANK"), told.get(b"WORLD_SIZE"), told.get(b"LOCAL_RANK"), local_size)


def of_run(run_id: str) -> list[Seen]:
    """Every process that was started for a run: all inherit its variable."""
    said = f"{RUN_ID}={run_id}".encode()
    everyone = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    looks = (look(pid) for pid in everyone if said in _variables(pid))
    return [seen for seen in looks if seen and not seen.zombie]


def _variables(pid: int) -> list[bytes]:
    try:
        with Path(f"/proc/{pid}/environ").open("rb", buffering=0) as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def send_all(targets: Iterable[Identity], number: signal.Signals) -> None:
    """The same signal to each, at once."""
    for target in targets:
        target.send(number)


def become_subreaper() -> bool:
    """Adopt descendants whose parent dies, so that none is lost sight of. False where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def describe_exit(status: int) -> str:
    """`exited with status 1` or `was killed by SIGKILL`, from a status as `waitpid` gives it."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
