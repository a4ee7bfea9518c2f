"""Unpacked log: the bytes of a log as its program wrote them, of a file that was compressed or stored as UTF-16, too.

Compressed files are unpacked as a stream, in bounded memory, and told by their first bytes.
"""

from __future__ import annotations

import bz2
import codecs
import lzma
import zlib
from pathlib import Path
from typing import Final, Protocol

from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.growing import GrowingFile

_GZIP: Final = b"\x1f\x8b"
_XZ: Final = b"\xfd7zXZ\x00"
_BZIP2: Final = b"BZh"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = b"\xef\xbb\xbf"
_DICTIONARY: Final = 128 << 20
"""Bytes of memory that unpacking xz may take."""
_PIECE: Final = 64 << 10
"""Bytes unpacked at once: what stands before a damage is lost with it."""
_BOMB: Final = 256 << 20
"""Bytes up to which nobody asks how small the file was that they came from."""
_RATIO: Final = 250
"""Times its size to which a log can be packed: the most repetitive ones reach 100, a bomb 1000."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Gzip:
    """zlib's object with the manners of the others."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


def _decompressor(magic: bytes) -> _Decompressor | None:
    if magic.startswith(_GZIP):
        return _Gzip()
    if magic.startswith(_XZ):
        return lzma.LZMADecompressor(memlimit=_DICTIONARY)
    if magic.startswith(_BZIP2):
        return bz2.BZ2Decompressor()
    return None


class Unpacked:
    """A file's bytes in chunks, as `GrowingFile` gives them, unpacked and as UTF-8.

    Args:
        path: the file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packed = False
        """Whether the file is compressed."""
        self._file = GrowingFile(path)
        self._begin()

    def _begin(self) -> None:
        self._first = True
        self._unpacked = 0
        self._damage = ""
        self._decompressor: _Decompressor | None = None
        self._decoder: codecs.IncrementalDecoder | None = None

    @property
    def restarts(self) -> int:
        """Times that the file was found to be another one than before; `chunk` then begins at its start again."""
        return self._file.restarts

    @property
    def shortfall(self) -> str:
        """What is wrong with the end of a compressed file, once there is nothing more to be read; "" if nothing is."""
        if self._damage:
            return self._damage
        if self._decompressor is not None and not self._decompressor.eof:
            return "the compressed file is cut off, or still being written: what it holds so far is read"
        return ""

    def chunk(self) -> bytes:
        """What follows the last chunk; empty at the end, or where the file is gone.

        Raises:
            VlmftError: as `GrowingFile`, or the file unpacks to far more than any log does.
        """
        while True:
            if self._holds_more():
                data = self._unpack(b"")
            else:
                restarts = self._file.restarts
                raw = self._file.chunk()
                if self._file.restarts != restarts:
                    self._begin()
                if not raw:
                    return b""
                data = self._unpack(raw) if self._is_packed(raw) else raw
            if data := self._decoded(data):
                return data

    def _holds_more(self) -> bool:
        """Whether there is more in what was read of the compressed file."""
        inner = self._decompressor
        if inner is None or self._damage:
            return False
        return bool(inner.unused_data) if inner.eof else not inner.needs_input

    def _is_packed(self, raw: bytes) -> bool:
        if self._first and self._decompressor is None:
            self._decompressor = _decompressor(raw[:6])
            self.packed = self._decompressor is not None
        return self._decompressor is not None

    def _unpack(self, raw: bytes) -> bytes:
        if self._damage or self._decompressor is None:
            return b""
        if self._decompressor.eof:  # parts that were packed one by one, and stand one after the other
            raw = (self._decompressor.unused_data + raw).lstrip(b"\0")
            following = _decompressor(raw[:6])
            if following is None:
                self._damage = "what follows the compressed log is not read"
                return b""
            self._decompressor = following
        try:
            data = self._decompressor.decompress(raw, _PIECE)
        except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
            self._damage = f"the compressed file is damaged ({error}): the rest of it is not read"
            return b""
        self._unpacked += len(data)
        if self._unpacked > _BOMB and self._unpacked > _RATIO * self._file.offset:
            raise VlmftError(f"{self.path} unpacks to more than {_RATIO} times its size, as no log does: not read")
        return data

    def _decoded(self, data: bytes) -> bytes:
        if self._first and data:
            self._first = False
            if data.startswith(_UTF16):
                self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
            elif _is_utf16_without_mark(data):
                self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
            elif data.startswith(_BOM):
                return data[len(_BOM) :]
        return self._decoder.decode(data).encode("utf-8", "replace") if self._decoder else data


def _is_utf16_without_mark(data: bytes) -> bool:
    start = data[:512]
    return len(start) > 32 and 0 not in start[::2] and start[1::2].count(0) > len(start) * 3 // 8
