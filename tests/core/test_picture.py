"""Pictures in a run folder: of one format, bounded, and either whole or told as damaged."""

from __future__ import annotations

import json
import random
import tracemalloc
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from vlmft_core.run_folder.answers import MOST_BYTES, MOST_QUESTIONS, Answer, Question, add_answers, add_questions
from vlmft_core.run_folder.answers import read_answers as read
from vlmft_core.run_folder.picture import COLOURS, LONG_SIDE, SHORT_SIDE, Picture, picture_line, read_picture

RED_BLUE = b"\xff\x00\x00\x00\x00\xff"
BOMB = zlib.compress(bytes(64 << 20), 9)


def line(size: Any = (3, 2), palette: Any = "ff00000000ff", rows: bytes = b"\0\0\1\0\0\1\1\1") -> Any:
    """A picture of three by two pixels in JSON, or a damaged one."""
    return {"size": list(size), "palette": palette, "rows": b64encode(zlib.compress(rows, 9)).decode()}


def noise(width: int, height: int) -> Picture:
    """As little to be deflated as a picture can be."""
    chance = random.Random(1)
    return Picture.of(width, height, chance.randbytes(width * height), chance.randbytes(3 * COLOURS))


def kept(file: Path, value: Any) -> Question:
    """A question with this picture, as it is read."""
    add_questions(file, [Question("k", "chartqa", "q", (), "val.json, line 1", images=1)])
    file.write_text(file.read_text().replace('"picture":null', f'"picture":{json.dumps(value)}'))
    add_answers(file, 8, "chartqa", {"k": Answer("7", 1.0)})
    found = read(file)
    assert (found.not_read, found.evals) == (0, [8])
    return found.questions["k"]


def test_a_picture_is_read_as_it_was_kept() -> None:
    shown = Picture.of(3, 2, b"\0\1\0\1\1\1", RED_BLUE)
    red, blue = RED_BLUE[:3], RED_BLUE[3:]
    assert read_picture(picture_line(shown)) == shown
    assert read_picture(line()) == shown
    assert shown.pixels() == red + blue + red + 3 * blue
    assert read_picture(picture_line(Picture.of(2, 1, b"abcdef"))).pixels() == b"abcdef"


def test_a_picture_of_an_older_run_is_still_seen(tmp_path: Path) -> None:
    question = kept(tmp_path / "answers.jsonl", {"size": [96, 72], "pixels": "0a141e" * 96 * 72})
    assert question.picture is not None
    assert (question.picture.width, question.picture.height) == (96, 72)
    assert question.picture.pixels() == bytes([10, 20, 30]) * 96 * 72


@pytest.mark.parametrize(
    "value",
    [
        0,
        [],
        "abc",
        {},
        {"size": [3, 2]},
        line((3, 3)),
        line((0, 2)),
        line((-3, -2)),
        line((3.0, 2)),
        line((True, 2)),
        line((8, 1), rows=b"\0\0\1\0\0\1\1\1"),
        line((LONG_SIDE + 1, 1), rows=bytes(LONG_SIDE + 2)),
        line((SHORT_SIDE + 1,) * 2, rows=bytes((SHORT_SIDE + 2) * (SHORT_SIDE + 1))),
        line(palette=None),
        line(palette="ff00"),
        line(palette=RED_BLUE[:3].hex()),
        line(palette="00" * 3 * (COLOURS + 1)),
        line(palette="nonsense"),
        line(rows=b"\1\0\1\0\0\1\1\1"),
        line(rows=b"\0\0\1\2\0\1\1\1"),
        line(rows=b"\0\0\1\0\0\1\1"),
        {**line(), "rows": "!!!"},
        {**line(), "rows": None},
        {**line(), "rows": line()["rows"][:8]},
        {**line(), "rows": b64encode(zlib.compress(b"\0\0\1\0\0\1\1\1") + b"more").decode()},
        {**line(), "rows": b64encode(b"nonsense").decode()},
        {"size": [96, 72], "pixels": "00"},
        {"size": [2, 1], "pixels": 12},
        {"size": [1, 400], "pixels": "00" * 1200},
    ],
)
def test_a_damaged_picture_takes_neither_its_question_nor_its_answers_with_it(tmp_path: Path, value: Any) -> None:
    question = kept(tmp_path / "answers.jsonl", value)
    assert question.picture is None
    assert question.damaged


@pytest.mark.parametrize("size", [(3, 2), (LONG_SIDE, SHORT_SIDE)])
def test_of_a_bomb_no_more_is_inflated_than_a_picture_has(size: tuple[int, int]) -> None:
    value = {**line(size), "rows": b64encode(BOMB).decode()}
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="rows"):
            read_picture(value)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_largest_pictures_of_all_questions_leave_two_thirds_of_the_file_for_answers(tmp_path: Path) -> None:
    file, shown = tmp_path / "answers.jsonl", noise(LONG_SIDE, SHORT_SIDE)
    questions = [
        Question(str(number), "chartqa", "q", (), "val.json", images=1, picture=shown)
        for number in range(MOST_QUESTIONS)
    ]
    assert add_questions(file, questions)
    assert file.stat().st_size < 8_000_000 < MOST_BYTES / 3
    assert read(file).questions == {question.key: question for question in questions}
