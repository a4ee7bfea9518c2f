"""The task metrics, against their definitions."""

from __future__ import annotations

import pytest

from vlmft_core.scoring.metrics import normalise, relaxed_match, textvqa_accuracy


@pytest.mark.parametrize(
    ("prediction", "gold", "right"),
    [
        ("100", "100", True),
        ("105", "100", True),
        ("105.1", "100", False),
        ("95", "100", True),
        ("-95", "-100", True),
        ("12%", "0.12", True),
        ("12%", "12", False),
        ("0", "0", True),
        ("0.0", "0", False),  # no relative error from 0: the texts are compared
        ("Yes", "yes", True),
        ("yes.", "yes", False),
        ("", "yes", False),
        ("100", "a hundred", False),
        ("nan", "100", False),
        ("1,000", "1000", False),
        ("0.12", "12%", True),
        ("11.5%", "12%", True),
        ("11.41%", "0.12", True),
        ("-95", "100", False),
        ("1e2", "100", True),
        (" 100 ", "100", True),
        ("0%", "0", False),
        ("inf", "100", False),
        ("inf", "inf", False),  # no relative distance either
    ],
)
def test_relaxed_match_allows_numbers_five_percent_and_texts_their_case(
    prediction: str, gold: str, right: bool
) -> None:
    assert relaxed_match(prediction, gold) is right


@pytest.mark.parametrize(
    ("answer", "same_as"),
    [
        ("The  Dog", "dog"),
        ("two dogs", "2 dogs"),
        ("none", "0"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("somebody'd", "somebodyd"),
        ("John's", "john 's"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("end.", "end"),
        ("e-mail", "e mail"),
        ("e- mail", "e mail"),
        ("e-mail - x", "email x"),  # beside a space in one place, so dropped in all
        ("x -e-mail", "x email"),
        ("an apple", "apple"),
        ("a the an", ""),
        ("yes!", "yes"),
        ("line\nbreak", "line break"),
    ],
)
def test_normalise_evens_out_what_evalai_does(answer: str, same_as: str) -> None:
    assert normalise(answer) == same_as


@pytest.mark.parametrize(("agreeing", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_textvqa_accuracy_leaves_out_each_person_in_turn(agreeing: int, accuracy: float) -> None:
    answers = ["Red"] * agreeing + ["blue"] * (10 - agreeing)
    assert textvqa_accuracy("the red", answers) == pytest.approx(accuracy)
