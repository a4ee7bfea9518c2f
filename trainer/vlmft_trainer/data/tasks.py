"""What a row of ChartQA or TextVQA asks, what it trains on, and how answers to it are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from vlmft_trainer.metrics import ACCURACY, RELAXED_ACCURACY, relaxed_match, textvqa_accuracy


@dataclass(frozen=True)
class Question:
    """One question about one image.

    Attributes:
        prompt: the question with its task's instruction, worded as lmms-eval words it.
        target: the answer trained on; empty where the row has none.
        references: the answers that count as right.
        group: the part of the data set it is counted with (ChartQA: human or augmented); empty for none.
    """

    prompt: str
    target: str
    references: tuple[str, ...]
    group: str = ""


Scores = dict[str, float | int]


@dataclass(frozen=True)
class Task:
    """One schema and its metric.

    Attributes:
        columns: what a row must have.
        read: a row (without its image) as a question.
        score: (questions, predictions) as shares of one, and `n`, how many there were.
    """

    columns: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Question]
    score: Callable[[Sequence[Question], Sequence[str]], Scores]


def _read_chartqa(row: Mapping[str, Any]) -> Question:
    label = row["label"]
    labels = [label] if isinstance(label, str) else list(label or [])
    answers = tuple(str(answer).strip() for answer in labels)
    origin = row.get("human_or_machine")
    group = "" if origin is None else "human" if origin in (0, "human") else "augmented"
    prompt = f"{row['query']}\nAnswer the question with a single word."
    return Question(prompt, answers[0] if answers else "", answers, group)


def _score_chartqa(questions: Sequence[Question], predictions: Sequence[str]) -> Scores:
    right = [
        float(any(relaxed_match(prediction, gold) for gold in question.references))
        for question, prediction in zip(questions, predictions, strict=True)
    ]
    scores: Scores = {RELAXED_ACCURACY: fmean(right)}
    for group in sorted({question.group for question in questions} - {""}):
        scores[group] = fmean(
            value for question, value in zip(questions, right, strict=True) if question.group == group
        )
    return scores | {"n": len(right)}


def _read_textvqa(row: Mapping[str, Any]) -> Question:
    answers = tuple(str(answer).strip() for answer in row["answers"] or [])
    # Counter keeps the order of first appearance among equals, so a tie goes to the first answer given.
    given = Counter(answer for answer in answers if answer).most_common(1)
    prompt = f"{row['question']}\nAnswer the question using a single word or phrase."
    return Question(prompt, given[0][0] if given else "", answers)


def _score_textvqa(questions: Sequence[Question], predictions: Sequence[str]) -> Scores:
    points = [
        textvqa_accuracy(prediction, question.references)
        for question, prediction in zip(questions, predictions, strict=True)
    ]
    return {ACCURACY: fmean(points), "n": len(points)}


TASKS: Final[Mapping[str, Task]] = {
    "chartqa": Task(("image", "query", "label"), _read_chartqa, _score_chartqa),
    "textvqa": Task(("image", "question", "answers"), _read_textvqa, _score_textvqa),
}
"""By `task` in a preset's `data.sources`."""
