"""Tasks: what a row of each asks, what it trains on, and how answers to it are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from vlmft_core.scoring.metrics import ACCURACY, RELAXED_ACCURACY, relaxed_match, textvqa_accuracy
from vlmft_trainer.data.chats import read_llava, read_messages, score_exactly
from vlmft_trainer.data.conversation import NO_IMAGE, WRONG_SCHEMA, BadRow, Conversation, Slot, Turn
from vlmft_trainer.data.image_refs import image_refs, unpacked
from vlmft_trainer.data.marks import marked, name_other_marks
from vlmft_trainer.data.question_rows import SHAPES, read_question
from vlmft_trainer.data.row_keys import ROW, Keys, as_text

Scores = dict[str, float | int]


@dataclass(frozen=True)
class Task:
    """One schema and its metric.

    Attributes:
        shapes: the columns that a row must have, in one of these ways.
        read: a row as a conversation, worded as lmms-eval words it; raises `BadRow`.
        score: (conversations, predictions) as shares of one, and `n`, how many there were.
    """

    shapes: tuple[tuple[str, ...], ...]
    read: Callable[[Mapping[str, Any]], Conversation]
    score: Callable[[Sequence[Conversation], Sequence[str]], Scores]

    def lacks(self, columns: Collection[str]) -> list[str]:
        """What is missing of the shape that comes nearest; nothing where a row with these columns can be read."""
        return min(([name for name in shape if name not in columns] for shape in self.shapes), key=len)

    @property
    def needs(self) -> str:
        """The columns that a row must have, in words."""
        return " or ".join(", ".join(shape) for shape in self.shapes)


_ORIGINS: Final = {
    None: "",
    0: "human",
    "human": "human",
    1: "augmented",
    "machine": "augmented",
    "augmented": "augmented",
}


def _read_chartqa(row: Mapping[str, Any]) -> Conversation:
    keys = Keys(ROW, row, [])
    answers = _answers(keys, "label")
    origin = keys.take("human_or_machine")
    if not isinstance(origin, str | int | None) or origin not in _ORIGINS:
        raise BadRow(WRONG_SCHEMA, f"human_or_machine is {origin!s:.40}: it can be human or machine")
    group = _ORIGINS[origin]
    prompt = f"{as_text(keys.take('query'), 'query')}\nAnswer the question with a single word."
    return _one_question(keys, prompt, answers[0] if answers else "", answers, group)


def _one_question(keys: Keys, prompt: str, target: str, answers: tuple[str, ...], group: str = "") -> Conversation:
    """A question about the row's one image, and its answer."""
    images = image_refs(keys.take("image"), keys.unused)
    if not images:
        raise BadRow(NO_IMAGE)
    if len(images) > 1:
        raise BadRow(WRONG_SCHEMA, "more than one image")
    asked = marked(prompt)
    if asked.count(Slot.BOX) or asked.count(Slot.NAME):
        raise BadRow(WRONG_SCHEMA, "<bbox> or <ref-object> in a question: only chats have boxes")
    if (places := asked.count(Slot.IMAGE)) > 1:
        raise BadRow(WRONG_SCHEMA, f"{places} places for images, but 1 image")
    keys.close()
    turns = Turn("user", asked if places else (Slot.IMAGE, *asked)), Turn("assistant", (target,))
    name_other_marks(turns, images, keys.unused)
    return Conversation(turns, answers, group, tuple(images), tuple(keys.unused))


def _answers(keys: Keys, column: str) -> tuple[str, ...]:
    """The answers in a column that holds one or a list of them, which may be written as JSON."""
    value = unpacked(keys.take(column))
    listed = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return tuple(as_text(answer, column).strip() for answer in listed)


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
    keys = Keys(ROW, row, [])
    answers = _answers(keys, "answers")
    # Counter keeps the order of first appearance among equals, so a tie goes to the first answer given.
    given = Counter(answer for answer in answers if answer).most_common(1)
    prompt = f"{as_text(keys.take('question'), 'question')}\nAnswer the question using a single word or phrase."
    return _one_question(keys, prompt, given[0][0] if given else "", answers)


def _score_textvqa(conversations: Sequence[Conversation], predictions: Sequence[str]) -> Scores:
    points = [
        textvqa_accuracy(prediction, conversation.references)
        for conversation, prediction in zip(conversations, predictions, strict=True)
    ]
    return {ACCURACY: fmean(points), "n": len(points)}


TASKS: Final[Mapping[str, Task]] = {
    "chartqa": Task((("image", "query", "label"),), _read_chartqa, _score_chartqa),
    "textvqa": Task((("image", "question", "answers"),), _read_textvqa, _score_textvqa),
    "llava": Task((("conversations",),), read_llava, score_exactly),
    "messages": Task((("messages",),), read_messages, score_exactly),
    "qa": Task(SHAPES, read_question, score_exactly),
}
"""By `task` in a preset's `data.sources`."""
