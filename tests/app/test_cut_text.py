"""A text of which a screen shows as much as it has room for."""

from __future__ import annotations

import pytest

from tests.app.alone import Alone
from tests.app.looking import screen_text, until_shown
from vlmft_console.app.widgets.base.cut_text import CutText

LATIN = "one two three four five six"
CHINESE = "图表问答数据集的学习率"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two", ["one two"]),
        (LATIN, ["one two", "three four…"]),
        (CHINESE, ["图表问答数据", "集的学习率"]),
        (CHINESE * 2, ["图表问答数据", "集的学习率…"]),
        ("[b]one[/b] two\x1b three four", ["[b]one[/b]", "two\\x1b…"]),
    ],
)
async def test_what_there_is_no_room_for_is_said_to_be_left_out(text: str, lines: list[str]) -> None:
    cut = CutText()
    cut.styles.max_height = 2
    app = Alone(cut)
    async with app.run_test(size=(12, 5)) as pilot:
        cut.show(text)
        await until_shown(pilot, lines[-1])
        assert [line.rstrip() for line in screen_text(app).splitlines()][: len(lines)] == lines


async def test_a_text_that_was_cut_is_whole_once_there_is_room_again() -> None:
    cut = CutText()
    cut.styles.max_height = 1
    async with Alone(cut).run_test(size=(20, 5)) as pilot:
        cut.show(LATIN)
        await until_shown(pilot, "one two three four…")
        cut.styles.max_height = 4  # as a class of the screen does on a taller terminal
        await until_shown(pilot, "five six")
