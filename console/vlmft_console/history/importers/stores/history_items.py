"""History items: the names and values of a `wandb_internal.HistoryRecord`.

Field numbers are those of wandb/proto/wandb_internal.proto.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from vlmft_console.history.importers.stores import wire

_ITEM, _KEY, _NESTED_KEY, _JSON = 1, 1, 2, 16
_ITEM_START: Final = _ITEM << 3 | wire.BYTES
_SHORT: Final = 0x80
"""Lengths below it take one byte."""
_REMEMBERED: Final = 5000
"""Names."""


class HistoryItems:
    """Reads history records one by one.

    All of a run have the same names. A name is remembered with the bytes around it, up to the length of the value: an
    item that begins with these, and has short lengths, needs no parsing.
    """

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def read(self, message: bytes) -> dict[str, Any]:
        """Values by name, the parts of a nested one joined with a slash; a value that is no JSON is text.

        Raises:
            ValueError: the message is damaged.
        """
        values: dict[str, Any] = {}
        names, at, end = self._names, 0, len(message)
        padded = message + bytes(3)
        while at < end:
            # 0A length | 12 length key 82 01 | length value
            size = padded[at + 1]
            start, stop = at + 6 + padded[at + 3], at + 2 + size
            name = names.get(padded[at + 2 : start])
            if name is not None and size < _SHORT and padded[at] == _ITEM_START and start < stop <= end:
                text = message[start + 1 : stop]
                if len(text) == padded[start]:
                    try:
                        values[name] = orjson.loads(text)
                    except ValueError:
                        values[name] = _no_json(text)
                    at = stop
                    continue
            field, _, part, at = wire.field(message, at)
            if field == _ITEM and isinstance(part, bytes):
                name, text = self._item(part)
                try:
                    values[name] = orjson.loads(text)
                except ValueError:
                    values[name] = _no_json(text)
        return dict(sorted(values.items()))  # wandb writes them in any order

    def _item(self, item: bytes) -> tuple[str, bytes]:
        key, text, at_the_end = [], b"", False
        for field, kind, part, end in wire.fields(item):
            if kind == wire.BYTES and isinstance(part, bytes):
                if field in (_KEY, _NESTED_KEY):
                    key.append(part.decode("utf-8", "replace"))
                elif field == _JSON:
                    text, at_the_end = part, end == len(item)
        name = "/".join(key)
        if at_the_end and len(text) < _SHORT:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            self._names[item[: len(item) - len(text) - 1]] = name
        return name, text


def _no_json(text: bytes) -> str:
    """What Go and Python write for numbers that are not finite, as it stands."""
    return text.decode("utf-8", "replace")
