"""Weights & Biases offline files, `run-….wandb`: a LevelDB log of `wandb_internal.Record` messages.

The file is a header of 7 bytes and blocks of 32 KiB. In a block stand fragments: CRC-32 of what follows the length (the
ordinary one, unmasked), length, kind (whole, first, middle, last), message. Less than 7 bytes at a block's end are
padding. Field numbers are those of wandb/proto/wandb_internal.proto.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from vlmft_console.history.importers import wire
from vlmft_console.history.importers.parsing import number
from vlmft_console.history.importers.translate import Translator
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import Record

MAGIC: Final = b":W&B"
_FILE_HEADER: Final = 7
_BLOCK: Final = 32 << 10
_HEADER: Final = 7
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_LARGEST: Final = 1 << 20
"""Bytes of a message that is put together; a history record has a few hundred."""

_HISTORY, _EXIT = 2, 18
_ITEM, _ITEM_KEY, _ITEM_NESTED_KEY, _ITEM_JSON = 1, 1, 2, 16
_EXIT_CODE: Final = 1


class WandbFile:
    """A `Parser`. A damaged fragment costs the rest of its block, no more."""

    def __init__(self, translator: Translator) -> None:
        self.rejected = 0
        self.else_holds = ""
        self.entries = 0
        self._translator = translator
        self._data = b""
        self._place = 0  # of _data in the file
        self._message: bytes | None = None

    def feed(self, data: bytes) -> list[Record]:
        self._data += data
        records: list[Record] = []
        at = max(0, _FILE_HEADER - self._place)
        while at < len(self._data):
            left = _BLOCK - (self._place + at) % _BLOCK
            if left < _HEADER:
                if len(self._data) - at < left:
                    break
                at += left
                continue
            if len(self._data) - at < _HEADER:
                break
            checksum, size, kind = struct.unpack("<IHB", self._data[at : at + _HEADER])
            if not checksum and not size and not kind:
                if len(self._data) - at < left:
                    break  # space that the writer has yet to fill, or the padding of a whole block
                at += left
                continue
            if _HEADER + size > left or not _WHOLE <= kind <= _LAST:
                if len(self._data) - at < left:
                    break
                at += left
                self._reject()
                continue
            if len(self._data) - at < _HEADER + size:
                break
            body = self._data[at + _HEADER : at + _HEADER + size]
            if zlib.crc32(body, zlib.crc32(bytes([kind]))) != checksum:
                if len(self._data) - at < left:
                    break
                at += left
                self._reject()
                continue
            at += _HEADER + size
            self._fragment(kind, body, records)
        self._data = self._data[at:]
        self._place += at
        return records

    def rest(self) -> list[Record]:
        return []

    def _reject(self) -> None:
        self.rejected += 1
        self._message = None

    def _fragment(self, kind: int, body: bytes, records: list[Record]) -> None:
        if kind in (_WHOLE, _FIRST):
            self._message = body
        elif self._message is not None:
            self._message = self._message + body if len(self._message) < _LARGEST else None
        if kind in (_WHOLE, _LAST) and self._message is not None:
            message, self._message = self._message, None
            try:
                records += self._record(message)
            except ValueError:
                self.rejected += 1

    def _record(self, message: bytes) -> list[Record]:
        records: list[Record] = []
        for field, _, value, _ in wire.fields(message):
            if field == _HISTORY and isinstance(value, bytes):
                records += self._history(value)
            elif field == _EXIT and isinstance(value, bytes):
                code = next((code for inner, _, code, _ in wire.fields(value) if inner == _EXIT_CODE), 0)
                records.append(self._exit(code if isinstance(code, int) else 0))
        return records

    def _history(self, message: bytes) -> list[Record]:
        self.entries += 1
        values: dict[str, str] = {}
        for field, _, part, _ in wire.fields(message):
            if field == _ITEM and isinstance(part, bytes):
                key, text = _item(part)
                values[key] = text
        return self._translator.take(values, number(values.get("_timestamp")))

    def _exit(self, code: int) -> Record:
        if code == 0:
            return self._translator.end()
        return self._translator.end(events.FAILED, f"the program exited with status {code}")


def _item(message: bytes) -> tuple[str, str]:
    """A key, the parts of a nested one joined, and its value as JSON text."""
    key, text = [], ""
    for field, _, part, _ in wire.fields(message):
        if isinstance(part, bytes):
            if field in (_ITEM_KEY, _ITEM_NESTED_KEY):
                key.append(part.decode("utf-8", "replace"))
            elif field == _ITEM_JSON:
                text = part.decode("utf-8", "replace").strip('"')
    return "/".join(key), text
