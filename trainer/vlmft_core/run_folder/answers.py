"""Answers in a run folder: what base and adapter said to the same few eval questions, at every eval.

JSON Lines of two kinds. One for each question: `key`, `task`, `question`, `truth` (what counts as right), `where` its
row stands, `image` (where the first one lies), `images` (how many), and `picture`, a small copy (`picture_line`). One
for each task at each eval: `step` (0 for the base), `task`, and `answers`, by key the text and what it was worth, 0 to
1. The keys are those of `scores`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from vlmft_core.durable import add_lines, open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.picture import Picture, picture_line, read_picture

MOST_QUESTIONS: Final = 50
"""Questions of a run."""
MOST_BYTES: Final = 24 << 20
"""A longer file is not made, and of one no more is read: 50 pictures take 0.4 MiB as charts, 4 as photos, 8 as mere
noise, an eval's answers some KiB."""
LONGEST: Final = 2_000
"""Characters of a question or an answer that are kept."""
RIGHT: Final = 0.5
"""An answer that is worth as much counts as right; in TextVQA, what two of ten people said is worth 0.6."""


@dataclass(frozen=True)
class Question:
    """One question that is asked at every eval."""

    key: str
    task: str
    question: str
    truth: tuple[str, ...]
    """The answers that count as right, each once."""
    where: str
    """Its row in the data set."""
    image: str = ""
    """Where its first image lies; empty for one that stands in the row itself, and for none."""
    images: int = 0
    picture: Picture | None = None
    """The first image."""
    damaged: bool = False
    """Whether a picture is kept that cannot be made out."""


@dataclass(frozen=True)
class Answer:
    """What was said to one question."""

    text: str
    points: float
    """What it is worth by its task's metric, 0 to 1."""

    @property
    def right(self) -> bool:
        """Whether it counts as right."""
        return self.points >= RIGHT


@dataclass
class Answers:
    """The answers of a run."""

    questions: dict[str, Question] = field(default_factory=dict)
    """By key, in the order in which they came up."""
    by_step: dict[int, dict[str, Answer]] = field(default_factory=dict)
    """By step and key; the eval made last stands last. An eval made again counts as made last."""
    not_read: int = 0
    """Lines that are something else, or torn; and 1 for what lies beyond `MOST_BYTES`."""
    unreadable: str = ""
    """That the file, which is there, cannot be read, and why."""

    @property
    def trouble(self) -> str:
        """What of the file was not taken in; empty where all of it was."""
        lines = f"lines of the run's answers that are not understood: {self.not_read:,}" if self.not_read else ""
        return self.unreadable or lines

    @property
    def evals(self) -> list[int]:
        """Steps at which the adapter was asked."""
        return sorted(step for step in self.by_step if step)

    @property
    def newest(self) -> int:
        """The step of the eval made last: of a run that has ended, the kept adapter's; 0 where only the base was
        asked."""
        return next((step for step in reversed(self.by_step) if step), 0)


def add_questions(file: Path, questions: Sequence[Question]) -> bool:
    """Add questions; False where the file has no room for them.

    Raises:
        OSError: they cannot be written.
    """
    return _add(file, [_line_of(question) for question in questions])


def add_answers(file: Path, step: int, task: str, answers: Mapping[str, Answer]) -> bool:
    """Add one task's answers at one eval; False where the file has no room for them.

    Raises:
        OSError: they cannot be written.
    """
    said = {key: [answer.text[:LONGEST], answer.points] for key, answer in answers.items()}
    return _add(file, [{"step": step, "task": task, "answers": said}])


def _line_of(question: Question) -> dict[str, Any]:
    return {
        "key": question.key,
        "task": question.task,
        "question": question.question[:LONGEST],
        "truth": [text[:LONGEST] for text in question.truth],
        "where": question.where,
        "image": question.image,
        "images": question.images,
        "picture": question.picture and picture_line(question.picture),
    }


def _add(file: Path, lines: Sequence[Mapping[str, Any]]) -> bool:
    return add_lines(file, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), MOST_BYTES)


def read_answers(file: Path) -> Answers:
    """What is kept of a run's answers; nothing where there is no such file: older runs have none."""
    found = Answers()
    try:
        file.lstat()
        with os.fdopen(open_regular(file), "rb") as opened:
            whole, _, torn = opened.read(MOST_BYTES).rpartition(b"\n")
            found.not_read = int(bool(torn) or bool(opened.read(1)))
    except (FileNotFoundError, NotADirectoryError):  # of a log that is a file
        return found
    except OSError as error:
        return Answers(unreadable=f"{file} cannot be read: {error.strerror}")
    except VlmftError as error:
        return Answers(unreadable=str(error))
    for line in whole.split(b"\n") if whole else ():
        try:
            _take(orjson.loads(line), found)
        except (ValueError, TypeError, KeyError, AttributeError):
            found.not_read += 1
    return found


def _take(value: Any, found: Answers) -> None:
    """Take in one line.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none of ours.
    """
    if "answers" in value:
        step = _count(value["step"])
        answers = {key: Answer(_text(text), _share(points)) for key, (text, points) in value["answers"].items()}
        found.by_step[step] = found.by_step.pop(step, {}) | answers
    else:
        key = _text(value["key"])
        if key not in found.questions and len(found.questions) >= 4 * MOST_QUESTIONS:
            raise ValueError("too many")
        found.questions[key] = Question(
            key,
            _text(value["task"]),
            _text(value["question"]),
            tuple(map(_text, _list(value["truth"]))),
            _text(value["where"]),
            _text(value["image"]),
            _count(value["images"]),
            *_picture(value["picture"]),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("list")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("count")
    return value


def _share(value: Any) -> float:
    points = float(value)
    if not (math.isfinite(points) and 0 <= points <= 1):
        raise ValueError("points")
    return points


def _picture(value: Any) -> tuple[Picture | None, bool]:
    """The picture, and whether it is damaged."""
    if value is None:
        return None, False
    try:
        return read_picture(value), False
    except (ValueError, TypeError, KeyError):
        return None, True
