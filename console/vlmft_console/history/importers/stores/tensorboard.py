"""TensorBoard event files: TFRecord around `tensorflow.Event` messages, one scalar each.

A record is its length (8 bytes), the length's masked CRC-32C, the message, the message's masked CRC-32C.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Final

from vlmft_console.history.importers.entries.metric_names import STEP
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.stores.alike_steps import FOOTER, HEADER, AlikeSteps
from vlmft_console.history.importers.stores.crc32c import MASK, checksum, masked
from vlmft_console.history.importers.stores.scalar_events import ScalarEvents
from vlmft_core.run_folder.events import Record

LARGEST: Final = 64 << 10
"""Bytes of a message that is looked into; larger ones hold graphs, images and texts."""
_MOST_TAGS: Final = 1000
"""Scalars of one step that become one record."""
_LAST_TAG: Final = "train/epoch"
"""What the Hugging Face trainer writes last of an entry."""
_PATIENCE: Final = 20
_LENGTHS: Final = 1000
"""Lengths that are remembered; a file has a few, many times each."""
_checksum: Final = struct.Struct("<I").unpack_from


class EventFile:
    """A `Parser`. Scalars of one step become one record, once `train/epoch`, the trainer's last, or another step comes.

    A record whose checksum is wrong is rejected. Behind a wrong length nothing can be found: the rest is left unread.
    """

    def __init__(self, translator: Translator) -> None:
        self.rejected = 0
        self.else_holds = "it is an event file without scalars"
        self.entries = 0
        self._translator = translator
        self._events = ScalarEvents()
        self._sizes: dict[bytes, int] = {}
        """Headers whose checksum was right, and the length that each tells."""
        self._data = b""
        self._skip = 0
        self._lost = False
        self._group: dict[str, float] = {}
        self._step = 0
        self._time: float | None = None
        self._alike: AlikeSteps | None = None
        self._one_by_one = 0
        """Steps until it is tried again whether those that follow are alike."""

    def feed(self, data: bytes) -> list[Record]:
        records: list[Record] = []
        if self._lost:
            return records
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._data += data
        data, sizes, read, at = self._data, self._sizes, self._events.read, 0
        group, here, whole, begun = self._group, self._step, len(data), -1
        while (start := at + HEADER) <= whole:
            size = sizes.get(data[at:start])
            if size is None and (size := self._size(data[at:start])) is None:
                self._step = here
                records += self._give_up()
                break
            end = start + size
            if not group:
                begun = at
            if size > LARGEST:
                self._skip = max(0, end + FOOTER - whole)
                at = min(whole, end + FOOTER)
                continue
            if whole - end < FOOTER:
                break
            message = data[start:end]
            at = end + FOOTER
            crc = checksum(message)
            if (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF != _checksum(data, end)[0]:
                self.rejected += 1
                continue
            try:
                time, step, scalars = read(message)
            except (ValueError, struct.error):
                self.rejected += 1
                continue
            for tag, value in scalars:
                if step != here or tag in group or len(group) >= _MOST_TAGS:
                    self._step = here
                    records += self._flush()
                    group = self._group
                here, self._time = step, time
                group[tag] = value
                self.entries += 1
                if tag == _LAST_TAG:
                    self._step = here
                    records += self._flush()
                    at = self._ahead(data, begun, at, records)
                    group, here = self._group, self._step
        self._step = here
        self._data = data[at:]
        return records

    def _ahead(self, data: bytes, begun: int, at: int, records: list[Record]) -> int:
        """Read the steps that follow a whole one and are alike, many at once; returns where they end.

        Args:
            data: what there is of the file.
            begun: where that step begins in it; -1 where it does not.
            at: where it ends.
            records: theirs are added.
        """
        if self._one_by_one:
            self._one_by_one -= 1
            return at
        if self._alike is None and begun >= 0:
            with contextlib.suppress(ValueError):
                self._alike = AlikeSteps(data, begun, at, self._events)
        if (alike := self._alike) is None:
            return at
        before, take = at, self._translator.take
        for step, group, time in alike.read(data, at):
            at += alike.stride
            self.entries += len(group)
            self._step = step
            group[STEP] = step
            try:
                records += take(group, time)
            except ValueError:
                self.rejected += 1
        if at == before:
            self._alike, self._one_by_one = None, _PATIENCE if len(data) - at > LARGEST else 0
        return at

    def rest(self) -> list[Record]:
        return self._flush()

    def _size(self, header: bytes) -> int | None:
        """The length of a message that a header tells; None where its checksum is wrong."""
        if _checksum(header, 8)[0] != masked(header[:8]):
            return None
        if len(self._sizes) >= _LENGTHS:
            self._sizes.clear()
        self._sizes[header] = size = int.from_bytes(header[:8], "little")
        return size

    def _give_up(self) -> list[Record]:
        self.rejected += 1
        self._lost = True
        return [*self._flush(), self._translator.note("the event file is damaged: the rest of it cannot be read")]

    def _flush(self) -> list[Record]:
        if not self._group:
            return []
        group, self._group = self._group, {}
        group[STEP] = self._step
        try:
            return self._translator.take(group, self._time)
        except ValueError:
            self.rejected += 1
            return []
