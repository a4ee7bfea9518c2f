"""The main job, end to end: `vlmft run demo` through the real launcher, judged by what it printed and left.

A fifth of the demo runs with the suite; `make soak` runs all of it.
"""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import VLMFT
from tests.e2e.small_run import SMALL, settings
from vlmft_console.history.state import RunState
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.tail import RunTail

pytestmark = pytest.mark.train

FIFTH = {"data.max_train": "1280", "data.max_eval": "200", "training.epochs": "2", "evaluation.eval_steps": "40"}
"""What makes a run of 80 steps of it."""


@dataclass
class Finished:
    """What `vlmft run demo` left and printed."""

    folder: RunFolder
    events: list[dict[str, Any]]
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Finished:
    root = tmp_path_factory.mktemp("outputs")
    changes = {} if request.config.getoption("--soak") else FIFTH
    done = subprocess.run(
        [VLMFT, "run", "demo", *settings(changes), "--json", "--run-name=demo", f"--output-root={root}"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=590,
    )
    folder = RunFolder(root / "demo")
    log = folder.training_log
    assert done.returncode == 0, log.read_text()[-3000:] if log else "no log"
    *events, summary = [json.loads(line) for line in done.stdout.splitlines()]
    return Finished(folder, events, summary)


def test_the_adapter_answers_far_better_than_its_base(finished: Finished, rounds: int) -> None:
    chartqa, textvqa = finished.summary["tasks"]["chartqa"], finished.summary["tasks"]["textvqa"]
    assert chartqa["questions"] >= 100
    assert chartqa["tuned"] - chartqa["base"] >= (0.20 if rounds else 0.05)
    assert textvqa["tuned"] - textvqa["base"] >= 0.20


def test_training_loss_falls_by_a_third(finished: Finished) -> None:
    loss = finished.summary["train_loss"]
    assert loss["last"] <= loss["first"] * 2 / 3


def test_the_learning_rate_follows_the_plan(finished: Finished) -> None:
    rates = [event["lr"] for event in finished.events if event["event"] == "step"]
    assert len(rates) == finished.summary["total_steps"]
    assert finished.summary["lr_deviation"] < 0.01
    assert rates[0] < max(rates) / 2
    assert rates[-1] < max(rates) / 100


def test_the_printed_events_are_those_in_the_log(finished: Finished) -> None:
    assert finished.events == RunTail(finished.folder.logs).read()
    assert finished.events[0]["event"] == "run_start"
    assert finished.events[-1]["event"] == "run_end"
    assert [event["seq"] for event in finished.events] == list(range(len(finished.events)))


def test_the_published_two_shell_lines_print_sensible_lines(finished: Finished) -> None:
    log = "logs/training_*.log"
    rates = _shell(finished, f'grep "learning_rate" {log} | tail -20')
    assert len(rates) == 20
    assert all("loss" in line for line in rates)
    health = _shell(finished, f'tail -100 {log} | grep -E "epoch|eval_loss|train_loss"')
    assert any("eval_loss" in line for line in health)
    assert any("train_loss" in line for line in health)


def test_the_adapter_loads_with_plain_peft_and_repeats_the_printed_accuracy(finished: Finished) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    from vlmft_core.preset import load_preset
    from vlmft_trainer.data.run_data import prepare
    from vlmft_trainer.model.evaluate import answer_tasks
    from vlmft_trainer.model.load import load_encoder

    preset = load_preset(finished.folder.preset_file).preset
    config = json.loads((finished.folder.adapter / "adapter_config.json").read_text())
    base = AutoModelForImageTextToText.from_pretrained(config["base_model_name_or_path"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, finished.folder.adapter)
    samples = prepare(preset.data, load_encoder(config["base_model_name_or_path"], preset.data.max_pixels)).eval
    scores = answer_tasks(model, samples, preset.evaluation)
    assert scores is not None
    tasks = finished.summary["tasks"]
    assert scores["chartqa"]["relaxed_accuracy"] == pytest.approx(tasks["chartqa"]["tuned"], abs=0.01)
    assert scores["textvqa"]["accuracy"] == pytest.approx(tasks["textvqa"]["tuned"], abs=0.01)


def test_every_checkpoint_left_is_complete_and_the_card_names_the_scores(finished: Finished) -> None:
    checkpoints = list(finished.folder.path.glob("checkpoint-*"))
    assert checkpoints
    assert all((checkpoint / "COMPLETE.json").is_file() for checkpoint in checkpoints)
    card = (finished.folder.adapter / "README.md").read_text()
    assert "chartqa" in card.lower()


def _shell(finished: Finished, line: str) -> list[str]:
    done = subprocess.run(line, shell=True, cwd=finished.folder.path, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_ctrl_c_on_a_terminal_leaves_a_complete_checkpoint_and_an_adapter(tmp_path: Path) -> None:
    """Pressed in a real terminal, in the middle of training."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(VLMFT, [VLMFT, "run", "demo", "--run-name=demo", f"--output-root={tmp_path}", *settings(SMALL)])
    folder = RunFolder(tmp_path / "demo")
    screen = b""
    tail, state = RunTail(folder.logs), RunState()
    pressed = False
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                screen += os.read(terminal, 65536)
            except OSError:  # the other side has closed the terminal
                break
        for record in tail.read():
            state.apply(record)
        if state.step >= 3 and not pressed:
            os.write(terminal, b"\x03")
            pressed = True
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130, screen.decode(errors="replace")[-2000:]
    assert b"stopping: the ranks save a checkpoint first" in screen
    assert b"stopped" in screen
    assert json.loads(folder.exit_file.read_text())["status"] == "stopped"
    stopped_at = max(int(path.name.removeprefix("checkpoint-")) for path in folder.path.glob("checkpoint-*"))
    assert (folder.path / f"checkpoint-{stopped_at}" / "COMPLETE.json").is_file()
    assert (folder.adapter / "adapter_model.safetensors").is_file()
    assert screen.count(b"\x1b[?25l") == screen.count(b"\x1b[?25h")  # the cursor is back
