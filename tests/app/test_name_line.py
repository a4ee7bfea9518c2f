"""The line of a screen that names a run or a preset: what it shows where there is no room for all."""

import pytest
from textual.app import App, ComposeResult

from tests.app.looking import until_shown
from vlmft_console.app.widgets.base.name_line import NameLine

LONG = "a-sweep-over-the-learning-rate-on-charts-lr3e-5-seed-084"


class Shown(App[None]):
    """A name line alone."""

    def __init__(self, before: str, name: str, after: str) -> None:
        super().__init__()
        self._said = before, name, after

    def compose(self) -> ComposeResult:
        yield NameLine()

    def on_mount(self) -> None:
        self.query_one(NameLine).show(*self._said)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (100, f"answers of {LONG}  step 125 (2 of 2)"),
        (60, "answers of a-sweep-ove…ts-lr3e-5-seed-084  step 125 (2 of 2)"),
        (40, "answers of a-swee…-seed-084  step 125 (…"),
    ],
)
async def test_a_name_is_cut_in_its_middle_and_what_is_said_of_it_stays(width: int, line: str) -> None:
    app = Shown("answers of ", LONG, "  step 125 (2 of 2)")
    async with app.run_test(size=(width, 3)) as pilot:
        await until_shown(pilot, line)
