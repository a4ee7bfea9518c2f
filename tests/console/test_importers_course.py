"""At which step the entries of other programs' logs stand, and which of them begin a training anew."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.foreign_logs import evals, steps
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_core.health import STOP, Health
from vlmft_core.run_folder.events import Record

TOLD = (1.10, 0.92, 0.90, 0.97, 1.08, 1.21, 1.35, 1.50)
"""Evals of a run that overfits from its third epoch on."""


def records_of(*entries: dict[str, Any]) -> list[Record]:
    translator = Translator("log")
    return [translator.begin(), *(record for entry in entries for record in translator.take(entry))]


def starts(records: list[Record]) -> list[int | None]:
    """Where each of the trainings went on from; None for one that began anew."""
    return [record["resumed_from"] for record in records if record["event"] == "run_start"]


def loss(number: float, **fields: Any) -> dict[str, Any]:
    return {"loss": 3 / number, "learning_rate": 1e-4, "grad_norm": 0.5 + number, **fields}


def test_evals_alone_come_one_after_another_and_are_judged_as_those_with_steps() -> None:
    told = [{"eval_loss": value, "epoch": float(epoch)} for epoch, value in enumerate(TOLD, 1)]
    counted, named = records_of(*told), records_of(*({**one, "step": 30 * one["epoch"]} for one in told))
    assert [step for step, _ in evals(counted)] == list(range(1, 9))
    verdicts = []
    for records in (counted, named):
        health = Health()
        health.feed_all(records)
        verdicts.append([(finding.rule, finding.severity, finding.epoch) for finding in health.active])
    assert verdicts[0] == verdicts[1]
    assert any(severity == STOP for _, severity, _ in verdicts[0])


def test_evals_between_two_losses_and_after_the_last_one_have_steps_of_their_own() -> None:
    quarters = [{"eval_loss": 1 - epoch / 10, "epoch": epoch} for epoch in (0.25, 0.5, 0.75, 1.0)]
    records = records_of(loss(1, epoch=0.2), *quarters, loss(2, epoch=1.2), {"eval_loss": 0.8, "epoch": 1.25})
    assert [step for step, _ in steps(records)] == [1, 5]
    assert [step for step, _ in evals(records)] == [1, 2, 3, 4, 5]


def test_only_an_eval_at_epoch_0_is_the_base_s() -> None:
    assert evals(records_of({"eval_loss": 2.0, "epoch": 0.0}, loss(1, epoch=0.1))) == [(0, 2.0)]
    assert evals(records_of({"eval_loss": 2.0, "epoch": 0.5}, loss(1, epoch=1.0))) == [(1, 2.0)]


def test_evals_without_steps_in_a_log_that_names_some_follow_one_another() -> None:
    records = records_of(loss(1, step=10), {"eval_loss": 2.0}, {"eval_loss": 1.5}, loss(2, step=20), {"eval_loss": 1.0})
    assert evals(records) == [(10, 2.0), (11, 1.5), (20, 1.0)]


def test_an_epoch_that_goes_back_to_the_beginning_begins_the_training_anew() -> None:
    crashed = [loss(at, epoch=at / 10) for at in range(1, 7)]
    records = records_of(*crashed, *crashed, loss(7, epoch=0.7))
    assert starts(records) == [None, None]
    assert [step for step, _ in steps(records)] == [*range(1, 7), *range(1, 8)]


def test_an_epoch_that_goes_back_further_on_goes_on_from_a_checkpoint() -> None:
    first = [loss(at, epoch=at / 10) for at in range(1, 16)]
    records = records_of(*first, *(loss(at, epoch=at / 10) for at in range(11, 18)))
    assert starts(records) == [None, 10]
    assert [step for step, _ in steps(records)] == [*range(1, 16), *range(11, 18)]


@pytest.mark.parametrize("epochs", [(0.1, 0.2, 0.3, 0.29, 0.4), (0.1, 0.1, 0.1, 0.2), (0.2, 0.1, 0.3, 0.4)])
def test_an_epoch_that_hardly_goes_back_is_no_new_start(epochs: tuple[float, ...]) -> None:
    assert starts(records_of(*(loss(at, epoch=epoch) for at, epoch in enumerate(epochs, 1)))) == [None]


@pytest.mark.parametrize(
    ("numbers", "begins"),
    [
        ((10, 20, 30, 10, 20, 30), [None, None]),
        ((10, 20, 30, 40, 30, 40, 50), [None]),  # from a checkpoint: the later steps take the place of the earlier
        ((1, 3, 2, 4, 5), [None]),
        ((2, 1, 3), [None]),
        ((100, 110, 120, 10, 20), [None, None]),
        ((*range(1, 20), 2, 4, 6), [None, None]),  # logged less often than before
        ((*range(1, 20), 10, 11, 12), [None]),
    ],
)
def test_a_step_that_goes_back_to_the_first_one_begins_anew(numbers: tuple[int, ...], begins: list[None]) -> None:
    assert starts(records_of(*(loss(at, step=step) for at, step in enumerate(numbers, 1)))) == begins


def test_a_step_that_goes_back_while_another_number_of_steps_is_promised_begins_anew() -> None:
    first = [loss(step, step=step, max_steps=40) for step in range(10, 21)]
    assert starts(records_of(*first, loss(1, step=15, max_steps=80))) == [None, None]
    assert starts(records_of(*first, loss(1, step=15, max_steps=40))) == [None]
    assert starts(records_of(*first, loss(1, step=21, max_steps=80))) == [None]


@pytest.mark.parametrize(
    ("numbers", "placed"),
    [
        ((10, 20, 30), [10, 20, 30, 40, 50, 60, 70, 80, 90]),
        ((0, 10, 20), [0, 10, 20, 30, 40, 50, 60, 70, 80]),
        ((100,), [100, 200, 300]),
    ],
)
def test_steps_that_are_counted_anew_in_every_epoch_go_on(numbers: tuple[int, ...], placed: list[int]) -> None:
    told = [loss(step + epoch, step=step, epoch=epoch) for epoch in (1, 2, 3) for step in numbers]
    evaluated = {"step": numbers[-1], "epoch": 3, "eval_loss": 1.0}
    records = records_of(*told, evaluated, loss(1, step=numbers[0], epoch=1))
    assert [step for step, _ in steps(records)] == [*placed, numbers[0]]
    assert evals(records) == [(placed[-1], 1.0)]
    assert starts(records) == [None, None]


def test_after_the_end_of_a_training_another_one_begins_or_the_same_goes_on() -> None:
    ended = {"train_runtime": 10.0}
    assert starts(records_of(loss(1, epoch=1.0), ended, loss(2, epoch=0.5))) == [None, None]
    assert starts(records_of(loss(1, epoch=1.0), ended, loss(2, epoch=1.5))) == [None, 1]
    assert starts(records_of(loss(1, epoch=1.0), ended, {"eval_loss": 1.0, "epoch": 0.0})) == [None]


def test_the_best_weights_evaluated_at_the_end_are_no_later_eval() -> None:
    told = [{"eval_loss": value, "epoch": float(epoch)} for epoch, value in enumerate(TOLD, 1)]
    records = records_of(*told, {"train_runtime": 10.0, "epoch": 8.0}, {"eval_loss": 0.9, "epoch": 8.0})
    assert evals(records)[-2:] == [(8, 1.5), (8, 0.9)]


def test_rates_without_losses_that_go_back_to_the_first_begin_anew() -> None:
    translator = Translator("log")
    records = [record for step in (10, 20, 30, 40, 10, 20) for record in translator.schedule_point(step, 1e-4)]
    assert starts(records) == [None]
    assert [step for step, _ in steps(records)] == [10, 20, 30, 40, 10, 20]


def test_evals_alone_that_go_back_are_another_training_s() -> None:
    told = [{"eval_loss": value, "epoch": float(epoch)} for epoch, value in enumerate(TOLD[:3], 1)]
    for records in (records_of(*told, *told), records_of(*told, {"train_runtime": 1.0, "epoch": 3.0}, *told)):
        assert starts(records) == [None, None]
        assert [step for step, _ in evals(records)] == [1, 2, 3, 1, 2, 3]


def test_two_writers_of_one_log_count_once_though_their_last_digits_differ() -> None:
    pairs = [{"current_steps": step, "loss": value} for step in (10, 20) for value in (0.0123, 0.0124)]
    assert steps(records_of(*pairs)) == [(10, 0.0123), (20, 0.0123)]
    both = [{"step": 10, "eval_loss": 1.9}, {"step": 10, "eval_loss": 1.9001}]
    assert evals(records_of(*both)) == [(10, 1.9)]


def test_the_same_loss_at_the_same_step_of_another_epoch_is_another_record() -> None:
    told = [{"step": 100, "epoch": epoch, "loss": 0.05} for epoch in (1, 2, 3)]
    assert [step for step, _ in steps(records_of(*told))] == [100, 200, 300]


def test_ranks_that_print_the_same_record_without_a_prefix_count_once() -> None:
    assert len(steps(records_of(loss(1, epoch=0.1), loss(1, epoch=0.1), loss(2, epoch=0.2)))) == 2
    stuck = {"loss": 0.0, "learning_rate": 1e-4, "grad_norm": float("nan"), "epoch": 0.1}
    assert len(steps(records_of(stuck, stuck, stuck))) == 3


def test_what_was_printed_and_what_was_saved_of_a_run_get_the_same_verdict() -> None:
    saved: list[dict[str, Any]] = []
    for step in range(10, 401, 10):
        saved.append(
            {"loss": 2 * 0.99**step, "grad_norm": 0.5, "learning_rate": 2e-4, "epoch": step / 100, "step": step}
        )
        if step % 50 == 0:  # between two losses
            told = 1 + abs(step - 150) / 500
            saved.append({"eval_loss": told, "eval_runtime": 1.0, "epoch": (step + 5) / 100, "step": step + 5})
    saved.append({"eval_loss": 2.5, "eval_runtime": 1.0, "epoch": 4.09, "step": 409})  # after the last one
    printed = [{name: value for name, value in one.items() if name != "step"} for one in saved]
    verdicts = []
    for entries in (saved, printed):
        health = Health()
        health.feed_all(records_of(*entries))
        verdicts.append([(finding.rule, finding.severity, finding.epoch) for finding in health.findings])
    assert verdicts[0] == verdicts[1]
    assert any(severity == STOP for _, severity, _ in verdicts[0])
