"""Tasks: what a row of each asks, what it trains on, and how answers to it are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from statistics import fmean
from typing import Any, Final

from vlmft_core.scoring.metrics import HEADLINE, normalise, relaxed_match, textvqa_accuracy
from vlmft_trainer.data.chats import read_llava, read_messages
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
        worth: what an answer to a conversation's last question is worth, from 0 to 1.
        metric: what the mean of that is called.
    """

    shapes: tuple[tuple[str, ...], ...]
    read: Callable[[Mapping[str, Any]], Conversation]
    worth: Callable[[Conversation, str], float]
    metric: str

    def lacks(self, columns: Collection[str]) -> list[str]:
        """What is missing of the shape that comes nearest; nothing where a row with these columns can be read."""
        return min(([name for name in shape if name not in columns] for shape in self.shapes), key=len)

    @property
    def needs(self) -> str:
        """The columns that a row must have, in words."""
        return " or ".join(", ".join(shape) for shape in self.shapes)

    def score(self, conversations: Sequence[Conversation], answers: Sequence[str]) -> Scores:
        """The metric of all and of each group, as shares of one, and `n`, how many there were."""
        worth = [self.worth(*each) for each in zip(conversations, answers, strict=True)]
        scores: Scores = {self.metric: fmean(worth)}
        for group in sorted({conversation.group for conversation in conversations} - {""}):
            of_group = (conversation.group == group for conversation in conversations)
            scores[group] = fmean(compress(worth, of_group))
        return scores | {"n": len(worth)}


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


def _relaxed(conversation: Conversation, answer: str) -> float:
    return float(any(relaxed_match(answer, gold) for gold in conversation.references))


def _read_textvqa(row: Mapping[str, Any]) -> Conversation:
    keys = Keys(ROW, row, [])
    answers = _answers(keys, "answers")
    # Counter keeps the order of first appearance among equals, so a tie goes to the first answer given.
    given = Counter(answer for answer in answers if answer).most_common(1)
    prompt = f"{as_text(keys.take('question'), 'question')}\nAnswer the question using a single word or phrase."
    return _one_question(keys, prompt, given[0][0] if given else "", answers)


def _agreed(conversation: Conversation, answer: str) -> float:
    return textvqa_accuracy(answer, conversation.references)


def _same(conversation: Conversation, answer: str) -> float:
    """1 where the answer equals a reference after TextVQA's normalisation, else 0."""
    return float(any(normalise(answer) == normalise(gold) for gold in conversation.references))


TASKS: Final[Mapping[str, Task]] = {
    "chartqa": Task((("image", "query", "label"),), _read_chartqa, _relaxed, HEADLINE["chartqa"]),
    "textvqa": Task((("image", "question", "answers"),), _read_textvqa, _agreed, HEADLINE["textvqa"]),
    "llava": Task((("conversations",),), read_llava, _same, HEADLINE["llava"]),
    "messages": Task((("messages",),), read_messages, _same, HEADLINE["messages"]),
    "qa": Task(SHAPES, read_question, _same, HEADLINE["qa"]),
}
"""By `task` in a preset's `data.sources`."""
