"""Output: lines, JSON and tables. Text that was not written here is never markup, nor reaches the terminal raw."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from vlmft_console.sanitize import json_safe, link_to, redacted, sanitize
from vlmft_core.durable import write_whole
from vlmft_core.errors import VlmftError

_PATIENCE_SECONDS = 1.0


def say(text: str, *, err: bool = False) -> None:
    """Print one line, on standard error with `err`."""
    typer.echo(sanitize(text), err=err)


def print_json(value: Any, *, indent: bool = False) -> None:
    """Print `value` as JSON in UTF-8, secrets left out; on one line without `indent`."""
    typer.echo(as_json(value, indent=indent))


def as_json(value: Any, *, indent: bool = False) -> str:
    """`value` as `print_json` prints it."""
    return json_safe(orjson.dumps(redacted(value), option=orjson.OPT_INDENT_2 if indent else None).decode())


def new_table(*headings: str) -> Table:
    """A table without lines whose first column is not broken unless it takes most of the room; no headings, no heading
    row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=bool(headings))
    for heading in headings:
        table.add_column(Text(sanitize(heading)), overflow="fold", no_wrap=not table.columns)
    return table


def add_row(table: Table, *cells: str | Path, style: str = "") -> None:
    """Add a row of text. Long text is folded, never cut; a path is a link where a terminal shows it."""
    while len(table.columns) < len(cells):
        table.add_column(overflow="fold", no_wrap=not table.columns)
    table.add_row(*map(_cell, cells), style=style)


def _cell(cell: str | Path) -> Text:
    link = Style(link=link_to(cell)) if isinstance(cell, Path) else ""
    return Text(sanitize(str(cell)), style=link)


def print_table(table: Table) -> None:
    """Print to standard output, as wide as the terminal; 80 columns where there is none."""
    console = Console(highlight=False)
    for first in table.columns[:1]:
        if any(cell_len(str(cell)) > console.width // 2 for cell in first.cells):
            first.no_wrap = False  # one long name would leave the figures no room at all
    console.print(table)


def write_file(path: Path, content: str | bytes, *, force: bool) -> None:
    """Write the whole file that a person asked for, or nothing.

    Raises:
        VlmftError: the file is there and `force` is not given, or it cannot be written.
    """
    if path == Path("-"):
        raise VlmftError("-: no file's name", "what goes to standard output goes there without -o")
    if path.exists() and not path.is_file():
        raise VlmftError(f"{path}: not a regular file", "name another file")
    if path.exists() and not force:
        raise VlmftError(f"{path}: exists already", "pass --force to replace it")
    try:
        write_whole(path, content, private=False)
    except OSError as error:
        raise VlmftError(f"{path}: cannot be written: {error.strerror}") from None


class StatusLine:
    """One line on standard error that changes in place, where somebody watches."""

    def __init__(self) -> None:
        self.watched = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, text: str) -> None:
        """Replace the line."""
        width = shutil.get_terminal_size().columns - 1
        self._write(f"\r{sanitize(text)[:width]}\x1b[K")

    def clear(self) -> None:
        """Take the line away."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self.watched:
            print(text, end="", file=sys.stderr, flush=True)


@contextmanager
def waiting() -> Iterator[Callable[[object], None]]:
    """Says what is waited for, to who has waited a second; what that was is gone in the end.

    Returns:
        What is to be called now and then with what is done, such as `reading best: 40%, step 1,000`.
    """
    line, began, shown = StatusLine(), time.monotonic(), False

    def tell(done: object) -> None:
        nonlocal shown
        if time.monotonic() - began > _PATIENCE_SECONDS:
            line.show(str(done))
            shown = True

    try:
        yield tell
    finally:
        if shown:
            line.clear()
