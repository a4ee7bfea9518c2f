"""Console text: what training programs print, the Hugging Face trainer's dicts among progress bars, DeepSpeed's lines.

Such a log may have bars glued to a dict with a carriage return, prefixes of hosts and workers, dicts wrapped by a
terminal or torn by another rank. Nothing is taken from the bars: with buffered output the dicts come in bunches, long
after the bars of their steps. Hence steps are counted in the order of the dicts, unless a dict names its own.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from vlmft_console.history.importers.entries.metric_names import EVAL_LOSS, GRAD_NORM, LOSS, RATE, stands_for
from vlmft_console.history.importers.entries.parsing import number
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.deepspeed import BEFORE, NEEDLES, DeepSpeedLines
from vlmft_console.history.importers.printed.hf_dict import LONGEST, metrics_in, resembles_metrics
from vlmft_console.history.importers.printed.line_source import prefix_of
from vlmft_core.run_folder.events import Record

_BRACE: Final = b"{"
_LONGEST_NEEDLE: Final = max(map(len, NEEDLES))
_LONGEST_LINE: Final = 4096
_PREFIX: Final = 1024
"""Bytes before a dict in which its source and its step are looked for."""
_REMEMBERED: Final = 4096
"""Dicts among which the same one from another host is found: hosts that buffer can be as far apart."""

_LINE_END = re.compile(rb"[\r\n]")
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_HALF_COLOUR = re.compile(rb"\x1b(?:\[[0-9;]*)?$")
_LONGEST_COLOUR: Final = 32
_SOURCE = re.compile(
    rb"(\([A-Za-z]\w* pid=\d+[^()]*\)|\[(?:rank|default)?\d+\]:?|\[pod/[\w./-]{1,200}\]|\[\d+,\d+\]<std(?:out|err)>:"
    rb"|^[\w.-]{1,64}(?::| {2,40}\|)|^INFO:\w{1,40}:)$|^(I)\d{4} [\d:.]{8,18} +\d+ [\w./-]{1,200}:\d+\]$"
)
"""What stands before a dict that says who printed it; TensorFlow's logger and absl's print the same one each."""
_LOGGER = re.compile(rb"\[(?:INFO|WARNING)\b[^>]*>>$")
"""A line of Hugging Face's logger: LLaMA-Factory's callback tells with it what the trainer then prints, too."""
_EVALUATED = re.compile(
    rb"(?<![\w./-])(?:eval(?:uation)?|valid(?:ation)?|val|test|dev)(?![\w./-])[^{}]{0,40}$", re.IGNORECASE
)
"""A word before a dict that says what it was measured on: `Evaluation step 10: {"loss": 2.5}`."""
_NAMED_STEP = re.compile(
    rb"""\b[Ss]tep(?::?\s+|=)(\d{1,15})[:,|-]?$|["']step["']\s*:\s*(\d{1,15})\s*,\s*["']\w{1,40}["']\s*:$"""
)
"""A step before a dict, or in one around it, as Levanter has it: `{"step": 10, "metrics": {"train/loss": 1.5}}`."""


class ConsoleText:
    """A `Parser`.

    Args:
        translator: numbers the records.
        deepspeed_steps: as `DeepSpeedLines`.
    """

    def __init__(self, translator: Translator, *, deepspeed_steps: bool) -> None:
        self.rejected = 0
        self.else_holds = ""
        self.dicts = 0
        """Dicts with metrics."""
        self.losses = False
        """Whether one of them had a train loss."""
        self.evals = False
        """Whether one of them had an eval loss."""
        self.rates = False
        """Whether one of them had a train loss with its rate or gradient norm."""
        self._translator = translator
        self._deepspeed = DeepSpeedLines(translator, steps=deepspeed_steps)
        self._text = b""
        self._escape = b""  # the first half of a colour
        self._at = 0  # what stands before is done, and kept only as a prefix of what follows
        self._held: Mapping[str, Any] | None = None  # told by a logger; perhaps the trainer tells the same with more
        self._sources: OrderedDict[bytes, dict[bytes, int]] = OrderedDict()

    @property
    def overflows(self) -> int:
        """Steps that DeepSpeed skipped, by its own lines."""
        return self._deepspeed.overflows

    @property
    def entries(self) -> int:
        return self.dicts + self._deepspeed.entries

    def feed(self, data: bytes) -> list[Record]:
        text, at = self._text + self._uncoloured(data), self._at
        records: list[Record] = []
        brace, ahead = text.find(_BRACE, at), Needles(text, at)
        line, needle = ahead.next(at)
        while brace >= 0 or line >= 0:
            if line < 0 or 0 <= brace < line:
                place, after = brace, self._braces(text, brace, records)
            else:
                place, after = line, self._line(text, line, needle, records)
            if after is None:
                at = place
                break
            at = after
            if brace < at:
                brace = text.find(_BRACE, at) if brace >= 0 else -1
            if 0 <= line < at:
                line, needle = ahead.next(at)
        else:
            at = max(at, len(text) - _LONGEST_NEEDLE + 1)
        keep = max(0, at - _PREFIX)
        self._text, self._at = text[keep:], at - keep
        return records

    def _uncoloured(self, data: bytes) -> bytes:
        """Without colours, which stand anywhere in a dict that rich has printed."""
        data = self._escape + data
        if b"\x1b" not in data:
            self._escape = b""
            return data
        cut = _HALF_COLOUR.search(data, max(0, len(data) - _LONGEST_COLOUR))
        end = cut.start() if cut else len(data)
        self._escape = data[end:]
        return _COLOUR.sub(b"", data[:end])

    def rest(self) -> list[Record]:
        records: list[Record] = []
        self._release(records)
        return records

    def _braces(self, text: bytes, place: int, records: list[Record]) -> int | None:
        """Deal with the brace at `place`; returns where to go on, None when more bytes are needed to tell."""
        limit = place + LONGEST
        inner = text.find(_BRACE, place + 1, limit)
        close = text.find(b"}", place + 1, inner if inner >= 0 else limit)
        if close >= 0:
            self._dict(text[place : close + 1], text[max(0, place - _PREFIX) : place], records)
            return close + 1
        if inner < 0 and len(text) < limit:
            return None
        after = inner if inner >= 0 else limit
        self.rejected += resembles_metrics(text[place:after])
        return after

    def _dict(self, text: bytes, before: bytes, records: list[Record]) -> None:
        try:
            values = metrics_in(text)
            if values is None:
                return
            prefix = _prefix(before)
            if (source := _source(before, prefix)) and self._told_by_another(text, source):
                return
            if prefix:
                said = _EVALUATED.search(prefix) and b"train" not in prefix.lower()
                if said and not any(stands_for(name, EVAL_LOSS) for name in values):
                    values = {"split": "eval", **values}
                if named := _NAMED_STEP.search(prefix):
                    values = {"step": (named[1] or named[2]).decode(), **values}
            if self._held is not None and _tell_the_same(self._held, values):
                values = {**self._held, **values}
                self._held = None
            self._release(records)
            if _LOGGER.search(prefix):
                self._held = values
            else:
                records += self._translator.take(values)
        except ValueError:
            self.rejected += 1
        else:
            self.dicts += 1
            self.evals = self.evals or any(stands_for(name, EVAL_LOSS) for name in values)
            if not self.rates and any(stands_for(name, LOSS) for name in values) and "train_runtime" not in values:
                self.losses = True
                self.rates = any(stands_for(name, RATE, GRAD_NORM) for name in values)

    def _release(self, records: list[Record]) -> None:
        """Take what was held."""
        held, self._held = self._held, None
        if held is not None:
            records += self._translator.take(held)

    def _told_by_another(self, text: bytes, source: bytes) -> bool:
        """Whether another host or worker has printed this dict as often already."""
        counts = self._sources.setdefault(text, {})
        told = max(counts.values(), default=0)
        counts[source] = counts.get(source, 0) + 1
        self._sources.move_to_end(text)
        if len(self._sources) > _REMEMBERED:
            self._sources.popitem(last=False)
        return counts[source] <= told

    def _line(self, text: bytes, place: int, needle: bytes, records: list[Record]) -> int | None:
        end = _LINE_END.search(text, place, place + _LONGEST_LINE)
        if end is None and len(text) < place + _LONGEST_LINE:
            return None
        if end is not None:
            line = _line_before(text[max(0, place - BEFORE) : place]) + text[place : end.start()]
            try:
                records += self._deepspeed.take(line, needle)
            except ValueError:
                self.rejected += 1
        return place + len(needle)


def _tell_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two dicts tell the same loss at the same epoch, but for rounding."""
    for name in ("loss", "epoch"):
        try:
            first, second = number(one.get(name)), number(other.get(name))
        except ValueError:
            return False
        if first is None or second is None or not math.isclose(first, second, rel_tol=2e-3, abs_tol=6e-3):
            return False
    return True


class Needles:
    """Where each of DeepSpeed's needles stands next: a text is searched once for each, however many others it has."""

    def __init__(self, text: bytes, at: int) -> None:
        self._text = text
        self._places = {needle: text.find(needle, at) for needle in NEEDLES}

    def next(self, at: int) -> tuple[int, bytes]:
        """The first needle from `at` on, and which it is; -1 where there is none. `at` never goes back."""
        for needle, place in self._places.items():
            if 0 <= place < at:
                self._places[needle] = self._text.find(needle, at)
        return min(((place, needle) for needle, place in self._places.items() if place >= 0), default=(-1, b""))


def _line_before(text: bytes) -> bytes:
    """What stands on the last line of a text."""
    return text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :]


def _prefix(before: bytes) -> bytes:
    """What stands before a dict on its line."""
    return _line_before(before).strip()


def _source(before: bytes, prefix: bytes) -> bytes:
    """Who printed a dict; b"" where neither what stands right before it says so, nor the line whose bar it replaces."""
    if prefix:
        found = _SOURCE.search(prefix)
        return found[1] or found[2] if found else b""
    start = before.rfind(b"\n") + 1
    if before[start : start + 1] in b"\r" or (not start and len(before) == _PREFIX):
        return b""
    return prefix_of(before[start:])
