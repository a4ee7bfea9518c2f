"""Work on a checkpoint that takes a while: what it is, what a person should know before, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmft_console.programs.ask import EVAL, MERGE, PREDICT, WORST
from vlmft_console.programs.eval_job import eval_job, figures
from vlmft_console.programs.merge_job import merge_job
from vlmft_console.programs.trained import find_trained, processes_for
from vlmft_console.report.summary import score_lines
from vlmft_console.report.worst import LOOKED_AT, described, lists, losses
from vlmft_console.runs.preflight import check_libraries
from vlmft_core.figures import counted, filesize
from vlmft_core.jobs import LONGEST_ANSWER, Ask, PredictJob, Weights, WorstJob

NAMED = 10
"""Worst samples by each measure."""


@dataclass(frozen=True)
class Work:
    """A program with its job."""

    title: str
    """What is done, to which checkpoint; may hold a run's name."""
    detail: str
    """Where the result goes, and on what it is done."""
    program: str
    job: Weights
    processes: int
    lines: Callable[[str, Any], list[str]]
    """A result of the program (name and value) in words."""
    log: Path | None = None
    """Where else it says goes."""


def eval_work(run: Path, step: int) -> Work:
    """Base and adapter of a checkpoint answer the questions that the training asked.

    Raises:
        VlmftError: it cannot be used, or this machine lacks what it needs.
    """
    trained = find_trained(f"{run.absolute()}@{step}", None, [])
    job = eval_job(trained, None, None, None, None)
    processes = processes_for(trained.preset, None)

    def lines(name: str, value: Any) -> list[str]:
        if name != "scores":
            return []
        found = figures(trained, job, value)["tasks"]
        return [f"{task}: {text}" for task, text in score_lines({task: _sides(one) for task, one in found.items()})]

    asked = f"up to {job.limit:,} questions of each task" if job.limit else "all questions of each task"
    place = _place(trained.preset.hardware.device, processes)
    kept = f"Answers are kept in {job.folder}; what is there is not asked again."
    return Work(
        f"Evaluate step {step:,} of {run.name}",
        f"Base and adapter answer {asked}, {place}. {kept}",
        EVAL,
        job,
        processes,
        lines,
        Path(job.folder) / "eval.log",
    )


def merge_work(run: Path, step: int) -> Work:
    """Base and adapter of a checkpoint become one model.

    Raises:
        VlmftError: as `eval_work`, or its folder is there already.
    """
    check_libraries()
    job = merge_job(find_trained(f"{run.absolute()}@{step}", None, []), None)
    return Work(
        f"Merge step {step:,} of {run.name}",
        f"The model folder {job.folder} is made, on the CPU; that needs the base's size in memory and on the disk.",
        MERGE,
        job,
        1,
        lambda name, value: (
            [f"merged model: {value['folder']} ({filesize(int(value['bytes']))})"] if name == "merged" else []
        ),
    )


def worst_work(run: Path, step: int) -> Work:
    """The training samples on which the adapter of a checkpoint loses most are named.

    Raises:
        VlmftError: as `eval_work`.
    """
    trained = find_trained(f"{run.absolute()}@{step}", None, [])
    processes = processes_for(trained.preset, None)
    job = WorstJob(preset=trained.preset, adapter=str(trained.adapter), part="training", samples=LOOKED_AT, limit=NAMED)

    def lines(name: str, value: Any) -> list[str]:
        if name != "worst":
            return []
        told = []
        for title, indices in lists(value, "training"):
            told.append(title)
            for number, index in enumerate(indices, 1):
                one = value["found"][index]
                told.append(f"{number}. {one['where']}: {losses(one)}")
                told += [f"   {label}: {text}" for label, text in described(one)]
        return told

    return Work(
        f"Worst samples of step {step:,} of {run.name}",
        f"Base and adapter go through up to {LOOKED_AT:,} training samples, evenly spaced,"
        f" {_place(trained.preset.hardware.device, processes)}; wrong labels are among the worst.",
        WORST,
        job,
        processes,
        lines,
    )


def predict_work(run: Path, step: int, image: str, question: str) -> Work:
    """The adapter of a checkpoint answers one question.

    Args:
        run: whose checkpoint.
        step: which.
        image: a picture's file; empty for none.
        question: what is asked.

    Raises:
        VlmftError: as `eval_work`.
    """
    trained = find_trained(f"{run.absolute()}@{step}", None, [])
    processes_for(trained.preset, 1)
    job = PredictJob(
        preset=trained.preset,
        adapter=str(trained.adapter),
        questions=[Ask(question=question, images=[image] if image else [])],
        max_new_tokens=LONGEST_ANSWER,
    )
    return Work(
        f"Ask step {step:,} of {run.name}",
        question,
        PREDICT,
        job,
        1,
        lambda name, value: [f"answer: {value['answer'] or '(nothing)'}"] if name == "answer" else [],
    )


def _sides(one: Mapping[str, Any]) -> dict[str, Any]:
    """A task of an eval as `score_lines` takes it."""
    base, tuned = one["base"], one["tuned"]
    return {
        "metric": one["metric"],
        "base": base[one["metric"]],
        "tuned": tuned[one["metric"]],
        "base_questions": base["n"],
        "questions": tuned["n"],
        "against_base": one["against_base"],
    }


def _place(device: str, processes: int) -> str:
    if device == "cpu":
        return f"on the CPU, in {counted(processes, 'process', 'processes')}"
    return f"on {counted(processes, 'GPU')}"
