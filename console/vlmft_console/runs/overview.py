"""Overview of all runs, each at a glance, kept up to date with little work: what the list of runs shows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from vlmft_console.history.column import Point
from vlmft_console.history.log_figures import health_words
from vlmft_console.history.opened import Reader, open_log
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.history.summary import take_up
from vlmft_console.paths import recorded_runs
from vlmft_console.runs import registry
from vlmft_console.runs.facts import RunFacts, facts
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.labels import Labels
from vlmft_console.runs.status import RECORDED, UNREADABLE, RunStatus, status_of
from vlmft_core.durable import read_json
from vlmft_core.errors import VlmftError
from vlmft_core.health import Finding
from vlmft_core.run_folder.layout import is_run

Shape = tuple[Point, ...]
_SHAPE_COLUMNS = 100
"""Parts of a run, of each of which a small picture has two points at most."""


@dataclass(frozen=True)
class Overview:
    """One run at one moment. A figure that is not known, or not read yet, is None."""

    folder: RunFolder
    status: RunStatus
    created: float
    """Unix time."""
    recorded: bool = False
    """Whether it is a recorded run that comes with vlmft."""
    read: bool = False
    """Whether its log has been read; of runs that ended, only those asked for are."""
    preset: str = ""
    """The preset's name."""
    step: int = 0
    total_steps: int | None = None
    eta_seconds: float | None = None
    """Time left, of a live run."""
    loss: float | None = None
    """The last training loss."""
    eval_loss: float | None = None
    """The last eval loss."""
    best_eval: float | None = None
    loss_shape: Shape = ()
    """The averaged training loss, as coarse as a small picture of it needs."""
    eval_shape: Shape = ()
    """The same of the eval loss."""
    finding: Finding | None = None
    """The worst health finding that holds."""
    labels: Labels = field(default_factory=Labels)

    @property
    def progress(self) -> float | None:
        """From 0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else None


@dataclass
class _Known:
    """What is kept of one run between two looks."""

    stamp: int = -1
    """Modification time of the folder at the last look: it changes when the run ends or is started again."""
    status: RunStatus | None = None
    """What the folder alone told then."""
    settled: bool = False
    """Whether it can change no more without a new stamp: it has an exit record, or is a recorded run."""
    overview: Overview | None = None
    reader: Reader | None = None
    """How far the log was read; None for a run that is not read, or has been for good."""
    run: RunState = field(default_factory=RunState)


class RunIndex:
    """Looks again and again. A live run's log is read where the last look ended; one that ended is read once.

    Args:
        roots: gives the folders that may hold runs; by default those known on this machine.
        recorded: gives the folders of recorded runs; by default those that come with vlmft.
    """

    def __init__(
        self, roots: Callable[[], list[Path]] | None = None, recorded: Callable[[], list[Path]] | None = None
    ) -> None:
        self._roots = roots or registry.roots
        self._recorded = recorded or recorded_runs
        self._known: dict[Path, _Known] = {}
        self._listed: dict[Path, tuple[int, list[Path]]] = {}

    def look(self, wanted: Collection[Path] = (), seconds: float = 0.2) -> tuple[list[Overview], bool]:
        """Every run: live ones first, then those that ended, then recorded ones; each group newest first.

        Args:
            wanted: runs that ended whose figures are wanted; live ones are always read.
            seconds: how long to go on reading logs of runs that ended; at least one is read.

        Returns:
            The runs, and whether there is more of `wanted` to read.
        """
        recorded = set(self._recorded())
        paths = [*self._paths(), *recorded]
        self._known = {path: self._known.get(path) or _Known() for path in paths}
        for path in paths:
            self._glance(path, path in recorded)
        deadline = time.monotonic() + seconds
        runs = self._sorted()
        pending = [run.folder.path for run in runs if not run.read and run.folder.path in wanted]
        for number, path in enumerate(pending):
            if number and time.monotonic() > deadline:
                return self._sorted(), True
            self._read(path)
        return self._sorted(), False

    def _sorted(self) -> list[Overview]:
        found = [known.overview for known in self._known.values() if known.overview is not None]
        return sorted(found, key=lambda run: (not run.status.live, run.recorded, -run.created, run.folder.name))

    def _paths(self) -> Iterable[Path]:
        """Run folders under the roots. A root is listed again only when something was made or deleted in it."""
        for root in self._roots():
            try:
                stamp = root.stat().st_mtime_ns
                before, known = self._listed.get(root, (-1, []))
                if stamp != before:
                    known = [path for path in root.iterdir() if not path.is_symlink() and path.is_dir()]
                    self._listed[root] = (stamp, known)
            except OSError:  # it was deleted a moment ago
                continue
            yield from (path for path in known if path in self._known or is_run(path))

    def _glance(self, path: Path, recorded: bool) -> None:
        """Bring the state up to date, and the figures of a live run."""
        known = self._known[path]
        folder = RunFolder(path)
        try:
            stamp, ended = path.stat().st_mtime_ns, folder.exit_file.exists()
        except OSError:  # it was deleted a moment ago, or closed to us
            known.overview = None
            return
        changed = known.overview is None or stamp != known.stamp
        if known.settled and not changed:
            return
        status = RunStatus(RECORDED) if recorded else status_of(folder)
        known.stamp, known.settled = stamp, recorded or (ended and not status.live)
        if changed or status != known.status or known.overview is None:
            known.status = status
            known.overview = _unread(folder, recorded, status)
        if known.overview.status.live:
            self._read(path)

    def _read(self, path: Path) -> None:
        known = self._known[path]
        if known.overview is None:
            return
        try:
            if known.reader is None:
                opened = open_log(known.overview.folder)
                taken = take_up(opened)
                known.reader, known.run = opened.reader, taken[0] if taken else RunState(opened.monitor)
            for records in known.reader.batches():
                known.run.apply_all(records)
            status = known.overview.status
            if not known.overview.recorded:
                status = status_of(known.overview.folder, known.run.pulse)
        except VlmftError as error:
            status = RunStatus(UNREADABLE, str(error))
        known.overview = _figures(known.overview, known.run, status)
        if not status.live:
            known.reader, known.run = None, RunState()  # it will not change: the figures are enough


def _unread(folder: RunFolder, recorded: bool, status: RunStatus) -> Overview:
    """A run whose log has not been read."""
    return Overview(folder, status, created(folder), recorded, preset=preset_name(folder), labels=Labels.of(folder))


def facts_of(run: Overview, now: float) -> RunFacts:
    """What it is filtered and sorted by at a time."""
    return facts(
        name=run.folder.name,
        state=run.status.state,
        live=run.status.live,
        preset=run.preset,
        health=health_words(run.finding, run.step),
        labels=run.labels,
        step=run.step,
        total_steps=run.total_steps,
        train=run.loss,
        last_eval=run.eval_loss,
        best_eval=run.best_eval,
        age_seconds=now - run.created,
        recorded=run.recorded,
    )


def preset_name(folder: RunFolder) -> str:
    """The name of a run's preset; empty where its folder does not tell."""
    preset = (read_json(folder.run_file) or {}).get("preset")
    name = preset.get("name") if isinstance(preset, dict) else None
    return str(name or "")


def created(folder: RunFolder) -> float:
    """When a run was started, or resumed last: Unix time; 0 where its folder does not tell."""
    for file in (folder.run_file, folder.path):
        with contextlib.suppress(OSError):  # a recorded run has none; a run may be deleted meanwhile
            return file.stat().st_mtime
    return 0.0


def _figures(before: Overview, run: RunState, status: RunStatus) -> Overview:
    """What the events so far add up to."""
    if before.recorded and run.end is not None:
        status = RunStatus(str(run.end["status"]), str(run.end.get("reason") or ""))
    best, evals = run.best_eval, run.current_evals
    return replace(
        before,
        status=status,
        read=True,
        step=run.step,
        total_steps=run.total_steps,
        eta_seconds=run.eta_seconds if status.live else None,
        loss=run.train_loss.last_value,
        eval_loss=evals[-1]["eval_loss"] if evals else None,
        best_eval=best["eval_loss"] if best else None,
        loss_shape=_shape(run.smooth_loss),
        eval_shape=_shape(run.eval_loss),
        finding=run.worst_finding,
    )


def _shape(series: Series) -> Shape:
    first, last = series.first, series.last
    return tuple(series.decimate(first[0], last[0], _SHAPE_COLUMNS)) if first and last else ()
