"""Course of a log: at which step each of its entries stands, and where a training begins anew or goes on."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

LAST: Final = 2**53 - 1
"""The highest step that our own log takes."""
_FEW: Final = 3
"""Training records in a row that went forward, after which a step among the first ones is another training's, not a
late writer's."""
_NEAR: Final = 2
"""Records from the first one on to which no checkpoint takes a training back that has logged `_MANY`."""
_MANY: Final = 8
_SMALL: Final = 2
"""Records by which an epoch may go back in a log without steps: another writer's, or rounding."""


class Start(NamedTuple):
    """A training that begins at an entry, or goes on there."""

    resumed_from: int | None
    """The step after which it goes on; None where it begins anew."""


class Course:
    """Where the entries so far stood. A log that names no steps has its training records counted."""

    def __init__(self) -> None:
        self.named = False
        """Whether the log itself has named a step."""
        self._anew()

    def _anew(self) -> None:
        self.step = 0
        """Of the newest entry that has one of its own."""
        self.points = 0
        """Training records, or evals where there are none of those, since the training began."""
        self._trained = False
        self._forward = 0
        self._first: tuple[int, float | None] = (0, None)
        self._last: tuple[int, float | None] = (0, None)
        self._eval = -1
        self._offset = 0

    def since_the_beginning(self, step: int | None, epoch: float | None, *, trains: bool) -> int | None:
        """An entry's step, counted from the beginning of the training: some logs count anew in every epoch.

        Raises:
            ValueError: there are more of them than our own log takes.
        """
        if step is None:
            return None
        last_step, last_epoch = self._last
        back = trains and self._trained and step + self._offset <= last_step
        if back and epoch is not None and last_epoch is not None and epoch > last_epoch:
            first = self._first[0]
            each = round((last_step - first) / (self.points - 1)) if self.points > 1 else first
            self._offset = max(last_step + max(1, each) - first, last_step + 1 - step)
        if step + self._offset >= LAST:
            raise ValueError("more steps than any training has")
        return step + self._offset

    def simply_follows(self, step: int | None, epoch: float | None) -> bool:
        """Whether a training record only has to be placed: no training begins with it, and no steps count anew."""
        if not self._trained or self._offset:
            return False
        last_step, last_epoch = self._last
        if step is not None:
            return last_step < step < LAST
        return not self.named and epoch is not None and last_epoch is not None and epoch >= last_epoch

    def start(
        self, step: int | None, epoch: float | None, *, ended: bool, trains: bool, anew: bool = False
    ) -> Start | None:
        """Whether a training begins with this entry. Called before the entry is placed.

        Args:
            step: as the entry names it, since the beginning.
            epoch: as the entry tells it.
            ended: whether the log has told the end of the one before.
            trains: whether it is a training record rather than an eval.
            anew: whether it tells of another training if it goes back at all: it promises another number of steps.
        """
        last_step, last_epoch = self._last
        if not trains and self._trained:
            return None  # the evals after a training's end are its own
        if not trains and ended:
            back = epoch is not None and last_epoch is not None and epoch < last_epoch
            return Start(None) if back else None
        if ended:
            if step is not None:
                goes_on = step > self.step
            else:
                goes_on = epoch is not None and last_epoch is not None and epoch > last_epoch
            return Start(self.step if goes_on else None)
        if step is not None and self._offset:  # by its step an entry cannot be told from those of other epochs
            first_epoch = self._first[1]
            if epoch is None or first_epoch is None or last_epoch is None:
                return None
            return Start(None) if epoch < last_epoch and epoch <= first_epoch else None
        if step is not None:
            goes_back = self._forward >= _FEW and step < last_step
            return Start(None) if goes_back and (anew or self._near_first(step)) else None
        if self.named or epoch is None or last_epoch is None or not epoch < last_epoch:
            return None
        return self._gone_back(epoch, last_epoch)

    def _near_first(self, step: float) -> bool:
        """Whether a step behind the last one is one that a training begins with."""
        first_step, each = self._first[0], (self._last[0] - self._first[0]) / max(1, self.points - 1)
        return step <= first_step + (_NEAR * each if self.points >= _MANY else 0)

    def _gone_back(self, epoch: float, last_epoch: float) -> Start | None:
        """What an epoch before the last means where steps are only counted."""
        first_step, first_epoch = self._first
        steps = self._last[0] - first_step
        if first_epoch is None or not steps or not all(map(math.isfinite, (epoch, first_epoch, last_epoch))):
            return None
        each = (last_epoch - first_epoch) / steps
        if not 1e-12 < each < 1e12:
            return None
        if epoch <= first_epoch:
            return Start(None)
        if last_epoch - epoch <= _SMALL * each:
            return None
        step = first_step + round((epoch - first_epoch) / each)
        return Start(None if self._near_first(step) else max(first_step, step - 1))

    def begin(self, resumed_from: int | None) -> None:
        """A training begins, or goes on after a step."""
        if resumed_from is None:
            self._anew()
        else:
            self.step, self._eval = resumed_from, min(self._eval, resumed_from)
            self._last = (resumed_from, None)

    def train(self, step: int | None, epoch: float | None) -> None:
        """Place a training record: `step` is then its step."""
        if step is None:
            self.step = min(LAST, self.step + 1)
        else:
            self._forward = self._forward + 1 if step > self._last[0] or not self.points else 1
            self.named, self.step = True, step
        if not self._trained:
            self._trained, self.points = True, 0
        self._passed(epoch)

    def eval(self, step: int | None, epoch: float | None, *, ended: bool = False) -> int:
        """The step of an eval. One that names none stands where the log is, but after the eval before it.

        What is evaluated once a training has ended stands at its last step: it may be its best weights once more.
        Before the first training record only an eval at epoch 0 is taken for the base's, which stands at step 0.
        """
        if step is not None:
            self.named, self.step = True, step
        elif ended and self.points:
            step = max(self.step, self._eval)
        elif self.named:
            step = min(LAST, max(self.step, self._eval + 1))
        else:
            if self.step <= self._eval or (not self.step and epoch != 0):
                self.step = min(LAST, max(self.step, self._eval) + 1)
            step = self.step
        self._eval = step
        if not self._trained:
            self._passed(epoch)
        return step

    def other(self, step: int | None) -> None:
        """An entry without a loss."""
        if step is not None:
            self.named, self.step = True, step
        elif not self.named and not self.points:
            self.step += 1

    def _passed(self, epoch: float | None) -> None:
        here = (self.step, epoch)
        if not self.points:
            self._first = here
        self.points += 1
        self._last = here
