"""TensorBoard event files: TFRecord around `tensorflow.Event` messages, one scalar each.

A record is its length (8 bytes), the length's masked CRC-32C, the message, the message's masked CRC-32C. Field numbers
are those of tensorflow/core/util/event.proto and framework/summary.proto.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from vlmft_console.history.importers import wire
from vlmft_console.history.importers.crc32c import masked
from vlmft_console.history.importers.metric_names import STEP
from vlmft_console.history.importers.translate import Translator
from vlmft_core.run_folder.events import Record

LARGEST: Final = 64 << 10
"""Bytes of a message that is looked into; larger ones hold graphs, images and texts."""
_HEADER: Final = 12
_FOOTER: Final = 4
_MOST_TAGS: Final = 1000
"""Scalars of one step that become one record."""
_LAST_TAG: Final = "train/epoch"
"""What the Hugging Face trainer writes last of an entry."""

_EVENT_TIME, _EVENT_STEP, _EVENT_SUMMARY = 1, 2, 5
_SUMMARY_VALUE, _VALUE_TAG, _VALUE_SIMPLE, _VALUE_TENSOR = 1, 1, 2, 8
_TENSOR_CONTENT, _TENSOR_FLOATS = 4, 5


class EventFile:
    """A `Parser`. Scalars of one step become one record, once `train/epoch`, the trainer's last, or another step comes.

    A record whose checksum is wrong is rejected. Behind a wrong length nothing can be found: the rest is left unread.
    """

    def __init__(self, translator: Translator) -> None:
        self.rejected = 0
        self.entries = 0
        self._translator = translator
        self._data = b""
        self._skip = 0
        self._lost = False
        self._group: dict[str, float] = {}
        self._step = 0
        self._time: float | None = None

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        if self._lost:
            return records
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._data += data
        at = 0
        while len(self._data) - at >= _HEADER:
            head = self._data[at : at + 8]
            (size,) = struct.unpack("<Q", head)
            if struct.unpack("<I", self._data[at + 8 : at + _HEADER])[0] != _masked_length(head):
                self.rejected += 1
                self._lost = True
                records += self._flush()
                records.append(self._translator.note("the event file is damaged: the rest of it cannot be read"))
                break
            whole = _HEADER + size + _FOOTER
            if size > LARGEST:
                self._skip = max(0, at + whole - len(self._data))
                at = min(len(self._data), at + whole)
                continue
            if len(self._data) - at < whole:
                break
            self._message(
                self._data[at + _HEADER : at + whole - _FOOTER], self._data[at + whole - _FOOTER : at + whole], records
            )
            at += whole
        self._data = self._data[at:]
        return records

    def rest(self) -> list[Record]:
        return self._flush()

    def _message(self, message: bytes, checksum: bytes, records: list[Record]) -> None:
        if struct.unpack("<I", checksum)[0] != masked(message):
            self.rejected += 1
            return
        try:
            time, step, scalars = _event(message)
        except (ValueError, struct.error):
            self.rejected += 1
            return
        for tag, value in scalars:
            self.entries += 1
            if step != self._step or tag in self._group or len(self._group) >= _MOST_TAGS:
                records += self._flush()
            self._step, self._time = step, time
            self._group[tag] = value
            if tag == _LAST_TAG:
                records += self._flush()

    def _flush(self) -> list[Record]:
        group, self._group = self._group, {}
        if not group:
            return []
        try:
            return self._translator.take({**group, STEP: self._step}, self._time)
        except ValueError:
            self.rejected += 1
            return []


@lru_cache(maxsize=1024)
def _masked_length(head: bytes) -> int:
    return masked(head)  # a file has a few lengths, many times each


def _event(message: bytes) -> tuple[float | None, int, list[tuple[str, float]]]:
    time, step = None, 0
    scalars: list[tuple[str, float]] = []
    for number, kind, value in wire.fields(message):
        if number == _EVENT_TIME and kind == wire.FIXED64 and isinstance(value, bytes):
            (time,) = struct.unpack("<d", value)
        elif number == _EVENT_STEP and isinstance(value, int):
            step = wire.signed(value)
        elif number == _EVENT_SUMMARY and isinstance(value, bytes):
            for inner, _, part in wire.fields(value):
                if inner == _SUMMARY_VALUE and isinstance(part, bytes) and (scalar := _scalar(part)):
                    scalars.append(scalar)
    return time, step, scalars


def _scalar(message: bytes) -> tuple[str, float] | None:
    """The tag and the value; None where the value is an image, a text, a histogram."""
    tag, found = "", None
    for number, kind, value in wire.fields(message):
        if number == _VALUE_TAG and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif number == _VALUE_SIMPLE and kind == wire.FIXED32 and isinstance(value, bytes):
            (found,) = struct.unpack("<f", value)
        elif number == _VALUE_TENSOR and isinstance(value, bytes):
            found = _tensor(value)
    return None if found is None else (tag, found)


def _tensor(message: bytes) -> float | None:
    """The value of a float tensor with one element, as newer writers store scalars."""
    for number, kind, value in wire.fields(message):
        if number in (_TENSOR_CONTENT, _TENSOR_FLOATS) and kind == wire.BYTES and isinstance(value, bytes):
            if len(value) == 4:
                return float(struct.unpack("<f", value)[0])
        elif number == _TENSOR_FLOATS and kind == wire.FIXED32 and isinstance(value, bytes):
            return float(struct.unpack("<f", value)[0])
    return None
