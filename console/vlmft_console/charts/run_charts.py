"""Run charts: the table of all that can be drawn of a run, for the app, `vlmft plot`, the report and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from vlmft_console.charts import machine_charts
from vlmft_console.charts.derived import Formula, RunningMedian
from vlmft_console.charts.spec import ChartSpec, Curve, Kind, Mark, Points, ReferenceLine
from vlmft_console.figures import percent
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import figure, short
from vlmft_core.health import STOP
from vlmft_core.learning_rate import planned_rate, rate_plan
from vlmft_core.scoring.metrics import HEADLINE


@dataclass(frozen=True)
class RunChart:
    """A row of the table.

    Args:
        key: its name: what `vlmft plot -m` takes, and the app calls its panel.
        blank: the chart without data: its title, and how y is scaled.
        about: what it draws, in a few words.
        draw: fills the blank chart in for one run.
        series: the quantity that is laid over that of other runs.
        kind: how it is drawn there.
        unit: of y; empty where it has none.
        compared: the title there; title and unit when empty.
        within: the chart that shows it too: by itself it is drawn only where it is asked for.
    """

    key: str
    blank: ChartSpec
    about: str
    draw: Callable[[RunState, ChartSpec], ChartSpec]
    series: Callable[[RunState], Points]
    kind: Kind = "line"
    unit: str = ""
    compared: str = ""
    within: str = ""

    def of(self, state: RunState) -> ChartSpec:
        """The chart of one run."""
        empty = sanitize(state.notes[-1]) if state.notes and not state.step and state.end is None else self.blank.empty
        return self.draw(state, replace(self.blank, limit=state.total_steps, empty=empty, unit=state.health.unit))


def _loss(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Train loss, its average, the eval loss and its best; findings and resumes below."""
    return replace(
        blank,
        curves=(
            *_superseded(state.train_loss),
            *_curves(("train", state.train_loss, "raw"), (_average(state), state.smooth_loss, "smooth")),
            *_evals(state),
        ),
        headline=f"train {_latest(state.train_loss)}" if state.train_loss else "",
        marks=(*_best(state), *_resumes(state), *_findings(state)),
    )


def _eval_loss(state: RunState, blank: ChartSpec) -> ChartSpec:
    marks = (*_best(state), *_resumes(state))
    return replace(blank, curves=_evals(state), headline=_latest(state.eval_loss), marks=marks)


def _learning_rate(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Learning rate as logged over the whole of the planned one."""
    plan = rate_plan(state.plan or {})
    planned = plan and Formula(partial(planned_rate, plan), 1, plan.total_steps)
    whole = planned and (0.0, planned.last[0])
    return replace(
        blank,
        curves=(
            *((Curve("planned", planned, "planned"),) if planned else ()),
            *_superseded(state.lr),
            *_curves(("actual", state.lr, "line")),
        ),
        headline=_latest(state.lr),
        whole=whole if whole and (not state.lr.last or state.lr.last[0] <= whole[1]) else None,
    )


def _grad_norm(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Gradient norm, with the median from which the health rules find it too high for this run."""
    limit = state.health.gradient_limit
    return replace(
        blank,
        curves=(*_superseded(state.grad_norm), *_noisy("grad norm", state.grad_norm)),
        headline=_latest(state.grad_norm),
        references=(ReferenceLine(limit, f"caution: median above {short(limit)}", "caution"),) if limit else (),
    )


def _throughput(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Samples a second; tokens a second where the log has only those."""
    name, series = ("samples/s", state.samples_per_s) if state.samples_per_s else ("tokens/s", state.tokens_per_s)
    headline = f"last {_latest(series)} {name}" if series else ""
    return replace(blank, curves=(*_superseded(series), *_noisy(name, series)), headline=headline)


def _memory(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Peak memory of the GPU (on a CPU, of the process), and what the GPU has."""
    spec = replace(
        blank,
        curves=(*_superseded(state.mem_gib), *_curves(("memory", state.mem_gib, "line"))),
        headline=f"{_latest(state.mem_gib)} GiB" if state.mem_gib else "",
    )
    return machine_charts.with_total(spec, state.gpus)


def _accuracies(state: RunState) -> dict[str, Series]:
    """Shares of right answers by what they are of: the tasks first, then the tokens."""
    found = {name.rpartition(".")[0]: state.by_name[name] for name in task_accuracies(state)}
    tokens = next((state.by_name[name] for name in _OF_TOKENS if name in state.by_name), None)
    return found | ({} if tokens is None else {"tokens": tokens})


def task_accuracies(state: RunState) -> list[str]:
    """Metrics that are the share of right answers on a task, by name."""
    parts = ((name, *name.rpartition(".")) for name in state.by_name)
    return [name for name, task, _, metric in parts if task and metric == HEADLINE.get(task, "accuracy")]


def _accuracy(state: RunState, blank: ChartSpec) -> ChartSpec:
    """Accuracy on each task, and of the tokens."""
    found = list(_accuracies(state).items())[:_MOST]
    curves = tuple(
        Curve(sanitize(name), series, "points" if len(series) <= _FEW else "line", f"run-{number}", str(number))
        for number, (name, series) in enumerate(found, 1)
    )
    last = [f"{sanitize(name)} {percent(series.last[1])}" for name, series in found if series.last]
    return replace(blank, curves=curves, headline="  ".join(last), marks=_resumes(state))


def _by_name(name: str, state: RunState) -> Series:
    return state.by_name.get(name, _NOTHING)


def _metric(name: str, state: RunState, blank: ChartSpec) -> ChartSpec:
    """A metric of which nothing is known but its name."""
    series = _by_name(name, state)
    curves = _noisy(sanitize(name), series) if len(series) > _FEW else _curves((sanitize(name), series, "points"))
    return replace(blank, curves=(*_superseded(series), *curves), headline=_latest(series), marks=_resumes(state))


_NOTHING = Series()
_OF_TOKENS = ("eval_token_accuracy", "mean_token_accuracy", "eval_accuracy")
"""What logs call the share of right tokens."""
_MOST = 8
"""Accuracies in one chart."""
_FEW = 100
"""Points of a metric up to this many are shown one by one."""

_TABLE = (
    RunChart("loss", ChartSpec("Loss", settles=True), "Train and eval loss", _loss,
             lambda run: run.smooth_loss, "smooth", compared="Train loss, smoothed"),
    RunChart("eval_loss", ChartSpec("Eval loss", settles=True), "The eval loss and its best", _eval_loss,
             lambda run: run.eval_loss, "points", within="loss"),
    RunChart("lr", ChartSpec("Learning rate"), "The learning rate on its planned course", _learning_rate,
             lambda run: run.lr),
    RunChart("grad_norm", ChartSpec("Gradient norm", log=True), "The gradient norm", _grad_norm,
             lambda run: run.grad_norm),
    RunChart("throughput", ChartSpec("Throughput", from_zero=True), "Samples a second", _throughput,
             lambda run: run.samples_per_s, unit="samples/s"),
    RunChart("memory", ChartSpec("Memory", from_zero=True), "Peak memory of a GPU", _memory,
             lambda run: run.mem_gib, unit="GiB"),
    RunChart("accuracy", ChartSpec("Accuracy"), "Accuracy on each task, and of the tokens", _accuracy,
             lambda run: _accuracies(run).get("tokens", _NOTHING), "points", compared="Accuracy of the tokens"),
    RunChart("load", ChartSpec("Load", from_zero=True), "How busy GPUs and CPUs are", machine_charts.load,
             lambda run: machine_charts.first_of(run, ("gpu", "util"), ("host", "cpu")), unit="%"),
    RunChart("gpu_memory", ChartSpec("GPU memory", from_zero=True), "Memory of the GPUs that is used",
             machine_charts.gpu_memory, lambda run: machine_charts.first_of(run, ("gpu", "mem_gib")), unit="GiB"),
    RunChart("host_memory", ChartSpec("Host memory", from_zero=True), "Memory of the hosts that is used",
             machine_charts.host_memory, lambda run: machine_charts.first_of(run, ("host", "mem_gib")), unit="GiB"),
    RunChart("disk", ChartSpec("Free disk", from_zero=True), "Disk space left for the run folder",
             machine_charts.disk, machine_charts.free_disk, unit="GB"),
)  # fmt: skip


def metric_chart(name: str, *states: RunState) -> RunChart:
    """The chart of a metric by its name: its row of the table, if it has one, else one that knows but the name.

    Args:
        name: of a row, or of a series of the runs.
        states: the runs. Where all of the row's series are empty and one of them calls a metric so, that is meant.
    """
    row = CHARTS.get(name)
    if row is None or (any(name in run.by_name for run in states) and not any(row.series(run) for run in states)):
        return RunChart(name, ChartSpec(sanitize(name)), "", partial(_metric, name), partial(_by_name, name), "points")
    return row


CHARTS: Mapping[str, RunChart] = {chart.key: chart for chart in _TABLE}
"""Every chart by its key, in the order they are shown."""
DEFAULT_CHARTS = tuple(chart for chart in _TABLE if not chart.within)
"""The charts that together show everything."""


def _curves(*curves: tuple[str, Series, Kind]) -> tuple[Curve, ...]:
    return tuple(Curve(label, series, kind) for label, series, kind in curves if series)


def _noisy(label: str, series: Series) -> tuple[Curve, ...]:
    """Values of single steps, and what they come to."""
    if not series:
        return ()
    return Curve(label, series, "raw"), Curve("median", RunningMedian(series), "smooth")


def _evals(state: RunState) -> tuple[Curve, ...]:
    return (*_superseded(state.eval_loss), *_curves(("eval", state.eval_loss, "points")))


def _average(state: RunState) -> str:
    """The average's name says how much it smooths: the weight of the past, 0 for none."""
    return f"EMA({short(state.smooth_loss.weight)})"


def _superseded(series: Series) -> tuple[Curve, ...]:
    return _curves(("before resume", series.superseded, "old"))


def _latest(series: Series) -> str:
    return figure(series.last[1]) if series.last else ""


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
