"""Comparison of runs: how their presets differ, what they came to, and which was better by how much."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vlmft_console.figures import figure, percent, short
from vlmft_console.history.loading import ReadLog
from vlmft_console.presets.table import value_text
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus, status_of
from vlmft_core.health import STOP
from vlmft_core.metrics import HEADLINE

_SURE = 1.96
"""Standard errors within which a difference of two shares may be chance (95 %)."""


@dataclass(frozen=True)
class OutcomeRow:
    """One line of a table: a label and a text for each run; `best` is the index of the best value, where one is."""

    label: str
    texts: tuple[str, ...]
    best: int | None = None


@dataclass(frozen=True)
class Better:
    """Which run was better."""

    winner: int | None
    """Index of the run; None where it cannot be told."""
    measure: str
    """What it was judged by."""
    values: tuple[float | None, ...]
    """That measure for each run."""
    text: str
    """One or two sentences: which, by how much, and whether it may be chance. Holds names of runs: foreign text."""


def preset_differences(runs: Sequence[ReadLog]) -> list[OutcomeRow]:
    """The parameters that are not the same in every run whose preset is known, as `section.key`."""
    presets = [_flat(run) for run in runs]
    known = [preset for preset in presets if preset is not None]
    keys = [key for key in (known[0] if known else {}) if any(preset[key] != known[0][key] for preset in known)]
    return [OutcomeRow(key, tuple("-" if each is None else value_text(each[key]) for each in presets)) for key in keys]


def outcomes(runs: Sequence[ReadLog], ended: Sequence[str] | None = None) -> list[OutcomeRow]:
    """What each run came to; rows that no run can fill are left out.

    Args:
        runs: read so far.
        ended: how each ended, as `how_ended` says, where that is known already: it looks into folders.
    """
    states = [run.state for run in runs]
    rows = [
        OutcomeRow("ended", tuple(ended or [how_ended(run, status_now(run)) for run in runs])),
        OutcomeRow("steps", tuple(_steps(run) for run in runs)),
        _numbers("epochs", [state.epochs.last[1] if state.epochs.last else None for state in states], None),
        _numbers("train loss, last tenth", [state.mean_loss(first=False) for state in states], min),
        _numbers("best eval loss", [_best_loss(run) for run in runs], min),
        OutcomeRow("best at step", tuple(f"{s.best_eval['step']:,}" if s.best_eval else "-" for s in states)),
        _numbers("last eval loss", [_last_eval(run) for run in runs], min),
        *(
            _numbers(f"{task}, tuned %", [_percent(run, task) for run in runs], max)
            for task in dict.fromkeys(task for state in states for task in state.tuned_scores)
        ),
        _numbers("samples/s, median", [_median(run) for run in runs], max),
        OutcomeRow("findings", tuple(_findings(run) for run in runs)),
    ]
    return [row for row in rows if any(text not in ("-", "") for text in row.texts)]


def status_now(run: ReadLog) -> RunStatus | None:
    """The state that a run of this machine is in, told from its folder; None for other logs."""
    return None if run.log.folder is None else status_of(RunFolder(run.log.folder.path), run.state.pulse)


def how_ended(run: ReadLog, status: RunStatus | None) -> str:
    """`finished`, `early stopped`, …; of a run that goes on, the state it is in, such as `running`."""
    end = run.state.end
    known = str(end["status"]) if end else status.state if status else "-"
    return known.replace("_", " ")


def better(runs: Sequence[ReadLog]) -> Better:
    """Judge by the tasks that all runs answered, else by the best eval loss."""
    tasks = [task for task in runs[0].state.tuned_scores if all(_score(run, task) is not None for run in runs)]
    if tasks:
        return _by_tasks(runs, tasks)
    losses = [_best_loss(run) for run in runs]
    if all(loss is not None for loss in losses):
        return _by_loss(runs, [loss for loss in losses if loss is not None])
    return Better(
        None, "", tuple(None for _ in runs), "No measure is known of all these runs: which is better is open."
    )


def _by_tasks(runs: Sequence[ReadLog], tasks: list[str]) -> Better:
    measured = [[score for task in tasks if (score := _score(run, task))] for run in runs]
    values = tuple(sum(share for share, _ in scores) / len(scores) for scores in measured)
    order = sorted(range(len(runs)), key=lambda index: -values[index])
    first, second = order[:2]
    ahead = values[first] - values[second]
    error = math.hypot(*(_error(*score) for index in (first, second) for score in measured[index])) / len(tasks)
    measure = f"accuracy on {' and '.join(tasks)}"
    if ahead == 0:
        return Better(None, measure, values, f"By {measure} the best two are equal: {percent(values[first])}.")
    text = (
        f"{runs[first].name} is better by {100 * ahead:.1f} points of {measure}"
        f" ({100 * values[first]:.1f} against {percent(values[second])} of {runs[second].name})."
    )
    if ahead < _SURE * error:
        text += f" With so few questions that may be chance: it takes {100 * _SURE * error:.1f} points to be sure."
    return Better(first, measure, values, text)


def _by_loss(runs: Sequence[ReadLog], losses: list[float]) -> Better:
    order = sorted(range(len(runs)), key=lambda index: losses[index])
    first, second = order[:2]
    ahead = losses[second] - losses[first]
    if ahead == 0:
        return Better(
            None, "best eval loss", tuple(losses), f"The best two are equal: eval loss {short(losses[first])}."
        )
    share = f", {ahead / abs(losses[second]):.1%}" if losses[second] else ""
    text = (
        f"{runs[first].name} is better by {figure(ahead, 3)} of eval loss{share}"
        f" ({figure(losses[first])} against {figure(losses[second])} of {runs[second].name})."
    )
    if not _same_eval(runs):
        text += " That holds only if all were evaluated on the same data, which the logs do not tell."
    return Better(first, "best eval loss", tuple(losses), text)


def _same_eval(runs: Sequence[ReadLog]) -> bool:
    presets = [run.log.preset for run in runs]
    evaluated = [preset and (preset.data.sources, preset.data.max_eval, preset.model.base) for preset in presets]
    return None not in evaluated and all(each == evaluated[0] for each in evaluated)


def _error(share: float, questions: int) -> float:
    """Standard error of a share of right answers."""
    return math.sqrt(max(share * (1 - share), 0.0) / questions)


def _score(run: ReadLog, task: str) -> tuple[float, int] | None:
    """Share of right answers at the end, and how many questions there were."""
    metrics = run.state.tuned_scores.get(task)
    if not isinstance(metrics, Mapping):
        return None
    share, questions = metrics.get(HEADLINE.get(task, "accuracy")), metrics.get("n")
    if isinstance(share, int | float) and isinstance(questions, int) and questions > 0:
        return float(share), questions
    return None


def _percent(run: ReadLog, task: str) -> float | None:
    score = _score(run, task)
    return None if score is None else 100 * score[0]


def _best_loss(run: ReadLog) -> float | None:
    best = run.state.best_eval
    return float(best["eval_loss"]) if best else None


def _last_eval(run: ReadLog) -> float | None:
    return run.state.eval_loss.last[1] if run.state.eval_loss.last else None


def _median(run: ReadLog) -> float | None:
    speed = run.state.samples_per_s
    if not speed:
        return None
    found = speed.quantiles(-math.inf, math.inf, 0.5, 0.5)
    return found[0] if found else None


def _steps(run: ReadLog) -> str:
    total = run.state.total_steps
    return f"{run.state.step:,}" + (f" of {total:,}" if total else "")


def _findings(run: ReadLog) -> str:
    """`2 stop, 1 caution`, those that hold at the end."""
    active = run.state.health.active
    stops = sum(finding.severity == STOP for finding in active)
    counts = [(stops, "stop"), (len(active) - stops, "caution")]
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "none"


def _numbers(label: str, values: Sequence[float | None], pick: Callable[[list[float]], float] | None) -> OutcomeRow:
    """A row of figures; `pick` chooses the best one, where they are not all the same."""
    there = [value for value in values if value is not None]
    best = values.index(pick(there)) if pick and len(set(there)) > 1 else None
    return OutcomeRow(label, tuple("-" if value is None else figure(value) for value in values), best)


def _flat(run: ReadLog) -> dict[str, Any] | None:
    if run.log.preset is None:
        return None
    data = run.log.preset.model_dump(mode="json", exclude={"about", "reasons"})
    return {f"{section}.{key}": value for section, values in data.items() for key, value in values.items()}
