"""The health rules that look at steps, times and the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.core.health_records import PLAN, evaluated, judged, only, record, rules, start, step
from vlmft_core.errors import PresetError
from vlmft_core.figures import figure
from vlmft_core.health import Health
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.preset import Data, Monitor, Preset, load_preset
from vlmft_core.run_folder.events import Record


def steps(count: int, first: int = 1, **fields: Any) -> list[Record]:
    return [step(number, **fields) for number in range(first, first + count)]


def test_single_large_gradients_are_nothing_however_large() -> None:
    wild = [step(number, grad_norm=2.1e6 if number % 9 == 0 else 0.5) for number in range(1, 300)]
    assert judged(wild).findings == []
    assert judged([step(1, grad_norm=12.0), *steps(60, first=2)]).findings == []


def test_gradients_that_were_always_high_are_nothing() -> None:
    assert judged(steps(300, grad_norm=40.0)).findings == []


def trained(count: int, first: int = 1, **fields: Any) -> list[Record]:
    """Steps after the warm-up."""
    return steps(count, first=first, **({"lr": 4e-5} | fields))


def test_gradients_that_stay_at_several_times_the_runs_own_are_a_caution() -> None:
    found = only(judged(trained(200) + trained(60, first=201, grad_norm=30.0)), "grad_high")
    assert (found.severity, found.step) == ("caution", 230)
    assert found.message == "grad_norm has a median of 30.00 over 50 logged steps; the run's own is 0.5000"
    assert rules(judged(trained(200) + trained(60, first=201, grad_norm=2.4))) == {}


def test_they_ask_for_a_stop_where_the_train_loss_rises_with_them() -> None:
    diverging = judged(start() + trained(200) + trained(60, first=201, grad_norm=30.0, loss=3.0))
    found = only(diverging, "grad_high")
    assert (found.severity, found.step) == ("stop", 230)
    assert "the run's own is 0.5000; train loss rose from 2.000 to" in found.message
    assert found.advice.changes == (("training.learning_rate", 3e-5),)
    assert rules(judged(trained(200) + trained(60, first=201, grad_norm=9.0, loss=3.0))) == {"grad_high": "caution"}


def test_the_advice_goes_by_a_rate_that_was_reached_and_not_by_a_wild_one_that_was_planned() -> None:
    wild = Preset(training={"learning_rate": 1.0})
    diverging = judged(start(preset=wild) + trained(200, lr=0.2) + trained(60, first=201, lr=0.2, grad_norm=30.0))
    assert only(diverging, "grad_high").advice.changes == (("training.learning_rate", 0.1),)


def test_nothing_is_high_while_the_rate_warms_up() -> None:
    rising = [step(number, lr=number * 1e-6, grad_norm=0.5 if number < 60 else 30.0) for number in range(1, 150)]
    assert judged(rising).findings == []
    after = steps(100, first=150, lr=1e-4, grad_norm=0.5) + steps(60, first=250, lr=1e-4, grad_norm=30.0)
    assert only(judged(rising + after), "grad_high").step > 250


TWELVE = Monitor(window=12)


def told_at(high: int, low: int = 60) -> tuple[int, int | None] | None:
    """Where a run with so many high gradients in a row is cautioned, and where that is over; a window is 12 steps, and
    every tenth step is looked at."""
    log = trained(54) + trained(high, first=55, grad_norm=3.0) + trained(low, first=55 + high)
    found = [finding for finding in judged(log, TWELVE).findings if finding.rule == "grad_high"]
    return (found[0].step, found[0].resolved) if found else None


def test_high_gradients_begin_and_end_with_the_middle_of_a_window() -> None:
    assert told_at(5) is None  # five of the twelve at step 60
    assert told_at(6) == (60, 70)
    assert told_at(12) == (60, 80)
    assert told_at(12, low=8) == (60, None)


def test_a_high_window_that_comes_half_way_back_is_still_high() -> None:
    log = trained(54) + trained(12, first=55, grad_norm=3.0) + trained(60, first=67, grad_norm=1.3)
    assert rules(judged(log, TWELVE)) == {"grad_high": "caution"}
    assert rules(judged(log + trained(20, first=127, grad_norm=1.1), TWELVE)) == {}


def test_a_window_that_is_not_full_is_not_high() -> None:
    assert judged(trained(12) + trained(7, first=13, grad_norm=3.0), TWELVE).findings == []


def test_the_runs_own_median_is_never_made_of_what_has_risen() -> None:
    risen = judged(trained(200) + trained(600, first=201, grad_norm=30.0))
    assert rules(risen) == {"grad_high": "caution"}
    assert "the run's own is 0.5000" in only(risen, "grad_high").message


def test_a_loss_that_is_not_finite_asks_for_a_stop() -> None:
    found = only(judged([*steps(5), step(6, loss=None, nonfinite=["loss"])]), "non_finite")
    assert (found.severity, found.message) == ("stop", "loss is NaN or infinite at step 6")


def test_one_skipped_step_is_a_caution_and_several_close_together_ask_for_a_stop() -> None:
    def skip(count: int) -> Record:
        return step(60 + count, grad_norm=None, nonfinite=["grad_norm"], skipped_steps=count)

    assert rules(judged([*steps(60), skip(1)])) == {"non_finite": "caution"}
    assert rules(judged([*steps(60), skip(1), skip(2), skip(3)])) == {"non_finite": "stop"}
    over = judged([*steps(60), skip(1), *steps(50, first=62, skipped_steps=1)])
    assert only(over, "non_finite").resolved == 111


def test_a_count_of_skipped_steps_that_a_resume_brings_back_is_no_new_one() -> None:
    first = [step(number, skipped_steps=min(number, 6)) for number in range(1, 80)]
    resumed = judged([*first, *start(resumed_from=60), step(61, skipped_steps=6), step(62, skipped_steps=6)])
    assert resumed.active == []


def test_steps_that_fp16_skips_at_its_start_and_two_every_hundred_are_no_more_than_a_caution() -> None:
    found = [step(number, skipped_steps=number) for number in range(1, 7)]
    for number in range(7, 400):
        found.append(step(number, skipped_steps=6 + 2 * (number // 100)))
    worst = [finding.severity for finding in judged(found).findings if finding.rule == "non_finite"]
    assert set(worst) == {"caution"}


def test_a_gradient_that_is_not_finite_is_a_caution_beside_a_finite_loss_until_it_repeats() -> None:
    def hidden(number: int) -> Record:
        return record("step", step=number, epoch=None, loss=1.2, lr=1e-5, grad_norm=None, nonfinite=["grad_norm"])

    assert rules(judged([hidden(1)])) == {"non_finite": "caution"}
    assert rules(judged([hidden(1), hidden(2), hidden(3)])) == {"non_finite": "stop"}


def test_a_loss_of_exactly_zero_while_the_rate_stands_still_asks_for_a_stop() -> None:
    zero = [record("step", step=n, epoch=None, loss=0.0, lr=1e-5, grad_norm=None) for n in (1, 2)]
    found = only(judged(zero), "non_finite")
    assert (found.severity, found.step) == ("stop", 2)
    assert "exactly 0" in found.message
    learned = [step(number, loss=0.0, grad_norm=1e-6, lr=1e-5) for number in (1, 2)]
    assert judged(learned).findings == []


def test_a_step_that_was_not_skipped_ends_the_start_also_where_its_gradient_is_not_told() -> None:
    quiet = steps(5, grad_norm=None)
    skipped = [step(5 + count, skipped_steps=count) for count in (1, 2, 3)]
    assert rules(judged([*quiet, *skipped])) == {"non_finite": "stop"}


@pytest.mark.parametrize(
    "ill",
    [
        [step(61, loss=None, nonfinite=["loss"])],
        [step(60 + count, skipped_steps=count) for count in (1, 2, 3)],
    ],
)
def test_a_resume_forgets_what_was_not_finite_after_the_step_it_goes_back_to(ill: list[Record]) -> None:
    broken = start() + steps(60) + ill
    assert rules(judged(broken)) == {"non_finite": "stop"}
    resumed = [*broken, *start(resumed_from=50), *steps(5, first=51)]
    assert rules(judged(resumed)) == {}
    assert rules(judged([*resumed, step(56, skipped_steps=1)])) == {"non_finite": "caution"}


def test_an_eval_loss_that_is_not_finite_asks_for_a_stop_and_missing_ones_do_not() -> None:
    assert rules(judged([evaluated(5, None, nonfinite=["eval_loss"])])) == {"non_finite": "stop"}
    assert judged([evaluated(5, None)]).findings == []


def test_a_rate_off_the_plan_is_told_with_the_expected_value() -> None:
    found = start() + steps(400) + [step(401, lr=3.0e-5, skipped_steps=0)]
    expected = step(401)["lr"]
    message = only(judged(found), "lr_off_schedule").message
    assert message.startswith(f"learning rate 3e-5 at step 401, where the plan has {figure(expected)}:")
    assert only(judged(found + steps(1, first=402)), "lr_off_schedule").resolved == 402


def test_a_rate_within_a_percent_of_the_peak_is_on_the_plan() -> None:
    for factor, expected in ((0.009, {}), (0.011, {"lr_off_schedule": "caution"})):
        off = [step(number, lr=step(number)["lr"] + factor * 4e-5) for number in range(1, 900, 7)]
        assert rules(judged(start() + off)) == expected


@pytest.mark.parametrize(
    ("total", "warmup", "frozen"),
    [(100_000, 6_000, 2_000), (100_000, 6_000, 53_000), (100_000, 50_000, 75_000), (100_000, 50_000, 20_000)],
)
def test_in_a_long_plan_a_rate_that_stands_still_is_told_at_the_first_step_off_it(
    total: int, warmup: int, frozen: int
) -> None:
    plan = RatePlan(total, warmup, 1.0, "cosine")
    log = [record("plan", **(PLAN | plan._asdict()))]
    rates = {number: planned_rate(plan, number) for number in range(frozen, frozen + 3_000)}
    log += [step(number, lr=rate if number < frozen + 50 else rates[frozen + 49]) for number, rate in rates.items()]
    off = next(number for number, rate in rates.items() if abs(rates[frozen + 49] - rate) > 0.01 and number > frozen)
    assert off > frozen + 100
    found = only(judged(log), "lr_off_schedule")
    assert (found.step, found.severity) == (off, "caution")


def test_without_a_plan_no_rate_is_off_it() -> None:
    assert judged(steps(50, lr=1.0)).findings == []


def test_a_train_loss_above_six_after_the_first_epoch_is_told() -> None:
    assert rules(judged(start() + steps(199, loss=7.0))) == {}
    found = judged(start() + steps(220, loss=7.0))
    advice = only(found, "loss_high").advice
    assert advice.changes == (("training.learning_rate", 5e-5),)
    assert "8,257,536 trainable parameters" in advice.text
    assert rules(judged(start() + steps(220, loss=7.0) + steps(60, first=221, loss=5.0))) == {}


def test_the_losses_of_the_first_epoch_do_not_count_where_a_later_step_tells_none() -> None:
    log = start() + steps(199, loss=7.0) + steps(5, first=201, loss=None) + steps(1, first=206, loss=5.0)
    assert judged(log).findings == []


def test_the_first_epoch_ends_by_the_logs_own_epoch_or_else_by_the_plan() -> None:
    foreign = [step(number, loss=7.0, epoch=number / 40) for number in range(1, 60)]
    assert only(judged(foreign), "loss_high").step == 40
    without = [step(number, loss=7.0, epoch=None) for number in range(1, 230)]
    assert rules(judged(without)) == {}
    assert only(judged(start() + without), "loss_high").step == 201


def test_waiting_for_data_is_told_with_more_workers_as_advice() -> None:
    slow = start(preset=Preset(data=Data(workers=2))) + steps(50, data_s=0.4)
    found = only(judged(slow), "slow_data")
    assert found.message == "40.0 % of the last 50 logged steps was spent waiting for data"
    assert found.advice.changes == (("data.workers", 4),)
    assert rules(judged(slow + steps(50, first=51))) == {}


def beat(seconds: float, phase: str = "step") -> Record:
    return record("heartbeat", step=20, mono=seconds, phase=phase)


def test_a_step_that_takes_much_longer_than_others_is_a_stall_until_it_ends() -> None:
    calm = [*steps(20), beat(25.0)]
    assert judged(calm).findings == []
    stalled = [*calm, beat(35.0)]
    found = only(judged(stalled), "stalled")
    assert (found.severity, found.step) == ("caution", 20)
    assert found.message == "no step for 15 s, where one is logged every 1 s; heartbeats go on"
    assert rules(judged([*stalled, step(21, mono=36.0)])) == {}


@pytest.mark.parametrize("phase", ["between steps", "starting"])
def test_an_eval_or_a_start_may_take_its_time(phase: str) -> None:
    assert judged([*steps(20), beat(25.0, phase), beat(80.0, phase)]).findings == []


def test_a_silence_of_a_minute_is_a_stop_that_the_next_step_ends() -> None:
    silent = [*steps(20), beat(25.0), beat(90.0)]
    found = only(judged(silent), "stalled")
    assert (found.severity, "no heartbeat for 65 s" in found.message) == ("stop", True)
    assert rules(judged([*silent, step(21, mono=91.0)])) == {}
    assert judged([*steps(20), *start(resumed_from=20), step(21, mono=900.0)]).findings == []


def test_a_silence_is_found_where_heartbeats_were_read_many_at_once() -> None:
    log = start() + [one for number in range(1, 31) for one in (step(number), beat(number + 0.1))]
    health = Health()
    health.feed_all(log)
    health.feed(beat(100.0))
    assert "no heartbeat for 70 s" in only(health, "stalled").message


def test_after_another_clock_the_pace_is_learned_anew() -> None:
    rebooted = [*steps(20, mono=None), *(step(20 + number, mono=1000.0 + number) for number in range(1, 21)), beat(5.0)]
    assert judged([*rebooted, step(41, mono=6.0), beat(30.0)]).findings == []
    known = [*rebooted, *(step(40 + number, mono=5.0 + number) for number in (1, 2, 3)), beat(30.0)]
    assert judged(known).findings == []  # two steps' times are not enough, and the one over the reboot is none
    assert "stalled" in rules(judged([*known[:-1], step(44, mono=9.0), beat(31.0)]))


def test_thresholds_are_the_presets() -> None:
    log = trained(20, grad_norm=0.1) + trained(20, first=21, grad_norm=0.6)
    assert rules(judged(log)) == {}
    assert rules(judged(log, Monitor(grad_caution=0.5, window=10))) == {"grad_high": "caution"}


def test_a_step_logged_twice_counts_once() -> None:
    found = [*steps(60), step(61, skipped_steps=1)]
    assert judged([*found, step(61, skipped_steps=9)]).findings == judged(found).findings


def test_a_caution_above_its_stop_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("monitor:\n  gap_caution: 2.0\n")
    with pytest.raises(PresetError, match=rf"{path}:2: monitor.gap_caution 2.0 is above monitor.gap_stop 1.0"):
        load_preset(path)
