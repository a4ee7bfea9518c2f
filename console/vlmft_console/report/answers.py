"""Answers in a report: the kept questions of a run at its newest eval, JSON-able and as HTML."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vlmft_console.history.answer_rows import AnswerRow, answer_rows, right_of, worth
from vlmft_console.pictures.png import png
from vlmft_core.run_folder.answers import Answer, Answers


def answer_figures(kept: Answers) -> dict[str, Any] | None:
    """The answers of the eval made last; None where none are kept.

    Keys: `step` (0: the base alone), `right` (a line that says how many are), `questions` as `answer_dict` has them,
    `not_read` (lines of the file that are not understood).
    """
    if not kept.by_step:
        return None
    rows = answer_rows(kept, kept.newest)
    return {
        "step": kept.newest,
        "right": right_of(rows, kept.newest),
        "questions": [answer_dict(row) for row in rows],
        "not_read": kept.not_read,
    }


def answer_dict(row: AnswerRow) -> dict[str, Any]:
    """One question without its picture. Keys: `key`, `task`, `question`, `truth` (all right answers), `where` (its
    row), `image` (the first one's file, or null), `images` (how many), and `base` and `now`, each null or `answer`,
    `points` (0 to 1) and `worth` in a word.
    """
    question = row.question
    return {
        "key": question.key,
        "task": question.task,
        "question": question.question,
        "truth": list(question.truth),
        "where": question.where,
        "image": question.image or None,
        "images": question.images,
        "base": _answer(row.base),
        "now": _answer(row.now),
    }


def _answer(answer: Answer | None) -> dict[str, Any] | None:
    return None if answer is None else {"answer": answer.text, "points": answer.points, "worth": worth(answer)}


def _points(each: Mapping[str, Any]) -> float:
    """What the answer of now is worth; the base's, where only that was asked."""
    return float((each["now"] or each["base"])["points"])


def answers_html(found: Mapping[str, Any], kept: Answers, escaped: Callable[[Any], str]) -> Iterator[str]:
    """The answers as HTML.

    Args:
        found: from `answer_figures`.
        kept: the same, for the pictures.
        escaped: makes text harmless.
    """
    yield f"<h2>Answers</h2><p>{escaped(found['right'])}. The worst come first.</p>"
    yield '<div class="answers">'
    for each in sorted(found["questions"], key=_points):
        question = kept.questions.get(each["key"])
        shown = ""
        if question and question.picture:
            data = b64encode(png(question.picture)).decode()
            shown = f'<img alt="" width="{question.picture.width}" src="data:image/png;base64,{data}">'
        damaged = "<dt>picture</dt><dd>damaged in the run's folder</dd>" if question and question.damaged else ""
        judged = each["now"] or each["base"]
        style = judged["worth"] if judged["worth"] in ("right", "wrong") else "caution"
        sides = "".join(
            f"<dt>{name}</dt><dd>{escaped(each[name]['answer'])} <b>({escaped(each[name]['worth'])})</b></dd>"
            for name in ("base", "now")
            if each[name]
        )
        place = escaped(", ".join(filter(None, (each["task"], each["where"]))))
        yield (
            f'<article class="answer {style}">{shown}<dl><dt>question</dt><dd>{escaped(each["question"])}</dd>'
            f"<dt>truth</dt><dd>{escaped(' | '.join(each['truth']))}</dd>{sides}{damaged}"
            f'<dt class="dim">from</dt><dd class="dim">{place}</dd></dl></article>'
        )
    yield "</div>"
