"""MLflow's folders: a run's metrics, one file each: `mlruns/EXPERIMENT/RUN/metrics/NAME`, slashes of names as folders.

A line is a time in milliseconds, a value and a step. Each run is read whole, whichever of its files was named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.entries.metric_names import STEP
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.series import point
from vlmft_console.history.importers.reader import BATCH, label_of
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.growing import GrowingFile, LineSplitter

METRICS: Final = "metrics"
_BESIDE: Final = ("meta.yaml", "params", "tags", "artifacts")
"""What else MLflow keeps of a run."""
_FILES: Final = 1000
"""Metrics of a run that are read."""


def metrics_folder(path: Path) -> Path | None:
    """The folder of a run's metrics that a file lies in; None where it lies in none."""
    folders = (above for above in path.absolute().parents if above.name == METRICS)
    return next((folder for folder in folders if any((folder.parent / name).exists() for name in _BESIDE)), None)


class MlflowRun:
    """A `LogReader`.

    Args:
        folder: its `metrics`.
    """

    format = "mlflow"
    named_steps = True

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.label = label_of(folder.parent)
        self.rejected = 0
        self.entries = 0
        self._translator = Translator(self.label)
        self._files: dict[Path, tuple[GrowingFile, LineSplitter]] = {}
        self._waiting: Iterator[tuple[int, dict[str, Any], float | None]] | None = None
        self._begun = False

    @property
    def contents(self) -> Contents:
        return self._translator.contents("it is a run of MLflow's without metrics")

    def judge_set(self, name: str) -> None:
        self._translator.judge_set(name)

    def read(self) -> list[Record]:
        records = [] if self._begun else [self._translator.begin()]
        self._begun = True
        if self._waiting is None:
            self._waiting = self._new()
        for step, values, time in self._waiting:
            try:
                records += self._translator.take({STEP: step, **values}, time)
                self.entries += 1
            except ValueError:
                self.rejected += 1
            if len(records) >= BATCH:
                return records
        self._waiting = None
        return records

    def _new(self) -> Iterator[tuple[int, dict[str, Any], float | None]]:
        """What was added to the files, the metrics of a step together: its first values, its second ones, ..."""
        steps: dict[tuple[int, int], tuple[dict[str, Any], float | None]] = {}
        for path in self._there():
            file, lines = self._files.setdefault(path, (GrowingFile(path), LineSplitter()))
            name = path.relative_to(self.path).as_posix()
            told: Counter[int] = Counter()
            while data := file.chunk():
                for line in lines.feed(data):
                    if (found := point(line)) is None:
                        self.rejected += bool(line.strip())
                        continue
                    time, step, value = found
                    steps.setdefault((step, told[step]), ({}, time))[0][name] = value
                    told[step] += 1
        yield from ((at[0], *steps[at]) for at in sorted(steps))

    def _there(self) -> list[Path]:
        found = (path for path in sorted(self.path.rglob("*")) if path.is_file() and not path.is_symlink())
        return [path for path, _ in zip(found, range(_FILES), strict=False)]
