"""Handover: a state as bytes for the process that shows it, its long columns in a file that both processes have open.

So a state of any length costs its reader no memory, and is the same in both.
"""

from __future__ import annotations

import io
import pickle
from array import array
from typing import Any, BinaryIO

from vlmft_console.history import stored
from vlmft_console.history.stored import ColumnFile, Stored


class Handover:
    """Between a process that reads and one that shows; both may be this one. It is made before the other is forked.

    Only one of them packs.
    """

    def __init__(self) -> None:
        self.columns: ColumnFile | None = None
        """Where long columns are; None where there is no place for such a file: they then go with everything else."""
        try:
            self.columns = ColumnFile()
        except OSError:
            return

    def pack(self, value: object) -> bytes:
        """An object, with what it holds at this moment.

        Raises:
            OSError: there is no room for its columns.
        """
        packed = io.BytesIO()
        _Packer(packed, self).dump(value)
        return packed.getvalue()

    def unpack(self, file: BinaryIO) -> Any:
        """The next object of a file of packed ones.

        Raises:
            EOFError: there is none.
            pickle.UnpicklingError: it is torn.
        """
        return _Unpacker(file, self).load()


class Packed:
    """A packed object that is unpacked by whoever needs it."""

    def __init__(self, handover: Handover, value: object) -> None:
        self._handover, self._packed = handover, handover.pack(value)

    def value(self) -> Any:
        """The object, as it was when it was packed."""
        return self._handover.unpack(io.BytesIO(self._packed))


class _Packer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, handover: Handover) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._handover = handover
        self._told: dict[int, object] = {}

    def persistent_id(self, value: object) -> Any:
        columns = self._handover.columns
        if value is self._handover:
            return "handover"
        if columns is None:
            return None
        if value is columns:
            return "columns"
        if not isinstance(value, array) or len(value) <= stored.SHORT:
            return None
        if id(value) not in self._told:
            place = columns.add(memoryview(value).cast("B"))
            self._told[id(value)] = (len(self._told), value.typecode, place, len(value))
        return self._told[id(value)]


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: BinaryIO, handover: Handover) -> None:
        super().__init__(file)
        self._handover = handover
        self._found: dict[int, Stored] = {}

    def persistent_load(self, told: Any) -> Any:
        if told == "handover":
            return self._handover
        columns = self._handover.columns
        if columns is None or told == "columns":
            return columns
        number, typecode, place, length = told
        if number not in self._found:
            self._found[number] = Stored(typecode, columns, place, length)
        return self._found[number]
