"""Eval job: what is to be asked of a trained model, where the answers go, and what its scores come to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmft_console.paths import OUTPUTS
from vlmft_console.programs.trained import Trained
from vlmft_console.report.summary import bounds, score_of
from vlmft_core.errors import DataError
from vlmft_core.jobs import EvalJob, identity
from vlmft_core.plan.cautions import published_for
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.scoring.metrics import HEADLINE


def eval_job(trained: Trained, task: str | None, split: str | None, limit: int | None, output: Path | None) -> EvalJob:
    """What is to be asked, and where answers go.

    Args:
        task: a task's name, or the path of one of the preset's sources.
        limit: questions of each task; 0 for all, None for as many as the training asked (of no run's model: all).

    Raises:
        VlmftError: the preset has no such task, or the adapter no weights.
    """
    preset = trained.preset
    sources = [source for source in preset.data.sources if task in (None, source.task, source.path)]
    if not sources:
        there = ", ".join(dict.fromkeys(name for one in preset.data.sources for name in (one.task, one.path)))
        raise DataError(f"--task {task}: the preset has no such task or source", f"it has {there}")
    asked_task = task if task in {source.task for source in sources} else None
    if not (trained.is_run and limit != 0 and split is None and asked_task == task):
        # Other questions than the training's: what it left out, and the other sources, do not matter.
        chosen = [source.model_copy(update={"eval_split": split or source.eval_split}) for source in sources]
        data = preset.data.model_copy(update={"sources": chosen, "max_eval": None})
        preset = preset.model_copy(update={"data": data})
    wanted = (preset.evaluation.answers or None) if limit is None and trained.is_run else limit or None
    job = EvalJob(
        preset=preset,
        adapter=str(trained.adapter) if trained.adapter else None,
        folder="",
        task=asked_task,
        limit=wanted,
    )
    if output is None:
        name = hashlib.sha256(json.dumps(identity(job), sort_keys=True).encode()).hexdigest()[:8]
        if trained.is_run and trained.folder and trained.adapter:
            output = RunLayout(trained.folder).evals / f"{trained.adapter.name}-{name}"
        else:
            output = RunLayout(OUTPUTS).evals / f"{trained.name}-{name}"
    return job.model_copy(update={"folder": str(output.absolute())})


def figures(trained: Trained, job: EvalJob, scores: Mapping[str, Any]) -> dict[str, Any]:
    """The scores, as shares of one with where they lie 19 times of 20 (`low`, `high`), what the preset expects and
    what is published for the base, in percent."""
    published = published_for(job.preset)
    return {
        "model": trained.name,
        "base": job.preset.model.base,
        "adapter": job.adapter,
        "folder": job.folder,
        "tasks": {
            task: {
                "metric": HEADLINE[task],
                "questions": sides["base"]["n"],
                "base": _bounded(sides["base"], task),
                "tuned": _bounded(sides["tuned"], task) if "tuned" in sides else None,
                "against_base": sides.get("against_base"),
                "expected": job.preset.about.expected.get(task) if job.adapter else None,
                "published": published.get(task),
            }
            for task, sides in scores.items()
        },
    }


def _bounded(scores: Mapping[str, Any], task: str) -> dict[str, Any]:
    low, high = bounds(score_of(scores, task))
    return {**scores, "low": low, "high": high}
