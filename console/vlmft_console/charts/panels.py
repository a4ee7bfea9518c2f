"""The charts of one run: what its state says, ready to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from vlmft_console.charts.sources import Formula, RunningMedian
from vlmft_console.charts.spec import ChartSpec, Curve, Kind, Mark, ReferenceLine
from vlmft_console.figures import figure
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_core.health import STOP
from vlmft_core.learning_rate import planned_rate, rate_plan


def train_loss(state: RunState) -> ChartSpec:
    """Train loss, its average, the eval loss and its best; findings and resumes below."""
    return ChartSpec(
        "Loss",
        (
            *_superseded(state.train_loss),
            *_curves(("train", state.train_loss, "raw"), (_average(state), state.smooth_loss, "smooth")),
            *_superseded(state.eval_loss),
            *_curves(("eval", state.eval_loss, "points")),
        ),
        headline=_latest(state.train_loss),
        marks=(*_best(state), *_resumes(state), *_findings(state)),
        settles=True,
        limit=state.total_steps,
    )


def learning_rate(state: RunState) -> ChartSpec:
    """Learning rate as logged over the whole of the planned one."""
    plan = rate_plan(state.plan or {})
    planned = plan and Formula(partial(planned_rate, plan), 1, plan.total_steps)
    whole = planned and (0.0, planned.last[0])
    return ChartSpec(
        "Learning rate",
        (
            *((Curve("planned", planned, "planned"),) if planned else ()),
            *_superseded(state.lr),
            *_curves(("actual", state.lr, "line")),
        ),
        headline=_latest(state.lr, 3),
        whole=whole if whole and (not state.lr.last or state.lr.last[0] <= whole[1]) else None,
        limit=state.total_steps,
    )


def grad_norm(state: RunState) -> ChartSpec:
    """Gradient norm on a log axis, with the values from which the health rules find it worrying."""
    monitor = state.health.settings
    return ChartSpec(
        "Gradient norm",
        (*_superseded(state.grad_norm), *_noisy("grad norm", state.grad_norm)),
        headline=_latest(state.grad_norm),
        references=(
            ReferenceLine(1.0, "good below 1"),
            ReferenceLine(monitor.grad_caution, f"caution above {monitor.grad_caution:g}", "caution"),
            ReferenceLine(monitor.grad_stop, f"bad above {monitor.grad_stop:g}", "stop"),
        ),
        log=True,
        limit=state.total_steps,
    )


def throughput(state: RunState) -> ChartSpec:
    """Samples a second; tokens a second where the log has only those."""
    name, series = ("samples/s", state.samples_per_s) if state.samples_per_s else ("tokens/s", state.tokens_per_s)
    return ChartSpec(
        "Throughput",
        (*_superseded(series), *_noisy(name, series)),
        headline=f"{_latest(series)} {name}" if series else "",
        from_zero=True,
        limit=state.total_steps,
    )


def memory(state: RunState) -> ChartSpec:
    """Peak memory of the GPU (on a CPU, of the process), and what the GPU has."""
    totals = [gpu.get("mem_total_gib") for gpu in state.gpus]
    known = [float(total) for total in totals if isinstance(total, int | float) and total > 0]
    return ChartSpec(
        "Memory",
        (*_superseded(state.mem_gib), *_curves(("memory", state.mem_gib, "line"))),
        headline=f"{_latest(state.mem_gib)} GiB" if state.mem_gib else "",
        from_zero=True,
        references=(ReferenceLine(min(known), f"{min(known):.0f} GiB in all", "caution"),) if known else (),
        limit=state.total_steps,
    )


CHARTS: Mapping[str, Callable[[RunState], ChartSpec]] = {
    "loss": train_loss,
    "lr": learning_rate,
    "grad_norm": grad_norm,
    "throughput": throughput,
    "memory": memory,
}
"""Every chart of a run by the name of its metric, in the order they are shown."""


def _curves(*curves: tuple[str, Series, Kind]) -> tuple[Curve, ...]:
    return tuple(Curve(label, series, kind) for label, series, kind in curves if series)


def _noisy(label: str, series: Series) -> tuple[Curve, ...]:
    """Values of single steps, and what they come to."""
    if not series:
        return ()
    return Curve(label, series, "raw"), Curve("median", RunningMedian(series), "smooth")


def _average(state: RunState) -> str:
    """The average's name says how much it smooths: the weight of the past, 0 for none."""
    return f"EMA({state.smooth_loss.weight:g})"


def _superseded(series: Series) -> tuple[Curve, ...]:
    return _curves(("before resume", series.superseded, "old"))


def _latest(series: Series, digits: int = 4) -> str:
    return figure(series.last[1], digits) if series.last else ""


def _best(state: RunState) -> tuple[Mark, ...]:
    best = state.best_eval
    if best is None:
        return ()
    legend = f"best {figure(best['eval_loss'])} @{best['step']:,}"
    return (Mark(best["step"], best["eval_loss"], "★", "B", "best", legend, "best"),)


def _resumes(state: RunState) -> tuple[Mark, ...]:
    return tuple(Mark(step, None, "↻", "R", "crosshair", "resumed") for _, step in state.segments[1:])


def _findings(state: RunState) -> tuple[Mark, ...]:
    return tuple(
        Mark(finding.step, None, "✖", "X", "stop", "stop")
        if finding.severity == STOP
        else Mark(finding.step, None, "◆", "!", "caution", "caution")
        for finding in state.findings
    )
