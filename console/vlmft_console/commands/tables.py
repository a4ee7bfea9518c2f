"""Tables of plain text: nothing in a cell is read as markup or reaches the terminal as a control sequence."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vlmft_console.sanitize import sanitize


def new_table(*headings: str) -> Table:
    """A table without lines whose first column is never broken; no headings, no heading row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=bool(headings))
    for heading in headings:
        table.add_column(Text(sanitize(heading)), overflow="fold", no_wrap=not table.columns)
    return table


def add_row(table: Table, *cells: str, style: str = "") -> None:
    """Add a row of text. Long text is folded, never cut."""
    while len(table.columns) < len(cells):
        table.add_column(overflow="fold", no_wrap=not table.columns)
    table.add_row(*(Text(sanitize(cell)) for cell in cells), style=style)


def print_table(table: Table) -> None:
    """Print to standard output, as wide as the terminal; 80 columns where there is none."""
    Console(highlight=False).print(table)
