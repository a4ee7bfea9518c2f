"""The metrics of other programs, made records of our own event log."""

from __future__ import annotations

import pytest

from tests.console.foreign_logs import evals
from vlmft_console.history.importers.translate import Translator


def test_a_time_that_the_log_tells_beside_an_entry_counts_before_the_time_passed() -> None:
    translator = Translator("log")
    (given,) = translator.take({"step": 1, "loss": 1.0, "elapsed_time": "0:00:28"}, 1000.0)
    (passed,) = translator.take({"step": 2, "loss": 1.0, "elapsed_time": "0:00:28"})
    assert [(record["t"], record["mono"]) for record in (given, passed)] == [(1000.0, 1000.0), (28.0, 28.0)]


def test_a_log_without_a_clock_has_no_time_at_all() -> None:
    (step,) = Translator("log").take({"step": 1, "loss": 1.0})
    assert step["t"] == 0.0
    assert "mono" not in step


def test_only_what_is_not_finite_is_named_so() -> None:
    translator = Translator("log")
    (fine,) = translator.take({"step": 1, "loss": 1.0, "grad_norm": 0.5})
    (wild,) = translator.take({"step": 2, "loss": 1.0, "grad_norm": float("inf"), "learning_rate": float("nan")})
    assert "nonfinite" not in fine
    assert (wild["nonfinite"], wild["grad_norm"], wild["lr"], wild["loss"]) == (["grad_norm", "lr"], None, None, 1.0)


def test_records_of_every_kind_are_numbered_one_after_another() -> None:
    translator = Translator("log")
    records = [translator.begin(), translator.note("hello")]
    for values in ({"loss": 1.0, "total_steps": 9}, {"eval_loss": 1.0, "step": 1}, {"train_runtime": 1.0}):
        records += translator.take(values)
    assert [record["event"] for record in records] == ["run_start", "note", "plan", "note", "step", "eval", "run_end"]
    assert [record["seq"] for record in records] == list(range(7))


@pytest.mark.parametrize(
    ("entry", "per_epoch"),
    [
        ({"step": 10, "epoch": 0.5}, 20),
        ({"step": 10, "epoch": 0.1}, 50),  # not more than there are steps
        ({"step": 1, "epoch": 9.0}, 1),
        ({"step": 10}, 50),
        ({"step": 10, "epoch": 0}, 50),
    ],
)
def test_steps_of_an_epoch_follow_from_the_first_entry(entry: dict[str, float], per_epoch: int) -> None:
    plan = Translator("log").take({**entry, "loss": 1.0, "total_steps": 50})[0]
    assert (plan["total_steps"], plan["steps_per_epoch"]) == (50, per_epoch)


def test_an_eval_printed_again_counts_once_and_one_of_another_epoch_for_itself() -> None:
    translator = Translator("log")
    told = [(1.0, 0.1354), (1.001, 0.13544), (2.0, 0.1354), (2.0, 0.2), (2.0, None)]
    records = [
        record for epoch, loss in told for record in translator.take({"epoch": epoch, "eval_loss": loss, "step": None})
    ]
    assert evals(records) == [(0, 0.1354), (0, 0.1354), (0, 0.2)]
    assert [record["epoch"] for record in records] == [1.0, 2.0, 2.0]
