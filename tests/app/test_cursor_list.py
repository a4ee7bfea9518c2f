"""Lists and tables with a cursor."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot

from tests.app.alone import Alone
from tests.app.looking import screen_text, until, until_shown
from vlmft_console.app.widgets.base.cells import Cell, ColumnSpec
from vlmft_console.app.widgets.base.column_table import ColumnTable, TableRow
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.row_list import ListRow, RowList


class Told(Alone):
    """An app that writes down what its list says."""

    def __init__(self, widget: CursorList) -> None:
        super().__init__(widget)
        self.told: list[str] = []

    def on_cursor_list_moved(self, message: CursorList.Moved) -> None:
        self.told.append(f"moved to {message.key}")

    def on_cursor_list_chosen(self, message: CursorList.Chosen) -> None:
        self.told.append(f"chose {message.key}")


def rows(*keys: str) -> list[ListRow]:
    return [ListRow(key, (Cell(""), Cell(key))) for key in keys]


def a_list() -> RowList:
    return RowList((ColumnSpec("", 1), ColumnSpec("thing", 8)))


def lines(app: App[None]) -> list[str]:
    return [line[:16].strip() for line in screen_text(app).splitlines()]  # without the scroll bar


async def seen(pilot: Pilot[None], *expected: str) -> None:
    await until(pilot, lambda: lines(pilot.app)[1 : len(expected) + 1] == [*expected])


async def test_the_view_moves_no_further_than_the_cursor_needs() -> None:
    names = [f"row-{number}" for number in range(9)]
    shown = a_list()
    async with Told(shown).run_test(size=(20, 5)) as pilot:
        shown.show(rows(*names))
        await seen(pilot, *names[:4])
        await pilot.press("j", "j", "j", "j")
        await seen(pilot, *names[1:5])
        await pilot.press("k", "k", "k")
        await seen(pilot, *names[1:5])
        await pilot.press("k")
        await seen(pilot, *names[:4])
        await pilot.press("pagedown", "pagedown")
        await seen(pilot, *names[3:7])
        await pilot.press("G")
        await seen(pilot, *names[5:])
        assert lines(pilot.app)[0] == "thing"
        assert shown.visible_keys() == names[5:]
        await pilot.press("g")
        await seen(pilot, *names[:4])


async def test_the_cursor_is_in_view_after_the_terminal_has_shrunk() -> None:
    shown = a_list()
    async with Told(shown).run_test(size=(20, 12)) as pilot:
        shown.show(rows(*"abcdefgh"))
        await pilot.press("G")
        await pilot.resize_terminal(20, 4)
        await seen(pilot, "f", "g", "h")


async def test_a_click_moves_and_a_double_one_chooses() -> None:
    shown = a_list()
    app = Told(shown)
    async with app.run_test(size=(20, 8)) as pilot:
        shown.show(rows("a", "b", "c"))
        await until(pilot, lambda: app.told == ["moved to a"])
        await pilot.click(RowList, offset=(3, 3))
        await pilot.click(RowList, offset=(3, 0))  # the titles
        await pilot.click(RowList, offset=(3, 5))  # below the last row
        await pilot.double_click(RowList, offset=(3, 2))
        await until(pilot, lambda: len(app.told) > 3)
        assert app.told == ["moved to a", "moved to c", "moved to b", "chose b"]


async def test_the_cursor_stays_on_its_thing_or_else_on_its_place() -> None:
    shown = a_list()
    app = Told(shown)
    async with app.run_test(size=(20, 8)) as pilot:
        shown.show(rows("a", "b", "c"))
        await pilot.press("j")
        shown.show(rows("x", "y", "b", "c"))
        assert shown.cursor == "b"
        shown.show(rows("x", "y", "c"), marked={"x"})
        await until(pilot, lambda: app.told == ["moved to a", "moved to b", "moved to c"])
        assert lines(app)[1:4] == ["● x", "y", "c"]
        shown.show(())
        await until(pilot, lambda: app.told[-1] == "moved to ")
        assert (shown.cursor, lines(app)[1]) == ("", "")


async def test_only_lines_that_changed_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = a_list()
    async with Told(shown).run_test(size=(20, 8)) as pilot:
        shown.show(rows("a", "b", "c", "d"))
        await until_shown(pilot, "d")
        drawn: list[int] = []
        draw = RowList.render_line
        monkeypatch.setattr(RowList, "render_line", lambda self, y: (drawn.append(y), draw(self, y))[1])
        shown.show(rows("a", "b", "X", "d"))
        await until_shown(pilot, "X")
        assert set(drawn) == {3}
        drawn.clear()
        await pilot.press("j")
        await until(pilot, lambda: set(drawn) == {1, 2})


@pytest.mark.parametrize("name", ["e\u0301\u0301\u0301", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "漢字"])
async def test_what_changes_behind_signs_without_a_cell_of_their_own_is_drawn(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shown = a_list()
    async with Told(shown).run_test(size=(20, 8)) as pilot:
        shown.show(rows("a", f"{name} ..."))
        await until_shown(pilot, "...")
        drawn: list[Region] = []
        monkeypatch.setattr(shown, "refresh", lambda *regions, **_: drawn.extend(regions))
        shown.show(rows("a", f"{name} 100"))
        first = cell_len(f"  {name} ")
        assert any(region.y == 2 and region.x <= first and region.right >= first + 3 for region in drawn)


async def test_a_table_has_its_cursor_over_columns_and_says_nothing_of_what_it_is_told() -> None:
    table = ColumnTable()
    app = Told(table)
    async with app.run_test(size=(60, 5)) as pilot:
        lines_of_it = [TableRow(Cell(f"line {number}"), (Cell("1"), Cell("2"))) for number in range(9)]
        table.show_table(("one", "two"), lines_of_it, "two")
        await until(pilot, lambda: table.show_vertical_scrollbar and "[two]" in screen_text(app))
        await pilot.press("j", "j")
        await until_shown(pilot, "line 5")
        assert "line 1" not in screen_text(app)
        assert app.told == []
        await pilot.press("left")
        await until_shown(pilot, "[one]")
        await pilot.press("G")
        await until_shown(pilot, "line 8")
        assert app.told == ["moved to one"]


@pytest.mark.parametrize("width", range(30, 61))
async def test_the_last_column_of_a_table_is_not_under_its_scroll_bar(width: int) -> None:
    table = ColumnTable()
    async with Told(table).run_test(size=(width, 5)) as pilot:
        cells = tuple(Cell(f"a-value-{number}") for number in range(4))
        table.show_table([f"run-{number}" for number in range(4)], [TableRow(Cell("line"), cells)] * 9, "run-3")
        await until(pilot, lambda: table.show_vertical_scrollbar)
        await until_shown(pilot, "a-value-3")
        assert not any(table.render_line(y).crop(table.scrollable_content_region.width).text.strip() for y in range(5))
