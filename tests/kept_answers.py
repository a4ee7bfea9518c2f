"""Kept answers of a run, for tests: as the trainer writes them, and hostile ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlmft_core.run_folder.answers import Answer, Question, add_answers, add_questions
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.picture import Picture

HOSTILE = "[red]x[/] [@click=app.quit]\x1b[2J\x1b]0;mine\x07\u202eright\u202c\nstep 9: right\t<script>alert(1)</script>"


def picture(width: int = 24, height: int = 18) -> Picture:
    """Red on the left, blue on the right."""
    row = b"\0" * (width // 2) + b"\1" * (width - width // 2)
    return Picture.of(width, height, row * height, b"\xff\x00\x00" + b"\x00\x00\xff")


def question(number: int, *, text: str = "", truth: Sequence[str] = (), task: str = "chartqa") -> Question:
    return Question(
        f"{number:016x}",
        task,
        text or f"How high is bar {number}?\nAnswer the question with a single word.",
        tuple(truth) or (str(number),),
        f"val.json, line {number}",
        f"png/{number}.png",
        1,
        picture(),
    )


def keep(run: Path, questions: Sequence[Question], said: dict[int, Sequence[str]]) -> None:
    """Keep answers, by step, to the questions in their order; what is the first right answer is right."""
    file = RunLayout(run).answers_file
    add_questions(file, questions)
    for step, texts in said.items():
        answers = {
            each.key: Answer(text, float(text == each.truth[0])) for each, text in zip(questions, texts, strict=True)
        }
        add_answers(file, step, questions[0].task, answers)


def spoil_pictures(run: Path) -> None:
    """Damage all pictures that a run keeps."""
    file = RunLayout(run).answers_file
    file.write_text(file.read_text().replace('"rows":"', '"rows":"AAAA'))


def three_evals(run: Path, count: int = 6) -> None:
    """The base knows nothing; at step 10 half of the questions are answered rightly, at step 20 all but the last."""
    questions = [question(number) for number in range(count)]
    right = [each.truth[0] for each in questions]
    half = [text if number % 2 else "no idea" for number, text in enumerate(right)]
    keep(run, questions, {0: ["no idea"] * count, 10: half, 20: [*right[:-1], "99"]})
