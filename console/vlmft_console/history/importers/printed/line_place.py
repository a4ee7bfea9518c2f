"""Line place: where in its training a line of a log stands, by a bar, `Epoch [1/3][10/500]`, `step:10/1000`, ….

Steps of many logs begin anew with every epoch; `StepCounter` makes them steps of the whole training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_COUNT: Final = r"\d{1,12}"
_BAR = re.compile(rf"\d+%\|[^|\n]{{0,300}}\|\s*({_COUNT})/({_COUNT})\s*\[|(?<!\S)({_COUNT})it \[")
"""A tqdm bar, up to the bracket in which its times and figures stand."""
_BAR_TIMES = re.compile(
    r"^\d+:\d+(?::\d+)?,\s*[^,\]]{0,24}(?:,\s*)?|[\d:?]+(?: ?days?, [\d:]+)?<[^,\]]{0,40},\s*[^,\]]{0,24}(?:,\s*)?"
)
_OF: Final = rf"\[?\s*({_COUNT})\s*(?:/|\bof\b)\s*({_COUNT})(?:\s*\(\s*[\d.]+\s*%\s*\))?\s*\]?"
_EPOCH = re.compile(
    rf"(?<![\w/])(?:epochs?|ep)(?![a-z_])(?:\(\w+\))?\s*[:=#]?\s*(?:[\[(]?\s*({_COUNT})\s*(?:/|\bof\b)\s*({_COUNT})\s*\]?|\[\s*({_COUNT})\s*\]"
    rf"|({_COUNT}(?:\.\d+)?)(?![\w%]|[.:]\d|\s*[*/]))"
    rf"|\b({_COUNT})epoch(?: results|:)",
    re.IGNORECASE,
)
_AFTER_EPOCH = re.compile(rf"[\s:,|\-━╸╺─]*[\[(]?{_OF}\)?")
_STEP = re.compile(
    r"(?<![\w/])(?P<word>(?:global|train|training|optimizer)?[ _]?"
    r"(?:steps?|iter|iters|iterations?|updates?|batch|batches|it|itr))\b"
    rf"(?:\(\w+\))?\s*[:=#]?\s*\(?{_OF}\)?",
    re.IGNORECASE,
)
_PHASE = re.compile(rf"\b(?:train|test|val|valid\w*|eval)\b:?\s*(?:({_COUNT})\s*)?\[{_OF}", re.IGNORECASE)
"""`Train: 0 [  50/1251 (  4%)]`"""
_PHASE_ALONE = re.compile(rf"\b(?:train|test|val|valid\w*|eval|dev)\b:?\s*\[({_COUNT})\](?=[\s,:;|])", re.IGNORECASE)
"""`Val: [50] loss 2.5`"""
_TWO = re.compile(rf"\[{_OF}\s*\]?\s*\[{_OF}|(?:^|(?<=\] ))\[\s*({_COUNT})\s*(?:,\s*({_COUNT})\s*)?\](?=[\s,;|])")
"""`[1/300][50/1251]`, and `[1, 2000]` or `[2000]` at the beginning of a line."""
_ALONE = re.compile(
    rf"^\s*{_OF}(?=[\s,:]|$)|\[\s*({_COUNT})\s*/\s*({_COUNT})\s*(?:\(\s*\d+\s*%\s*\))?\s*\]"
    rf"|({_COUNT})\s*/\s*({_COUNT}) batches"
)
_FIRST = re.compile(rf"^\s*({_COUNT})\s*\|\s*(?=[A-Za-z])")
"""llama2.c: `10 | loss 3.4 | lr 1e-4 | …`"""
_BATCHES = re.compile(rf"\b({_COUNT})epoch:\w+:{_COUNT}-({_COUNT})batch")
"""ESPnet: `3epoch:train:51-100batch: loss=2.5`"""
_NUMBERS = re.compile(r"[\d\[\]]")


@dataclass
class Place:
    """Where a line stands. Whatever it does not tell is None."""

    step: int | None = None
    total: int | None = None
    """Steps of the training, or of the epoch."""
    epoch: float | None = None
    epochs: int | None = None
    in_epoch: bool = False
    """Whether the step is one of the epoch's, by the words for it."""
    bar: bool = False
    """Whether a progress bar tells it, which is drawn more often than there is news."""


def find_place(line: str) -> tuple[Place, str]:
    """The place, and the line with what told it blanked out by bars."""
    place = Place()
    if ("%|" in line or "it [" in line) and (bar := _BAR.search(line)):
        place.bar, place.step, place.total = True, int(bar[1] or bar[3]), int(bar[2]) if bar[2] else None
        after = _BAR_TIMES.sub("| ", line[bar.end() :], count=1)
        line = f"{line[: bar.start()]}| {after.rpartition(']')[0] or after}"
    if "batch" in line and (found := _BATCHES.search(line)):
        place.epoch, place.step, place.in_epoch = float(found[1]), int(found[2]), True
        line = _blank(line, found.start(), found.end())
    elif found := _EPOCH.search(line):
        place.epoch, place.epochs = (
            float(next(filter(None, (found[1], *found.groups()[2:])))),
            int(found[2]) if found[2] else None,
        )
        end = found.end()
        if place.step is None and (inner := _AFTER_EPOCH.match(line, end)):
            # Where epochs come in parts, the steps beside them are those of the whole training.
            place.step, place.total, place.in_epoch, end = (
                int(inner[1]),
                int(inner[2]),
                "." not in found[0],
                inner.end(),
            )
        line = _blank(line, found.start(), end)
    if place.step is None and "[" in line and place.epoch is None and (two := _TWO.search(line)):
        first, of_first, second, of_second, alone, beside = (int(part) if part else None for part in two.groups())
        if alone is None or beside is not None:
            place.epoch, place.epochs = first if alone is None else alone, of_first
            place.step, place.total, place.in_epoch = second if alone is None else beside, of_second, True
        else:
            place.step = alone
        line = _blank(line, two.start(), two.end())
    if place.step is None:
        line = _find_step(place, line)
    return place, line


def _find_step(place: Place, line: str) -> str:
    if "/" in line or " of " in line:
        if found := _STEP.search(line):
            place.step, place.total = int(found[2]), int(found[3])
            place.in_epoch = found["word"].lower().startswith("batch")
        elif found := _PHASE.search(line):
            place.epoch = float(found[1]) if found[1] and place.epoch is None else place.epoch
            place.step, place.total, place.in_epoch = int(found[2]), int(found[3]), True
        elif found := _ALONE.search(line):
            step, total = (int(part) for part in found.groups() if part)
            place.step, place.total, place.in_epoch = step, total, True
        if found:
            return _blank(line, found.start(), found.end())
    elif found := _FIRST.match(line) or _PHASE_ALONE.search(line):
        place.step = int(found[1])
        return _blank(line, found.start(), found.end())
    return line


def _blank(line: str, start: int, end: int) -> str:
    """Without the numbers; the words about them, such as `Epoch(val)`, stay."""
    return line[:start] + _NUMBERS.sub("|", line[start:end]) + line[end:]


class StepCounter:
    """Steps of the whole training, from steps that may begin anew with every epoch."""

    def __init__(self) -> None:
        self._offset = 0
        self._step: int | None = None
        self._total: int | None = None
        self._epoch: float | None = None
        self._first: int | None = None
        self._first_epoch = 1
        self._begins: int | None = None  # the first step of the epoch
        self._each = 1

    def passed(self, step: int) -> bool:
        """Whether a step lies beyond the newest one."""
        return self._step is not None and step > self._step

    def is_next(self, step: int) -> bool:
        """Whether a step may be due after the newest: no further from it than that from the one before, or from 0."""
        return self.passed(step) and step - (self._step or 0) <= max(self._each, self._first or 0)

    def absolute(self, place: Place, *, trains: bool = False) -> int | None:
        """The step of the training; None where the place has none.

        Args:
            place: of an entry.
            trains: whether it has a train loss: where an epoch has told but one step, the next one's of that number is
                another.
        """
        step, epoch = place.step, place.epoch
        if epoch is not None and self._epoch is None and epoch < 1:
            self._first_epoch = 0
        if step is None:
            return None
        back = self._step is not None and step < self._step
        if self._step is not None and epoch is not None and self._epoch is not None and epoch > self._epoch:
            again = trains and step == self._step == self._begins and epoch >= self._epoch + 1
            if back or place.in_epoch or again:
                # Where steps are counted from 0, an epoch has more of them than its last one's number.
                self._offset += max(self._total or 0, self._step if step else self._step + self._each)
        elif back:
            wraps = self._total is not None and self._step is not None and self._step >= self._total - 1
            partial = place.bar or place.in_epoch  # where a step of the whole training goes back, it begins anew
            goes_on = partial and wraps and place.total == self._total and (epoch is None or self._epoch is None)
            # A batch that no epoch is told of is the first one of the next as often as there is one.
            anew = place.in_epoch and not place.total and self._epoch is None and step == self._first
            self._offset = self._offset + (self._total or self._step or 0) if goes_on or anew else 0
        if place.in_epoch and place.total and epoch is not None:
            self._offset = max(0, int(epoch) - self._first_epoch) * place.total
        if self._first is None:
            self._first = step
        if self._step is not None and step > self._step:
            self._each = step - self._step
        if self._begins is None or (epoch is not None and epoch != self._epoch):
            self._begins = step
        self._step, self._total = step, place.total
        self._epoch = epoch if epoch is not None else self._epoch
        return self._offset + step
