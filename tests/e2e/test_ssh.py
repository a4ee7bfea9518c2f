"""Another machine over a real ssh, to an sshd of the test's own: list, watch, stop, resume, and all that can fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.e2e.small_run import SMALL, settings, wait_for_end, wait_for_step
from tests.in_terminal import Terminal, terminal
from tests.in_tmux import tmux
from tests.run_folders import ended_run
from tests.sshd import PASSPHRASE, Machine, machine
from tests.supervised import LONG, Supervised
from vlmft_console.runs.folder import RunFolder

pytestmark = pytest.mark.apart

VLMFT = (str(Path(sys.executable).with_name("vlmft")),)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path / "there") as made:
        yield made


@pytest.fixture
def here(tmp_path: Path, there: Machine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the ssh that knows the machine."""
    monkeypatch.setenv("PATH", there.client["PATH"])
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def live_run(there: Machine, name: str = "live") -> Supervised:
    run = Supervised(there.home / "outputs", 1, *LONG, name=name)
    run.wait_for_ranks()
    return run


def leave(console: Terminal, status: int) -> None:
    """It ends with that status, and the terminal is as it was."""
    console.wait_until_given_back()
    assert console.status() == status, console.written[-1000:]
    assert console.screen_left()
    assert b"Traceback" not in console.written


def last_lines(console: Terminal) -> str:
    """What was written after the screen was left."""
    return console.written.rpartition(b"\x1b[?1004l")[2].decode()


def test_runs_there_are_listed_watched_stopped_and_resumed(there: Machine, here: Path) -> None:
    run = live_run(there)
    with terminal(here, "ssh://there", env={"COLORTERM": "truecolor"}) as console:
        console.wait_until_shown("1 live")
        assert b"38;2;" in console.written  # the colours of the terminal here
        console.press(b"\r")
        console.wait_until_shown("EMA(0.9)")
        console.resize(120, 40)
        console.wait_until_shown("Gradient norm")
        console.press(b"x")
        console.wait_until_shown("Stop live?")
        console.press(b"s")
        console.wait_until_shown("stopped")
        console.press(b"q")
        console.wait_until_shown("0 live")
        console.press(b"q")
        leave(console, 0)
    assert run.wait_for_end()["status"] == "stopped"
    orphan = live_run(there, "orphan")
    orphan.who("supervisor").send(signal.SIGKILL)
    with terminal(here, "ssh://there") as console:
        console.wait_until_shown("unsupervised")
        console.press(b"r")
        console.wait_until_shown("Resume orphan?")
        console.press(b"y")
        console.wait_until_shown("has a supervisor again")
        console.press(b"\x11")
        leave(console, 0)
    assert orphan.status().state == "running"  # although the connection that began it has ended
    orphan.who("supervisor").send(signal.SIGKILL)
    orphan.wait(lambda: orphan.status().state == "unsupervised")
    assert vlmft("--at", "ssh://there", "resume", "orphan", "--detach", code=0).stdout == (
        "orphan has a supervisor again\n"
    )
    assert orphan.status().state == "running"
    assert "stopped" in vlmft("--at", "ssh://there", "stop", "orphan", code=0).stdout
    assert not (here / "outputs").exists()


@pytest.mark.soak
@pytest.mark.train
def test_a_training_is_started_stopped_and_resumed_there(there: Machine, here: Path) -> None:
    at = ("--at", "ssh://there/~")
    vlmft(*at, "run", "demo", *settings(SMALL), "--run-name=far", "--detach", code=0)
    run = RunFolder(there.home / "outputs" / "far")
    wait_for_step(run, 7)
    vlmft(*at, "stop", "far", code=0)
    stopped = wait_for_end(run)
    assert stopped["status"] == "stopped"
    with terminal(here, "ssh://there", "far") as console:
        console.wait_until_shown("stopped")
        console.press(b"q")
        console.wait_until_shown("0 live")
        console.press(b"r")
        console.wait_until_shown("Resume far?")
        console.press(b"y")
        console.wait_until_shown("1 live", 120)
        console.press(b"q")
        leave(console, 0)
    assert vlmft(*at, "attach", "far").returncode == 0
    assert wait_for_end(run)["status"] == "finished"


def test_output_and_exit_status_are_those_there(there: Machine, here: Path) -> None:
    (there.home / ".bash_profile").write_text("echo Welcome\n")
    ended_run(there.home / "outputs", "rising", rising=True)
    listed = vlmft("--at=ssh://there", "runs", "--json", code=0)
    assert [run["folder"] for run in json.loads(listed.stdout)] == [str(there.home / "outputs" / "rising")]
    assert listed.stderr == "Welcome\n"
    assert vlmft("--at=ssh://there", "check", "outputs/rising").returncode == 3
    refused = vlmft("--at=ssh://there", "status", "none", code=2)
    assert (refused.stdout, refused.stderr) == (
        "",
        "Welcome\nvlmft: no run is called 'none' (`vlmft runs` lists them)\n",
    )
    assert vlmft("--at=ssh://there", "--version", code=0).stdout == vlmft("--version").stdout


def test_a_question_is_asked_at_the_terminal_here(there: Machine, here: Path) -> None:
    run = ended_run(there.home / "outputs", "old")
    with terminal(here, "--at", "ssh://there", "rm", "old", program=VLMFT) as console:
        console.wait_for(b"with everything in it? [y/N]")
        console.press(b"y\r")
        leave(console, 0)
    assert not run.path.exists()
    assert b"Connection to" not in console.written


def test_a_secret_that_ssh_asks_for_is_typed_before_the_screen_opens(there: Machine, here: Path) -> None:
    with terminal(here, "ssh://locked", env={"SSH_AUTH_SOCK": ""}) as console:
        console.wait_for(b"Enter passphrase for key")
        console.press(PASSPHRASE.encode() + b"\r")
        console.wait_until_shown("? help")
        console.press(b"q")
        leave(console, 0)
        assert PASSPHRASE.encode() not in console.written


@pytest.mark.parametrize("name", ["my runs", "it's", "$(touch executed)", "a\\b", "ü%"])
def test_any_folder_there_can_be_worked_in_and_none_is_a_command(there: Machine, here: Path, name: str) -> None:
    folder = there.home / name
    ended_run(folder / "outputs", "inside")
    typed = name.replace("%", "%25")
    listed = vlmft("--at", f"ssh://there{folder.parent}/{typed}", "runs", "--json", code=0)
    assert [run["run"] for run in json.loads(listed.stdout)] == ["inside"]
    shown = vlmft("--at", f"ssh://there/~/{typed}", "status", name, code=2).stderr
    assert "is called" in shown or "No such option" in shown
    assert not list(there.root.rglob("executed"))
    assert not list(here.iterdir())


def test_a_path_that_is_a_run_or_a_log_is_opened_by_the_console(there: Machine, here: Path) -> None:
    run = ended_run(there.home / "elsewhere", "by-path")
    for path in (run.path, run.events_file(1)):
        with terminal(here, f"ssh://there{path}") as console:
            console.wait_until_shown("20/20")
            console.press(b"\x11")
            leave(console, 0)


@pytest.mark.parametrize("address", ["ssh://stranger", "ssh://unknown", "ssh://nobody", "ssh://there/none", "missing"])
def test_what_keeps_from_working_there_is_said_in_a_line_and_the_terminal_is_given_back(
    there: Machine, here: Path, address: str
) -> None:
    status, said = {
        "ssh://stranger": (255, "Permission denied (publickey)"),
        "ssh://unknown": (255, "Host key verification failed."),
        "ssh://nobody": (255, "Connection refused"),
        "ssh://there/none": (2, "no folder /none on "),
        "missing": (127, "not on the PATH of a login shell on "),
    }[address]
    if address == "missing":
        address = "ssh://there"
        shutil.rmtree(there.home / ".local")
    called = vlmft("--at", address, "runs")
    assert (called.returncode, called.stdout) == (status, "")
    assert said in called.stderr.splitlines()[-1]
    with terminal(here, address) as console:
        leave(console, status)
        assert said in console.written.decode().strip().splitlines()[-1]
        assert b"?1049" not in console.written
        assert console.cooked()


def test_a_connection_that_is_lost_gives_the_terminal_back_and_leaves_the_run(there: Machine, here: Path) -> None:
    run = live_run(there)
    with terminal(here, "ssh://there", "live") as console:
        console.wait_until_shown("EMA(0.9)")
        there.cut()
        leave(console, 255)
        assert console.cooked()
        assert last_lines(console).splitlines()[-1] == (
            "vlmft-console: there: the connection was lost, or the program there was killed; runs go on"
        )
    assert run.status().state == "running"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_view_and_gives_the_terminal_back(there: Machine, here: Path, sent: signal.Signals) -> None:
    with terminal(here, "ssh://there") as console:
        console.wait_until_shown("? help")
        os.kill(console.pid, sent)
        leave(console, 128 + sent)
        assert console.cooked()


def test_a_connection_that_is_lost_where_no_screen_was_open_is_told_below_what_stands_there(
    there: Machine, here: Path
) -> None:
    live_run(there)
    with terminal(here, "--at", "ssh://there", "attach", "live", program=VLMFT) as console:
        console.wait_for(b" left")
        there.cut()
        leave(console, 255)
        lines = console.shown().splitlines()
        assert lines[0] == "live: everything is kept in outputs/live"
        assert "the connection was lost" in "\n".join(lines[1:])


def test_ctrl_c_leaves_a_run_that_is_followed_there(there: Machine, here: Path) -> None:
    run = live_run(there)
    with terminal(here, "--at", "ssh://there", "attach", "live", program=VLMFT) as console:
        console.wait_for(b" left")
        console.press(b"\x03")
        leave(console, 0)
    assert run.status().state == "running"


def test_ctrl_c_ends_a_connection_that_does_not_come_about(there: Machine, here: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        terminal(here, f"ssh://127.0.0.1:{silent.getsockname()[1]}") as console,
    ):
        answered, _ = silent.accept()
        with answered:  # who forgets it closes it, which ends ssh as well
            console.press(b"\x03")
            leave(console, 130)
        assert console.written.strip() in (b"", b"^C")
        assert console.cooked()


def test_suspended_by_ssh_it_is_a_job_of_the_shell_and_goes_on(there: Machine, here: Path) -> None:
    with tmux(here) as shell:
        shell.run("vlmft-console", "ssh://there")
        shell.wait_for("? help")
        shell.press("Enter")
        shell.press("~", "C-z")
        shell.wait_for("Stopped")
        shell.run("fg")
        shell.press("?")
        shell.wait_for("Show every key")
        shell.press("C-q")
        shell.wait_for_prompt()


def test_user_port_and_ipv6_are_passed_on(there: Machine, here: Path) -> None:
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    for host in ("127.0.0.1", "[::1]") if there.has_ipv6 else ("127.0.0.1",):
        assert vlmft("--at", f"ssh://{user}@{host}:{there.port}", "runs", code=0).stdout.startswith("no runs yet")


def test_completion_neither_connects_nor_offers_the_runs_of_this_machine(there: Machine, here: Path) -> None:
    ended_run(here / "outputs", "run-here")
    ended_run(there.home / "outputs", "run-there")
    before = there.logins()
    for line, offered in (("vlmft --at ssh://there sta", ["status"]), ("vlmft --at ssh://there attach ", [])):
        asked = {"_VLMFT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        assert vlmft(**asked).stdout.split() == offered
    assert there.logins() == before
