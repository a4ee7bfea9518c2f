"""The charts of a run, from its events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.records import plan, record, step
from vlmft_console.charts.draw import draw
from vlmft_console.charts.overlay import overlay_chart
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.charts.spec import ChartSpec, Mark
from vlmft_console.charts.view import View
from vlmft_console.history.loading import read_log
from vlmft_console.history.state import RunState
from vlmft_core.learning_rate import RatePlan, planned_rate
from vlmft_core.run_folder.events import Record


def evaluation(number: int, loss: float) -> Record:
    return record("eval", number, step=number, epoch=number / 10, eval_loss=loss, token_accuracy=0.5, tasks={})


def run(*records: Record) -> RunState:
    state = RunState()
    for item in records:
        state.apply(item)
    return state


def picture(spec: ChartSpec, width: int = 70, height: int = 14) -> str:
    return "\n".join(draw(spec, View(), width, height).lines())


def test_the_loss_chart_shows_train_average_evals_and_the_best_one() -> None:
    state = run(plan(100), *(step(n, 10 / n) for n in range(1, 61)), evaluation(20, 0.9), evaluation(40, 0.4))
    state.apply(evaluation(60, 0.6))
    shown = picture(CHARTS["loss"].of(state), 90)
    assert "⣿ train ━ EMA(0.9) ● eval ★ best 0.4000 @40" in shown.splitlines()[0]
    assert shown.count("●") == 3  # two evals and the legend
    assert "★" in "".join(shown.splitlines()[1:])
    assert CHARTS["loss"].of(state).limit == 100


def test_a_resume_is_marked_and_what_it_superseded_stays() -> None:
    start = {"run_id": "r", "host": "h", "boot_id": "b", "world_size": 1, "preset": {}, "versions": {}}
    first = record("run_start", segment=1, resumed_from=None, **start)
    again = record("run_start", segment=2, resumed_from=10, **start)
    state = run(first, plan(40), *(step(n, 3.0) for n in range(1, 21)), again, *(step(n, 1.0) for n in range(11, 31)))
    spec = CHARTS["loss"].of(state)
    assert [curve.label for curve in spec.curves] == ["before resume", "train", "EMA(0.9)"]
    assert [mark.x for mark in spec.marks if mark.legend == "resumed"] == [11]
    assert "↻" in picture(spec).splitlines()[-2]


def test_a_finding_does_not_hide_the_resume_at_the_same_place() -> None:
    curve = CHARTS["loss"].of(run(plan(40), *(step(n, 3.0) for n in range(1, 31))))
    found = [
        Mark(11, None, "↻", "R", "crosshair"),
        Mark(11, None, "◆", "!", "caution"),
        Mark(11, None, "✖", "X", "stop"),
    ]
    assert "✖↻◆" in picture(replace(curve, marks=tuple(found))).splitlines()[-2]


def test_the_average_is_named_with_its_weight() -> None:
    state = run(*(step(n, 4.0 - n / 20) for n in range(1, 51)))
    for weight in (0.9, 0.995, 0.0):
        state.smooth_loss.weight = weight
        assert f"━ EMA({weight:g})" in picture(CHARTS["loss"].of(state)).splitlines()[0]
        reading = draw(CHARTS["loss"].of(state), View(cross=50.0), 70, 14).lines()[0]
        assert f"train 1.500  EMA({weight:g}) {state.smooth_loss.last[1]:.3f}" in reading


def test_a_loss_that_falls_fast_leaves_the_height_to_what_comes_then() -> None:
    losses = [6.0, 5.0, 3.0, 2.0, 1.5, *(0.5 - n / 400 for n in range(95))]
    state = run(*(step(n, loss) for n, loss in enumerate(losses, 1)))
    for n in range(20, 101, 20):
        state.apply(evaluation(n, 0.3 + n / 200))
    spec = CHARTS["loss"].of(state)
    shown = picture(spec).splitlines()
    assert "▲ 6.000 @1" in shown[1]
    assert "1.5┤" in shown[2]
    evals = [row for row, line in enumerate(shown[1:]) if "●" in line or "★" in line]
    assert max(evals) - min(evals) >= 3  # 0.4 to 0.8: the rise is seen
    whole = draw(spec, View(span=100, right=100), 70, 14).lines()
    assert any(line.startswith("    5.0┤") for line in whole)
    assert "@1" not in "".join(whole)


def test_a_loss_that_does_not_settle_is_shown_whole() -> None:
    state = run(*(step(n, 6.0 - n / 20) for n in range(1, 101)))
    assert "▲" not in picture(CHARTS["loss"].of(state))


def test_noisy_curves_have_a_bright_median_that_no_spike_moves() -> None:
    values = [8.0 if n % 10 else 200.0 for n in range(1, 301)]
    state = run(*(step(n, grad_norm=each, samples_per_s=each) for n, each in enumerate(values, 1)))
    for spec in (CHARTS["grad_norm"].of(state), CHARTS["throughput"].of(state)):
        assert [(curve.label, curve.kind) for curve in spec.curves][1] == ("median", "smooth")
        assert "━ median" in picture(spec).splitlines()[0]
        grid = draw(spec, View(), 70, 14)
        bright = [row for row in range(1, 12) if "smooth" in grid.style[row]]
        assert len(bright) == 1
        assert grid.style[bright[0]].count("smooth") > 50


def test_every_step_is_on_the_planned_learning_rate() -> None:
    course = RatePlan(100, 10, 4e-5, "cosine")
    state = run(record("plan", **course._asdict()), *(step(n, lr=planned_rate(course, n)) for n in range(1, 51)))
    spec = CHARTS["lr"].of(state)
    planned, actual = (curve.points for curve in spec.curves)
    for number in (1, 10, 11, 50):
        expected, logged = planned.nearest(number), actual.nearest(number)
        assert expected == logged
    assert spec.whole == (0, 100)
    assert "4e-5┤" in picture(spec)


@pytest.mark.parametrize("fields", [{"scheduler": "wsd"}, {"peak_lr": None}])
def test_a_plan_that_does_not_tell_its_schedule_has_no_planned_curve(fields: dict[str, object]) -> None:
    spec = CHARTS["lr"].of(run(plan(100, **fields), step(1), step(2)))
    assert [curve.label for curve in spec.curves] == ["actual"]


def test_the_gradient_norm_has_the_bound_of_the_health_rule_which_is_the_runs_own() -> None:
    early = run(*(step(n, grad_norm=0.5) for n in range(1, 40)))
    assert "caution" not in picture(CHARTS["grad_norm"].of(early))
    usual = run(*(step(n, grad_norm=0.3 + 0.1 * (n % 2)) for n in range(1, 120)))
    assert "caution: median above 2" in picture(CHARTS["grad_norm"].of(usual))
    high = run(*(step(n, grad_norm=40.0 + n % 2) for n in range(1, 120)))
    assert "caution: median above 205" in picture(CHARTS["grad_norm"].of(high))


def test_a_bound_in_the_thousands_is_written_as_people_do() -> None:
    state = RunState()
    state.apply_all([*(step(number, grad_norm=600.0 + number % 7) for number in range(1, 200))])
    (line,) = CHARTS["grad_norm"].of(state).references
    assert line.label == "caution: median above 3015"


def test_throughput_and_memory_begin_at_zero() -> None:
    state = run(*(step(n, samples_per_s=31.0 + n % 2, mem_gib=60.0) for n in range(1, 50)))
    state.apply(record("gpu", gpus=[{"index": 0, "mem_total_gib": 79.6}]))
    assert "31.00 samples/s" in picture(CHARTS["throughput"].of(state)) or "32.00 samples/s" in picture(
        CHARTS["throughput"].of(state)
    )
    assert "\n      0┤" in picture(CHARTS["throughput"].of(state))
    memory = picture(CHARTS["memory"].of(state))
    assert "60.00 GiB" in memory
    assert "80 GiB in all" in memory


def test_a_run_that_has_not_begun_has_every_chart() -> None:
    for chart in CHARTS.values():
        assert "no data" in picture(chart.of(RunState()))


def test_the_eval_loss_by_itself_shows_its_best() -> None:
    shown = picture(CHARTS["eval_loss"].of(run(plan(100), step(1), evaluation(20, 0.9), evaluation(40, 0.4))))
    assert shown.startswith(" Eval loss 0.4000")
    assert "★ best 0.4000 @40" in shown
    assert "★" in "".join(shown.splitlines()[1:])


def test_runs_lie_over_each_other_by_step_epoch_and_time() -> None:
    slow = run(*(step(n, 4 / n, epoch=n / 10, step_s=7.2) for n in range(1, 101)))
    fast = run(*(step(n, 2 / n, epoch=n / 5, step_s=3.6) for n in range(1, 101)))
    runs = [("slow", slow), ("fast", fast)]
    ends = {
        unit: [curve.points.last[0] for curve in overlay_chart(runs, "loss", unit).curves] for unit in ("step", "epoch")
    }
    assert ends == {"step": [100, 100], "epoch": [10, 20]}
    hours = [curve.points.last for curve in overlay_chart(runs, "loss", "hours").curves]
    assert [point and point[0] for point in hours] == pytest.approx([0.2, 0.1])
    shown = picture(overlay_chart(runs, "loss", "hours"))
    assert "1 slow 2 fast" in shown.splitlines()[0]
    assert shown.splitlines()[-1].startswith(" hours")


def test_a_run_whose_log_does_not_tell_the_time_keeps_its_place_in_the_legend() -> None:
    runs = [("timeless", run(step(1), step(2))), ("timed", run(step(1, step_s=1.0), step(2, step_s=1.0)))]
    assert [(curve.tag, curve.label) for curve in overlay_chart(runs, "loss", "hours").curves] == [("2", "timed")]


@pytest.mark.parametrize("metric", CHARTS)
def test_every_metric_can_be_compared(metric: str) -> None:
    machine = (record("gpu", gpus=[{"index": 0, "util": 9, "mem_gib": 9}]),
               record("host", hosts=[{"index": 0, "cpu": 9, "mem_gib": 9, "disk_free_gib": 9}]))  # fmt: skip
    state = run(*(step(n, samples_per_s=9.0, mem_gib=9.0) for n in range(1, 20)), evaluation(19, 0.5), *machine)
    assert "no data" not in picture(overlay_chart([("a", state), ("b", state)], metric))


def test_a_hostile_run_name_is_shown_literally() -> None:
    spec = overlay_chart([("\x1b[2J[red]", run(step(1), step(2)))] * 2, "loss")
    assert "1 \\x1b[2J[red]" in picture(spec, 100).splitlines()[0]


def test_the_accuracy_of_each_task_is_a_curve_and_the_last_ones_stand_in_the_title() -> None:
    state = read_log(Path(__file__).parents[2] / "logs" / "healthy").state
    spec = CHARTS["accuracy"].of(state)
    assert [curve.label for curve in spec.curves] == ["chartqa", "textvqa", "tokens"]
    assert spec.headline == "chartqa 75.0 %  textvqa 100.0 %  tokens 96.6 %"
