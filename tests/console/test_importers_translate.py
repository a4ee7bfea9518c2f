"""The metrics of other programs, made records of our own event log."""

from __future__ import annotations

import contextlib
import random

import orjson
import pytest

from tests.console.foreign_logs import evals
from vlmft_console.history.importers.entries.entry_values import MORE_NAMES
from vlmft_console.history.importers.entries.translate import SETS, Translator
from vlmft_core.run_folder.events import parse


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
    kinds = ["run_start", "note", "plan", "note", "step", "eval", "metrics", "run_end"]
    assert [record["event"] for record in records] == kinds
    assert [record["seq"] for record in records] == list(range(8))


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
    assert evals(records) == [(1, 0.1354), (2, 0.1354), (3, 0.2)]
    assert [record["epoch"] for record in records if record["event"] == "eval"] == [1.0, 2.0, 2.0]


def test_every_other_number_of_an_entry_is_kept_by_its_own_name() -> None:
    translator = Translator("log")
    (step,) = translator.take({"step": 1, "loss": 1.0, "reward": "0.5", "kl": float("nan"), "host": "a", "ok": True})
    (alone,) = translator.take({"step": 2, "rewards/chosen": 1, "empty": None})
    (eval,) = translator.take({"step": 2, "eval_loss": 1.5, "eval_wer": 0.25})
    assert step["metrics"] == {"reward": 0.5, "kl": None}
    assert "nonfinite" not in step
    assert (alone["event"], alone["step"], alone["metrics"]) == ("metrics", 2, {"rewards/chosen": 1.0})
    assert eval["metrics"] == {"eval_wer": 0.25}


def test_more_metrics_than_are_kept_are_told_once() -> None:
    translator = Translator("log")
    records = [record for at in range(600) for record in translator.take({"step": at, "loss": 1.0, f"m{at}": 1})]
    assert len({name for record in records for name in record.get("metrics", {})}) == 500
    assert [record["message"] for record in records if record["event"] == "note"] == [MORE_NAMES]


@pytest.mark.parametrize(
    ("entry", "loss"),
    [
        ({"train/loss": 1.0, "train/learning_rate": 0.1}, 1.0),
        ({"train_loss": 2.0, "loss": 1.0, "lr": 0.1}, 1.0),
        ({"Train Loss": "1.0", "iter": 3, "lr-AdamW": 0.1}, 1.0),
        ({"lm loss": 1.0, "iteration": 3, "learning rate": 0.1}, 1.0),
        ({"train_loss_step": 1.0, "trainer/global_step": 3, "lr": 0.1}, 1.0),
    ],
)
def test_a_loss_and_a_rate_are_found_by_many_names(entry: dict[str, object], loss: float) -> None:
    step = Translator("log").take(entry)[-1]
    assert (step["event"], step["loss"], step["lr"]) == ("step", loss, 0.1)


@pytest.mark.parametrize(
    "name", ["eval_loss", "eval/loss", "val_loss", "val/loss", "validation/loss", "loss_val", "Loss/val"]
)
def test_an_eval_loss_is_found_by_many_names(name: str) -> None:
    (eval,) = Translator("log").take({"step": 5, name: 1.5})
    assert (eval["event"], eval["eval_loss"]) == ("eval", 1.5)
    assert "eval_set" not in eval


def test_the_first_name_of_a_train_loss_is_the_one_that_goes_on() -> None:
    translator = Translator("log")
    translator.take({"step": 10, "loss": 1.0})
    (mean,) = translator.take({"step": 10, "train_loss": 1.5, "val_loss": 1.25})
    assert (mean["event"], mean["eval_loss"], mean["metrics"]) == ("eval", 1.25, {"train_loss": 1.5})


def test_of_several_eval_sets_the_first_is_judged_and_the_others_are_metrics() -> None:
    translator = Translator("log")
    (first,) = translator.take({"step": 10, "eval_chartqa_loss": 1.0, "eval_chartqa_runtime": 3.0})
    note, second = translator.take({"step": 10, "eval_textvqa_loss": 2.0})
    assert note["message"] == SETS.format("chartqa")
    assert (first["eval_set"], first["eval_loss"], first["runtime_s"]) == ("chartqa", 1.0, 3.0)
    assert (second["event"], second["metrics"]) == ("metrics", {"eval_textvqa_loss": 2.0})


def test_the_parts_of_an_eval_loss_are_metrics_beside_it() -> None:
    (eval,) = Translator("log").take({"step": 10, "eval_ctc_loss": 90.0, "eval_loss": 100.0})  # and no note of sets
    assert (eval["eval_loss"], eval["metrics"]) == (100.0, {"eval_ctc_loss": 90.0})


@pytest.mark.parametrize("name", ["textvqa", "TextVQA", "eval_textvqa_loss"])
def test_an_eval_set_can_be_asked_for(name: str) -> None:
    translator = Translator("log")
    translator.judge_set(name)
    *_, eval = translator.take({"step": 10, "eval_textvqa_loss": 2.0, "eval_loss": 1.0})
    assert (eval["eval_set"], eval["eval_loss"], eval["metrics"]) == ("textvqa", 2.0, {"eval_loss": 1.0})


def test_the_mean_over_a_run_is_no_training_point() -> None:
    records = Translator("log").take({"train_runtime": 10.0, "train_loss": 0.5, "epoch": 3.0})
    assert [record["event"] for record in records] == ["metrics", "run_end"]
    assert records[0]["metrics"] == {"train_runtime": 10.0, "train_loss": 0.5}


def test_a_rate_told_apart_belongs_to_the_loss_that_follows() -> None:
    translator = Translator("log")
    (apart,) = translator.take({"trainer/global_step": 9, "lr-AdamW": 0.25})
    (step,) = translator.take({"trainer/global_step": 9, "train_loss": 1.0})
    (later,) = translator.take({"trainer/global_step": 10, "train_loss": 1.0})
    assert (apart["event"], apart["metrics"]) == ("metrics", {"lr-AdamW": 0.25})
    assert [record["lr"] for record in (step, later)] == [0.25, None]


@pytest.mark.parametrize(("key", "part"), [("split", "val"), ("mode", "eval"), ("phase", "Validation")])
def test_an_entry_that_says_it_was_measured_on_held_out_data_is_an_eval(key: str, part: str) -> None:
    translator = Translator("log")
    (step,) = translator.take({key: "train", "step": 10, "loss": 1.0, "acc": 0.5})
    (eval,) = translator.take({key: part, "step": 10, "loss": 1.5, "wer": 0.25})
    assert (step["event"], step["loss"]) == ("step", 1.0)
    assert (eval["event"], eval["eval_loss"], eval["metrics"]) == ("eval", 1.5, {f"{part}/wer": 0.25})


@pytest.mark.parametrize(
    "name",
    ["valLossAvg", "val_loss_mean", "loss/eval/total", "loss_on_val", "validate_loss", "crossval_loss", "evalLoss"],
)
def test_an_eval_loss_is_known_in_other_spellings(name: str) -> None:
    (eval,) = Translator("log").take({"trainSteps": 10, name: 1.25})
    assert (eval["step"], eval["eval_loss"], "eval_set" in eval) == (10, 1.25, False)


def test_a_set_stands_before_the_words_for_an_eval_or_behind_them() -> None:
    sets = [
        Translator("log").take({"step": 1, name: 1.0})[0]["eval_set"] for name in ("charts_val_loss", "val/charts/loss")
    ]
    assert sets == ["charts", "charts"]
    (other,) = Translator("log").take({"step": 1, "best_val_loss": 1.0})
    assert other["event"] == "metrics"


@pytest.mark.parametrize(
    "name",
    [
        *("current_best_val_loss", "ckpt_best_val_loss", "early_stopping_best_val_loss", "time_val_loss"),
        *("valid_best_loss", "val/so_far_min/loss"),
    ],
)
def test_what_tells_another_moment_s_eval_again_is_a_metric_beside_the_eval(name: str) -> None:
    translator = Translator("log")
    (alone,) = translator.take({"step": 10, name: 1.0})
    (eval,) = translator.take({"step": 20, name: 1.0, "val_loss": 1.5})
    assert (alone["event"], alone["metrics"]) == ("metrics", {name: 1.0})
    assert (eval["eval_loss"], "eval_set" in eval, eval["metrics"]) == (1.5, False, {name: 1.0})


@pytest.mark.parametrize("key", ["dataset", "split"])
def test_a_loss_whose_name_says_train_is_one_whatever_the_entry_says(key: str) -> None:
    translator = Translator("log")
    translator.take({key: "train", "step": 10, "train_loss": 2.5})
    (step,) = translator.take({key: "validation", "step": 20, "train_loss": 2.25})
    assert (step["event"], step["loss"]) == ("step", 2.25)


@pytest.mark.parametrize("name", ["lr_decay", "learning_rate_decay", "lr_warmup"])
def test_a_setting_of_the_schedule_is_no_rate(name: str) -> None:
    (step,) = Translator("log").take({"step": 10, "loss": 1.0, name: 0.1})
    assert (step["lr"], step["metrics"]) == (None, {name: 0.1})
    (scheduled,) = Translator("log").take({"step": 10, "loss": 1.0, "lr(CosineDecay)": 0.25})
    assert scheduled["lr"] == 0.25


def test_a_cost_beside_a_loss_or_alone_is_a_metric() -> None:
    (step,) = Translator("log").take({"step": 10, "loss": 1.0, "cost": 0.1})
    (alone,) = Translator("log").take({"step": 10, "cost": 0.1})
    assert (step["loss"], step["metrics"], alone["event"]) == (1.0, {"cost": 0.1}, "metrics")


def test_a_whole_eval_loss_counts_before_its_parts() -> None:
    (eval,) = Translator("log").take({"step": 10, "eval_lm_loss": 1.0, "eval_loss": 1.25})
    assert eval["eval_loss"] == 1.25


NAMES = [
    *("loss", "train_loss", "eval_loss", "eval_a_loss", "lr", "grad_norm", "step", "_step", "epoch", "max_steps"),
    *("split", "train_runtime", "elapsed_time", "acc", "eval_acc", "reward", "", "\x1b[31m", "x" * 5000, "eval_\udcff"),
]
VALUES = [
    *(0, 1, 3, -1, 2**53 - 1, 10**70, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"), "0.5", "nan"),
    *(None, "", "None", True, [1.0], {"a": 1}, "3/4", "val", "1_000", "0:10:00", "x" * 9000, "tensor(0.5)"),
]


def test_whatever_an_entry_holds_it_is_refused_or_becomes_records_of_our_own() -> None:
    chance = random.Random(5)
    for _ in range(25):
        translator = Translator("log")
        told = [translator.begin()]
        for _ in range(60):
            entry = {name: chance.choice(VALUES) for name in chance.sample(NAMES, chance.randrange(1, 8))}
            with contextlib.suppress(ValueError):
                told += translator.take(entry)
        for number, record in enumerate(told):
            assert record["seq"] == number
            assert parse(orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS)) == record


def test_an_entry_reads_the_same_whether_or_not_it_is_like_nearly_all_others() -> None:
    """One that has a place for a total, though it tells none, takes a closer look than the others."""
    chance = random.Random(11)
    odd = (float("nan"), float("inf"), 1e300, -1e305, None, 1, "2.5", True, [1])
    for _ in range(300):
        plain, close = Translator("log"), Translator("log")
        names = ["loss", *chance.sample(("epoch", "learning_rate", "grad_norm", "acc", "reward", "val_loss"), 3)]
        step, named = 0, chance.random() < 0.6
        before: dict[str, object] = {}
        for _ in range(12):
            step = chance.choice((step + 1, step + 1, step + 5, step, max(0, step - 3), 0))
            entry: dict[str, object] = {
                name: chance.choice(odd) if chance.random() < 0.05 else chance.random() for name in names
            }
            if named:
                entry["step"] = step if chance.random() < 0.95 else chance.choice((str(step), float(step), None, 2**60))
            elif "epoch" in entry and chance.random() < 0.9:
                entry["epoch"] = step / 3
            if chance.random() < 0.1:
                entry = before or entry
            before = entry
            time = chance.choice((None, 1.0, -1.0, 1e301))
            told = []
            for translator, values in ((plain, entry), (close, {**entry, "max_steps": None})):
                try:
                    told.append(translator.take(values, time))
                except ValueError as refused:
                    told.append(str(refused))
            assert told[0] == told[1]
