"""Scalar events: time, step, tags and values out of `tensorflow.Event` messages.

Field numbers are those of tensorflow/core/util/event.proto, framework/summary.proto and framework/tensor.proto.
"""

from __future__ import annotations

import struct
from typing import Final

from vlmft_console.history.importers.stores import wire

Scalars = list[tuple[str, float]]
"""Tag and value."""

_EVENT_TIME, _EVENT_STEP, _EVENT_SUMMARY = 1, 2, 5
_SUMMARY_VALUE, _VALUE_TAG, _VALUE_SIMPLE, _VALUE_TENSOR = 1, 1, 2, 8
_TENSOR_CONTENT, _TENSOR_FLOATS = 4, 5

TIME_KEY: Final = bytes([_EVENT_TIME << 3 | wire.FIXED64])
STEP_KEY: Final = bytes([_EVENT_STEP << 3 | wire.VARINT])
_TIME_END, STEP_AT = 9, 10
_REMEMBERED: Final = 1000
"""Layouts, and tags of each."""


class ScalarEvents:
    """Reads events one by one.

    A writer's events of one tag are alike but for the time, the step and the value, byte by byte. Where these stand is
    remembered for every length of a message, with all other bytes: an event that has the same needs no parsing.
    """

    def __init__(self) -> None:
        self._layouts: dict[int, Layout] = {}
        self._step = b"", 0
        """The latest step as it was written, and as a number: the scalars of a step come together."""

    def read(self, message: bytes) -> tuple[float | None, int, Scalars]:
        """Unix time, step and scalars; none where the event holds an image, a text, a histogram.

        Raises:
            ValueError, struct.error: it is damaged, or no event.
        """
        layout = self._layouts.get(len(message))
        if layout is not None:
            time_key, time, step_key, step, before, value, after = layout.unpack(message)
            if time_key == TIME_KEY and step_key == STEP_KEY and (tag := layout.tags.get(before + after)) is not None:
                if step != self._step[0]:
                    number, end = wire.varint(step, 0)
                    if end < len(step):
                        return self._parse(message)
                    self._step = step, wire.signed(number)
                return time, self._step[1], [(tag, value)]
        return self._parse(message)

    def layout(self, message: bytes) -> tuple[Layout, bytes, bytes, str] | None:
        """The layout of an event that was read, its bytes between step and value, those behind that, and its tag."""
        layout = self._layouts.get(len(message))
        if layout is None:
            return None
        before, after = message[layout.step_end : layout.value_at], message[layout.value_at + 4 :]
        tag = layout.tags.get(before + after)
        return None if tag is None else (layout, before, after, tag)

    def _parse(self, message: bytes) -> tuple[float | None, int, Scalars]:
        time, step, time_end, step_end, value_at = None, 0, 0, 0, 0
        scalars: Scalars = []
        for number, kind, value, end in wire.fields(message):
            if number == _EVENT_TIME and kind == wire.FIXED64 and isinstance(value, bytes):
                (time,), time_end = struct.unpack("<d", value), end
            elif number == _EVENT_STEP and isinstance(value, int):
                step, step_end = wire.signed(value), end
            elif number == _EVENT_SUMMARY and isinstance(value, bytes):
                for inner, _, part, inner_end in wire.fields(value):
                    if inner == _SUMMARY_VALUE and isinstance(part, bytes) and (found := _scalar(part)):
                        tag, measured, place = found
                        scalars.append((tag, measured))
                        value_at = end - len(value) + inner_end - len(part) + place
        step_first = time_end == _TIME_END and message[time_end:STEP_AT] == STEP_KEY
        if len(scalars) == 1 and step_first and wire.varint(message, STEP_AT)[1] == step_end:
            self._remember(message, step_end, value_at, scalars[0][0])
        return time, step, scalars

    def _remember(self, message: bytes, step_end: int, value_at: int, tag: str) -> None:
        layout = self._layouts.get(len(message))
        if layout is None or (layout.step_end, layout.value_at) != (step_end, value_at):
            if len(self._layouts) >= _REMEMBERED:
                self._layouts.clear()
            layout = self._layouts[len(message)] = Layout(len(message), step_end, value_at)
        if len(layout.tags) >= _REMEMBERED:
            layout.tags.clear()
        layout.tags[message[step_end:value_at] + message[value_at + 4 :]] = tag


class Layout:
    """Where messages of one length have their step and value: `step_end` and `value_at`."""

    def __init__(self, size: int, step_end: int, value_at: int) -> None:
        self.step_end = step_end
        self.value_at = value_at
        parts = f"<cdc{step_end - STEP_AT}s{value_at - step_end}sf{size - value_at - 4}s"
        self.unpack = struct.Struct(parts).unpack
        self.tags: dict[bytes, str] = {}
        """By the bytes between step and value, and those behind the value, which hold the tag."""


def _scalar(message: bytes) -> tuple[str, float, int] | None:
    """The tag, the value, and where that stands; None where the value is an image, a text, a histogram."""
    tag, found = "", None
    for number, kind, value, end in wire.fields(message):
        if number == _VALUE_TAG and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif number == _VALUE_SIMPLE and kind == wire.FIXED32 and isinstance(value, bytes):
            found = float(struct.unpack("<f", value)[0]), end - 4
        elif number == _VALUE_TENSOR and isinstance(value, bytes):
            tensor = _tensor(value)
            found = tensor and (tensor[0], end - len(value) + tensor[1])
    return None if found is None else (tag, *found)


def _tensor(message: bytes) -> tuple[float, int] | None:
    """The value of a float tensor with one element, as newer writers store scalars, and where it stands."""
    for number, kind, value, end in wire.fields(message):
        if number in (_TENSOR_CONTENT, _TENSOR_FLOATS) and kind == wire.BYTES and isinstance(value, bytes):
            if len(value) == 4:
                return float(struct.unpack("<f", value)[0]), end - 4
        elif number == _TENSOR_FLOATS and kind == wire.FIXED32 and isinstance(value, bytes):
            return float(struct.unpack("<f", value)[0]), end - 4
    return None
