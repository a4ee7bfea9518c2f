"""Comparison of runs: how their presets differ, and what they came to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vlmft_console.figures import accuracy
from vlmft_console.history.loading import ReadLog
from vlmft_console.presets.table import value_text
from vlmft_console.report.summary import of_questions, score_of
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus, status_of
from vlmft_core.figures import figure
from vlmft_core.health import STOP
from vlmft_core.preset.loader import leaves
from vlmft_core.scoring.chance import Asked


@dataclass(frozen=True)
class OutcomeRow:
    """One line of a table: a label and a text for each run; `best` is the index of the best value, where one is."""

    label: str
    texts: tuple[str, ...]
    best: int | None = None


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
        _numbers("epochs", [state.epochs.last_value for state in states], None),
        _numbers("train loss, last tenth", [state.mean_loss(first=False) for state in states], min),
        _numbers("best eval loss", [best_loss(run) for run in runs], min),
        OutcomeRow("best at step", tuple(f"{s.best_eval['step']:,}" if s.best_eval else "-" for s in states)),
        _numbers("last eval loss", [state.eval_loss.last_value for state in states], min),
        *(
            _scores(f"{task}, tuned", [task_score(run, task) for run in runs])
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


def task_score(run: ReadLog, task: str) -> Asked | None:
    """Share of right answers of the adapter, and how many questions there were; None where the log does not tell."""
    return of_questions(score_of(run.state.tuned_scores.get(task), task))


def best_loss(run: ReadLog) -> float | None:
    best = run.state.best_eval
    return float(best["eval_loss"]) if best else None


def _median(run: ReadLog) -> float | None:
    speed = run.state.samples_per_s
    if not speed:
        return None
    found = speed.quantiles(-math.inf, math.inf, 0.5, 0.5)
    return found[0] if found else None


def _steps(run: ReadLog) -> str:
    total = run.state.total_steps
    return f"{run.state.reached:,}" + (f" of {total:,}" if total else "")


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
    return OutcomeRow(label, tuple(figure(value, "-") for value in values), best)


def _scores(label: str, scores: Sequence[Asked | None]) -> OutcomeRow:
    """A row of shares of right answers, each with where it lies 19 times of 20."""
    row = _numbers(label, [None if score is None else score[0] for score in scores], max)
    return replace(row, texts=tuple("-" if score is None else accuracy(*score) for score in scores))


def _flat(run: ReadLog) -> dict[str, Any] | None:
    if run.log.preset is None:
        return None
    return leaves(run.log.preset.model_dump(mode="json", exclude={"about", "reasons"}))
