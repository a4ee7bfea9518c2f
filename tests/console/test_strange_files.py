"""Strange files: whatever stands in place of a run's files, no command hangs, breaks or ends a supervisor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import pytest
from typer.testing import CliRunner

from tests.run_folders import ended_run
from tests.supervised import LONG, Supervised
from vlmft_console.cli import app
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import status_of
from vlmft_core.run_folder.checkpoints import seal
from vlmft_core.run_folder.stop import PATIENCE_SECONDS, StopRequest

FILES = (
    "run.json",
    "proc.json",
    "exit.json",
    "stop.json",
    "lock",
    "ranks.lock",
    "preset.yaml",
    ".exit.reserve",
    "adapter",
    "checkpoint-5",
    "checkpoint-5/COMPLETE.json",
    "checkpoint-5/optimizer.pt",
    "logs",
    "logs/events-0001.jsonl",
    "logs/events-0002.jsonl",
    "logs/training_20260101-000000.log",
    "logs/supervisor.log",
    "labels.json",
    "adapter/adapter_config.json",
    "logs/answers.jsonl",
    "logs/adapters.jsonl",
    "logs/.summary",
)
"""Of a run folder; some of them are there."""


def an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def a_socket(path: Path) -> None:
    here = os.open(".", os.O_PATH)
    os.chdir(path.parent)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.fchdir(here)
    os.close(here)


def deep_json(path: Path) -> None:
    path.write_text('{"a":' * 100_000 + "1" + "}" * 100_000)


def junk(path: Path) -> None:
    path.write_bytes(b"\xff\x00[{" * 1000)


def a_huge_number(path: Path) -> None:
    path.write_text(json.dumps(dict.fromkeys(("patience", "t", "exit_code", "segment", "step"), 10**400)))


PUT: tuple[Callable[[Path], None], ...] = (
    os.mkfifo,
    os.mkdir,
    an_endless_device,
    a_link_to_itself,
    a_link_to_nothing,
    a_socket,
    deep_json,
    junk,
    a_huge_number,
)


@pytest.fixture(autouse=True)
def _nothing_hangs() -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def run(here: Path) -> RunFolder:
    """One that could be resumed."""
    made = ended_run(here / "outputs", "run", status="stopped")
    (made.path / "adapter").mkdir()
    (made.path / "checkpoint-5").mkdir()
    (made.path / "checkpoint-5" / "optimizer.pt").touch()
    seal(made.path / "checkpoint-5", 5, None, None, {})
    (made.path / "logs" / "training_20250101-000000.log").write_text("a line\n")
    return made


def replace(run: RunFolder, name: str, put: Callable[[Path], None]) -> None:
    place = run.path / name
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    put(place)


COMMANDS = (
    "status",
    "runs",
    "logs",
    "check",
    "attach",
    "answers",
    "checkpoints",
    "tag",
    "merge",
    "stop",
    "resume",
    "rm",
)


def try_every_command() -> None:
    for command in COMMANDS:
        done = CliRunner().invoke(app, [command, *([] if command == "runs" else ["outputs/run"])], input="n\n")
        assert done.exception is None or isinstance(done.exception, SystemExit), (command, done.exception)
        assert done.exit_code in (0, 1, 2, 130, 75), command


@pytest.mark.parametrize("name", FILES)
def test_no_command_waits_for_a_fifo(run: RunFolder, name: str) -> None:
    replace(run, name, os.mkfifo)
    try_every_command()


@pytest.mark.parametrize("names", [FILES[1:4], FILES[4:8], FILES[9:12], FILES[13:]], ids="|".join)
@pytest.mark.parametrize("put", PUT[1:])
def test_no_command_hangs_or_breaks(run: RunFolder, put: Callable[[Path], None], names: Sequence[str]) -> None:
    for name in names:
        if not name.startswith("checkpoint-5/") or (run.path / "checkpoint-5").is_dir():
            replace(run, name, put)
    try_every_command()


def test_a_copy_of_a_log_beside_it_is_no_segment(tmp_path: Path) -> None:
    run = ended_run(tmp_path, "run")
    for name in ("events-0001-backup.jsonl", "events-\u00b2.jsonl", "events-\u0663.jsonl", "events-.jsonl"):
        shutil.copy(run.events_file(), run.logs / name)
    assert run.segments == [run.events_file()]
    assert run.last_segment == 1


@pytest.mark.parametrize("patience", ["10" * 200, "NaN", "Infinity", "-1e999", '"long"', "null", "true"])
def test_a_request_with_an_absurd_patience_is_a_request(tmp_path: Path, patience: str) -> None:
    run = RunFolder(tmp_path)
    run.stop_file.write_text(f'{{"reason": "a test", "patience": {patience}, "t": {patience}}}')
    asked = StopRequest.read(run)
    assert asked is not None
    assert asked.patience in (PATIENCE_SECONDS, 1.0)


@pytest.mark.parametrize("put", [os.mkdir, an_endless_device, a_huge_number])
def test_a_supervisor_says_how_a_run_ended_whatever_came_into_its_folder(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    for name in (".exit.reserve", "exit.json", "checkpoint-5", "preset.yaml", "stop.json"):
        replace(run.folder, name, put)
    run.wait(lambda: not run.who("supervisor").alive)
    status = status_of(run.folder)
    assert (status.state, status.reason) == ("stopped", "asked to")
