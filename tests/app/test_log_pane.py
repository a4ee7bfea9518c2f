"""The end of the plain log: following, searching, and text that a terminal must not obey."""

from __future__ import annotations

from pathlib import Path

from tests.app.alone import Alone
from tests.app.looking import screen_text, until_shown
from vlmft_console.app.widgets.run.log_pane import KEPT_LINES, LogPane
from vlmft_console.history.text_tail import LONGEST_LINE, TextTail
from vlmft_core.run_folder.growing import CHUNK


async def test_the_newest_line_stays_in_view() -> None:
    pane = LogPane()
    app = Alone(pane)
    async with app.run_test(size=(40, 10)) as pilot:
        for number in range(100):
            pane.add([f"line {number}"])
            await pilot.pause()
            assert f"line {number}" in screen_text(app)


async def test_the_newest_line_stays_in_view_when_there_is_room_for_all_and_then_not_any_more() -> None:
    pane = LogPane()
    app = Alone(pane)
    async with app.run_test(size=(40, 10)) as pilot:
        pane.add([f"line {number}" for number in range(20)])
        await until_shown(pilot, "line 19")
        await pilot.resize_terminal(40, 40)
        await until_shown(pilot, "line 0")
        await pilot.resize_terminal(40, 10)
        pane.add([f"line {number}" for number in range(20, 60)])
        await until_shown(pilot, "line 59")


async def test_scrolling_up_stops_following_and_f_follows_again() -> None:
    pane = LogPane()
    app = Alone(pane)
    async with app.run_test(size=(40, 10)) as pilot:
        pane.add([f"line {number}" for number in range(100)])
        pane.log_lines.focus()
        await pilot.pause()
        await pilot.press("pageup")
        pane.add(["newest"])
        await pilot.pause()
        assert "newest" not in screen_text(app)
        await pilot.press("F")
        await until_shown(pilot, "newest")


async def test_search_finds_the_newest_first_and_goes_round() -> None:
    pane = LogPane()
    app = Alone(pane)
    async with app.run_test(size=(40, 10)) as pilot:
        pane.add([f"line {number}" + (" Warning [b]" if number % 40 == 7 else "") for number in range(100)])
        pane.log_lines.focus()
        await pilot.pause()
        await pilot.press("slash", *"warning", "enter")
        await until_shown(pilot, "line 87 Warning [b]")
        await until_shown(pilot, "match 3 of 3")
        await pilot.press("N")
        await until_shown(pilot, "line 47 Warning [b]")
        await pilot.press("n", "n")
        await until_shown(pilot, "line 7 Warning [b]")


async def test_a_search_in_vain_says_so() -> None:
    pane = LogPane()
    app = Alone(pane)
    async with app.run_test(size=(40, 10)) as pilot:
        pane.add(["one"])
        pane.log_lines.focus()
        await pilot.pause()
        await pilot.press("slash", *"two", "enter")
        await until_shown(pilot, "no line holds that")


async def test_escapes_and_markup_stand_there_as_they_are() -> None:
    pane = LogPane()
    app = Alone(pane)
    async with app.run_test(size=(80, 10)) as pilot:
        pane.add(["\x1b[31mred\x1b[0m", "[bold]x[/bold] [/nope] [@click=app.quit]y[/]", "a\tb"])
        await until_shown(pilot, "\\x1b[31mred\\x1b[0m")
        assert "[bold]x[/bold] [/nope] [@click=app.quit]y[/]" in screen_text(app)
        assert "a   b" in screen_text(app)


async def test_memory_is_bounded_and_the_newest_lines_are_kept() -> None:
    pane = LogPane()
    async with Alone(pane).run_test(size=(40, 10)) as pilot:
        pane.add([str(number) for number in range(3 * KEPT_LINES)])
        await pilot.pause()
        assert len(pane.log_lines.lines) <= KEPT_LINES
        assert pane.log_lines.lines[-1] == str(3 * KEPT_LINES - 1)


def test_a_long_log_is_read_from_near_its_end_at_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    lines = TextTail(log).read()
    assert lines[-1] == "line 99999"
    assert lines[0].startswith("line ")
    assert sum(map(len, lines)) < CHUNK


def test_lines_come_when_they_are_whole_and_the_rest_is_pending(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = TextTail(log)
    assert tail.read() == []
    log.write_text("one\ntw")
    assert (tail.read(), tail.pending) == (["one"], "tw")
    log.write_text("one\ntwo\n")
    assert (tail.read(), tail.pending) == (["two"], "")


def test_a_progress_bar_is_one_line_as_it_stood_last(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b" 10%|#\r 20%|##\r\n 30%|###\r 40%|####")
    tail = TextTail(log)
    assert (tail.read(), tail.pending) == ([" 20%|##"], " 40%|####")


def test_a_file_that_was_replaced_or_cut_is_read_anew(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\n")
    tail = TextTail(log)
    tail.read()
    for word in ("new", "now"):  # the second one is as long as the first
        log.write_text(f"{word}\n")
        assert tail.read() == [word]


def test_an_endless_line_takes_bounded_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * 1_000_000 + "\nend\n")
    lines = TextTail(log).read()
    assert lines[-1] == "end"
    assert all(len(line) <= LONGEST_LINE + 1 for line in lines)
