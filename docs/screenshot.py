"""Run a command in a terminal of its own and save what is on its screen at the end as SVG, for the README.

python docs/screenshot.py OUT.svg WIDTHxHEIGHT COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import pty
import struct
import sys
import termios

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text


def run(command: list[str], columns: int, rows: int) -> pyte.Screen:
    """The screen of a terminal of that size once `command` has ended."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)}
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    while True:
        try:
            stream.feed(os.read(terminal, 65536))
        except OSError:  # the command has ended
            os.waitpid(pid, 0)
            return screen


def as_text(screen: pyte.Screen) -> Text:
    """The screen with its colours, without the empty rows at its end."""
    last = max((row for row, line in enumerate(screen.display) if line.strip()), default=0)
    text = Text()
    for row in range(last + 1):
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        for (colour, bold), run in itertools.groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
            name = None if colour == "default" else f"#{colour}" if len(colour) == 6 else colour
            text.append("".join(cell.data for cell in run), Style(color=name, bold=bold))
        text.append("\n")
    return text


def main() -> None:
    out, size, *command = sys.argv[1:]
    columns, rows = map(int, size.split("x"))
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    console.print(as_text(run(command, columns, rows)))
    console.save_svg(out, title=f"$ {' '.join(command)}")


if __name__ == "__main__":
    main()
