"""Weights & Biases offline files, `run-….wandb`: a LevelDB log of `wandb_internal.Record` messages.

The file is a header of 7 bytes and blocks of 32 KiB. In a block stand fragments: CRC-32 of what follows the length (the
ordinary one, unmasked), length, kind (whole, first, middle, last), message. Less than 7 bytes at a block's end are
padding. Field numbers are those of wandb/proto/wandb_internal.proto.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Final

from vlmft_console.history.importers.entries.contents import listed
from vlmft_console.history.importers.entries.parsing import number
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.stores import wire
from vlmft_console.history.importers.stores.history_items import HistoryItems
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import Record

MAGIC: Final = b":W&B"
_FILE_HEADER: Final = 7
_BLOCK: Final = 32 << 10
_HEADER: Final = 7
_fragment_header: Final = struct.Struct("<IHB").unpack_from
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_KINDS: Final = {kind: zlib.crc32(bytes([kind])) for kind in (_WHOLE, _FIRST, _MIDDLE, _LAST)}
"""Each with the checksum of its byte, which is a fragment's to begin with."""
_LARGEST: Final = 1 << 20
"""Bytes of a message that is put together; a history record has a few hundred."""

_HISTORY, _STATS, _EXIT = 2, 7, 18
_is_summary: Final = re.compile(rb"\x08[\x80-\xff]*[\x00-\x7f]\x1a").match
"""Two of three records, each one of several kinds, are summaries: they say again what the history says."""
_history_begins: Final = re.compile(rb"\x08[\x80-\xff]*[\x00-\x7f]\x12([\x80-\xff]?[\x00-\x7f])").match
"""What nearly all others begin with: a number, and a history after its length."""
_STATS_ITEM, _STATS_KEY = 3, 1
_STATS_NAMES: Final = 100
"""Names of system metrics that are kept, to be told of a run that has no other."""
_EXIT_CODE: Final = 1


class WandbFile:
    """A `Parser`. A damaged fragment costs the rest of its block, no more."""

    def __init__(self, translator: Translator) -> None:
        self.rejected = 0
        self.entries = 0
        self._translator = translator
        self._items = HistoryItems()
        self._data = b""
        self._place = 0  # of _data in the file
        self._message: bytes | None = None
        self._system: dict[str, None] = {}

    @property
    def else_holds(self) -> str:
        return f"only system metrics: {listed(tuple(self._system))}" if self._system else "it is a run without history"

    def feed(self, data: bytes) -> list[Record]:
        self._data += data
        data, place = self._data, self._place
        records: list[Record] = []
        at = max(0, _FILE_HEADER - place)
        while at < len(data):
            block = at + _BLOCK - (place + at) % _BLOCK
            at = self._fragments(data, at, min(block, len(data)), records)
            if block > len(data):
                break
            if block - at >= _HEADER and any(data[at : at + _HEADER]):  # else it is padding
                self.rejected += 1
                self._message = None
            at = block
        self._data = data[at:]
        self._place = place + at
        return records

    def _fragments(self, data: bytes, at: int, stop: int, records: list[Record]) -> int:
        """Read the sound fragments of a block from a place on; returns where something else begins."""
        while at + _HEADER <= stop:
            checksum, size, kind = _fragment_header(data, at)
            start, end = at + _HEADER, at + _HEADER + size
            if end > stop or kind not in _KINDS:
                break
            body = data[start:end]
            if zlib.crc32(body, _KINDS[kind]) != checksum:
                break
            at = end
            if kind == _WHOLE:
                message, self._message = body, None
            else:
                message = self._joined(kind, body)
            if not _is_summary(message):
                try:
                    self._record(message, records)
                except ValueError:
                    self.rejected += 1
        return at

    def rest(self) -> list[Record]:
        return []

    def _joined(self, kind: int, body: bytes) -> bytes:
        """The message whose last fragment this is; empty where there is more to come, or the start is missing."""
        if kind == _FIRST:
            self._message = body
        elif self._message is not None:
            self._message = self._message + body if len(self._message) < _LARGEST else None
        if kind != _LAST:
            return b""
        message, self._message = self._message, None
        return message or b""

    def _record(self, message: bytes, records: list[Record]) -> None:
        if head := _history_begins(message):
            length, start = head[1], head.end()
            if len(message) - start == (length[0] if len(length) == 1 else length[0] - 0x80 + (length[1] << 7)):
                records += self._history(message[start:])  # alone, as nearly all are
                return
        at = 0
        while at < len(message):
            field, _, value, at = wire.field(message, at)
            if field == _HISTORY and isinstance(value, bytes):
                records += self._history(value)
            elif field == _STATS and isinstance(value, bytes) and not self.entries:
                self._stats(value)
            elif field == _EXIT and isinstance(value, bytes):
                code = next((code for inner, _, code, _ in wire.fields(value) if inner == _EXIT_CODE), 0)
                records.append(self._exit(code if isinstance(code, int) else 0))

    def _history(self, message: bytes) -> list[Record]:
        self.entries += 1
        values = self._items.read(message)
        return self._translator.take(values, number(values.get("_timestamp")))

    def _stats(self, message: bytes) -> None:
        for field, _, item, _ in wire.fields(message):
            if field == _STATS_ITEM and isinstance(item, bytes) and len(self._system) < _STATS_NAMES:
                names = (name for inner, _, name, _ in wire.fields(item) if inner == _STATS_KEY)
                self._system |= {
                    name[:200].decode("utf-8", "replace"): None for name in names if isinstance(name, bytes)
                }

    def _exit(self, code: int) -> Record:
        if code == 0:
            return self._translator.end()
        return self._translator.end(events.FAILED, f"the program exited with status {code}")
