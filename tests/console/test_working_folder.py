"""The working folder: what lies there is never taken for a library, whichever command is called there."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.console.trained_models import write_adapter, write_run
from vlmft_console.cli import app
from vlmft_console.runs.machine_gpus import torch_architectures
from vlmft_core.run_folder.checkpoints import seal

_PYTHON = """#!/bin/sh
# Stands in for a program: finds out whether the working folder is where libraries are looked for.
{python} {flag} -c 'import pathlib, sys; pathlib.Path(sys.argv[1]).open("a").write("started\\n"); import poison' {told}
case "$*" in *vlmft_console.runs.supervisor*) exec {python} "$@" ;; esac
exit 1
"""
"""The first of its options decides, as it would for the program itself; so does the environment."""


@pytest.fixture
def told(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each program that is started says so, and a poisoned library in the working folder that says more."""
    programs, told = here / "bin", here / "told"
    programs.mkdir()
    for name, flag in (("python", '"$(case $1 in -P) echo -P ;; *) echo -s ;; esac)"'), ("deepspeed", "-s")):
        program = programs / name
        program.write_text(_PYTHON.format(python=sys.executable, flag=flag, told=told))
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    (here / "poison.py").write_text(f"open({str(told)!r}, 'a').write('executed\\n')\n")
    return told


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        (["data", "check", "rows.jsonl", "--task", "qa"], 1),
        (["data", "show", "rows.jsonl", "--task", "qa"], 1),
        (["predict", "demo", "what?"], 1),
        (["merge", "copied", "-o", "whole"], 1),
        (["eval", "mine", "--gpus", "1"], 1),
        (["eval", "mine", "--gpus", "2"], 1),
        (["run", "demo", "--detach"], 2),
        (["resume", "mine", "--detach"], 2),
    ],
)
def test_no_program_takes_a_library_from_the_working_folder(
    here: Path, told: Path, command: list[str], programs: int
) -> None:
    (here / "rows.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    write_adapter(here / "copied")
    run = write_run(here / "outputs")
    for name in ("logs", "checkpoint-5"):
        (run / name).mkdir()
    (run / "checkpoint-5" / "optimizer.pt").touch()
    seal(run / "checkpoint-5", 5, None, None, {})
    done = CliRunner().invoke(app, command)
    deadline = time.monotonic() + 120.0
    while not told.exists() or told.read_text().count("\n") < programs:  # a launcher starts when the command has ended
        assert time.monotonic() < deadline, repr(done)
        time.sleep(0.02)
    assert told.read_text() == "started\n" * programs


def test_pytorch_is_asked_what_it_can_do_without_the_working_folder(told: Path) -> None:
    assert torch_architectures() == ("", [])
    assert told.read_text() == "started\n"
