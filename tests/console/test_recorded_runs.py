"""The recorded runs that ship with vlmft stay readable, and show what their README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vlmft_console.cli import app
from vlmft_console.commands.check import judge
from vlmft_console.history.loading import ReadLog, read_log
from vlmft_console.history.opened import open_log
from vlmft_console.history.tally import Tally
from vlmft_console.paths import recorded_runs
from vlmft_console.report.summary import lr_deviation
from vlmft_core.run_folder.events import STEP

LOGS = Path(__file__).parents[2] / "logs"


def read(name: str) -> ReadLog:
    return read_log(LOGS / name)


def stops(run: ReadLog) -> set[str]:
    """Rules that ask for a stop at the end."""
    return {finding.rule for finding in run.state.health.active if finding.severity == "stop"}


def test_all_four_are_listed_as_samples() -> None:
    assert [path.name for path in recorded_runs()] == ["diverging", "healthy", "overfitting", "resumed"]


@pytest.mark.parametrize("name", ["diverging", "healthy", "overfitting", "resumed"])
def test_each_is_small_and_every_line_of_it_is_a_record(name: str) -> None:
    run = read(name)
    assert run.log.rejected == 0
    assert run.log.preset is not None
    assert run.state.end is not None
    assert run.state.step == run.state.total_steps
    assert sum(file.stat().st_size for file in (LOGS / name).rglob("*")) < 400_000


@pytest.mark.parametrize("name", ["diverging", "healthy", "overfitting", "resumed"])
def test_none_tells_where_it_was_made(name: str) -> None:
    texts = [file.read_text() for file in (LOGS / name).rglob("*") if file.is_file()]
    assert not [text for text in texts for place in ("/tmp", "/home", "/root", "/work") if f'"{place}' in text]


def test_the_healthy_run_has_nothing_to_complain_about() -> None:
    run = read("healthy")
    assert run.state.health.active == []
    assert run.state.best_eval is not None
    assert run.state.best_eval["step"] >= 0.8 * run.state.step


def test_the_overfitting_run_is_told_to_stop_and_what_to_change() -> None:
    run = read("overfitting")
    assert stops(run) & {"eval_rising", "eval_off_best", "gap"}
    advised = {key for finding in run.state.health.active for key, _ in finding.advice.changes}
    assert {"training.weight_decay", "lora.dropout"} <= advised


def test_the_diverging_run_is_stopped_by_its_gradient() -> None:
    run = read("diverging")
    assert "non_finite" in stops(run)
    assert run.state.nonfinite_steps > 0


def test_the_resumed_run_goes_on_where_it_was_stopped() -> None:
    run = read("resumed")
    assert [number for number, _ in run.state.segments] == [1, 2]
    assert run.state.segments[1][1] > 50
    assert [int(step) for step, _ in run.state.train_loss] == list(range(1, run.state.step + 1))
    assert not stops(run)


@pytest.mark.parametrize(("name", "warmup"), [("diverging", 30), ("healthy", 10), ("overfitting", 6), ("resumed", 8)])
def test_warm_up_and_deviation_are_those_of_the_plan_wherever_they_are_told(name: str, warmup: int) -> None:
    run = read(name)
    schedule = judge(LOGS / name).schedule
    assert (schedule.kind, schedule.warmup_steps) == ("cosine", warmup)
    assert schedule.max_deviation == lr_deviation(run.state)
    told = Tally()
    told.add(
        [record for batch in open_log(LOGS / name).reader.batches() for record in batch if record["event"] == STEP]
    )
    if name != "diverging":  # which never came to its peak
        assert told.schedule().warmup_steps == warmup  # from the rates alone


def test_every_command_holds_the_rate_of_a_run_that_diverged_against_its_plan_in_the_same_words() -> None:
    told = {}
    for command in (["check"], ["report", "--format", "md"], ["watch"]):
        text = " ".join(CliRunner().invoke(app, [*command, str(LOGS / "diverging")]).stdout.split())
        told[command[0]] = set(re.findall(r"at most ([\d.]+ %) of the peak apart", text))
        assert "plan has 0.002739: 23.1 % of the peak apart" in text, command
    assert told == {"check": {"76.7 %"}, "report": {"76.7 %"}, "watch": set()}
    assert "cosine after 30 steps of warm-up" in " ".join(
        CliRunner().invoke(app, ["check", str(LOGS / "diverging")]).stdout.split()
    )
