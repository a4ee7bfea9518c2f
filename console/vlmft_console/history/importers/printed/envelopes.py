"""Envelopes: what a program printed, piece by piece in JSON objects, as Kaggle and Docker keep it.

[{"stream_name":"stdout","time":12.3,"data":"step 10 loss 2.5\\n"}
,{"stream_name":"stderr","time":12.4,"data":" 10%|#  | 10/100"}
{"log":"step 10 loss 2.5\\n","stream":"stdout","time":"2025-01-01T00:00:00.1Z"}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from vlmft_console.history.importers.reader import Parser
from vlmft_core.run_folder.events import Record

_STRING: Final = rb'"(?:[^"\\]|\\.)*"'
_PRINTED = re.compile(rb'"(?:data|log)": ?(' + _STRING + rb")")
_HEAD = re.compile(rb'\s*(?:\[\s*)?\{(?:"stream_name": ?"std(?:out|err)"|"log": ?' + _STRING + rb', ?"stream": ?"std)')
_LONGEST: Final = 1 << 20
"""Bytes of an object that are looked at."""


def is_enveloped(head: bytes) -> bool:
    """Whether a file that begins so holds what was printed in such objects."""
    return _HEAD.match(head) is not None


class Envelopes:
    """Takes the text out of them; is fed the bytes of a file, cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def text(self, data: bytes) -> bytes:
        """What was printed, as far as it is complete with these bytes."""
        data, at, printed = self._rest + data, 0, []
        for found in _PRINTED.finditer(data):
            at = found.end()
            try:
                printed.append(str(json.loads(found[1], strict=False)).encode("utf-8", "replace"))
            except ValueError:
                continue  # no UTF-8
        self._rest = data[at:][-_LONGEST:]
        return b"".join(printed)


def printed_in(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What was printed, of the whole file."""
    envelopes = Envelopes()
    return map(envelopes.text, chunks)


class Enveloped:
    """A `Parser` of what was printed.

    Args:
        parser: of the text.
    """

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._envelopes = Envelopes()

    @property
    def rejected(self) -> int:
        return self._parser.rejected

    @property
    def else_holds(self) -> str:
        return self._parser.else_holds

    @property
    def entries(self) -> int:
        return self._parser.entries

    def feed(self, data: bytes) -> list[Record]:
        return self._parser.feed(self._envelopes.text(data))

    def rest(self) -> list[Record]:
        return self._parser.rest()
