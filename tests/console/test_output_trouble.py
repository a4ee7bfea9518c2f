"""Trouble with what is written: full disks and outputs, and folders whose names are no UTF-8."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.command_line import VLMFT
from tests.file_systems import small_file_system
from tests.run_folders import ended_run
from tests.supervised import LONG, STANDIN, Supervised
from vlmft_console.cli import app
from vlmft_console.runs import (
    resuming,  # before it could be loaded with a stand-in in place of what it imports
    training_command,
)
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.preset import Preset


@pytest.fixture
def standins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started is a run of stand-ins."""

    def command(preset: Preset, folder: RunFolder, port: int, place: object) -> Command:
        return Command((sys.executable, str(STANDIN), "runner", str(folder.path.absolute()), "1"), {})

    monkeypatch.setattr(training_command, "training_command", command)
    assert resuming.training_command is not command


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with some kilobytes left."""
    with small_file_system(tmp_path / "disk", "1m") as disk:
        yield disk


@pytest.mark.usefixtures("standins", "here")
@pytest.mark.parametrize("left", [0, 4096, 8192, 12288, 16384, 20480])
def test_a_start_on_a_full_disk_is_one_line_and_leaves_nothing(full_disk: Path, left: int) -> None:
    with (full_disk / "ballast").open("wb") as file:
        file.write(b"\0" * ((1 << 20) - left))
    refused = CliRunner().invoke(app, ["run", "demo", "--run-name", "mine", "--output-root", str(full_disk)])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
    assert "No space left on device" in refused.stderr or "mine is full" in refused.stderr
    assert [path.name for path in full_disk.iterdir()] == ["ballast"]


@pytest.mark.usefixtures("standins")
@pytest.mark.parametrize("name", [b"caf\xe9", b"\xff\xfe", "\u202eexe\x1b[31m".encode()])
def test_a_run_in_a_folder_with_any_name_is_made_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    monkeypatch.chdir(folder)
    made = CliRunner().invoke(app, ["run", "demo", "--run-name", "mine"])
    assert made.exit_code == 0, made.output
    monkeypatch.chdir(tmp_path)
    for command in (["runs"], ["status", "mine"], ["runs", "--json"], ["status", "mine", "--json"], ["rm", "mine"]):
        done = CliRunner().invoke(app, command, input="n\n")
        assert done.exit_code == (1 if command[0] == "rm" else 0), done.output
        assert not set("\x1b\u202e") & set(done.output)
        if "--json" in command:
            json.loads(done.stdout)


def test_the_command_of_a_dry_run_cannot_steer_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "\x1b]0;EVIL\x07\u202e"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shown = CliRunner().invoke(app, ["run", "demo", "--dry-run"])
    assert shown.exit_code == 0
    assert "EVIL" in shown.output
    assert not set("\x1b\x07\u202e") & set(shown.output)


def test_what_json_escapes_it_still_says(tmp_path: Path) -> None:
    run = ended_run(tmp_path, "run", reason="a\u202eb\x9b31m\x7f c")
    shown = CliRunner().invoke(app, ["status", "--json", str(run.path)])
    assert not set("\u202e\x9b\x7f") & set(shown.stdout)
    assert json.loads(shown.stdout)["reason"] == "a\u202eb\x9b31m\x7f c"


@pytest.mark.parametrize(
    "command", [["--help"], ["--version"], ["presets", "list"], ["plan", "demo"], ["runs", "--json"], ["status", "run"]]
)
def test_an_output_that_takes_nothing_is_one_line(tmp_path: Path, command: list[str]) -> None:
    ended_run(tmp_path / "outputs", "run")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [VLMFT, *command], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
    assert (done.returncode, done.stderr) == (1, "vlmft: the output: No space left on device\n")


@pytest.mark.parametrize("command", [["plan", "demo"], ["presets", "list"], ["run", "demo"], ["data", "check", "x"]])
def test_a_working_folder_that_is_gone_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "is gone" in done.stderr


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["~no-such-user/it", f"/tmp/{'a' * 300}"])
@pytest.mark.parametrize(
    "command",
    [
        ["eval", "NAME"],
        ["merge", "NAME"],
        ["plan", "NAME/a.yaml"],
        ["plan", "demo", "--set", "model.base=NAME"],
        ["run", "demo", "--dry-run", "--hosts", "NAME"],
        ["plot", "NAME"],
    ],
)
def test_a_path_that_can_lead_nowhere_is_one_line(command: list[str], name: str) -> None:
    done = CliRunner().invoke(app, [word.replace("NAME", name) for word in command])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert name in done.stderr


def test_a_file_in_place_of_the_folder_of_runs_is_called_by_its_name(here: Path) -> None:
    (here / "outputs").touch()
    done = CliRunner().invoke(app, ["run", "demo", "--detach"])
    assert done.exit_code == 2
    assert "outputs is no folder" in done.stderr


def test_an_empty_name_is_no_run_not_even_within_one(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended_run(here / "outputs", "mine")
    monkeypatch.chdir(run.path)
    assert CliRunner().invoke(app, ["rm", "-y", ""]).exit_code == 2
    assert run.run_file.exists()
    assert CliRunner().invoke(app, ["rm", "-y", "."]).exit_code == 0
    assert not run.path.exists()


def test_a_supervisor_that_is_told_to_end_on_a_full_disk_ends_its_ranks(full_disk: Path) -> None:
    run = Supervised(full_disk / "outputs", 2, *LONG)
    run.wait_for_ranks()
    with suppress(OSError), (full_disk / "ballast").open("wb", buffering=0) as file:
        while file.write(b"\0" * 512):
            pass
    run.who("supervisor").send(signal.SIGTERM)
    end = run.wait_for_end()
    assert (end["status"], end["exit_code"]) == ("stopped", 130)
