"""Run report: every figure of a run in one place, JSON-able."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vlmft_console.history.epochs import EpochFigures
from vlmft_console.history.loading import ReadLog
from vlmft_console.history.metrics import Measured
from vlmft_console.report.answers import answer_figures
from vlmft_console.report.checkpoints import answered_at
from vlmft_console.report.compare import status_now
from vlmft_console.report.diagnosis import diagnosis_dict, unjudged_notes
from vlmft_console.report.summary import finding_dict, lr_deviation, odd_step_dict, task_scores
from vlmft_console.runs.labels import Labels
from vlmft_console.runs.status import RECORDED, UNREADABLE
from vlmft_core.run_folder.answers import Answers


def report_figures(run: ReadLog, answers: Answers) -> dict[str, Any]:
    """The figures of one run, and its kept `answers`; what its log does not tell is null or empty.

    Keys: `run`, `format`, `status`, `reason`, `started` (Unix seconds), `seconds`, `host`, `world_size`, `versions`,
    `segments` (each with its first step), `plan`, `steps`, `unit` (what these are: `step` or what the log counts),
    `total_steps`, `train_loss`, `best_eval`, `last_eval_loss`, `lr_deviation`, `nonfinite_steps`, `skipped_steps`,
    `odd_steps` (as `odd_step_dict`), `tasks`, `answers` (as `answer_figures`), `diagnoses`, `findings` (resolved ones
    too), `epochs`, `checkpoints`, `tags`, `note`, `metrics` (every one by name: `points`, `first`, `last`, `lowest`,
    `highest`), `notes`, `preset`.
    """
    state, log = run.state, run.log
    labels = Labels.of(log.folder) if log.folder else Labels()
    last_kept = state.checkpoints[-1].get("kept") if state.checkpoints else None
    kept = last_kept if isinstance(last_kept, list) else [record["step"] for record in state.checkpoints]
    best, end, start = state.best_eval, state.end or _state_now(run), state.start or {}
    return {
        "run": run.name,
        "format": log.format,
        "status": end.get("status"),
        "reason": end.get("reason"),
        "started": start.get("t") or None,  # 0 in a log that tells no time
        "seconds": state.seconds or None,
        "host": start.get("host"),
        "world_size": start.get("world_size"),
        "versions": versions if isinstance(versions := start.get("versions"), dict) else {},
        "segments": [{"segment": number, "first_step": first} for number, first in state.segments],
        "plan": {key: value for key, value in (state.plan or {}).items() if key not in _ENVELOPE},
        "steps": state.reached,
        "unit": state.health.unit,
        "total_steps": state.total_steps,
        "train_loss": {"first": state.mean_loss(first=True), "last": state.mean_loss(first=False)},
        "best_eval": best and {key: best[key] for key in ("step", "epoch", "eval_loss")},
        "last_eval_loss": state.eval_loss.last_value,
        "lr_deviation": lr_deviation(state),
        "nonfinite_steps": state.nonfinite_steps,
        "skipped_steps": state.skipped_steps,
        "odd_steps": [odd_step_dict(record) for record in state.odd_steps],
        "tasks": task_scores(state),
        "answers": answer_figures(answers),
        "diagnoses": [diagnosis_dict(each) for each in state.health.diagnoses],
        "findings": [
            {**finding_dict(finding), "changes": dict(finding.advice.changes), "resolved": finding.resolved}
            for finding in state.findings
        ],
        "epochs": [{**asdict(row), "gap": row.gap} for row in EpochFigures().rows(state)],
        "checkpoints": [
            {
                "step": record["step"],
                "eval_loss": record.get("eval_loss"),
                "bytes": record.get("bytes"),
                "tasks": answered_at(state, record["step"]),
                "kept": record["step"] in kept,
            }
            for record in state.checkpoints
        ],
        "metrics": {name: asdict(Measured.of(series)) for name, series in state.by_name.items()},
        "tags": list(labels.tags),
        "note": labels.note or labels.problem,
        "notes": [
            *state.doubts,
            *state.notes,
            *filter(None, [run.several, answers.trouble]),
            *unjudged_notes(state.health),
        ],
        "preset": log.preset.model_dump(mode="json") if log.preset else None,
    }


def _state_now(run: ReadLog) -> dict[str, Any]:
    """How a run ended whose log does not say so, such as one that was killed; the state of one that goes on."""
    status = status_now(run)
    known = status is not None and status.state not in (RECORDED, UNREADABLE)
    return {"status": status.state, "reason": status.reason} if status and known else {}


_ENVELOPE = frozenset({"v", "seq", "t", "mono", "event", "nonfinite"})
"""Fields that every record has."""
