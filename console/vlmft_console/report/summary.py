"""Run summary: the figures printed at its end, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vlmft_console.figures import accuracy, percent, points, took
from vlmft_console.history.odd_rows import odd_step_words
from vlmft_console.history.state import RunState
from vlmft_console.report.diagnosis import diagnosis_dict, numbered
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import figure
from vlmft_core.health import Finding
from vlmft_core.learning_rate import plan_deviation, rate_plan
from vlmft_core.run_folder.events import Record
from vlmft_core.scoring.chance import Asked, Paired, difference, interval
from vlmft_core.scoring.metrics import HEADLINE

_ODD = 3
"""Odd steps that the summary names."""


def summarise(state: RunState, folder: RunFolder, status: RunStatus) -> dict[str, Any]:
    """The figures of a run's end, JSON-able; null where the run did not come to it."""
    best = state.best_eval
    return {
        "run": folder.name,
        "status": status.state,
        "reason": status.reason,
        "steps": state.step,
        "total_steps": state.total_steps,
        "train_loss": {"first": state.mean_loss(first=True), "last": state.mean_loss(first=False)},
        "best_step": best["step"] if best else None,
        "best_eval_loss": best["eval_loss"] if best else None,
        "lr_deviation": lr_deviation(state),
        "nonfinite_steps": state.nonfinite_steps,
        "skipped_steps": state.skipped_steps,
        "odd_steps": [odd_step_dict(record) for record in state.odd_steps],
        "tasks": task_scores(state),
        "diagnoses": [diagnosis_dict(each) for each in state.health.diagnoses],
        "findings": [finding_dict(finding) for finding in state.findings if finding.active],
        "adapter": str(folder.adapter) if folder.adapter.is_dir() else None,
        "folder": str(folder.path),
    }


def finding_dict(finding: Finding, *, named_steps: bool = True) -> dict[str, Any]:
    """A health finding, JSON-able.

    Args:
        finding: that.
        named_steps: as in `diagnosis_dict`.
    """
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "step": finding.step if named_steps else None,
        "epoch": finding.epoch,
        "message": finding.message,
        "advice": finding.advice.text,
    }


def odd_step_dict(record: Record) -> dict[str, Any]:
    """A step with an odd loss or gradient, JSON-able. Keys: `step`, `why`, `rows` (where each stands), `suspects`
    (those of the micro-batches that it came from), `of` (how many rows there were), `says` (a line about it)."""
    known = {key: record.get(key) for key in ("step", "why", "rows", "suspects", "of")}
    return {**known, "says": sanitize(odd_step_words(record))}


def odd_lines(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """A few of the odd steps in words, each as `odd_step_dict` has it, and how many there are beside them."""
    more = [f"and {len(told) - _ODD:,} more such steps"] if len(told) > _ODD else []
    return [*(each["says"] for each in told[:_ODD]), *more]


def task_scores(state: RunState) -> dict[str, Any]:
    """For each task that the adapter answered: its metric, the scores of base and adapter (0 to 1) with where they lie
    19 times of 20 (`low`, `high`), the questions, and how the answers compare one by one (`against_base`, the fields of
    a `Paired`; null where the log does not tell)."""
    answered = state.answered or {}
    against = answered.get("against_base")
    found = {}
    for task, metrics in state.tuned_scores.items():
        if isinstance(metrics, Mapping):
            base, tuned = score_of(state.base_scores.get(task), task), score_of(metrics, task)
            pair = Paired.read(against.get(task)) if isinstance(against, Mapping) else None
            found[task] = {
                "metric": HEADLINE.get(task, "accuracy"),
                "base": base and base[0],
                "tuned": tuned and tuned[0],
                "low": {"base": bounds(base)[0], "tuned": bounds(tuned)[0]},
                "high": {"base": bounds(base)[1], "tuned": bounds(tuned)[1]},
                "questions": tuned and tuned[1],
                "base_questions": base and base[1],
                "against_base": pair and asdict(pair),
            }
    return found


def score_of(metrics: Any, task: str) -> tuple[float, int | None] | None:
    """The figure that stands for a task, 0 to 1, and of how many questions, as far as a log tells; None without it."""
    if not isinstance(metrics, Mapping):
        return None
    share, questions = metrics.get(HEADLINE.get(task, "accuracy")), metrics.get("n")
    if not isinstance(share, int | float):
        return None
    return float(share), questions if type(questions) is int and questions > 0 else None


def bounds(score: tuple[float, int | None] | None) -> tuple[float | None, float | None]:
    """Where a score lies 19 times of 20; unknown without the number of its questions."""
    asked = of_questions(score)
    return interval(*asked) if asked else (None, None)


def of_questions(score: tuple[float, int | None] | None) -> Asked | None:
    """A score that is a share of known questions; None for any other."""
    if score is None or score[1] is None or not 0 <= score[0] <= 1:
        return None
    return score[0], score[1]


def score_lines(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each task, and how base and adapter answered its questions, in words.

    Args:
        scores: from `task_scores`.
    """
    lines = []
    for task, score in scores.items():
        if score["base"] is not None and score["tuned"] is not None:
            base = accuracy(score["base"], score["base_questions"])
            tuned = accuracy(score["tuned"], score["questions"])
            more = f"{points(score['tuned'] - score['base'])}, {score['metric'].replace('_', ' ')}"
            more += f", n={asked}" if (asked := questions_of(score)) else ""
            lines.append((sanitize(task), f"base {base} -> tuned {tuned} ({more}{told_apart(score)})"))
    return lines


def questions_of(score: Mapping[str, Any]) -> str:
    """How many questions were answered, of base and adapter where these are not as many; empty where nobody knows."""
    base, tuned = score["base_questions"], score["questions"]
    return f"{base:,} and {tuned:,}" if base and tuned and base != tuned else f"{tuned:,}" if tuned else ""


def told_apart(score: Mapping[str, Any]) -> str:
    """Whether base and adapter of one task differ by more than chance, as an addition; empty where nobody knows."""
    if pair := Paired.read(score["against_base"]):
        return f"; {pair.says}"
    sides = [(score["base"], score["base_questions"]), (score["tuned"], score["questions"])]
    if any(bounds(side) == (None, None) for side in sides):
        return ""
    low, high = difference([(sides[1], sides[0])])
    return "; may be chance" if low <= 0 <= high else ""


def lr_deviation(state: RunState) -> float | None:
    """Largest distance of a logged learning rate from the planned one, as a share of the peak."""
    plan = rate_plan(state.plan or {})
    return plan_deviation(plan, state.lr) if plan else None


def summary_lines(figures: Mapping[str, Any], seconds: float) -> list[str]:
    """The same for people, a fact a line.

    Args:
        figures: from `summarise`.
        seconds: wall time of the run.
    """
    lines = [f"{figures['run']} {figures['status'].replace('_', ' ')} after {took(seconds)}"]
    if figures["reason"]:
        lines[0] += f": {sanitize(figures['reason'])}"
    first, last = figures["train_loss"]["first"], figures["train_loss"]["last"]
    if first is not None and last is not None:
        change = f" ({points((last - first) / first)} %)" if first else ""
        lines.append(f"  train loss     {figure(first)} -> {figure(last)}{change}")
    if figures["best_step"] is not None:
        lines.append(f"  eval loss      best {figure(figures['best_eval_loss'])} at step {figures['best_step']:,}")
    if figures["lr_deviation"] is not None:
        lines.append(f"  learning rate  at most {percent(figures['lr_deviation'])} of the peak apart from the plan")
    if figures["nonfinite_steps"] or figures["skipped_steps"]:
        lines.append(
            f"  warning        {figures['nonfinite_steps']} steps with a non-finite value,"
            f" {figures['skipped_steps'] or 0} skipped by DeepSpeed"
        )
    lines += [f"  odd            {line}" for line in odd_lines(figures["odd_steps"])]
    for found in figures["diagnoses"]:
        lines.append(f"  health         {found['severity']}: {found['sentence']}")
        lines += [f"                 {line}" for line in [*numbered(found), found["advice"]] if line]
    lines += [f"  {task:<14} {text}" for task, text in score_lines(figures["tasks"])]
    if figures["adapter"]:
        lines.append(f"  adapter        {figures['adapter']}")
    return lines
