"""Task metrics: ChartQA relaxed accuracy (Masry et al. 2022) and TextVQA accuracy (Singh et al. 2019).

Both follow what lmms-eval and EvalAI compute, so figures can be compared with published ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

HEADLINE: Final = {
    "chartqa": "relaxed_accuracy",
    "textvqa": "accuracy",
    "llava": "accuracy",
    "messages": "accuracy",
    "qa": "accuracy",
}
"""The one figure that stands for each task."""

TOLERANCE: Final = 0.05
"""How far a number may be off, as a share of the right one."""


def relaxed_match(prediction: str, gold: str) -> bool:
    """Whether a ChartQA answer counts as right: a number within 5 %, any other text equal but for its case."""
    predicted, right = _number(prediction), _number(gold)
    if predicted is not None and right:
        return abs(predicted - right) / abs(right) <= TOLERANCE
    return prediction.lower() == gold.lower()


def _number(text: str) -> float | None:
    """The number that `text` is; a percentage is a share of one; None if it is not a number."""
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def textvqa_accuracy(prediction: str, answers: Sequence[str]) -> float:
    """Agreement with ten people, 0 to 1: for each of them, a third of a point for each of the nine others who gave
    the predicted answer, at most one point; the mean of the ten. All answers are normalised first.
    """
    predicted = normalise(prediction)
    agrees = [normalise(answer) == predicted for answer in answers]
    return sum(min(1.0, (sum(agrees) - agree) / 3) for agree in agrees) / len(agrees)


def most_of_textvqa(answers: Sequence[str]) -> float:
    """The highest accuracy that any prediction can reach: below 1 where fewer than four people agree."""
    return max((textvqa_accuracy(answer, answers) for answer in answers), default=0.0)


def normalise(answer: str) -> str:
    """An answer as EvalAI compares it: lower case, punctuation, articles, number words and contractions evened out."""
    text = answer.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    spaced = text
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in spaced or f" {mark}" in spaced
        text = text.replace(mark, "" if beside_space else " ")
    text = re.sub(r"\.(?!\d)", "", text)
    words = (_NUMBERS.get(word, word) for word in text.split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


_PUNCTUATION: Final = ';/[]"{}()=+\\_-><@`,?!'
_ARTICLES: Final = frozenset({"a", "an", "the"})
_NUMBER_WORDS: Final = "zero one two three four five six seven eight nine ten"
_NUMBERS: Final = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBER_WORDS.split())}
_CONTRACTED: Final = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
    he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've
    must've mustn't needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've
    somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've
    something'll that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas
    wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've
    who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've
    you'd you'd've you'll you're you've
"""
_CONTRACTIONS: Final = {
    # Each word as it is written when one apostrophe is forgotten.
    word[:at] + word[at + 1 :]: word
    for word in _CONTRACTED.split()
    for at in range(len(word))
    if word[at] == "'"
} | {"somebody'd": "somebodyd"}  # EvalAI's own table has this one the wrong way round
