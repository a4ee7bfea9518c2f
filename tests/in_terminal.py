"""A program in a pty of its own: what it writes there, what stands on its screen, and keys for it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

CONSOLE = str(Path(sys.executable).with_name("vlmft-console"))


class Terminal:
    """`vlmft-console` in a pty, and everything it wrote there.

    Args:
        folder: where it works, and keeps what it remembers.
        arguments: its own.
        env: of its environment what differs from that of the tests.
        size: columns and rows.
        program: another one to run in its place.
        answers: what this terminal answers to a sequence that asks.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        env: Mapping[str, str] = {},
        size: tuple[int, int] = (80, 24),
        program: Sequence[str] = (CONSOLE,),
        answers: Mapping[bytes, bytes] = {},
    ) -> None:
        self.written = b""
        self._answers = dict(answers)
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._drawn = 0
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            state = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
            os.execve(program[0], [*program, *arguments], {**os.environ, "TERM": "xterm-256color", **state, **env})
        self.resize(*size)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen.resize(rows, columns)

    def read(self, seconds: float) -> bool:
        """Take in what was written within `seconds`; False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:
            return False
        self.written += chunk
        for question in [each for each in self._answers if each in self.written]:
            self.press(self._answers.pop(question))
        return bool(chunk)

    def wait_for(self, text: bytes, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.written:
            assert self.read(0.1), self.written[-2000:]
            assert time.monotonic() < deadline, self.written[-2000:]

    def shown(self) -> str:
        """What stands on the screen now, as lines. Makes sense only while nothing is taken out of `written`."""
        fresh = self.written[self._drawn :]
        if (begun := fresh.rfind(b"\x1b_")) > fresh.rfind(b"\x1b\\"):  # its end is still to come
            fresh = fresh[:begun]
        self._drawn += len(fresh)
        if fresh:
            self._stream.feed(_without_private_modes(fresh))
        cells, (columns, rows) = self._screen.buffer, (self._screen.columns, self._screen.lines)
        # not its `display`, which fails where half of a wide character was overwritten
        return "\n".join("".join(cells[y][x].data for x in range(columns)).rstrip() for y in range(rows))

    def wait_until_shown(self, text: str, seconds: float = 120.0) -> None:
        """Take in output until `text` stands on the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.shown():
            assert self.read(0.1), self.shown()
            assert time.monotonic() < deadline, self.shown()

    def cells(self) -> Iterator[tuple[int, int, str, str]]:
        """Row, column, character and colour of each cell, as of the last look at what is shown."""
        for y in range(self._screen.lines):
            for x in range(self._screen.columns):
                cell = self._screen.buffer[y][x]
                yield y, x, cell.data, cell.fg

    def cpu_seconds(self) -> float:
        """What the program has used so far, in all its threads and the processes it has waited for."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Resident memory of the program now."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def cooked(self) -> bool:
        """Whether the terminal echoes and edits lines, as a shell wants it."""
        return termios.tcgetattr(self.master)[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON

    def wait_until_given_back(self, seconds: float = 120.0) -> float:
        """Read to the end, and return how long it took until the screen was left."""
        began = time.monotonic()
        left = None
        while self.read(0.05):
            if left is None and self.screen_left():
                left = time.monotonic() - began
            assert time.monotonic() - began < seconds, self.written[-2000:]
        return left if left is not None else time.monotonic() - began

    def screen_left(self) -> bool:
        """Whether the alternate screen, the hidden cursor and the mouse were all switched off after they were on."""
        pairs = ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?1000h", b"?1000l"), (b"?1003h", b"?1003l"))
        return all(self.written.rfind(off) >= self.written.rfind(on) for on, off in pairs)

    def status(self) -> int:
        """Exit status as a shell counts it."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return 128 - code if code < 0 else code


@contextmanager
def terminal(folder: Path, *arguments: str, **options: object) -> Iterator[Terminal]:
    console = Terminal(folder, *arguments, **options)  # type: ignore[arg-type]
    try:
        yield console
    finally:
        try:
            os.kill(console.pid, signal.SIGKILL)
            os.waitpid(console.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(console.master)


def _without_private_modes(written: bytes) -> bytes:
    """Without what pyte prints instead of understanding it: keyboard protocol, what asks, and pictures."""
    return re.sub(rb"\x1b\[[<>=?][0-9;]*(?:u|q|\$p)|\x1b_[^\x1b]*\x1b\\", b"", written)
