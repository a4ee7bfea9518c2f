"""Opened log: a run, a recorded run, an event log or another program's log, ready to be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vlmft_console.history.own_preset import OwnPreset
from vlmft_console.paths import OUTPUTS, recorded_runs
from vlmft_core.errors import VlmftError
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.layout import RunLayout, segment_file
from vlmft_core.run_folder.tail import RunTail, Tail

if TYPE_CHECKING:
    from vlmft_console.history.importers import LogReader
    from vlmft_core.preset import Preset

OURS = "vlmft"
"""The format of our own event log."""


class Reader(Protocol):
    """Records as they come."""

    @property
    def rejected(self) -> int:
        """Entries of the log that could not be read."""

    @property
    def progress(self) -> float | None:
        """Share of what there is that has been read, 0 to 1; None where nobody knows."""

    def read(self) -> list[Record]:
        """Every record that has come since the last call.

        Raises:
            VlmftError: the log cannot be read any more.
        """

    def batches(self) -> Iterator[list[Record]]:
        """The same piece by piece, none of them empty: a log of any size in bounded memory."""


@dataclass(frozen=True)
class OpenedLog:
    """A log, and what is known about its run beside it."""

    name: str
    """What to call the run. Foreign text: not to be shown as it is."""
    path: Path
    """The run folder, or the file that is read; of a folder with several logs, the one that was chosen."""
    format: str
    """`vlmft`, or the name of another program's format."""
    folder: RunLayout | None
    """The run folder of a run that may be live; None for a recorded run and for a lone file."""
    reader: Reader
    own: OwnPreset | None = None
    """The preset of its run; None for another program's log."""
    foreign: LogReader | None = None
    """The importer of another program's log, which knows how that log counts and whether it names steps."""
    eval_set: str | None = None
    """The eval set that was asked for."""

    @property
    def rejected(self) -> int:
        """Entries of the log that could not be read so far."""
        return self.reader.rejected

    def require_read(self) -> None:
        """Refuse a log that was read to its end and tells nothing, or not what was asked for.

        Raises:
            VlmftError: another program's log holds no metric at all, or not the eval set asked for.
        """
        if self.foreign is None:
            return
        held = self.foreign.contents
        if not held.trained and not held.metrics:
            raise VlmftError(f"{self.path} {held.nothing_to_judge()}")
        if self.eval_set is not None and held.judged_set not in held.eval_sets:
            there = ", ".join(name or "the unnamed one (eval_loss)" for name in held.eval_sets)
            hint = f"it has {there}" if there else "it has no eval loss"
            raise VlmftError(f"{self.path} has no eval set {self.eval_set}", hint)

    def is_same(self, other: OpenedLog) -> bool:
        """Whether both read the same files, by whatever paths or links they were named."""
        return bool(self._inodes) and self._inodes == other._inodes

    @property
    def _inodes(self) -> set[tuple[int, int]]:
        files = self.reader.files if isinstance(self.reader, RunTail) else [self.path]
        try:
            return {(found.st_dev, found.st_ino) for found in (file.stat() for file in files)}
        except OSError:  # deleted a moment ago
            return set()

    @property
    def named_steps(self) -> bool:
        """Whether the log tells steps, or steps only count its training records."""
        return self.foreign is None or self.foreign.named_steps

    @property
    def preset(self) -> Preset | None:
        """What the run was started with, where that can be found and read."""
        return self.own.preset if self.own else None

    @property
    def monitor(self) -> Settings | None:
        """The thresholds of that preset for the health rules. Where they are all that is needed, this is quicker."""
        return self.own.monitor if self.own else None


def open_log(target: Path | RunLayout, eval_set: str | None = None) -> OpenedLog:
    """Open a run or a log.

    Args:
        target: a run folder or its `logs`, a recorded run's folder, a file with a log, or a folder with logs of
            other programs. The richest of those is chosen, and `path` says which.
        eval_set: of another program's log the set whose evals are judged; by default the first one.

    Raises:
        VlmftError: there is nothing of that name, or no log in it that can be read.
    """
    path = target.path if isinstance(target, RunLayout) else target
    try:
        log = _open(path, eval_set, is_run=isinstance(target, RunLayout))
    except OSError as error:  # a folder that is closed to us, a name that is too long
        raise VlmftError(f"{path} cannot be read: {error.strerror}") from None
    if eval_set is not None and log.foreign is None:
        raise VlmftError(f"{path} is a run of ours, which has one eval set", "leave --eval-set away")
    return log


def _open(path: Path, eval_set: str | None, *, is_run: bool) -> OpenedLog:
    if is_run or _is_run(path):
        return _run(path)
    above = RunLayout(path.absolute().parent)
    if path.is_dir() and _is_run(above.path) and path.absolute() == above.logs:
        return _run(above.path)
    if path.is_dir() and segment_file(path, 1).is_file():
        return OpenedLog(_name(path), path, OURS, None, RunTail(path), OwnPreset(path))
    if runs := _runs_in(path):
        more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
        raise VlmftError(f"{path} holds runs, and is none itself", f"name one of them: {', '.join(runs[:3])}{more}")
    from vlmft_console.history.importers import open_foreign  # a run of ours is shown sooner without them

    foreign = open_foreign(path, eval_set)
    if foreign.format == OURS:
        return OpenedLog(_name(foreign.path), foreign.path, OURS, None, Tail(foreign.path), OwnPreset(foreign.path))
    return OpenedLog(foreign.label, foreign.path, foreign.format, None, _Foreign(foreign), None, foreign, eval_set)


class _Foreign:
    """An importer's reader, which gives its records in pieces already."""

    progress = None

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    @property
    def rejected(self) -> int:
        return self._reader.rejected

    def read(self) -> list[Record]:
        return [record for batch in self.batches() for record in batch]

    def batches(self) -> Iterator[list[Record]]:
        while records := self._reader.read():
            yield records


def _is_run(path: Path) -> bool:
    run = RunLayout(path)
    return run.run_file.is_file() or run.events_file().is_file()


def _runs_in(path: Path) -> list[str]:
    """Runs of ours directly in a folder, or in its `outputs`."""
    if not path.is_dir():
        return []
    inside = (place for folder in (path, path / OUTPUTS) if folder.is_dir() for place in sorted(folder.iterdir()))
    return [str(place) for place in inside if place.is_dir() and _is_run(place)]


def _run(path: Path) -> OpenedLog:
    folder = RunLayout(path.absolute())
    recorded = not folder.run_file.is_file() or folder.path.resolve() in {run.resolve() for run in recorded_runs()}
    own = OwnPreset(folder.events_file())
    return OpenedLog(folder.name, path, OURS, None if recorded else folder, RunTail(folder.logs), own)


def _name(path: Path) -> str:
    """Its last two parts, the folder of logs left out: every run has one."""
    return "/".join([part for part in path.absolute().parts if part != RunLayout(path).logs.name][-2:])
