"""The training program judging itself: what it writes, when it ends the run, what it knows after a resume."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl

from tests.core.health_records import start, with_evals
from vlmft_core.health import Health
from vlmft_core.preset import Monitor, Preset
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.segments import records
from vlmft_trainer.training.callbacks.health_events import HealthEvents
from vlmft_trainer.training.run_log import RunLog, open_run_log

OVERFITTING = [1.0, 0.9, 0.95, 1.26]
RECOVERING = [*OVERFITTING, 0.88]


def fields(one: Record) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key not in ("v", "seq", "t", "event")}


def write(log: RunLog, found: list[Record]) -> None:
    for one in found:
        if one["event"] != "run_start":  # the log begins with its own
            log.write(one["event"], **fields(one))


def written(folder: Path) -> list[Record]:
    return list(records(RunLayout(folder).segments))


def told(folder: Path) -> list[tuple[str, str, int]]:
    found = (one for one in written(folder) if one["event"] == "health")
    return [(one["rule"], one["severity"], one["step"]) for one in found]


def begin(folder: Path, early_stop: str = "advise", resumed_from: int | None = None) -> tuple[RunLog, HealthEvents]:
    settings = Monitor.model_validate({"early_stop": early_stop})
    log = open_run_log(RunLayout(folder), Preset(), 0, 1, resumed_from)
    return log, HealthEvents(log, RunLayout(folder), settings)


def ends(health: HealthEvents, step: int = 40, last: int = 1000) -> bool:
    """Whether training ends after the eval of `step`; if so, with a checkpoint."""
    control = TrainerControl(should_evaluate=True)
    health.on_evaluate(None, SimpleNamespace(global_step=step, max_steps=last), control)
    assert control.should_save == control.should_training_stop
    return bool(control.should_training_stop)


def test_a_finding_is_written_when_raised_when_it_gets_worse_and_when_it_is_over(tmp_path: Path) -> None:
    log, _ = begin(tmp_path)
    write(log, with_evals(RECOVERING))
    assert told(tmp_path) == [
        ("eval_off_best", "caution", 30),
        ("eval_off_best", "stop", 40),
        ("eval_off_best", "ok", 50),
    ]


def test_a_written_finding_carries_the_figures_and_the_advice(tmp_path: Path) -> None:
    log, _ = begin(tmp_path)
    write(log, with_evals(OVERFITTING))
    found = next(one for one in written(tmp_path) if one["event"] == "health")
    assert found["message"].startswith("eval loss 0.9500 is 5.6 % above its best 0.9000 at step 20")
    assert found["advice"].startswith("The best eval was at step 20")


def test_the_rules_see_exactly_the_records_that_are_written(tmp_path: Path) -> None:
    log, health = begin(tmp_path)
    write(log, with_evals(OVERFITTING))
    log.write("step", step=41, epoch=0.2, loss=float("nan"), lr=1e-5, grad_norm=float("inf"), skipped_steps=0)
    again = Health()
    for one in written(tmp_path):
        again.feed(one)
    assert again.findings == health._health.findings
    assert "non_finite" in {finding.rule for finding in again.active}


def test_a_stop_finding_ends_the_run_only_when_early_stop_is_auto(tmp_path: Path) -> None:
    for early_stop, expected in (("auto", True), ("advise", False), ("off", False)):
        log, health = begin(tmp_path / early_stop, early_stop)
        write(log, with_evals(OVERFITTING[:3]))
        assert not ends(health, step=30)
        write(log, with_evals(OVERFITTING)[-11:])
        assert ends(health) == health.stopped == expected
        assert health.reason.startswith("eval_off_best: eval loss 1.260 is 40.0 % above" if expected else "")


def test_off_writes_no_finding(tmp_path: Path) -> None:
    log, _ = begin(tmp_path, "off")
    write(log, with_evals(OVERFITTING))
    assert told(tmp_path) == []


def test_a_step_that_asks_for_a_stop_ends_the_run_with_a_checkpoint_and_no_eval(tmp_path: Path) -> None:
    log, health = begin(tmp_path, "auto")
    log.write("step", step=1, epoch=0.1, loss=float("nan"), lr=1e-5, grad_norm=1.0, skipped_steps=0)
    control = TrainerControl(should_evaluate=True)
    state = SimpleNamespace(global_step=1, max_steps=9)
    health.on_log(None, state, control, {"eval_loss": 1.0})
    assert not control.should_training_stop
    health.on_log(None, state, control, {"loss": 1.0})
    assert (control.should_evaluate, control.should_save, control.should_training_stop) == (False, True, True)


def test_after_the_last_step_there_is_nothing_to_end_early(tmp_path: Path) -> None:
    log, health = begin(tmp_path, "auto")
    write(log, with_evals(OVERFITTING))
    assert not ends(health, step=40, last=40)
    assert not health.stopped


def test_a_silence_never_ends_a_run_that_is_alive_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr("vlmft_core.run_folder.events.time.monotonic", lambda: float(next(clock)))
    log, health = begin(tmp_path, "auto")
    log.write("heartbeat", step=0)
    log.write("heartbeat", step=0)
    assert told(tmp_path) == [("stalled", "stop", 0)]
    assert not ends(health)


def test_after_a_resume_the_rules_know_the_earlier_segments_and_do_not_repeat_themselves(tmp_path: Path) -> None:
    log, _ = begin(tmp_path)
    write(log, with_evals([1.0, 0.9, 0.95]))
    log.close()
    assert told(tmp_path) == [("eval_off_best", "caution", 30)]
    log, health = begin(tmp_path, resumed_from=30)
    assert [finding.rule for finding in health._health.active] == ["eval_off_best"]
    assert told(tmp_path) == [("eval_off_best", "caution", 30)]
    write(log, [one for one in with_evals([1.0, 0.9, 0.95, 1.26]) if one.get("step", 0) > 30])
    assert ("eval_off_best", "stop", 40) in told(tmp_path)


def test_what_was_found_after_the_step_resumed_from_is_said_to_be_over(tmp_path: Path) -> None:
    log, _ = begin(tmp_path)
    write(log, with_evals([1.0, 0.9, 0.95]))
    log.close()
    begin(tmp_path, resumed_from=20)
    assert told(tmp_path)[-1] == ("eval_off_best", "ok", 20)


def test_other_ranks_judge_nothing_and_follow_rank_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = HealthEvents(RunLog(None), RunLayout(tmp_path), Monitor(early_stop="auto"))
    assert not ends(follower)
    monkeypatch.setattr("vlmft_trainer.distributed.ranks.any_rank", lambda flag: True)
    assert ends(follower)


def test_a_log_that_another_rank_would_write_is_left_alone(tmp_path: Path) -> None:
    log = RunLog(None)
    HealthEvents(log, RunLayout(tmp_path), Monitor())
    write(log, start())
    assert list(tmp_path.iterdir()) == []
