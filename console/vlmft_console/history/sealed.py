"""Sealed file: an object and the long columns in it, as one process of a user leaves them to the next.

Whatever else stands in its place is as good as nothing: every byte is sealed with the user's own key. An object is
pickled, and what may be made of it is limited to classes of ours all the same.

    magic, 16 bytes | seal, 32 | columns | note | pickle | lengths of the last two, 8 each

The seal is the keyed BLAKE2b of all that follows it.
"""

from __future__ import annotations

import fcntl
import io
import os
import pickle
import stat
import struct
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from vlmft_console.history import stored
from vlmft_console.history.stored import ColumnFile, Stored
from vlmft_core.durable import open_own

_MAGIC = b"vlmft summary 1\n"
_SEAL = 32
_HEAD = len(_MAGIC) + _SEAL
_LENGTHS = struct.Struct("<QQ")
_BLOCK = 1 << 20
_LARGEST_NOTE = 1 << 20
_OURS = ("vlmft_core.health.", "vlmft_core.learning_rate", "vlmft_console.history.")


def write_sealed(path: Path, key: bytes, note: bytes, value: object, known: object) -> bool:
    """Put an object into a file, in place of the one that is there.

    Args:
        path: where; the folder must exist. A second file beside it is written first.
        key: the user's own.
        note: what `SealedFile` tells before anything else is read.
        value: what is kept.
        known: an object in it that is not written; `SealedFile.value` gets one for it.

    Returns:
        False where another process is writing it just now.

    Raises:
        OSError: it cannot be written, or another user's file is in the way.
    """
    draft = path.with_name(f"{path.name}.part")
    descriptor = open_own(draft, os.O_RDWR)
    with os.fdopen(descriptor, "r+b") as file:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(f"{draft} belongs to somebody else")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not _is_still(draft, descriptor):  # who had the lock before has just finished: this is the file itself
            return False
        try:
            file.truncate(0)
            _write(file, key, note, value, known)
            file.flush()
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write(file: BinaryIO, key: bytes, note: bytes, value: object, known: object) -> None:
    seal = blake2b(key=key, digest_size=_SEAL)

    def put(data: bytes | memoryview) -> None:
        file.write(data)
        seal.update(data)

    file.write(bytes(_HEAD))
    pickled = io.BytesIO()
    _Pickler(pickled, known, put).dump(value)
    put(note)
    put(pickled.getbuffer())
    put(_LENGTHS.pack(len(note), pickled.tell()))
    file.seek(0)
    file.write(_MAGIC + seal.digest())


class SealedFile:
    """A file that `write_sealed` may have left.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be read, or is another user's, a link or no file.
        ValueError: it is something else, or torn.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        try:
            self._look()
        except (OSError, ValueError):
            self.close()
            raise

    def _look(self) -> None:
        info = os.fstat(self._file.fileno())
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            raise PermissionError("it is no file of this user's")
        self._size = info.st_size
        end = os.pread(self._file.fileno(), _LENGTHS.size, max(0, self._size - _LENGTHS.size))
        if self._file.read(len(_MAGIC)) != _MAGIC or len(end) != _LENGTHS.size:
            raise ValueError("it is no sealed file")
        self._note: int
        self._pickled: int
        self._note, self._pickled = _LENGTHS.unpack(end)
        if self._note > _LARGEST_NOTE or self._columns < 0:
            raise ValueError("it is torn")

    @property
    def _columns(self) -> int:
        """Bytes of the columns."""
        return self._size - _HEAD - self._note - self._pickled - _LENGTHS.size

    @property
    def note(self) -> bytes:
        """What was written before anything else; not to be relied on before `value` has looked at the seal."""
        return os.pread(self._file.fileno(), self._note, _HEAD + self._columns)

    def value(self, key: bytes, known: object, columns: ColumnFile) -> Any:
        """The object.

        Args:
            key: the user's own.
            known: takes the place of the object that was not written.
            columns: where its columns are put, in place of what is there.

        Raises:
            OSError: it cannot be read, or there is no room for a copy.
            ValueError: it was not written with this key, or has changed since.
        """
        self._file.seek(len(_MAGIC))
        sealed, seal = self._file.read(_SEAL), blake2b(key=key, digest_size=_SEAL)
        columns.clear()
        while block := self._file.read(_BLOCK):
            seal.update(block)
            columns.add(block)
        if seal.digest() != sealed:
            raise ValueError("the seal is not this user's")
        pickled = io.BytesIO(columns.read(self._pickled, self._columns + self._note))
        return _Unpickler(pickled, known, columns).load()

    def close(self) -> None:
        self._file.close()


class _Pickler(pickle.Pickler):
    """Puts columns elsewhere, equal ones once: most have the same steps."""

    def __init__(self, file: io.BytesIO, known: object, put: Callable[[memoryview], None]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._known, self._put = known, put
        self._end = 0
        self._numbers: dict[int, object] = {}
        self._places: dict[object, int] = {}

    def persistent_id(self, value: object) -> Any:
        if value is self._known:
            return ()
        if not isinstance(value, array | Stored):
            return None
        if id(value) not in self._numbers:
            content = value.content if isinstance(value, Stored) else blake2b(value.tobytes(), digest_size=16).digest()
            place = self._places.get(content)
            if place is None:
                place = self._places[content] = self._end
                for piece in _pieces(value):
                    self._put(piece)
                    self._end += len(piece)
            self._numbers[id(value)] = (len(self._numbers), value.typecode, place, len(value))
        return self._numbers[id(value)]


def _pieces(numbers: array[float] | Stored) -> Iterator[memoryview]:
    for piece in numbers.pieces() if isinstance(numbers, Stored) else (numbers,):
        yield memoryview(piece).cast("B")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, known: object, columns: ColumnFile) -> None:
        super().__init__(file)
        self._known, self._columns = known, columns
        self._found: dict[int, array[float] | Stored] = {}

    def persistent_load(self, told: Any) -> Any:
        if not told:
            return self._known
        number, typecode, place, length = told
        if number not in self._found:
            found = Stored(typecode, self._columns, place, length)
            self._found[number] = found if length > stored.SHORT else found[:]
        return self._found[number]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "deque"):
            return deque
        found = super().find_class(module, name) if module.startswith(_OURS) and "." not in name else None
        if not isinstance(found, type) or found.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} is nothing that a summary holds")
        return found
