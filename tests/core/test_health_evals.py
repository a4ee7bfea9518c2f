"""The health rules that look at evals."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from tests.core.health_records import PLAN, evaluated, judged, only, record, rules, start, step, with_evals
from vlmft_core.health import Health
from vlmft_core.health.scatter import Scatter
from vlmft_core.preset import Lora, Monitor, Preset, Training
from vlmft_core.run_folder.events import Record
from vlmft_core.scoring.chance import paired


def test_a_healthy_run_has_no_finding() -> None:
    assert judged(with_evals([1.6, 1.3, 1.1, 1.0, 0.95])).findings == []


def test_three_small_rises_are_a_caution_that_is_over_when_the_loss_falls() -> None:
    rising = with_evals([1.0, 1.002, 1.004, 1.006])
    assert rules(judged(rising))["eval_rising"] == "caution"
    over = only(judged([*rising, evaluated(50, 1.001)]), "eval_rising")
    assert (over.step, over.resolved) == (40, 50)


def test_three_rises_beyond_the_least_rise_ask_for_a_stop_with_the_figures_in_the_message() -> None:
    found = only(judged(with_evals([1.0, 1.01, 1.02, 1.03])), "eval_rising")
    assert (found.severity, found.step, found.epoch) == ("stop", 40, 4.0)
    assert found.message == "eval loss rose 3 evals in a row, to 1.030, 3.0 % above its best 1.000 at step 10"


def test_a_stop_for_rising_evals_holds_until_the_loss_is_back_near_its_best() -> None:
    rising = with_evals([1.0, 1.1, 1.2, 1.3])
    still = judged([*rising, evaluated(50, 1.28, epoch=5.0)])
    assert rules(still)["eval_rising"] == "stop"
    assert "rose, and is 1.280, 28.0 % above" in only(still, "eval_rising").message
    assert "eval_rising" not in rules(judged([*rising, evaluated(50, 1.28), evaluated(60, 1.005)]))


def test_a_run_that_came_back_from_as_much_before_is_only_cautioned() -> None:
    scattered = [1.0, 1.3, 0.98, 1.05, 1.1, 1.15]
    assert rules(judged(with_evals(scattered)))["eval_rising"] == "caution"
    assert rules(judged(with_evals([*scattered, 1.6, 1.9])))["eval_rising"] == "stop"


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.02])
def test_of_noisy_runs_those_that_overfit_are_told_to_stop_and_the_others_are_not(noise: float) -> None:
    def stopped(seed: int, rise: float) -> bool:
        rng = random.Random(seed)
        done = [index / 20 for index in range(1, 21)]
        clean = [0.8 + 0.6 * math.exp(-4 * at) + rise * max(0.0, at - 0.4) for at in done]
        losses = [loss * (1 + rng.gauss(0, noise)) for loss in clean]
        health = judged(with_evals(losses, train=[0.6 + math.exp(-4 * at) - 0.2 * at for at in done]))
        return any(finding.severity == "stop" for finding in health.findings)

    assert [seed for seed in range(10) if stopped(seed, rise=0.0)] == []
    assert [seed for seed in range(10) if not stopped(seed, rise=0.5)] == []


@pytest.mark.parametrize(("loss", "severity"), [(1.04, None), (1.06, "caution"), (1.5, "stop")])
def test_an_eval_far_off_its_best_while_the_train_loss_falls(loss: float, severity: str | None) -> None:
    assert rules(judged(with_evals([1.2, 1.0, loss]))).get("eval_off_best") == severity


def test_a_single_eval_of_few_asks_for_a_stop_only_when_no_other_is_to_come() -> None:
    found = with_evals([1.2, 1.0, 1.16])
    assert rules(judged(found))["eval_off_best"] == "caution"
    assert rules(judged([*found, record("run_end", status="finished")]))["eval_off_best"] == "stop"
    planned = record("plan", **(PLAN | {"total_steps": 30}))
    assert rules(judged([planned, *found[2:]]))["eval_off_best"] == "stop"


def test_two_evals_far_off_the_best_are_enough() -> None:
    assert rules(judged(with_evals([1.2, 1.0, 1.25, 1.27])))["eval_off_best"] == "stop"


def test_in_the_first_epoch_a_few_rises_ask_for_no_stop() -> None:
    rising = with_evals([0.9, 0.96, 1.0, 1.06])
    assert rules(judged(rising))["eval_rising"] == "stop"
    first = [one | {"epoch": 0.1} if "epoch" in one else one for one in rising]
    assert rules(judged(first))["eval_rising"] == "caution"


def test_in_the_first_epoch_nothing_was_seen_twice_and_few_evals_ask_for_no_stop() -> None:
    first = [one | {"epoch": 0.1} if "epoch" in one else one for one in with_evals([1.2, 1.0, 1.5])]
    assert rules(judged(first))["eval_off_best"] == "caution"


def test_a_loss_that_stays_above_its_best_asks_for_a_stop_however_wild_it_was_before() -> None:
    losses = [0.33, 0.26, 0.27, 0.23, 0.30, 0.265, 0.25, 0.28, 0.291, 0.294, 0.288]
    train = [0.38 * 0.76**index for index in range(len(losses))]
    assert rules(judged(with_evals(losses, train)))["eval_off_best"] == "stop"
    assert "stop" not in rules(judged(with_evals(losses[:-1], train[:-1]))).values()


def test_a_jump_does_not_hide_itself_in_the_noise() -> None:
    for wild in (2.0, 20.0):
        found = judged(with_evals([1.3, 1.1, 1.0, 1.01, 1.0, 1.02, 1.0, 1.01, wild, wild]))
        assert rules(found)["eval_off_best"] == "stop"


def test_an_eval_loss_that_leaves_for_good_asks_for_a_stop_also_where_the_train_loss_rises_with_it() -> None:
    losses = [1.2, 1.05, 1.0, 1.01, 1.0, 1.01, 1.0, 2.5, 2.6]
    found = only(judged(with_evals(losses, [*losses[:7], 2.5, 2.6])), "eval_off_best")
    assert found.severity == "stop"
    assert "Both losses rise" in found.advice.text


def evals_alone(losses: Sequence[float], **fields: object) -> list[dict[str, object]]:
    """Evals of a log that tells neither steps nor train losses."""
    return [
        record("eval", step=0, epoch=float(index), eval_loss=loss, **fields) for index, loss in enumerate(losses, 1)
    ]


def test_evals_alone_are_judged_too() -> None:
    found = judged(evals_alone([1.2, 1.0, 0.9, 0.92, 1.0, 1.1, 1.2, 1.3, 1.5, 1.75]))
    assert rules(found)["eval_rising"] == "stop"
    assert judged(evals_alone([1.2, 1.0, 0.9, 0.85, 0.83])).findings == []


def test_a_last_eval_with_no_step_since_the_one_before_is_judged_by_the_train_loss_before_it() -> None:
    found = with_evals([0.9, 0.7, 0.66, 0.665])
    last = evaluated(40, 0.83, epoch=4.05)
    assert rules(judged([*found, last, record("run_end", status="finished")]))["eval_off_best"] == "stop"
    again = evaluated(40, 0.83, epoch=4.0)
    assert "eval_off_best" not in rules(judged([*found, again]))


def test_a_loss_exactly_at_the_limit_is_not_off_its_best() -> None:
    sixteenth = Monitor(off_best_caution=0.0625)
    assert rules(judged(with_evals([1.0, 1.0625]), sixteenth)) == {}
    assert rules(judged(with_evals([1.0, 1.0, 1.0, 1.0625]), sixteenth)) == {"plateau": "caution"}


def test_a_level_train_loss_does_not_rise_and_the_advice_is_that_for_overfitting() -> None:
    found = only(judged(with_evals([1.2, 1.0, 1.3], train=[1.2, 1.0, 1.0])), "eval_off_best")
    assert (found.severity, found.advice.changes[1]) == ("caution", ("training.weight_decay", 0.02))


def test_both_losses_rising_is_no_overfitting_and_the_advice_is_another() -> None:
    found = only(judged(with_evals([1.2, 1.0, 1.3], train=[1.2, 1.0, 1.5])), "eval_off_best")
    assert found.severity == "caution"
    assert "train loss went from 1.000 to 1.500" in found.message
    assert found.advice.changes == (("training.learning_rate", 3e-5),)


def test_overfitting_advice_names_the_best_checkpoint_and_changes_that_change_something() -> None:
    kept = record("checkpoint", step=10, path="checkpoint-10", kept=[10, 20])
    found = with_evals([1.0, 1.3])
    advice = only(judged([*found[:-1], kept, found[-1]]), "eval_off_best").advice
    assert advice.text.startswith("Use checkpoint-10, the best (eval loss 1.000, epoch 1.0).")
    assert advice.changes == (
        ("training.epochs", 2),
        ("training.weight_decay", 0.02),
        ("lora.dropout", 0.1),
        ("training.learning_rate", 3e-5),
    )


@pytest.mark.parametrize(
    ("rate", "decay", "dropout", "changes"),
    [
        (3e-5, 0.02, 0.1, {"training.weight_decay": 0.05, "training.learning_rate": 1.5e-5}),
        (2e-4, 0.05, 0.3, {"training.learning_rate": 3e-5}),
        (4e-3, 0.05, 0.05, {"lora.dropout": 0.1, "training.learning_rate": 2e-3}),
        (1e-5, 0.0, 0.1, {"training.weight_decay": 0.02, "training.learning_rate": 5e-6}),
    ],
)
def test_advice_never_goes_the_wrong_way(rate: float, decay: float, dropout: float, changes: dict[str, float]) -> None:
    preset = Preset(training=Training(learning_rate=rate, weight_decay=decay), lora=Lora(dropout=dropout))
    found = start(preset=preset) + with_evals([1.0, 1.3])[2:]
    told = dict(only(judged(found), "eval_off_best").advice.changes)
    assert told == {"training.epochs": 2} | changes


def test_a_log_without_a_preset_gets_the_published_values_and_a_rate_below_its_own() -> None:
    foreign = [one for one in with_evals([1.0, 1.3]) if one["event"] in ("step", "eval")]
    advice = only(judged(foreign), "eval_off_best").advice
    highest = max(one["lr"] for one in foreign if one["event"] == "step")
    changes = dict(advice.changes)
    assert (changes["training.weight_decay"], changes["lora.dropout"]) == (0.02, 0.1)
    assert changes["training.learning_rate"] == pytest.approx(highest / 2, rel=0.1)


@pytest.mark.parametrize(("evals", "level"), [(3, False), (4, False), (5, True)])
def test_a_plateau_takes_three_evals_without_improvement(evals: int, level: bool) -> None:
    losses = [1.2, 1.0, 1.0005, 0.9995, 1.0]
    assert ("plateau" in rules(judged(with_evals(losses[:evals])))) == level


def test_a_planned_rate_of_zero_tells_nothing_and_the_highest_logged_counts() -> None:
    foreign = [one | {"lr": 1e-5} if one["event"] == "step" else one for one in with_evals([1.0, 1.3])[2:]]
    planless = record("plan", **(PLAN | {"peak_lr": 0.0}))
    changes = dict(only(judged([planless, *foreign]), "eval_off_best").advice.changes)
    assert changes["training.learning_rate"] == 5e-6


def test_a_level_eval_loss_while_the_train_loss_falls_is_a_plateau() -> None:
    assert rules(judged(with_evals([1.2, 1.0, 1.0005, 0.9995, 1.0])))["plateau"] == "caution"
    assert "plateau" not in rules(judged(with_evals([1.2, 1.0, 1.0, 1.0, 1.0], train=[1.5, 1, 1, 1, 1])))
    assert "plateau" not in rules(judged(with_evals([1.2, 1.0, 1.0005, 0.9995, 1.0, 0.95])))


@pytest.mark.parametrize(
    ("losses", "train", "severity"),
    [
        ([2.0, 1.9], [1.8, 1.5], None),
        ([2.0, 1.9], [1.8, 1.3], "caution"),
        ([2.0, 1.9], [1.8, 0.8], "caution"),
        ([2.0, 2.04], [1.8, 0.8], "caution"),
        ([2.0, 2.04, 2.06, 2.08], [1.8, 1.2, 1.0, 0.8], "stop"),
        ([2.0, 2.04, 2.06, 2.08], [1.8, 1.5, 1.4, 1.2], "caution"),
        ([2.0, 2.04], [1.8, 1.56], None),
        ([2.25, 2.0], [1.8, 1.5], None),
        ([2.0, 2.25], [1.8, 1.25], "caution"),
    ],
)
def test_a_gap_asks_for_a_stop_only_once_the_eval_loss_left_its_best(
    losses: list[float], train: list[float], severity: str | None
) -> None:
    assert rules(judged(with_evals(losses, train))).get("gap") == severity


def accuracies(values: list[float], losses: list[float], questions: int = 500) -> list[dict[str, object]]:
    found = with_evals(losses)
    evals = [one for one in found if one["event"] == "eval"]
    for one, value in zip(evals, values, strict=True):
        one["tasks"] = {"chartqa": {"relaxed_accuracy": value, "n": questions}}
    return found


def test_an_accuracy_below_its_best_is_a_caution_at_two_evals_and_a_stop_at_three() -> None:
    rising, falling = [1.0, 1.05, 1.1, 1.2], [0.6, 0.4, 0.38, 0.37]
    assert "accuracy_falling" not in rules(judged(accuracies(falling[:2], rising[:2])))
    two = judged(accuracies(falling[:3], rising[:3]))
    assert only(two, "accuracy_falling").severity == "caution"
    three = only(judged(accuracies(falling, rising)), "accuracy_falling")
    assert three.severity == "stop"
    assert three.message == "chartqa accuracy 37.0 % is below its best 60.0 % of step 10 for 3 evals in a row"


def test_a_fall_within_the_chance_of_so_few_questions_is_none() -> None:
    rising = [1.0, 1.05, 1.1, 1.2]
    found = accuracies([0.6, 0.4, 0.38, 0.37], rising)
    few = [
        one | {"tasks": {"chartqa": one["tasks"]["chartqa"] | {"n": 15}}} if "tasks" in one else one  # type: ignore[index, operator]
        for one in found
    ]
    assert "accuracy_falling" not in rules(judged(few))
    assert "accuracy_falling" not in rules(judged(accuracies([0.6, 0.59, 0.58, 0.57], rising)))


def test_an_accuracy_below_its_best_is_only_a_caution_while_the_eval_loss_is_at_its_best() -> None:
    found = judged(accuracies([0.6, 0.3, 0.3, 0.3], [1.2, 1.1, 1.0, 0.9]))
    assert rules(found) == {"accuracy_falling": "caution"}


def test_a_fall_that_counts_while_the_eval_loss_rises_may_be_chance_while_that_is_at_its_best() -> None:
    smaller, larger = [0.6, 0.5, 0.5, 0.5], [0.6, 0.42, 0.42, 0.42]
    rising, improving = [1.0, 1.05, 1.1, 1.2], [1.2, 1.1, 1.0, 0.9]
    told = [
        rules(judged(accuracies(values, losses))).get("accuracy_falling")
        for values in (smaller, larger)
        for losses in (rising, improving)
    ]
    assert told == ["stop", None, "stop", "caution"]


def test_a_token_accuracy_below_its_best_is_told_as_a_tasks_is() -> None:
    found = with_evals([1.0, 1.05, 1.1, 1.2])
    evals = [one for one in found if one["event"] == "eval"]
    for one, value in zip(evals, [0.6, 0.55, 0.54, 0.53], strict=True):
        one["token_accuracy"] = value
    told = only(judged(found), "accuracy_falling")
    assert told.severity == "stop"
    assert told.message == "token accuracy 53.0 % is below its best 60.0 % of step 10 for 3 evals in a row"


def test_accuracies_that_print_alike_are_equal() -> None:
    found = with_evals([0.0498, 0.0496, 0.0494, 0.0492, 0.049, 0.0488])
    evals = [one for one in found if one["event"] == "eval"]
    for one, value in zip(evals, [0.984, 0.9872, 0.9871, 0.987, 0.9871, 0.987], strict=True):
        one["token_accuracy"] = value
    assert "accuracy_falling" not in rules(judged(found))


def test_of_runs_whose_eval_loss_improves_at_every_eval_hardly_one_is_told_of_a_falling_accuracy() -> None:
    def told(seed: int) -> bool:
        rng = random.Random(seed)
        losses = [0.5 + math.exp(-index / 3) for index in range(12)]
        values = [sum(rng.random() < 0.7 for _ in range(200)) / 200 for _ in losses]
        return any(one.rule == "accuracy_falling" for one in judged(accuracies(values, losses, 200)).findings)

    assert sum(map(told, range(40))) <= 2


@pytest.mark.parametrize("falling", ["chartqa", "textvqa"])
def test_of_several_accuracies_the_one_below_its_best_for_longest_is_judged(falling: str) -> None:
    found = accuracies([0.9, 0.4, 0.38, 0.37], [1.0, 1.05, 1.1, 1.2])
    evals = [one for one in found if one["event"] == "eval"]
    for one, other in zip(evals, [0.1, 0.9, 0.25, 0.2], strict=True):  # below its best for two evals, and three
        longest = one["tasks"]["chartqa"]["relaxed_accuracy"]  # type: ignore[index]
        first, second = (longest, other) if falling == "chartqa" else (other, longest)
        one["tasks"] = {"chartqa": {"relaxed_accuracy": first, "n": 500}, "textvqa": {"accuracy": second, "n": 500}}
    told = only(judged(found), "accuracy_falling")
    assert (told.severity, told.message.split()[0]) == ("stop", falling)


def noisy(seed: int, count: int, *, rise: float = 0.0, accuracy: bool = False) -> list[Record]:
    """A run whose eval losses scatter by a tenth, and rise from 40 % of it on."""
    rng = random.Random(seed)
    done = [index / count for index in range(1, count + 1)]
    clean = [(0.8 + 0.6 * math.exp(-6 * at)) * (1 + rise * max(0.0, at - 0.4) / 0.6) for at in done]
    losses = [loss * (1 + rng.gauss(0, 0.1)) for loss in clean]
    found = with_evals(losses, train=[0.3 + math.exp(-3 * at) for at in done])
    for one, loss in zip((one for one in found if one["event"] == "eval"), clean, strict=True):
        one["token_accuracy"] = 0.9 - 0.2 * loss * (1 + rng.gauss(0, 0.1)) if accuracy else None
    return found


def stopped(records: list[Record]) -> bool:
    """Whether a stop was asked for at any time."""
    health = Health()
    return any(one.severity == "stop" for _, changed in health.feed_all(records) for one in changed)


@pytest.mark.parametrize("count", [10, 20])
def test_of_healthy_runs_whose_evals_scatter_by_a_tenth_hardly_one_is_told_to_stop(count: int) -> None:
    assert sum(stopped(noisy(seed, count)) for seed in range(60)) <= 4


def test_a_rise_that_loss_and_accuracy_tell_alike_is_found_where_the_loss_alone_is_too_noisy() -> None:
    both = sum(stopped(noisy(seed, 20, rise=0.4, accuracy=True)) for seed in range(30))
    alone = sum(stopped(noisy(seed, 20, rise=0.4)) for seed in range(30))
    assert both >= 27
    assert both > alone


def scatter_of(values: Sequence[float]) -> Scatter:
    found = Scatter()
    for value in values:
        found = found.next(value)
    return found


def test_noise_is_measured_from_the_first_rise_on() -> None:
    unit = math.sqrt(1.5)
    assert scatter_of([2.0, 1.5, 1.25, 1.25]).level == 0
    risen = scatter_of([2.0, 1.5, 1.25, 1.5])
    assert (risen.level, risen.noise()) == (1, pytest.approx(0.25 / unit / math.sqrt(2), rel=0.001))
    longer = scatter_of([2.0, 1.5, 1.25, 1.5, 1.0])
    assert longer.bends[-longer.level :] == pytest.approx((0.25 / unit, 0.375 / unit))
    assert longer.wide == pytest.approx((0.25 / unit,))
    assert len(scatter_of([1.0, 2.0] * 40).bends) == 32


def test_a_smooth_fall_tells_that_there_is_little_noise() -> None:
    turned = scatter_of([*(2.0 - 0.1 * index for index in range(12)), 0.95])
    assert turned.few
    assert turned.noise() > 0.05
    assert turned.sure_noise() < turned.noise()


def test_the_measured_noise_is_the_one_that_was_drawn() -> None:
    for sigma in (0.01, 0.1):
        rng = random.Random(3)
        measured = [scatter_of([rng.gauss(0, sigma) for _ in range(40)]).noise() for _ in range(50)]
        assert sum(measured) / len(measured) == pytest.approx(sigma, rel=0.1)


def test_the_lowest_level_is_looked_for_over_one_value_and_over_many() -> None:
    lows = scatter_of([4.0, 1.0, 3.0, 2.0, 2.0]).lows
    assert lows[:3] == (1.0, 2.0, 2.0)
    assert lows[3] == math.inf
    assert scatter_of([4.0, 1.0, 3.0, 2.0]).lows[2] == 2.5


def test_the_answers_at_the_end_repeat_the_best_step_and_are_no_new_eval() -> None:
    found = with_evals([1.0, 1.3])
    before = judged(found).findings
    assert judged([*found, evaluated(10, 1.0, tasks={})]).findings == before


def test_an_eval_that_a_resume_repeats_counts_once() -> None:
    first = with_evals([1.0, 1.01, 1.02])
    resumed = [
        *start(resumed_from=20),
        *(step(number, loss=0.9) for number in range(21, 31)),
        evaluated(30, 1.02, epoch=3.0),
    ]
    assert "eval_rising" not in rules(judged([*first, *resumed]))
    third = [*(step(number, loss=0.8) for number in range(31, 41)), evaluated(40, 1.03, epoch=4.0)]
    assert rules(judged([*first, *resumed, *third]))["eval_rising"] == "stop"


def test_what_was_found_after_the_step_resumed_from_is_over() -> None:
    found = with_evals([1.0, 0.9, 1.3])
    assert rules(judged(found))["eval_off_best"] == "stop"
    resumed = judged([*found, *start(resumed_from=20)])
    assert resumed.active == []
    assert only(resumed, "eval_off_best").resolved == 20


def test_underfitting_is_both_losses_high_and_flat_over_the_last_third() -> None:
    flat = judged(with_evals([7.5] * 6, train=[7.2] * 6, every=60))
    found = only(flat, "underfit")
    assert found.severity == "caution"
    assert dict(found.advice.changes) == {
        "training.learning_rate": 5e-5,
        "lora.r": 32,
        "lora.alpha": 64,
        "lora.target_modules": ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        "training.epochs": 8,
    }
    falling = with_evals([9.0, 8.6, 8.2, 7.8, 7.4, 7.0], train=[8.8, 8.4, 8.0, 7.6, 7.2, 6.8], every=60)
    assert "underfit" not in rules(judged(falling))


@pytest.mark.parametrize(
    ("losses", "train"),
    [
        ([2.0] * 6, [1.9] * 6),
        ([6.0] * 6, [6.0] * 6),
        ([6.2] * 6, [5.9] * 6),
        ([5.9] * 6, [6.2] * 6),
        ([7.5] * 6, [7.6, 7.5, 7.4, 7.3, 7.2, 7.1]),
        ([7.6, 7.5, 7.4, 7.3, 7.2, 7.1], [7.0] * 6),
    ],
)
def test_losses_of_which_one_is_low_or_falls_are_no_underfitting(losses: list[float], train: list[float]) -> None:
    assert "underfit" not in rules(judged(with_evals(losses, train=train, every=60)))


@pytest.mark.parametrize("ill", [{"grad_norm": None, "nonfinite": ["grad_norm"]}, {"grad_norm": 50.0, "lr": 1e-5}])
def test_a_run_whose_gradients_explode_is_not_told_to_train_harder(ill: dict[str, object]) -> None:
    flat = with_evals([7.5] * 6, train=[7.2] * 6, every=60)
    exploding = [{**one, **ill} if one["event"] == "step" and one["step"] > 300 else one for one in flat]
    found = judged(exploding)
    assert "underfit" not in rules(found)
    rates = {dict(finding.advice.changes).get("training.learning_rate") for finding in found.active}
    assert rates <= {None, 3e-5}
    calm = judged([*exploding, *(step(number, loss=7.2) for number in range(361, 480)), evaluated(479, 7.5)])
    assert rules(calm)["underfit"] == "caution"


def test_losses_that_rise_are_no_underfitting() -> None:
    rising = with_evals([7.0, 7.2, 7.5, 7.9, 8.4, 9.0], train=[6.9, 7.1, 7.4, 7.8, 8.3, 8.9], every=60)
    assert "underfit" not in rules(judged(rising))


def test_an_eval_that_is_logged_before_its_steps_takes_nothing_away() -> None:
    found = [evaluated(20, 1.0), *(step(number) for number in range(1, 21))]
    assert judged(found)._state.evaluated.step == 20
    late = [*found, evaluated(40, 1.3), *(step(number, loss=1.0) for number in range(21, 41))]
    told = only(judged(late), "eval_off_best")
    assert (told.severity, told.step, told.epoch) == ("caution", 40, 0.2)  # the eval's own epoch


def against(better: int, worse: int, alike: int) -> dict[str, float]:
    """How a tuned model's answers compare with its base's."""
    both = [(1.0, 0.0)] * better + [(0.0, 1.0)] * worse + [(1.0, 1.0)] * alike
    return asdict(paired([both]))


def answered(*, losses: Sequence[float] = (1.6, 1.3, 1.1, 1.0), **tasks: dict[str, float]) -> list[Record]:
    """A run whose tuned model answers questions at its end."""
    best = min(range(len(losses)), key=lambda index: losses[index])
    end = evaluated(10 * (best + 1), losses[best], epoch=best + 1.0, against_base=tasks)
    return [*with_evals(losses), end]


def test_a_model_that_answers_no_better_than_its_base_is_a_caution_and_told_to_train_harder() -> None:
    found = only(judged(answered(chartqa=against(9, 7, 184))), "answers_no_better")
    assert (found.severity, found.active) == ("caution", True)
    assert found.message == (
        "the tuned model answers no better than its base:"
        " chartqa +1.0 points (better on 9, worse on 7, p = 0.80: may be chance)"
    )
    assert "vlmft eval" in found.advice.text
    assert "learning rate" in found.advice.text
    assert "weight decay" not in found.advice.text
    assert ("training.learning_rate", 5e-5) in found.advice.changes


def test_a_gain_on_one_task_is_enough_and_a_loss_on_one_is_told() -> None:
    gain, nothing, loss = against(20, 2, 100), against(0, 0, 122), against(2, 20, 100)
    assert rules(judged(answered(chartqa=gain, textvqa=nothing))) == {}
    found = only(judged(answered(chartqa=gain, textvqa=loss)), "answers_no_better")
    assert found.message == (
        "the tuned model answers worse than its base: textvqa -14.8 points (better on 2, worse on 20, p < 0.001)"
    )


def test_few_questions_are_asked_to_be_more() -> None:
    few = only(judged(answered(qa=against(2, 0, 13))), "answers_no_better")
    assert "More eval questions" in few.advice.text
    assert "More eval questions" not in only(judged(answered(qa=against(2, 0, 130))), "answers_no_better").advice.text


def test_beside_overfitting_nobody_is_told_to_train_harder() -> None:
    overfit = judged(answered(losses=[1.0, 0.9, 1.2, 1.4, 1.6], qa=against(2, 1, 130)))
    found = only(overfit, "answers_no_better")
    assert found.advice.changes == ()
    assert found.advice.text == "Look at the answers: vlmft eval keeps them beside the right ones."


def test_a_resume_forgets_how_the_answers_compared() -> None:
    assert rules(judged([*answered(qa=against(1, 1, 10)), *start(resumed_from=10)])) == {}


def test_while_the_eval_loss_is_at_its_best_no_cure_for_overfitting_is_advised() -> None:
    apart = with_evals([2.4, 2.3, 2.2], train=[1.9, 1.6, 1.3])
    found = only(judged(apart), "gap")
    assert found.advice.changes == ()
    assert found.advice.text.startswith("The eval loss is still at its best")
    left = only(judged([*apart, evaluated(40, 2.9, epoch=4.0)]), "gap")
    assert "weight decay" in left.advice.text
