"""YOLO's bars, whose figures have their names in the line above:

      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size
      1/100      2.4G      1.173      2.842      1.217        120        640: 100%|##########| 8/8 [00:02<00:00]

Where it tells no total, the loss is the sum of its parts, as it is in the training.
"""

from __future__ import annotations

import contextlib
import re

from vlmft_console.history.importers.printed.line_source import Source

_HEAD = re.compile(r"\s*Epoch\s+GPU_mem\s+(\S.*)", re.IGNORECASE)
_ROW = re.compile(r"\s*(\d{1,7})/\d{1,7}\s+[\d.]+[KMG]B?\s+(?=\S)([^:|]{1,400}):\s+100%")
_TOTALS = ("total", "loss", "train_loss")
_NO_PARTS = re.compile(r"instances|labels|targets|size|img_size|\w*acc", re.IGNORECASE)


class YoloBars:
    """Spells the bars of whole epochs as other trainers' lines."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._epochs: dict[Source, str] = {}
        """Of the newest bar of each rank: it is drawn more than once."""

    @property
    def begun(self) -> bool:
        """Whether there was a line of names."""
        return bool(self._names)

    def line(self, text: str, source: Source) -> str:
        """A line as it is, or as it would be with names; "" where it has been told."""
        if head := _HEAD.fullmatch(text):
            self._names = head[1].split()
            return ""
        if not self._names or not (row := _ROW.match(text)):
            return text
        values = row[2].split()
        if len(values) != len(self._names):
            return text
        if row[1] == self._epochs.get(source):
            return ""
        self._epochs[source] = row[1]
        told = dict(zip(self._names, values, strict=True))
        parts = [name for name in told if not _NO_PARTS.fullmatch(name)]
        with contextlib.suppress(ValueError):
            total = next((told.pop(name) for name in _TOTALS if name in told), None)
            told["train_loss"] = total or repr(round(sum(float(told[name]) for name in parts), 9))
        return f"epoch {row[1]} " + ", ".join(f"{name}: {value}" for name, value in told.items())
