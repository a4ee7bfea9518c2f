"""The console in a terminal of its own: whatever ends it, the terminal is given back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.in_terminal import CONSOLE, terminal
from tests.in_tmux import tmux
from tests.run_folders import ended_run

pytestmark = pytest.mark.apart

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
READY = b"resume"
"""In the footer of the list of runs."""
CRASHES = """
from vlmft_console.app.start import main
from vlmft_console.app.screens.runs import RunsScreen
from textual import work
def boom(self):
    secret = "the value" + " of a variable"
    raise RuntimeError("[bold]boom")
RunsScreen.action_new = boom
RunsScreen.action_resume = work(thread=True)(boom)
main()
"""


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
        if b"?1049h" in console.written:  # before that, Ctrl-C may come while Python itself starts
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


def test_enter_typed_before_the_console_has_the_terminal_opens_the_run(tmp_path: Path) -> None:
    ended_run(tmp_path / "outputs", "first")
    with terminal(tmp_path) as console:
        console.press(b"\r")
        console.wait_until_shown("step 20/20")


def test_keys_that_come_in_one_packet_go_where_the_first_one_leads(tmp_path: Path) -> None:
    ended_run(tmp_path / "outputs", "demo-1")
    ended_run(tmp_path / "outputs", "other")
    with terminal(tmp_path) as console:
        console.wait_until_shown("demo-1")
        console.press(b"/demo\r")
        console.wait_until_shown("1 match")
        assert "Delete" not in console.shown()
        assert "other" not in console.shown()


@pytest.mark.parametrize("keys", [b"\x10nothing\x1b[6~\x1b[5~", b"d\x1b[6~\x1b[5~"], ids=["palette", "question"])
def test_page_keys_on_its_heels_do_no_harm_to_a_list_of_options(tmp_path: Path, keys: bytes) -> None:
    ended_run(tmp_path / "outputs", "a-run")
    with terminal(tmp_path) as console:
        console.wait_until_shown("a-run")
        console.press(keys)
        console.read(1.0)
        console.press(b"\x11")
        console.wait_until_given_back()
        assert console.status() == 0, console.written[-1000:]


def test_suspended_it_gives_the_terminal_to_the_shell_and_comes_back(tmp_path: Path) -> None:
    with tmux(tmp_path) as shell:
        shell.run("vlmft-console")
        shell.wait_for("? help")
        shell.press("C-z")
        shell.wait_for("Stopped")
        shell.wait_for_prompt()
        shell.run("stty", "-a")
        shell.wait_for(" echo ", " icanon ")
        shell.run("fg")
        shell.wait_for("? help")
        shell.press("q")
        shell.wait_for_prompt()


def test_brought_back_by_the_shell_it_draws_its_whole_screen(tmp_path: Path) -> None:
    run = ended_run(tmp_path / "outputs", "a-run").path
    with terminal(tmp_path, "--norc", "-i", program=("/bin/bash",)) as shell:
        shell.press(f"{CONSOLE} {run}\n".encode())
        shell.wait_until_shown("finished")
        shell.press(b"\x1a")
        shell.wait_for(b"Stopped")
        came = len(shell.written)
        shell.press(b"fg\n")
        while b"finished" not in shell.written[came:]:
            assert shell.read(0.1)
        shell.press(b"\x11")
        while b"?1049l" not in shell.written[came:]:
            assert shell.read(0.1)


def test_where_no_shell_could_make_it_go_on_it_is_not_suspended(tmp_path: Path) -> None:
    with terminal(tmp_path) as console:
        console.wait_for(READY)
        console.press(b"\x1a")
        console.wait_until_shown("there is no shell behind this screen")
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


@pytest.mark.parametrize("keys", [b"", b"\x10", b"?", b"d", b"n", b"\r", b"p"], ids=str)
def test_every_screen_bears_a_terminal_of_any_size(tmp_path: Path, keys: bytes) -> None:
    ended_run(tmp_path / "outputs", "small")
    with terminal(tmp_path) as console:
        console.wait_until_shown("small")
        console.press(keys)
        console.read(1.0)
        for columns, rows in [(width, height) for width in (12, 8, *range(6, 0, -1)) for height in (8, 2, 1)]:
            console.resize(columns, rows)
            console.read(0.05)
        console.resize(100, 30)
        console.press(b"\x11")
        console.wait_until_given_back()
        assert console.status() == 0, console.written[-1000:]


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
    done = subprocess.run([CONSOLE], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=120)
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
