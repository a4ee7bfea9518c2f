"""History items: the names and values of a `wandb_internal.HistoryRecord`.

Field numbers are those of wandb/proto/wandb_internal.proto.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from vlmft_console.history.importers.stores import wire

_ITEM, _KEY, _NESTED_KEY, _JSON = 1, 1, 2, 16
_SHORT: Final = 0x80
"""Lengths below it take one byte."""
_REMEMBERED: Final = 5000
"""Beginnings of items."""


class HistoryItems:
    """Reads history records one by one.

    All of a run have the same names. A name is remembered with all bytes of its item before those of the value, the
    lengths among them: an item that begins as one did needs no parsing.

    wandb writes the names in any order. They are sorted where they are others than in the record before.
    """

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._before: dict[str, Any] = {}
        """The record before."""

    def read(self, message: bytes) -> dict[str, Any]:
        """Values by name, the parts of a nested one joined with a slash; a value that is no JSON is text.

        Raises:
            ValueError: the message is damaged.
        """
        known, at, end = self._names, 0, len(message)
        names: list[str] = []
        texts: list[bytes] = []
        while at < end:
            try:
                first = at + 7 + message[at + 3]  # 0A length | 12 length key 82 01 | length value
                names.append(known[message[at:first]])
                texts.append(message[first : (at := first + message[first - 1])])
            except (KeyError, IndexError):
                field, _, item, stop = wire.field(message, at)
                if field == _ITEM and isinstance(item, bytes):
                    name, text = self._item(item, message[at:stop])
                    names.append(name)
                    texts.append(text)
                at = stop
        if at > end:
            raise ValueError("cut off")
        values = dict(zip(names, _values(texts), strict=True))
        in_order = self._before | values
        if len(in_order) == len(self._before) == len(values):
            return in_order
        self._before = dict(sorted(values.items()))
        return self._before

    def _item(self, item: bytes, field: bytes) -> tuple[str, bytes]:
        """Its name and value; `field` is the item with what stands before it."""
        key, text, at_the_end = [], b"", False
        for number, kind, part, end in wire.fields(item):
            if kind == wire.BYTES and isinstance(part, bytes):
                if number in (_KEY, _NESTED_KEY):
                    key.append(part.decode("utf-8", "replace"))
                elif number == _JSON:
                    text, at_the_end = part, end == len(item)
        name = "/".join(key)
        if at_the_end and len(item) < _SHORT:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            self._names[field[: len(field) - len(text)]] = name
        return name, text


def _values(texts: list[bytes]) -> list[Any]:
    """Numbers and whatever else; as text what is no JSON, such as what Go and Python write for an infinity."""
    try:
        values: list[Any] = orjson.loads(b"[%b]" % b",".join(texts))
    except ValueError:
        values = []
    return values if len(values) == len(texts) else [_value(text) for text in texts]


def _value(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return text.decode("utf-8", "replace")
