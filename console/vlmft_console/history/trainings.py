"""Trainings of a log: it may hold several, one after the other, of which one is judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from vlmft_core.errors import VlmftError
from vlmft_core.figures import counted
from vlmft_core.run_folder import events
from vlmft_core.run_folder.batch import Batch
from vlmft_core.run_folder.events import Record

if TYPE_CHECKING:
    from vlmft_console.history.opened import OpenedLog
    from vlmft_console.history.state import RunState

_LISTED: Final = 1000
"""Trainings that are told of, the latest ones."""
_MEASURED: Final = frozenset((events.STEP, events.EVAL, events.METRICS))
_TOLD: Final = 20
"""Trainings that a message lists."""


@dataclass
class Training:
    """One training of a log, as far as it came."""

    number: int
    """Counted from 1."""
    points: int = 0
    """Training records."""
    evals: int = 0
    """Evals of the judged set."""
    first_step: int | None = None
    last_step: int | None = None
    ended: str | None = None
    """`finished`, `stopped`, …; None where the log does not tell an end."""

    def told(self, named_steps: bool) -> str:
        """It in a few words.

        Args:
            named_steps: whether the log names steps, so that they can be told.
        """
        steps = (
            "" if self.first_step is None or not named_steps else f"steps {self.first_step:,} to {self.last_step:,}, "
        )
        return f"{self.number}: {steps}{counted(self.points, 'point')}, {counted(self.evals, 'eval')}"

    def add(self, records: Sequence[Record]) -> None:
        """Take in records of this training. A `run_start` is the first of them."""
        kinds = Batch.of(records).kinds
        self.points += kinds.count(events.STEP)
        self.evals += kinds.count(events.EVAL)
        first = next(_steps(kinds, records), None)
        if first is not None:
            self.first_step = first if self.first_step is None else self.first_step
            self.last_step = next(_steps(reversed(kinds), reversed(records)))
        if events.RUN_START in kinds:
            self.ended = None
        if events.RUN_END in kinds:
            self.ended = records[len(kinds) - 1 - kinds[::-1].index(events.RUN_END)]["status"]


def _steps(kinds: Iterable[str], records: Iterable[Record]) -> Iterator[int]:
    return (record["step"] for kind, record in zip(kinds, records, strict=True) if kind in _MEASURED)


class Part(NamedTuple):
    """Records of the judged training."""

    begins: bool
    """Whether they are the first of another one, in whose favour the one before is given up."""
    records: list[Record]


class Trainings:
    """Tells the trainings of a log apart as its records come.

    A `run_start` that resumes from nothing begins another one, if the one before came as far as a figure.

    Args:
        wanted: the number of the one to be judged; the last one, whichever that will be, if None.
        under_way: the training of what came before the first record.
    """

    def __init__(self, wanted: int | None = None, *, under_way: RunState | None = None) -> None:
        self._wanted = wanted
        begun = under_way is not None and bool(under_way.last_step or under_way.evals)
        self.found: deque[Training] = deque([Training(1, first_step=0 if begun else None)], maxlen=_LISTED)
        """Those there are, in order."""

    @property
    def judged(self) -> int:
        """Number of the one that is judged."""
        return self.found[-1].number if self._wanted is None else self._wanted

    def of(self, batches: Iterable[list[Record]]) -> Iterator[Part]:
        """The records of the judged training among all."""
        for records in batches:
            yield from self.parts(records)

    def parts(self, records: list[Record]) -> Iterator[Part]:
        """The same for the next records of the log."""
        batch = Batch.of(records)
        starts = [index for index in batch.others if batch.kinds[index] == events.RUN_START]
        for begin, end in pairwise(sorted({0, *starts, len(records)})):
            piece, begins = batch[begin:end] if starts else batch, False
            if begin in starts and piece[0].get("resumed_from") is None and self.found[-1].first_step is not None:
                self.found.append(Training(self.found[-1].number + 1))
                begins = self._wanted is None
            self.found[-1].add(piece)
            if self.found[-1].number == self.judged:
                yield Part(begins, piece)

    def require(self, log: OpenedLog) -> None:
        """Refuse a number that the log, read to its end, does not have.

        Raises:
            VlmftError: that, with the trainings that there are.
        """
        if not 1 <= self.judged <= self.found[-1].number:
            there = "; ".join(training.told(log.named_steps) for training in list(self.found)[-_TOLD:])
            raise VlmftError(f"{log.path} has no training {self.judged}", f"it has {there}")

    def note(self) -> str:
        """A sentence on which of several is judged; empty where there is one."""
        if len(self.found) == 1:
            return ""
        return f"{self.found[-1].number:,} trainings in this log: number {self.judged} is shown (--run chooses another)"
