"""Logs in which nothing was read that can be judged: no verdict, but what they hold; and eval sets not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.console.foreign_logs import (
    HF_STDOUT,
    WANDB_EXIT,
    history,
    scalar,
    tensorboard,
    trainer_state,
    wandb,
    wandb_stats,
)
from tests.records import plan, run_start, write_log
from vlmft_console.cli import app
from vlmft_console.history.loading import read_log
from vlmft_console.history.opened import open_log
from vlmft_core.errors import VlmftError

REWARDS = "".join(json.dumps({"step": step, "reward": step / 10, "kl": 0.1}) + "\n" for step in range(1, 5)).encode()

EMPTY = {
    "no history": (trainer_state([]), "it is a trainer_state with an empty log_history"),
    "no scalars": (tensorboard(), "it is an event file without scalars"),
    "no rows": (wandb(WANDB_EXIT), "it is a run without history"),
    "the machine's": (wandb(wandb_stats("cpu", "gpu.0.temp"), WANDB_EXIT), "only system metrics: cpu, gpu.0.temp"),
}
METRICS = {
    "rewards": (REWARDS, "its metrics are reward, kl"),
    "other tags": (tensorboard(scalar("speed", 1.0, 1), scalar("score/mean", 2.0, 1)), "speed, score/mean"),
    "other rows": (wandb(history(_step=0, score=1.0)), "its metrics are score"),
    "a GAN": (
        b"".join(b"epoch 1 iter %d loss_G: 1.2%d loss_D: 0.6%d\n" % (at, at, at) for at in range(4)),
        "loss_G, loss_D",
    ),
    "a GAN in brackets": (
        b"".join(b"[Epoch 0/200] [Batch %d/469] [D loss: 0.6%d] [G loss: 0.7]\n" % (at, at) for at in range(4)),
        "its metrics are D loss, G loss",
    ),
    "many": (trainer_state([{"step": 1, **{f"m{at}": 1.0 for at in range(30)}}]), "m10, m11 and 18 more"),
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def call(command: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [command, *map(str, arguments)])


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("command", [("check",), ("plot",), ("report", "--format", "md")])
def test_a_log_without_a_number_is_refused_in_one_line(log: Path, name: str, command: tuple[str, ...]) -> None:
    content, reason = EMPTY[name]
    log.write_bytes(content)
    result = call(*command, log)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", METRICS)
def test_a_log_of_other_metrics_is_shown_and_not_judged(log: Path, name: str) -> None:
    content, reason = METRICS[name]
    log.write_bytes(content)
    shown, told = call("check", log), call("check", log, "--json")
    assert (shown.exit_code, told.exit_code) == (2, 2)
    assert "nothing here can be judged" in shown.stdout
    assert "no findings" not in shown.stdout
    assert json.loads(told.stdout)["train_points"] == 0
    assert reason in told.stderr


def test_a_log_of_other_metrics_can_be_read_by_those_who_draw_them(log: Path) -> None:
    log.write_bytes(REWARDS)
    assert read_log(log).log.foreign


def test_a_run_of_ours_that_has_not_trained_yet_gets_no_verdict(tmp_path: Path) -> None:
    write_log(tmp_path / "events-0001.jsonl", [run_start(1), plan()])
    result = call("check", tmp_path)
    assert result.exit_code == 2
    assert "nothing here can be judged" in result.stdout
    assert "holds no train loss and no eval loss yet" in result.stderr


def test_an_eval_set_that_is_not_there_is_refused_with_those_that_are(log: Path) -> None:
    log.write_bytes(trainer_state([{"step": 1, "eval_a_loss": 1.0}, {"step": 1, "eval_loss": 2.0}]))
    opened = open_log(log, "c")
    for _ in opened.reader.batches():
        pass
    with pytest.raises(VlmftError, match=r"no eval set c \(it has a, the unnamed one \(eval_loss\)\)"):
        opened.require_read()
    opened = open_log(log, "eval_loss")
    assert [record["eval_loss"] for record in opened.reader.read() if record["event"] == "eval"] == [2.0]
    opened.require_read()


def test_a_run_of_ours_has_no_eval_sets_to_choose(tmp_path: Path) -> None:
    with pytest.raises(VlmftError, match="one eval set"):
        open_log(Path(__file__).parents[2] / "logs" / "healthy", "a")
    (tmp_path / "log").write_bytes(HF_STDOUT)
    assert open_log(tmp_path / "log", "a").foreign
