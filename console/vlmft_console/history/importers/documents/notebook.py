"""Notebooks, Jupyter's `.ipynb`: what their cells printed, and the tables of losses that they show."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.printed.text_detect import Found, text_format
from vlmft_console.history.importers.reader import ParsedLog
from vlmft_core.run_folder.events import Record

_ROW = re.compile(r"<tr[^>]{0,200}>(.*?)</tr>", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"<t[hd][^>]{0,200}>(.*?)</t[hd]>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,200}>")


def is_notebook(document: Any) -> bool:
    """Whether a JSON document is a notebook."""
    return isinstance(document, dict) and "nbformat" in document and isinstance(document.get("cells"), list)


class Notebook(ParsedLog):
    """A `LogReader` of what a notebook holds now; one that is saved again is not read again.

    Args:
        path: the file.
        text: as `printed` gives it.
        found: how that is read.
    """

    def __init__(self, path: Path, text: bytes, found: Found) -> None:
        super().__init__(path, "notebook", found.parser)
        self._text: bytes | None = text

    @property
    def contents(self) -> Contents:
        return self._translator.contents("it is a notebook")

    def read(self) -> list[Record]:
        text, self._text = self._text, None
        if text is None:
            return []
        return [self._translator.begin(), *self._parser.feed(text), *self._parser.rest()]


def open_notebook(path: Path, document: dict[str, Any]) -> Notebook | None:
    """The reader of a notebook; None where its cells show no training."""
    text = "\n".join(printed(document)).encode("utf-8", "replace") + b"\n"
    found = text_format(lambda: [text])
    return Notebook(path, text, found) if found else None


def printed(document: dict[str, Any]) -> Iterator[str]:
    """What the cells of a notebook show, as text."""
    for cell in document["cells"]:
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        for output in outputs if isinstance(outputs, list) else ():
            if not isinstance(output, dict):
                continue
            data = output.get("data")
            shown = data if isinstance(data, dict) else {}
            if "<table" in (markup := _joined(shown.get("text/html"))):
                yield _rows(markup)
            else:
                yield _joined(output.get("text")) or _joined(shown.get("text/plain"))


def _joined(text: Any) -> str:
    """A text, which notebooks keep as one or line by line."""
    return "".join(part for part in text if isinstance(part, str)) if isinstance(text, list | str) else ""


def _rows(markup: str) -> str:
    """The tables of an HTML text, a row a line, its cells set apart by tabs."""
    rows = ([_plain(cell) for cell in _CELL.findall(row)] for row in _ROW.findall(markup))
    return "\n".join("\t".join(cells) for cells in rows)


def _plain(markup: str) -> str:
    return html.unescape(_TAG.sub("", markup)).strip()
