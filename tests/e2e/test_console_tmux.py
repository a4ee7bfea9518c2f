"""The console as a person uses it, in tmux: from a preset to an adapter, leaving and coming back in between."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.small_run import paused
from tests.in_tmux import Tmux, tmux
from tests.kept_answers import three_evals
from tests.run_folders import ended_run
from tests.supervised import LONG, Supervised
from vlmft_console.runs.folder import RunFolder

SMALL = {"data.max_train": "640", "data.max_eval": "20", "training.epochs": "1", "hardware.gpus": "1"}
"""What makes a run of 20 steps of it, on one process."""


@pytest.mark.train
def test_a_preset_is_changed_launched_left_found_again_and_watched_to_its_end(tmp_path: Path) -> None:
    with tmux(tmp_path) as shell:
        shell.run("vlmft-console")
        shell.wait_for("No runs of your own yet")
        shell.press("n")
        choose_preset(shell, "A tiny model on generated charts")
        shell.press("e")
        shell.wait_for("demo: nothing changed")
        for field, value in SMALL.items():
            change(shell, field, value)
        shell.wait_for(f"demo: {len(SMALL)} changes, not saved")
        shell.press("C-s")
        shell.wait_for("what it is for")
        shell.press("Enter")
        shell.wait_for("my-demo: nothing changed")
        shell.press("C-l")
        shell.wait_for("Start a run of my-demo", "deepspeed")
        shell.press("C-u")
        shell.type("quick")
        shell.press("C-l")
        shell.wait_for("starting", "quick")
        shell.wait(step_is_shown, seconds=300)
        run = RunFolder(tmp_path / "outputs" / "quick")
        with paused(run):
            shell.press("q")
            shell.wait_for("1 live")
            shell.press("q")
            shell.wait_for_prompt()

            shell.run("vlmft-console", "quick")
            shell.wait_for("running", "quick", "20")
            shell.press("q")
            shell.wait_for("1 live", "quick")
        shell.press("Enter")
        shell.wait_for("finished", "20/20", "100 %", seconds=300)
        shell.press("q")
        shell.wait_for("0 live")
        shell.press("q")
        shell.wait_for_prompt()
    assert json.loads(run.exit_file.read_text())["status"] == "finished"
    assert (run.adapter / "adapter_model.safetensors").stat().st_size > 10_000
    assert "max_train: 640" in run.preset_file.read_text()


def test_a_run_with_a_killed_rank_is_shown_as_failed_and_the_rank_is_named(tmp_path: Path) -> None:
    run = Supervised(tmp_path / "outputs", 2, *LONG, name="doomed")
    run.wait_for_ranks()
    with tmux(tmp_path, (80, 24)) as shell:
        shell.run("vlmft-console")
        shell.wait_for("1 live", "doomed")
        shell.press("Enter")
        shell.wait_for("running", "doomed", "step ")
        run.who("rank 1").send(signal.SIGKILL)
        shell.wait_for("failed", "doomed", "rank 1 was killed by SIGKILL")
        shell.press("q")
        shell.wait_for("0 live", "failed")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_the_answers_of_a_run_are_looked_through_with_their_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    run = ended_run(tmp_path / "outputs", "asked").path
    three_evals(run)
    with tmux(tmp_path, size) as shell:
        shell.run("env", "COLORTERM=truecolor", "vlmft-console", str(run))
        shell.wait_for("finished", "asked")
        shell.press("v")
        shell.wait_for("answers of asked", "5 of 6 right", "▀▀▀▀▀▀", "truth")
        shell.press("G")
        shell.wait_for("99  (wrong)")
        shell.press("Left")
        shell.wait_for("step 10 (2 of 3)", "3 of 6 right")
        shell.press("w")
        shell.wait_for("only wrong")
        shell.press("q")
        shell.wait_for("finished", "Learning rate")


def choose_preset(shell: Tmux, summary: str) -> None:
    """Move the cursor down until the preset with this summary is shown beside the list."""
    shell.wait_for("presets", "enter launch")
    while summary not in (before := shell.screen()):
        shell.press("j")
        shell.wait(lambda screen, before=before: screen != before)


def change(shell: Tmux, field: str, value: str) -> None:
    """Find a field in the editor's form and give it a value."""
    shell.press("/")
    shell.type(field)
    shell.press("Enter")
    shell.wait(lambda screen: re.search(rf"^ {field} ", screen, re.MULTILINE))  # its description, at the bottom
    shell.press("Enter", "C-u")
    shell.type(value)
    shell.press("Enter")
    shell.wait(lambda screen: re.search(rf"^ ?\* {field.rpartition('.')[2]} +{value} ", screen, re.MULTILINE))


def step_is_shown(screen: str) -> bool:
    return re.search(r"step [1-9]\d*/20\b", screen) is not None
