"""Run summary: the figures printed at its end, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmft_console.figures import short
from vlmft_console.history.state import RunState
from vlmft_console.report.diagnosis import diagnosis_dict, numbered
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus
from vlmft_console.sanitize import sanitize
from vlmft_core.health import Finding
from vlmft_core.learning_rate import plan_deviation, rate_plan
from vlmft_core.metrics import HEADLINE


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
        "tasks": task_scores(state),
        "diagnoses": [diagnosis_dict(each) for each in state.health.diagnoses],
        "findings": [finding_dict(finding) for finding in state.findings if finding.active],
        "adapter": str(folder.adapter) if folder.adapter.is_dir() else None,
        "folder": str(folder.path),
    }


def finding_dict(finding: Finding) -> dict[str, Any]:
    """A health finding, JSON-able."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "step": finding.step,
        "epoch": finding.epoch,
        "message": finding.message,
        "advice": finding.advice.text,
    }


def task_scores(state: RunState) -> dict[str, Any]:
    """For each task that the adapter answered: its metric, the scores of base and adapter (0 to 1), the questions."""
    return {
        task: {
            "metric": HEADLINE.get(task, "accuracy"),
            "base": _score(state.base_scores.get(task), task),
            "tuned": _score(tuned, task),
            "questions": tuned.get("n"),
        }
        for task, tuned in state.tuned_scores.items()
        if isinstance(tuned, Mapping)
    }


def _score(metrics: Any, task: str) -> float | None:
    value = metrics.get(HEADLINE.get(task, "accuracy")) if isinstance(metrics, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def score_lines(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each task, and how base and adapter answered its questions, in words.

    Args:
        scores: from `task_scores`.
    """
    lines = []
    for task, score in scores.items():
        if score["base"] is not None and score["tuned"] is not None:
            base, tuned = 100 * score["base"], 100 * score["tuned"]
            more = f"{tuned - base:+.1f}, {score['metric'].replace('_', ' ')}, n={score['questions']}"
            lines.append((sanitize(task), f"base {base:.1f} % -> tuned {tuned:.1f} % ({more})"))
    return lines


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
    took = f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    lines = [f"{figures['run']} {figures['status'].replace('_', ' ')} after {took}"]
    if figures["reason"]:
        lines[0] += f": {sanitize(figures['reason'])}"
    first, last = figures["train_loss"]["first"], figures["train_loss"]["last"]
    if first is not None and last is not None:
        lines.append(f"  train loss     {short(first)} -> {short(last)} ({(last - first) / first:+.0%})")
    if figures["best_step"] is not None:
        lines.append(f"  eval loss      best {short(figures['best_eval_loss'])} at step {figures['best_step']:,}")
    if figures["lr_deviation"] is not None:
        lines.append(f"  learning rate  within {figures['lr_deviation']:.2%} of the plan")
    if figures["nonfinite_steps"] or figures["skipped_steps"]:
        lines.append(
            f"  warning        {figures['nonfinite_steps']} steps with a non-finite value,"
            f" {figures['skipped_steps'] or 0} skipped by DeepSpeed"
        )
    for found in figures["diagnoses"]:
        lines.append(f"  health         {found['severity']}: {found['sentence']}")
        lines += [f"                 {line}" for line in [*numbered(found), found["advice"]] if line]
    lines += [f"  {task:<14} {text}" for task, text in score_lines(figures["tasks"])]
    if figures["adapter"]:
        lines.append(f"  adapter        {figures['adapter']}")
    return lines
