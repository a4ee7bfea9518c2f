"""Evaluation after training: base and adapter answer the same questions, scored by the same harness as in training.

Under `torch.distributed.run` the ranks share the questions. Answers are kept in the job's folder as they come, a line
each, so that an interrupted eval goes on where it was.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vlmft_core.durable import add_lines, open_own, read_json, write_whole
from vlmft_core.errors import DataError, VlmftError
from vlmft_core.jobs import EvalJob, identity
from vlmft_core.run_folder.layout import EVAL_RECORD, EVAL_SCORES
from vlmft_core.scoring.chance import paired
from vlmft_trainer.data.run_data import prepare_eval
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.distributed import ranks
from vlmft_trainer.model.adapter import refuse_lasting_biases
from vlmft_trainer.model.evaluate import answer_questions, answered_at_once, points, score, task_names
from vlmft_trainer.programs import Say
from vlmft_trainer.programs.load_weights import load_weights

CHUNK = 2
"""Batches of each rank between two looks at the disk."""


def evaluate(job: EvalJob, say: Say) -> None:
    """Answer, score, and say the scores. Every rank calls it.

    Raises:
        VlmftError: model or data cannot be used, or the folder holds the answers of another eval.
    """
    with ExitStack() as claimed:
        if ranks.rank() == 0:
            ranks.together(lambda: claimed.enter_context(claim(Path(job.folder), identity(job))))
        else:
            ranks.together(lambda: None)
        scores = answer_and_score(job, say)
        if ranks.rank() == 0:
            write_whole(Path(job.folder) / EVAL_SCORES, json.dumps(scores, indent=1) + "\n")
    say("scores", scores)


def answer_and_score(job: EvalJob, say: Say) -> dict[str, dict[str, Any]]:
    """Scores by task and side (`base`, `tuned`), as a training's `eval` events have them, and `against_base`: how the
    answers compare one by one (the fields of a `Paired`).

    Raises:
        VlmftError: model or data cannot be used.
    """
    model, encoder = load_weights(job, say)
    refuse_lasting_biases(model)
    samples, notes = prepare_eval(job.preset.data, encoder)
    for note in notes:
        say("note", note)
    ranks.together(lambda: check_samples(Path(job.folder), samples.fingerprint, say))
    names = [job.task] if job.task else task_names(samples)
    picked = {name: samples.pick(name, len(samples) if job.limit is None else job.limit) for name in names}
    if empty := [name for name, part in picked.items() if not len(part)]:
        raise DataError(f"there are no eval samples of {empty[0]}")
    scores: dict[str, dict[str, Any]] = {name: {} for name in names}
    worth: dict[str, list[float]] = {}
    for side in ("base", "tuned") if job.adapter else ("base",):
        for name, part in picked.items():
            file = Path(job.folder) / f"{name}-{side}.jsonl"
            answers = answer(model, part, job, file, {"side": side, "task": name}, say)
            scores[name][side] = score(name, part, answers)
            before, worth[name] = worth.get(name), points(name, part, answers)
            if before:
                scores[name]["against_base"] = asdict(paired([list(zip(worth[name], before, strict=True))]))
    return scores


def answer(model: Any, samples: Samples, job: EvalJob, file: Path, label: dict[str, str], say: Say) -> list[str]:
    """The answers to `samples`, those already in `file` and new ones, which are added to it.

    Args:
        label: says whose answers they are: `side` is `base` or `tuned`.
    """
    settings = job.preset.evaluation
    mine = ranks.together(lambda: kept(file) if ranks.rank() == 0 else [])
    answers: list[str] = ranks.gather(mine)[0][: len(samples)]
    batch_size = answered_at_once(model, settings)
    chunk = CHUNK * batch_size * ranks.world_size()
    plain = label["side"] == "base" and job.adapter is not None
    while True:
        say("progress", {**label, "done": len(answers), "total": len(samples)})
        start = len(answers)
        if start == len(samples):
            return answers
        part = Samples(samples.splits, samples.places[start : start + chunk], samples.encoder)
        with model.disable_adapter() if plain else nullcontext():
            new = answer_questions(
                model,
                part,
                batch_size=batch_size,
                max_new_tokens=settings.max_new_tokens,
                workers=job.preset.data.workers,
            )
        assert new is not None
        if ranks.rank() == 0:
            append(file, part, new, start)
        answers += new


def check_samples(folder: Path, fingerprint: str, say: Say) -> None:
    """See to it that all answers in a folder are to the same samples; only rank 0 looks.

    Raises:
        DataError: those that are there are to others, or their record is damaged.
    """
    if ranks.rank():
        return
    record = read_record(folder)
    if record.get("samples", fingerprint) != fingerprint:
        raise DataError(
            f"the answers in {folder} are to other samples: rows, or names or sizes of images, differ",
            "choose another folder with -o, or delete this one",
        )
    if "samples" not in record:
        if any(folder.glob("*-*.jsonl")):
            say(
                "note", f"the answers in {folder} do not say of which samples they are; they are taken for those of now"
            )
        write_whole(folder / EVAL_RECORD, json.dumps(record | {"samples": fingerprint}, indent=1) + "\n")


def read_record(folder: Path) -> dict[str, Any]:
    """What an eval's folder says of the eval.

    Raises:
        DataError: that is damaged.
    """
    record = read_json(folder / EVAL_RECORD)
    if record is None:
        raise DataError(
            f"{folder / EVAL_RECORD} is damaged: no JSON object", "choose another folder with -o, or delete this one"
        )
    return record


def kept(file: Path) -> list[str]:
    """The answers in a file; a last line that was cut off in the middle is removed from it.

    Raises:
        DataError: another one is damaged.
    """
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with os.fdopen(open_own(file, os.O_WRONLY), "wb") as opened:
            opened.truncate(len(whole))
    answers: list[str] = []
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            answers.append("" + json.loads(line)["prediction"])  # no text is an error, too
        except (ValueError, KeyError, TypeError, RecursionError):
            again = "delete it and those after it: their questions are asked again"
            raise DataError(f"{file}:{number}: no answer of an eval", again) from None
    return answers


def append(file: Path, samples: Samples, answers: list[str], first: int) -> None:
    """Add answers to a file, one line each: `index`, `where` (of the row), `question`, `gold`, `prediction`, `right` (0
    to 1) and, where the data has parts, `group`."""
    lines = []
    worth = points(samples.task_name(0), samples, answers)
    for index, (prediction, right) in enumerate(zip(answers, worth, strict=True)):
        conversation = samples.conversation(index)
        split, row = samples.places[index]
        record = {
            "index": first + index,
            "where": samples.splits[split].where(row),
            "question": conversation.prompt,
            "gold": list(conversation.references),
            "prediction": prediction,
            "right": right,
        }
        lines.append(json.dumps(record | ({"group": conversation.group} if conversation.group else {})) + "\n")
    add_lines(file, "".join(lines))


@contextmanager
def claim(folder: Path, record: dict[str, Any]) -> Iterator[None]:
    """Make the folder this eval's own.

    Raises:
        VlmftError: it cannot be written, another eval is writing there, or has written something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.fdopen(open_own(folder / "lock", os.O_WRONLY), "w")
    except OSError as error:
        raise VlmftError(f"{folder}: {error.strerror}", "choose another folder with -o") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise VlmftError(f"another eval is writing to {folder}") from None
        known = folder / EVAL_RECORD
        if not known.exists():
            if any(folder.glob("*-*.jsonl")):
                raise VlmftError(f"{folder} holds JSONL files of something else", "choose another folder with -o")
            write_whole(known, json.dumps(record, indent=1) + "\n")
        elif {**read_record(folder), "samples": None} != {**record, "samples": None}:
            raise VlmftError(f"{folder} holds the answers of another eval", "choose another folder with -o")
        yield
