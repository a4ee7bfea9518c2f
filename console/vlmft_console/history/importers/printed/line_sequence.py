"""Line sequence: the entries of lines in their order. Which epoch an entry belongs to, what it repeats, what it is of.

A loss below a heading of an evaluation is an eval's; a bar is drawn more often than there is news; the mean of an epoch
comes after its steps; what a program prints once more begins a training.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from vlmft_console.history.importers.entries.metric_names import EVAL_LOSS, LOSS, Known, known
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.line_entry import Entry
from vlmft_console.history.importers.printed.line_place import Place, StepCounter
from vlmft_core.run_folder.events import Record

_ASSIGNED = re.compile(r"\s*\w+ = [-+]?\d+(?:\.\d{0,2})?(?:e[-+]?\d+)?\s*")
"""A line of a program, such as `best_loss = 1e9`."""


class LineSequence:
    """Is shown the entries of a log one by one, and tells the translator.

    Args:
        translator: numbers the records.
        bare: whether entries count that hold a loss and nothing else.
    """

    def __init__(self, translator: Translator, *, bare: bool) -> None:
        self.rejected = 0
        self.entries = 0
        self.placed = 0
        """Entries with a loss and where it stands, or other figures beside it."""
        self.bare_losses: list[str] = []
        """The first losses of lines that held nothing else."""
        self.epoch: float | None = None
        """That of the last entry or heading."""
        self.on_eval = (False, 0)
        """What the last heading said of the lines below it, and for how many of them it holds."""
        self.started_again = False
        """Whether the program was started once more since the last train loss."""
        self.over = False
        """Whether the program said that the training has ended, since the last train loss."""
        self._translator = translator
        self._bare = bare
        self._counter = StepCounter()
        self._others = StepCounter()
        self._step: int | None = None
        self._total: int | None = None
        self._told_epoch: float | None = None  # of the last entry
        self._base: Entry | None = None  # an eval before anything else
        self._stepwise: str | None = None  # what lines without an eval call the train loss
        self._waiting: tuple[Entry, float | None] | None = None
        self._broken = False  # the program said so, since the last train loss
        self._parted = False  # headings tell where the training part of an epoch begins: they do of its eval, too
        self._in_part = False  # below the heading of an eval, until the next or until the training's steps go on
        self._counted = False  # whether a line below it has told a step
        self._bar: dict[str, str] = {}
        self._bar_evals: dict[str, str] = {}
        self._evals: dict[Known | None, tuple[str, bool, float | None]] = {}
        """Of each set the newest eval loss, whether its line told no train loss, and its epoch."""

    def heading(self, place: Place, *, setting: bool, on_eval: bool | None) -> None:
        """A line without figures that tells an epoch.

        Args:
            place: what it tells.
            setting: whether it may be a line of a configuration.
            on_eval: whether it says that what follows is of an evaluation, or of the training.
        """
        if place.epoch is not None and not place.bar:
            self._parted |= on_eval is False
            self._in_part, self._counted = bool(on_eval) and self._parted, False
        if place.epoch not in (None, self.epoch):
            self.on_eval = (False, 0)
        if place.epoch is not None and not place.bar and not setting:
            self.epoch = place.epoch

    def others(self, entry: Entry, records: list[Record]) -> None:
        """Figures with a step, none of them a loss that a run is judged by.

        They may count otherwise than the losses, as DeepSpeed's do beside those of DeepSpeed-Chat: what lies behind
        the newest loss is told of its step.
        """
        step = self._others.absolute(entry.place)
        if step is not None and self._step is not None:
            step = max(step, self._step)
        self.take({**entry.values, "step": str(step)}, None, records)

    def broke(self, step: str | None, records: list[Record]) -> None:
        """The program said that the loss is no number, and printed none such.

        Args:
            step: where it says that; None where it does not.
            records: what is to be told is added to them.
        """
        if self.placed and not self._broken:
            self._broken = True
            self.flush(records)
            after = {} if self._step is None else {"step": max(int(step or 0), self._step + 1)}  # maybe an epoch's
            self.take({LOSS: "nan", **after}, None, records)

    def add(self, entry: Entry, text: str, t: float | None, records: list[Record]) -> None:
        """An entry with a loss.

        Args:
            entry: is changed.
            text: its line, as it was cleaned; "" where it had several.
            t: when it was, in seconds.
            records: what is to be told is added to them.
        """
        place = entry.place
        if self._in_part and place.step is not None:
            # An eval counts its own steps, and from its first: the one due after the training's last is the training's.
            goes_on = not place.bar and place.total == self._total and self._counter.is_next(place.step)
            self._in_part, self._counted = self._counted or not goes_on, True
        on_eval, lines = self.on_eval
        alone = not entry.placed and len(entry.values) == len(entry.losses) + len(entry.evals)
        # Below the heading of an eval a bar of another length than the training's is the eval's.
        length = self._total or (self._waiting[0].place.total if self._waiting else None)
        own_bar = place.bar and None not in (place.total, length) and place.total != length
        if entry.on_eval is None and (self._in_part or (lines and on_eval and (own_bar or not entry.placed))):
            self._make_evals(entry)
            entry.on_eval = self._in_part or own_bar or None
            lines = 0 if own_bar and place.step == place.total else lines + own_bar
        self.on_eval = (on_eval, max(0, lines - 1))
        before = self._waiting[0] if self._waiting else None
        if text.startswith("*") and not entry.placed and entry.losses and before and before.evals and not before.losses:
            # DETR and its kin: the mean over the set comes after its batches.
            before.values[before.evals[0]] = entry.values[entry.losses[0]]
            self.flush(records)
            return
        if alone and not self._counts_alone(entry, text):
            return
        other = place.bar or place.total != self._total
        in_eval = bool(entry.on_eval and not entry.losses and (self._in_part or (place.total and other)))
        if place.bar and not in_eval and not self._news(entry):
            return
        if self._waiting is not None and not self._replaces(entry, self._waiting[0], in_eval=in_eval):
            self.flush(records)
        if place.bar or in_eval:
            self._waiting = (entry, t)
            if in_eval:
                place.step = place.total = None
        else:
            self._waiting = None  # replaced, if it was not told
            self._emit(entry, t, records)

    def _make_evals(self, entry: Entry) -> None:
        """A loss below a heading that tells of an evaluation."""
        for name in entry.losses:
            if "train" not in name.lower() and EVAL_LOSS not in entry.values:
                entry.values[EVAL_LOSS] = entry.values.pop(name)
                entry.evals.append(EVAL_LOSS)
        entry.losses = [name for name in entry.losses if name in entry.values]

    def _counts_alone(self, entry: Entry, text: str) -> bool:
        """Whether a line counts that holds losses and nothing else."""
        if entry.evals and not entry.losses:
            counts = self.placed > 0 or self.epoch is not None or self._bare
            kind = known(entry.evals[0])
            self._base = entry if not counts and kind and not kind.eval_set else None
            return counts
        if not entry.only or _ASSIGNED.fullmatch(text):
            return False
        if entry.losses and len(self.bare_losses) < 10:
            self.bare_losses.append(entry.values[entry.losses[0]])
        return self._bare or self.epoch is not None or bool(entry.evals)

    def _news(self, entry: Entry) -> bool:
        """Whether a bar that was drawn again says something new; an eval loss stays in a bar until the next."""
        values = entry.values
        if values == self._bar and not any(_is_bad(values[name]) for name in entry.losses):
            return False
        self._bar = dict(values)
        for name in entry.evals:
            if self._bar_evals.get(name) == values[name]:
                del values[name]
        self._bar_evals.update({name: values[name] for name in entry.evals if name in values})
        entry.evals = [name for name in entry.evals if name in values]
        return bool(entry.losses or entry.evals)

    def _replaces(self, entry: Entry, before: Entry, *, in_eval: bool) -> bool:
        """Whether an entry tells what the waiting one told, only later."""
        if before.place.bar and not in_eval and entry.place.bar:
            same = entry.place.step == before.place.step and entry.place.epoch == before.place.epoch
            if same and before.evals and not entry.evals:
                entry.values.update({name: before.values[name] for name in before.evals})
                entry.evals = before.evals
            return same
        ends_eval = bool(entry.on_eval and entry.evals) and not entry.losses and entry.place.step is None
        return (in_eval or ends_eval) and not before.losses and before.on_eval is True

    def flush(self, records: list[Record]) -> None:
        """Tell what waited for more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._emit(*waiting, records)

    def _emit(self, entry: Entry, t: float | None, records: list[Record]) -> None:
        place, values = entry.place, entry.values
        if self.started_again and entry.losses:
            self.started_again = False
            if self._goes_back(place):
                self._counter, self._step, self._total = StepCounter(), None, None
                self.epoch = None if self.epoch == self._told_epoch else self.epoch
                records.append(self._translator.begin())
        if place.epoch is None:
            place.epoch = self.epoch
        else:
            self.epoch = place.epoch
        self._told_epoch = self.epoch
        step = None
        if entry.losses or place.step is not None:
            step = self._counter.absolute(place, trains=bool(entry.losses))
        loss = min(entry.losses, key=_rank, default=None)
        if entry.evals:
            self._without_old_evals(entry)
        if loss and ((step is None and self._step is not None) or (step is not None and step == self._step)):
            # The mean of an epoch among steps, or what another rank prints of the same step.
            if step is not None and not entry.evals:
                return
            values = {(f"epoch {name}" if name in entry.losses else name): value for name, value in values.items()}
            loss = None
        elif loss and entry.evals and self._stepwise not in (None, loss):
            loss = None  # measured again for an eval: the steps have a loss of their own
            values = {(f"eval {name}" if name in entry.losses else name): value for name, value in values.items()}
        elif loss:
            values = {(LOSS if name == loss else name): value for name, value in values.items()}
            self._stepwise = self._stepwise if entry.evals else loss
        self.over, self._broken = self.over and loss is None, self._broken and loss is None
        if loss and step is not None:
            if self._base is not None:
                self.take({**self._base.values, "step": "0"}, None, records)
            self._base = None
            self._step = step
            self._total = self._total or place.total
        told = dict(values)
        if step is not None:
            told["step"] = str(step)
        if place.epoch is not None:
            told["epoch"] = repr(place.epoch)
        if loss and place.total and not place.in_epoch and not place.bar:
            told["total_steps"] = str(place.total)
        self.placed += (loss is not None or bool(entry.evals)) and len(told) > 1
        self.take(told, t, records)

    def _without_old_evals(self, entry: Entry) -> None:
        """Leave out the evals that the lines of steps tell again until the next one, as litgpt's and NeMo's do.

        They are those that a line of their own has told, maybe with more digits, or an earlier step of the same epoch.
        """
        alone, epoch = not entry.losses, entry.place.epoch
        for name in entry.evals:
            value, (told, told_alone, of_epoch) = entry.values[name], self._evals.get(known(name), ("", False, None))
            same = value == told or (told_alone and _rounds_to(told, value))
            if not alone and same and (told_alone or (epoch is not None and epoch == of_epoch)):
                del entry.values[name]
            else:
                self._evals[known(name)] = value, alone, epoch
        entry.evals = [name for name in entry.evals if name in entry.values]

    def _goes_back(self, place: Place) -> bool:
        """Whether an entry after a program's start is of a training that begins anew: one that was resumed goes on."""
        epoch = self.epoch if place.epoch is None else place.epoch
        if epoch is not None and self._told_epoch is not None and epoch != self._told_epoch:
            return epoch < self._told_epoch
        return place.step is None or not self._counter.passed(place.step)

    def take(self, values: Mapping[str, Any], t: float | None, records: list[Record], *, row: bool = False) -> None:
        """Tell an entry as it is."""
        try:
            records += self._translator.take(values, t, row=row)
        except ValueError:
            self.rejected += 1
        else:
            self.entries += 1


def _rank(name: str) -> int:
    found = known(name)
    return found.rank if found else 0


def _rounds_to(text: str, rounded: str) -> bool:
    """Whether a number is another one with fewer digits, either of which may have been rounded from more."""
    digits = len(rounded.partition(".")[2])
    try:
        return 0 < digits < len(text.partition(".")[2]) and abs(float(text) - float(rounded)) < 0.51 / 10**digits
    except ValueError:
        return False


def _is_bad(text: str) -> bool:
    try:
        return not math.isfinite(float(text))
    except ValueError:
        return False
