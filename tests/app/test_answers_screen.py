"""What base and adapter answer: the list, eval by eval, what is wrong or changed, and the picture."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from rich.color import ColorSystem
from textual.pilot import Pilot
from textual.widgets import Static

from tests.app.looking import screen_text, until, until_shown
from tests.in_kitty import Told
from tests.kept_answers import HOSTILE, keep, picture, question, spoil_pictures, three_evals
from tests.run_folders import ended_run
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.kitty_images import KittyImages
from vlmft_console.app.screens import answers
from vlmft_console.app.screens.answers import AnswersScreen
from vlmft_console.app.screens.live import LiveScreen
from vlmft_console.app.widgets.run.answer_detail import AnswerText
from vlmft_console.app.widgets.run.picture_view import PictureView
from vlmft_core.run_folder.answers import Answer, Answers, add_answers, read_answers
from vlmft_core.run_folder.layout import RunLayout

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def run(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run, and a terminal of 16 million colours."""
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return ended_run(machine / "outputs", "one").path


@asynccontextmanager
async def opened(run: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[None]]:
    app = VlmftConsole()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(AnswersScreen(run))
        yield pilot


def rows(pilot: Pilot[None]) -> list[str]:
    """The lines of the list that show a question."""
    return [line for line in screen_text(pilot.app).splitlines() if line.startswith(("right ", "wrong "))]


def colours(pilot: Pilot[None]) -> set[tuple[int, int, int]]:
    """The colours of the picture."""
    view = pilot.app.screen.query_one(PictureView)
    styles = [style for line in range(view.size.height) for text, style, _ in view.render_line(line) if text == "▀"]
    return {tuple(style.color.triplet) for style in styles if style and style.color and style.color.triplet}


@pytest.mark.parametrize("size", SIZES)
async def test_each_question_has_its_row_and_the_one_under_the_cursor_its_words_and_picture(
    run: Path, size: tuple[int, int]
) -> None:
    three_evals(run)
    async with opened(run, size) as pilot:
        await until_shown(pilot, "base 0 of 6 right, step 20 5 of 6 right")
        assert [line.split()[0] for line in rows(pilot)] == ["right"] * 5 + ["wrong"]
        assert all("✗ no idea" in line for line in rows(pilot))
        await pilot.press("G")
        await until_shown(pilot, "How high is bar 5?\n".strip())
        await until_shown(pilot, "99  (wrong)")
        await until(pilot, lambda: colours(pilot) == {(255, 0, 0), (0, 0, 255)})
        assert pilot.app.screen.query_one(PictureView).size.width == 24 * min(
            1, 2 * pilot.app.screen.query_one(PictureView).size.height / 18
        )


async def test_left_and_right_go_from_eval_to_eval_and_the_base_is_the_first(run: Path) -> None:
    three_evals(run)
    async with opened(run) as pilot:
        await until_shown(pilot, "step 20 (3 of 3, newest)")
        await pilot.press("right")
        await until_shown(pilot, "step 20 (3 of 3, newest)")
        await pilot.press("left")
        await until_shown(pilot, "step 10 (2 of 3)")
        assert [line.split()[0] for line in rows(pilot)] == ["wrong", "right"] * 3
        await pilot.press("left", "left")
        await until_shown(pilot, "base alone (1 of 3)")
        assert {line.split()[0] for line in rows(pilot)} == {"wrong"}


async def test_only_what_is_wrong_or_changed_stays_when_wanted(run: Path) -> None:
    three_evals(run)
    async with opened(run) as pilot:
        await until_shown(pilot, "newest")
        await pilot.press("w")
        await until_shown(pilot, "only wrong")
        assert [line.split()[0] for line in rows(pilot)] == ["wrong"]
        await pilot.press("left", "w", "c")
        await until_shown(pilot, "only changed")
        assert [line.split()[0] for line in rows(pilot)] == ["right"] * 3
        await pilot.press("w")
        await until_shown(pilot, "Every answer is hidden")
        await pilot.press("w", "c")
        await until(pilot, lambda: len(rows(pilot)) == 6)


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_what_is_shown_alone_is_said_on_every_screen(run: Path, size: tuple[int, int]) -> None:
    named = run.rename(run.with_name("a-sweep-over-the-learning-rate-of-the-charts-lr3e-5-seed-084"))
    three_evals(named)
    async with opened(named, size) as pilot:
        await until_shown(pilot, "base 0 of 6")
        await pilot.press("c", "w")
        await until(pilot, lambda: "1 shown, only wrong and changed" in " ".join(screen_text(pilot.app).split()))
        if size[1] >= 20:
            await until_shown(pilot, "seed-084  step 20 (3 of 3, newest)")


async def test_while_the_answers_are_read_their_run_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three_evals(run)
    read = Event()

    def slowly(file: Path) -> Answers:
        read.wait(60)
        return read_answers(file)

    monkeypatch.setattr(answers, "read_answers", slowly)
    async with opened(run) as pilot:
        await until_shown(pilot, f"answers of {run.name}")
        await until_shown(pilot, "reading …")
        read.set()
        await until_shown(pilot, "step 20 (3 of 3, newest)")


async def test_a_new_eval_is_shown_as_it_comes_unless_another_one_is_looked_at(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "FOLLOW_SECONDS", 0.01)
    three_evals(run, 1)
    file, said = RunLayout(run).answers_file, {question(0).key: Answer("new", 0.0)}
    async with opened(run) as pilot:
        await until_shown(pilot, "step 20 (3 of 3, newest)")
        add_answers(file, 30, "chartqa", said)
        await until_shown(pilot, "step 30 (4 of 4, newest)")
        await pilot.press("left")
        await until_shown(pilot, "step 20 (3 of 4)")
        add_answers(file, 40, "chartqa", said)
        await until_shown(pilot, "step 20 (3 of 5)")


async def test_the_answers_are_opened_from_the_run_and_left_for_it(run: Path) -> None:
    three_evals(run)
    async with VlmftConsole(run).run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "v answers")
        await pilot.press("v")
        await until_shown(pilot, "answers of one")
        await until_shown(pilot, "w wrong")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))


async def test_damaged_answers_are_not_taken_for_none(run: Path) -> None:
    RunLayout(run).answers_file.write_text("damaged\n")
    async with opened(run) as pilot:
        await until_shown(pilot, "Lines of the run's answers that are not understood: 1")
        assert "No answers" not in screen_text(pilot.app)


async def test_a_run_without_answers_says_why(run: Path) -> None:
    async with opened(run) as pilot:
        await until_shown(pilot, "No answers are kept: none were given yet")
        await pilot.press("left", "right", "w", "c", "tab", "j")
        assert str(pilot.app.screen.query_one("#told", Static).content).endswith("before answers were kept.")


@pytest.mark.parametrize("size", [(40, 12), *SIZES])
async def test_hostile_answers_are_text_and_cannot_pass_for_another_line(run: Path, size: tuple[int, int]) -> None:
    keep(run, [question(1, text=HOSTILE, truth=[HOSTILE])], {0: [HOSTILE * 40], 10: ["7\n\nnow       7  (right)"]})
    async with opened(run, size) as pilot:
        await until_shown(pilot, "\\x1b[2J")
        await pilot.press("tab", "j", "j", "G")
        shown = screen_text(pilot.app)
        assert not set(shown) & set("\x1b\x07\u202e\t")
        labels = [line[0][0].strip() for line in pilot.app.screen.query_one(AnswerText).shown]
        assert [label for label in labels if label] == ["question", "truth", "base", "now", "from"]
        assert pilot.app.is_running


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"COLORTERM": "", "TERM": "xterm"}], ids=["none", "16"])
async def test_without_colours_the_picture_is_not_drawn_and_that_is_said(
    run: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, str]
) -> None:
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    three_evals(run)
    async with opened(run) as pilot:
        await until_shown(pilot, "not drawn: that takes 256 colours")
        assert colours(pilot) == set()


async def test_a_damaged_picture_is_told_and_everything_else_is_shown(run: Path) -> None:
    three_evals(run)
    spoil_pictures(run)
    async with opened(run) as pilot:
        await until_shown(pilot, "base 0 of 6 right, step 20 5 of 6 right")
        await until_shown(pilot, "damaged in the run's folder")
        assert len(rows(pilot)) == 6
        assert colours(pilot) == set()


async def test_a_large_picture_keeps_its_shape_within_the_room_that_it_has(run: Path) -> None:
    keep(run, [replace(question(1), picture=picture(384, 288))], {0: ["no"], 10: ["1"]})
    async with opened(run, (300, 100)) as pilot:
        await until(pilot, lambda: colours(pilot) == {(255, 0, 0), (0, 0, 255)})
        view = pilot.app.screen.query_one(PictureView)
        assert 0.9 < view.size.width / min(72, 2 * view.size.height) / (384 / 288) < 1.1


async def test_while_another_program_has_the_terminal_it_keeps_no_picture(run: Path) -> None:
    three_evals(run)
    written: list[str] = []
    images = KittyImages(written.append, ColorSystem.TRUECOLOR)
    async with VlmftConsole().run_test(size=(120, 40)) as pilot:
        app = pilot.app
        await app.push_screen(AnswersScreen(run, images=images))
        await until_shown(pilot, "\U0010eeee")
        app.app_suspend_signal.publish(app)
        assert Told("".join(written).encode()).kept == {}
        app.app_resume_signal.publish(app)
        await until(pilot, lambda: Told("".join(written).encode()).kept)
        await pilot.press("q")
        await until(pilot, lambda: not Told("".join(written).encode()).kept)


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_looks_as_it_did(run: Path, snap_compare: Any, size: tuple[int, int]) -> None:
    three_evals(run, 12)

    async def show(pilot: Pilot[None]) -> None:
        await pilot.app.push_screen(AnswersScreen(run))
        await until_shown(pilot, "newest")
        await pilot.press("G")
        await until_shown(pilot, "99  (wrong)")
        await until(pilot, lambda: colours(pilot))

    assert snap_compare(VlmftConsole(), terminal_size=size, run_before=show)
