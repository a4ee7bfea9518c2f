"""DeepSpeed lines, and DeepSpeed-Chat's: the learning rate every few steps, skipped steps, perplexities.

    [Rank 0] step=10, skipped=6, lr=[9.65e-06, 9.65e-06], mom=[(0.9, 0.95), (0.9, 0.95)]
    OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 65536, reducing to 32768
    ***** Evaluating perplexity, Epoch 1/16 *****
    ppl: 2.0179834365844727

The loss stands in none of them. DeepSpeed-Chat takes a perplexity as exp(eval loss), hence `eval_loss` = ln(ppl).
"""

from __future__ import annotations

import math
import re
from typing import Final

from vlmft_console.history.importers.entries.parsing import number
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_core.run_folder.events import Record

NEEDLES: Final = (b"skipped=", b"OVERFLOW!", b"Evaluating perplexity, Epoch ", b"ppl: ")
"""Where something of interest stands in a line."""
BEFORE: Final = 40
"""Bytes of the line before a needle that belong to it."""

OVERFLOWED: Final = "DeepSpeed skipped steps: the gradients overflowed"

_STEP = re.compile(rb"step=(\d{1,15}), skipped=(\d{1,15}), lr=\[([^],]{1,64})[],]")
_OTHER_RANK = re.compile(rb"OVERFLOW! Rank (?!0\b)\d+")
_EPOCH = re.compile(rb"Epoch (\d{1,9})/")
_PERPLEXITY = re.compile(rb"ppl: (\S{1,64})")


class DeepSpeedLines:
    """Makes records of DeepSpeed's lines.

    Args:
        translator: numbers the records.
        steps: whether lines with a learning rate become steps. Where a trainer prints steps of its own they don't:
            the two would count the same steps twice.
    """

    def __init__(self, translator: Translator, *, steps: bool) -> None:
        self.entries = 0
        self._translator = translator
        self._steps = steps
        self._epoch: int | None = None
        self.overflows = 0
        """Steps skipped, by the lines that say so."""

    def take(self, line: bytes, needle: bytes) -> list[Record]:
        """The records of one line; a line that only resembles DeepSpeed's amounts to none.

        Args:
            line: from up to `BEFORE` bytes before the needle to the end of the line.
            needle: which of `NEEDLES` was found.

        Raises:
            ValueError: the line is torn.
        """
        if needle == b"skipped=":
            return self._step(line)
        if needle == b"OVERFLOW!":
            return self._overflow(line)
        if needle == b"ppl: ":
            return self._perplexity(line)
        if found := _EPOCH.search(line):
            self._epoch = int(found[1])
        return []

    def _step(self, line: bytes) -> list[Record]:
        found = _STEP.search(line)
        if not found:
            raise ValueError("a torn line")
        step, skipped, lr = int(found[1]), int(found[2]), number(found[3].decode("ascii", "replace"))
        self._translator.skipped = skipped
        if not self._steps or lr is None:
            return []
        self.entries += 1
        return self._translator.schedule_point(step, lr)

    def _overflow(self, line: bytes) -> list[Record]:
        if _OTHER_RANK.search(line):
            return []
        self.overflows += 1
        self._translator.skipped = max(self._translator.skipped, self.overflows)
        return [self._translator.note(OVERFLOWED)] if self.overflows == 1 else []

    def _perplexity(self, line: bytes) -> list[Record]:
        found = _PERPLEXITY.search(line)
        if not found or not self._steps:
            return []
        perplexity = number(found[1].decode("ascii", "replace").rstrip(","))
        if perplexity is None or perplexity <= 0:
            return []
        return self._translator.take({"eval_loss": math.log(perplexity), "epoch": self._epoch})
