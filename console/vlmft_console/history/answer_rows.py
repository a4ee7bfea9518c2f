"""Answer rows: the kept questions of a run, each with what its base said and what the adapter says at one eval."""

from __future__ import annotations

from dataclasses import dataclass

from vlmft_core.figures import short
from vlmft_core.run_folder.answers import Answer, Answers, Question


@dataclass(frozen=True)
class AnswerRow:
    """One question and its answers. All its texts come from data and model."""

    question: Question
    base: Answer | None
    now: Answer | None

    @property
    def judged(self) -> Answer | None:
        """The adapter's answer; the base's, where only that was asked."""
        return self.now or self.base

    @property
    def wrong(self) -> bool:
        """Whether the answer does not count as right."""
        return self.judged is not None and not self.judged.right

    @property
    def changed(self) -> bool:
        """Whether the adapter says something else than its base."""
        return self.base is not None and self.now is not None and self.base.text != self.now.text


def answer_rows(kept: Answers, step: int, *, wrong: bool = False, changed: bool = False) -> list[AnswerRow]:
    """The questions that were asked at `step` (0: the base alone), in their order.

    Args:
        wrong: only those that were not answered rightly.
        changed: only those that the base answered in other words.
    """
    base, now = kept.by_step.get(0, {}), kept.by_step.get(step, {}) if step else {}
    asked = now if step else base
    known = {key: question for key, question in kept.questions.items() if key in asked}
    lost = {key: Question(key, "", "(the question is not kept)", (), "") for key in asked if key not in known}
    rows = [AnswerRow(question, base.get(key), now.get(key)) for key, question in (known | lost).items()]
    return [row for row in rows if (row.wrong or not wrong) and (row.changed or not changed)]


def first_words(text: str) -> str:
    """The first line that has words, and whether there are more: how to answer is often said below the question."""
    first, *more = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    return f"{first} …" if more else first


def worth(answer: Answer | None) -> str:
    """What an answer is worth, in a word; between right and wrong as a figure. Empty where nothing was answered."""
    if answer is None:
        return ""
    if answer.points in (0, 1):
        return "right" if answer.points else "wrong"
    return short(answer.points)


def said(answer: Answer | None) -> str:
    """What was answered."""
    return "-" if answer is None else answer.text or "(nothing)"


def right_of(rows: list[AnswerRow], step: int) -> str:
    """How many of the questions are answered rightly, by the base and now."""
    base = [row.base for row in rows if row.base]
    now = [row.now for row in rows if row.now]
    told = [f"base {_share(base)}"] if base else []
    return ", ".join([*told, *([f"step {step:,} {_share(now)}"] if now else [])])


def _share(answers: list[Answer]) -> str:
    return f"{sum(answer.right for answer in answers)} of {len(answers)} right"
