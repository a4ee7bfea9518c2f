"""Tasks: what a row of each asks, what it trains on, and how answers to it are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from vlmft_core.metrics import ACCURACY, RELAXED_ACCURACY, relaxed_match, textvqa_accuracy
from vlmft_trainer.data.chats import read_llava, read_messages, score_exactly
from vlmft_trainer.data.conversation import NO_IMAGE, WRONG_SCHEMA, BadRow, Conversation, ImageRef, one_question
from vlmft_trainer.data.pictures import image_refs

Scores = dict[str, float | int]


@dataclass(frozen=True)
class Task:
    """One schema and its metric.

    Attributes:
        columns: what a row must have.
        read: a row as a conversation, worded as lmms-eval words it; raises `BadRow`.
        score: (conversations, predictions) as shares of one, and `n`, how many there were.
    """

    columns: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Conversation]
    score: Callable[[Sequence[Conversation], Sequence[str]], Scores]


def _read_chartqa(row: Mapping[str, Any]) -> Conversation:
    answers = _answers(row, "label")
    origin = row.get("human_or_machine")
    group = "" if origin is None else "human" if origin in (0, "human") else "augmented"
    prompt = f"{_text(row, 'query')}\nAnswer the question with a single word."
    return Conversation(one_question(prompt, answers[0] if answers else ""), answers, group, _image(row))


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row[column]
    if isinstance(value, str):
        return value
    raise BadRow(WRONG_SCHEMA, f"{column} is not a text")


def _answers(row: Mapping[str, Any], column: str) -> tuple[str, ...]:
    """The answers in a column that holds one or a list of them."""
    value = row[column]
    if isinstance(value, Mapping):
        raise BadRow(WRONG_SCHEMA, f"{column} is neither a text nor a list")
    listed = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return tuple(str(answer).strip() for answer in listed)


def _image(row: Mapping[str, Any]) -> tuple[ImageRef]:
    """The one image that a question is about."""
    match image_refs(row["image"]):
        case [image]:
            return (image,)
        case []:
            raise BadRow(NO_IMAGE)
    raise BadRow(WRONG_SCHEMA, "more than one image")


def _score_chartqa(conversations: Sequence[Conversation], predictions: Sequence[str]) -> Scores:
    right = [
        float(any(relaxed_match(prediction, gold) for gold in conversation.references))
        for conversation, prediction in zip(conversations, predictions, strict=True)
    ]
    scores: Scores = {RELAXED_ACCURACY: fmean(right)}
    for group in sorted({conversation.group for conversation in conversations} - {""}):
        scores[group] = fmean(
            value for conversation, value in zip(conversations, right, strict=True) if conversation.group == group
        )
    return scores | {"n": len(right)}


def _read_textvqa(row: Mapping[str, Any]) -> Conversation:
    answers = _answers(row, "answers")
    # Counter keeps the order of first appearance among equals, so a tie goes to the first answer given.
    given = Counter(answer for answer in answers if answer).most_common(1)
    prompt = f"{_text(row, 'question')}\nAnswer the question using a single word or phrase."
    return Conversation(one_question(prompt, given[0][0] if given else ""), answers, images=_image(row))


def _score_textvqa(conversations: Sequence[Conversation], predictions: Sequence[str]) -> Scores:
    points = [
        textvqa_accuracy(prediction, conversation.references)
        for conversation, prediction in zip(conversations, predictions, strict=True)
    ]
    return {ACCURACY: fmean(points), "n": len(points)}


TASKS: Final[Mapping[str, Task]] = {
    "chartqa": Task(("image", "query", "label"), _read_chartqa, _score_chartqa),
    "textvqa": Task(("image", "question", "answers"), _read_textvqa, _score_textvqa),
    "llava": Task(("conversations",), read_llava, score_exactly),
    "messages": Task(("messages",), read_messages, score_exactly),
}
"""By `task` in a preset's `data.sources`."""
