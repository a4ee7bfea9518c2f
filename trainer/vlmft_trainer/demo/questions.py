"""Demo questions of two families: what the base is pre-trained on, and the house style it is fine-tuned to.

Both ask about the same kinds of picture. The house style differs in what a fine-tuning has to teach: its charts'
axis ends at 50 instead of 100, so every height means another number; its questions are worded as the base has never
seen; and a sign is named by its word and its colour together.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from vlmft_trainer.demo.charts import (
    LEVELS,
    BarChart,
    Sign,
    Style,
    draw_chart,
    draw_sign,
    random_chart,
    random_sign,
)

CHART_SUFFIX = "\nAnswer the question with a single word."
SIGN_SUFFIX = "\nAnswer the question using a single word or phrase."
"""What lmms-eval puts after a question of ChartQA and of TextVQA."""

BASE_AXIS_TOP = 100
HOUSE_AXIS_TOP = 50
HOUSE_STYLE = Style(paper=(24, 34, 60), ink=(225, 232, 245), axis_top=HOUSE_AXIS_TOP, jitter=10, grid=True)


@dataclass(frozen=True)
class Question:
    """A question and its answer. `reading` says that a number is read off the axis."""

    text: str
    answer: str
    reading: bool = False


def base_style(rng: random.Random) -> Style:
    """A random look with the axis up to 100: light or dark paper, with or without a grid."""
    paper = rng.randint(225, 255) if rng.random() < 0.5 else rng.randint(5, 55)
    red, green, blue = (max(0, min(255, paper + rng.randint(-15, 15))) for _ in range(3))
    ink = rng.randint(0, 40) if paper > 128 else rng.randint(215, 255)
    return Style((red, green, blue), (ink, ink, ink), BASE_AXIS_TOP, jitter=18, grid=rng.random() < 0.6)


def base_chart(rng: random.Random, questions: int) -> tuple[Image.Image, list[Question]]:
    """A pre-training chart, its description and `questions` random questions, each ready as a prompt."""
    chart, style = random_chart(rng), base_style(rng)
    asked = [_base_chart_question(chart, rng) for _ in range(questions)]
    asked = [Question(q.text + CHART_SUFFIX, q.answer, q.reading) for q in asked]
    bars = zip(chart.letters, chart.colours, chart.levels, strict=True)
    told = ", ".join(f"{letter} {colour} {level * BASE_AXIS_TOP // LEVELS}" for letter, colour, level in bars)
    return draw_chart(chart, style, rng), [Question("Describe the chart.", told), *asked]


def base_sign(rng: random.Random, questions: int) -> tuple[Image.Image, list[Question]]:
    """A pre-training sign, its description and `questions` random questions, each ready as a prompt."""
    sign, style = random_sign(rng), base_style(rng)
    asked = [_base_sign_question(sign, rng) for _ in range(questions)]
    asked = [Question(q.text + SIGN_SUFFIX, q.answer, q.reading) for q in asked]
    told = f"{sign.colour} {sign.word}"
    return draw_sign(sign, style, rng), [Question("Describe the sign.", told), *asked]


def house_chart(rng: random.Random) -> tuple[Image.Image, Question]:
    """A chart and one question of the fine-tuning task, without the prompt suffix."""
    chart = random_chart(rng)
    question = _house_chart_question(chart, rng)
    return draw_chart(chart, HOUSE_STYLE, rng), question


def house_sign(rng: random.Random) -> tuple[Image.Image, Question]:
    """A sign and one question of the fine-tuning task, without the prompt suffix."""
    sign = random_sign(rng)
    question = _house_sign_question(sign, rng)
    return draw_sign(sign, HOUSE_STYLE, rng), question


def _base_chart_question(chart: BarChart, rng: random.Random) -> Question:
    bar = rng.randrange(len(chart.letters))
    letter, colour = chart.letters[bar], chart.colours[bar]
    value = str(chart.levels[bar] * BASE_AXIS_TOP // LEVELS)
    high, low = _extremes(chart)
    name = rng.choice([letter, f"bar {letter}", f"the bar {letter}"])
    most = rng.choice(["highest", "tallest", "largest"])
    least = rng.choice(["lowest", "shortest", "smallest"])
    kinds: list[tuple[int, Callable[[], Question]]] = [
        (8, lambda: Question(
            rng.choice([
                f"What is the value of {name}?", f"How high is {name}?", f"What value does {name} show?",
                f"Read the value of {name}.", f"How much is {name}?",
            ]), value, reading=True)),
        (3, lambda: Question(
            rng.choice([f"Which bar is the {most}?", f"What is the {most} bar?", f"Name the {most} bar."]),
            chart.letters[high])),
        (3, lambda: Question(
            rng.choice([f"Which bar is the {least}?", f"What is the {least} bar?", f"Name the {least} bar."]),
            chart.letters[low])),
        (1, lambda: Question(
            rng.choice(["How many bars are there?", "How many bars does the chart show?", "Count the bars."]),
            str(len(chart.letters)))),
        (1, lambda: Question(f"What colour is the {most} bar?", chart.colours[high])),
        (1, lambda: Question(f"What colour is the {least} bar?", chart.colours[low])),
        (2, lambda: Question(
            rng.choice([f"What colour is bar {letter}?", f"What is the colour of {letter}?"]), colour)),
    ]  # fmt: skip
    return _choose(kinds, rng)


def _base_sign_question(sign: Sign, rng: random.Random) -> Question:
    where = rng.choice(["the sign", "the board", "this sign"])
    kinds: list[tuple[int, Callable[[], Question]]] = [
        (4, lambda: Question(
            rng.choice([f"What does {where} say?", f"What is written on {where}?", f"Read the word on {where}."]),
            sign.word)),
        (1, lambda: Question(f"What colour is {where}?", sign.colour)),
        (1, lambda: Question(f"How many letters are on {where}?", str(len(sign.word)))),
    ]  # fmt: skip
    return _choose(kinds, rng)


def _house_chart_question(chart: BarChart, rng: random.Random) -> Question:
    bar = rng.randrange(len(chart.letters))
    letter, colour = chart.letters[bar], chart.colours[bar]
    value = str(chart.levels[bar] * HOUSE_AXIS_TOP // LEVELS)
    high, low = _extremes(chart)
    kinds: list[tuple[int, Callable[[], Question]]] = [
        (5, lambda: Question(f"What does the chart show for {letter}?", value, reading=True)),
        (4, lambda: Question(f"Bar {letter} is how high?", value, reading=True)),
        (2, lambda: Question("Name the bar that is the highest.", chart.letters[high])),
        (2, lambda: Question("Name the bar that is the lowest.", chart.letters[low])),
        (1, lambda: Question(f"The bar {letter} is what colour?", colour)),
        (1, lambda: Question("What number of bars does this chart show?", str(len(chart.letters)))),
    ]  # fmt: skip
    return _choose(kinds, rng)


def _house_sign_question(sign: Sign, rng: random.Random) -> Question:
    kinds: list[tuple[int, Callable[[], Question]]] = [
        (2, lambda: Question("Which sign is this?", f"{sign.word} in {sign.colour}")),
        (1, lambda: Question("What colour does this board show?", sign.colour)),
        (1, lambda: Question("The word on this board is what?", sign.word)),
    ]  # fmt: skip
    return _choose(kinds, rng)


def _extremes(chart: BarChart) -> tuple[int, int]:
    """Where the highest and the lowest bar are."""
    return chart.levels.index(max(chart.levels)), chart.levels.index(min(chart.levels))


def _choose(kinds: list[tuple[int, Callable[[], Question]]], rng: random.Random) -> Question:
    """One question, kinds drawn by their weights."""
    (make,) = rng.choices([make for _, make in kinds], weights=[weight for weight, _ in kinds])
    return make()
