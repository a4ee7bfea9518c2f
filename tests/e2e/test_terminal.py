"""The console in a terminal of its own: whatever ends it, the terminal is given back."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

CONSOLE = str(Path(sys.executable).with_name("vlmft-console"))
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
READY = b"resume"
"""In the footer of the list of runs."""
CRASHES = """
from vlmft_console import app
from vlmft_console.screens.runs import RunsScreen
from textual import work
def boom(self):
    secret = "the value" + " of a variable"
    raise RuntimeError("[bold]boom")
RunsScreen.action_new = boom
RunsScreen.action_resume = work(thread=True)(boom)
app.main()
"""


class Terminal:
    """`vlmft-console` in a pty, and everything it wrote there."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        env: Mapping[str, str] = {},
        size: tuple[int, int] = (80, 24),
        program: Sequence[str] = (CONSOLE,),
    ) -> None:
        self.written = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            state = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
            os.execve(program[0], [*program, *arguments], {**os.environ, "TERM": "xterm-256color", **state, **env})
        self.resize(*size)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float) -> bool:
        """Take in what was written within `seconds`; False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            chunk = os.read(self.master, 65536)
        except OSError:
            return False
        self.written += chunk
        return bool(chunk)

    def wait_for(self, text: bytes, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.written:
            assert self.read(0.1), self.written[-2000:]
            assert time.monotonic() < deadline, self.written[-2000:]

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def cooked(self) -> bool:
        """Whether the terminal echoes and edits lines, as a shell wants it."""
        return termios.tcgetattr(self.master)[3] & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON

    def wait_until_given_back(self, seconds: float = 30.0) -> float:
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


def _end_by_signal(folder: Path, number: int, after: float | None) -> float:
    """Send a signal to a ready console, or some seconds after its start; seconds until the terminal was given back."""
    sent = SIGNALS[number % len(SIGNALS)]
    with terminal(folder) as console:
        if after is None:
            console.wait_for(READY)
        else:
            until = time.monotonic() + after
            while time.monotonic() < until:
                console.read(0.02)
        os.kill(console.pid, sent)
        seconds = console.wait_until_given_back()
        assert console.screen_left(), (sent, after, console.written[-500:])
        assert console.status() == 128 + sent, (sent, after)
        if b"?1049h" in console.written:  # before that, Ctrl-C ends the interpreter while it imports
            assert b"Traceback" not in console.written, (sent, after, console.written[-2000:])
    return seconds


def test_whichever_signal_ends_it_the_terminal_is_given_back(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(1)
    plan = [(number, None if number < 4 else chance.uniform(0.0, 3.0)) for number in range(max(6, rounds // 2))]
    with ThreadPoolExecutor(2) as pool:
        seconds = list(pool.map(lambda each: _end_by_signal(tmp_path, *each), plan))
    print("slowest:", max(seconds))
    if rounds:
        assert max(seconds) < 1.0


def test_a_stalled_terminal_does_not_keep_the_console_alive(tmp_path: Path) -> None:
    with terminal(tmp_path, size=(200, 60)) as console:
        console.wait_for(READY)
        for size in range(60, 160):  # nobody reads what these resizes make it write
            console.resize(size, 60)
            time.sleep(0.01)
        os.kill(console.pid, signal.SIGTERM)
        assert console.status() == 128 + signal.SIGTERM
        assert console.cooked()


def test_q_leaves_and_gives_the_terminal_back(tmp_path: Path) -> None:
    with terminal(tmp_path) as console:
        console.wait_for(READY)
        assert not console.cooked()
        console.press(b"q")
        console.wait_until_given_back()
        assert console.screen_left()
        assert console.status() == 0


def test_suspended_it_gives_the_terminal_to_the_shell_and_comes_back(tmp_path: Path) -> None:
    with terminal(tmp_path) as console:
        console.wait_for(READY)
        console.press(b"\x1a")
        deadline = time.monotonic() + 30
        while not os.waitpid(console.pid, os.WUNTRACED | os.WNOHANG)[0]:
            console.read(0.05)
            assert time.monotonic() < deadline
        assert console.cooked()
        assert console.screen_left()
        console.written = b""
        os.kill(console.pid, signal.SIGCONT)
        console.wait_for(READY)
        assert not console.cooked()
        console.press(b"q")
        console.wait_until_given_back()
        assert console.status() == 0


def test_a_storm_of_resizes_down_to_one_cell_does_no_harm(tmp_path: Path) -> None:
    chance = random.Random(2)
    with terminal(tmp_path) as console:
        console.wait_for(READY)
        for _ in range(50):
            console.resize(chance.randint(1, 200), chance.randint(1, 60))
            console.read(0.01)
        console.resize(1, 1)
        console.read(0.2)
        console.written = b""
        console.resize(100, 30)
        console.wait_for(READY)
        console.press(b"q")
        console.wait_until_given_back()
        assert console.status() == 0


@pytest.mark.parametrize(
    "env",
    [{"LANG": "C", "LC_ALL": "C"}, {"TERM": "xterm"}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "latin-1"}],
    ids=str,
)
def test_it_runs_on_a_plain_terminal(tmp_path: Path, env: dict[str, str]) -> None:
    with terminal(tmp_path, env=env) as console:
        console.wait_for(READY)
        console.press(b"n")
        console.wait_for(b"ultimate")
        assert rb"\u" not in console.written
        console.press(b"\x11")
        console.wait_until_given_back()
        assert console.status() == 0


def test_without_the_mouse_no_mouse_reports_are_asked_for(tmp_path: Path) -> None:
    with terminal(tmp_path, "--no-mouse") as console:
        console.wait_for(READY)
        console.press(b"q")
        console.wait_until_given_back()
        assert b"?1000h" not in console.written
        assert b"?1003h" not in console.written


def test_a_terminal_that_cannot_place_text_is_refused_in_one_line(tmp_path: Path) -> None:
    with terminal(tmp_path, env={"TERM": "dumb"}) as console:
        console.wait_until_given_back()
        assert console.status() == 2
        assert console.written.count(b"\n") == 1
        assert b"`vlmft runs`" in console.written


def test_without_a_terminal_one_line_names_the_command_to_use() -> None:
    done = subprocess.run([CONSOLE], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "`vlmft attach RUN`" in done.stderr


def test_a_target_that_is_not_there_is_said_before_the_screen_opens(tmp_path: Path) -> None:
    with terminal(tmp_path, "no-such-run") as console:
        console.wait_until_given_back()
        assert console.status() == 2
        assert b"no run is called 'no-such-run'" in console.written
        assert b"?1049h" not in console.written


@pytest.mark.parametrize("key", [b"n", b"r"], ids=["in the app", "in a thread"])
def test_an_unexpected_error_is_one_line_and_its_traceback_holds_no_values(tmp_path: Path, key: bytes) -> None:
    with terminal(tmp_path, program=(sys.executable, "-c", CRASHES)) as console:
        console.wait_for(READY)
        console.press(key)
        console.wait_until_given_back()
        assert console.screen_left()
        assert console.status() == 1
        last = console.written[console.written.rindex(b"vlmft-console:") :].decode()
        assert "unexpected RuntimeError. Runs go on; the traceback is in " in last.replace("\r\n", "")
        assert b"Traceback" not in console.written
        [report] = (tmp_path / "state" / "vlmft").glob("crash-*.txt")
        assert "[bold]boom" in report.read_text()
        assert ", in boom" in report.read_text()
        assert "the value of a variable" not in report.read_text()
        assert report.stat().st_mode & 0o077 == 0
