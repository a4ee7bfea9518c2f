"""The checkpoints of a run: what stands there, and that nothing is done with one before the person has said yes."""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.app.looking import screen_text, told, until, until_shown
from tests.saved_run import saved_run
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.dialogs.confirm import ConfirmScreen
from vlmft_console.app.dialogs.work import WorkScreen
from vlmft_console.app.screens.checkpoints import CheckpointsScreen
from vlmft_console.app.screens.live import LiveScreen
from vlmft_console.programs.ask import Cancel, Cancelled
from vlmft_console.runs.checkpoint_adapter import adapter_step, chosen_by_hand
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.checkpoints import MARKER

SIZES = [(80, 24), (120, 40), (200, 60)]


class Program:
    """Takes the place of the trainer's programs: says what it is told to, then waits where it shall."""

    def __init__(self, *answers: tuple[str, Any], waits: bool = False) -> None:
        self.answers = answers
        self.waits = waits
        self.jobs: list[Any] = []

    def __call__(
        self, program: str, job: Any, errors: Any, processes: int, cancel: Cancel
    ) -> Iterator[tuple[str, Any]]:
        self.jobs.append((program, job))
        yield from self.answers
        while self.waits:
            if cancel.wanted:
                raise Cancelled
            threading.Event().wait(0.01)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program()
    monkeypatch.setattr("vlmft_console.app.dialogs.work.ask", made)
    return made


@pytest.fixture
def run(machine: Path) -> RunFolder:
    return saved_run(machine / "outputs")


@asynccontextmanager
async def opened(run: RunFolder, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[None]]:
    """The screen, come to from the run's own."""
    app = VlmftConsole(run.path)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        await until_shown(pilot, "step 30")
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, CheckpointsScreen))
        await until_shown(pilot, "are kept.")
        yield pilot


def words(pilot: Pilot[None]) -> str:
    """What a dialog says, however its lines are broken."""
    return " ".join(screen_text(pilot.app).replace("│", " ").split())


def detail(pilot: Pilot[None]) -> str:
    """What the question's dialog says besides."""
    return str(pilot.app.screen.query_one("#detail", Static).content)


async def asked(pilot: Pilot[None], key: str) -> None:
    """Press a key, and see that a question comes, with the cursor on the answer that changes nothing."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_each_checkpoint_has_its_row_and_the_one_under_the_cursor_its_details(
    run: RunFolder, size: tuple[int, int]
) -> None:
    async with opened(run, size) as pilot:
        rows = [line for line in screen_text(pilot.app).splitlines() if line.strip().startswith(("10 ", "20 ", "30 "))]
        assert ["0.5000" in rows[0], "0.2000" in rows[1], "0.3000" in rows[2]] == [True] * 3
        assert [row.rstrip().endswith(end) for row, end in zip(rows, ("kept", "adapter, kept", "kept"), strict=True)]
        assert "chartqa 90.0 %" in rows[1]
        await until_shown(pilot, "50.0 % [35.2, 64.8] of 40 questions")
        await pilot.press("j")
        await until_shown(pilot, "90.0 % [76.9, 96.0] of 40 questions")
        assert "the run's adapter has its weights" in screen_text(pilot.app)


async def test_one_becomes_the_adapter_after_a_yes_and_the_record_is_shown(run: RunFolder) -> None:
    async with opened(run) as pilot:
        await asked(pilot, "a")
        assert detail(pilot) == f"It takes the place of {run.adapter}, which is that of step 20."
        await pilot.press("enter")  # on the answer that changes nothing
        await until(pilot, lambda: isinstance(pilot.app.screen, CheckpointsScreen))
        assert adapter_step(run) == 20
        await asked(pilot, "a")
        await pilot.press("y")
        await until(pilot, lambda: "the adapter of step 10" in told(pilot.app))
        assert adapter_step(run) == 10
        assert chosen_by_hand(run)[-1]["by"] == "the console"
        pilot.app.screen.look_now()  # type: ignore[attr-defined]
        await until_shown(pilot, "was made the run's, by the console")


async def test_an_eval_shows_how_far_it_is_and_what_came_of_it(run: RunFolder, program: Program) -> None:
    scores = {
        "base": {"relaxed_accuracy": 0.25, "n": 40},
        "tuned": {"relaxed_accuracy": 0.75, "n": 40},
        "against_base": None,
    }
    progress = {"task": "chartqa", "side": "tuned", "done": 10, "total": 40}
    program.answers = (("note", "loading demo"), ("progress", progress), ("scores", {"chartqa": scores}))
    async with opened(run) as pilot:
        await pilot.press("j")
        await asked(pilot, "e")
        assert f"on the CPU, in 1 process. Answers are kept in {run.path}/evals/checkpoint-20-" in detail(pilot)
        assert not program.jobs
        await pilot.press("y")
        await until(pilot, lambda: "chartqa: base 25.0 % [14.2, 40.2] -> tuned 75.0 %" in words(pilot))
        await until_shown(pilot, "done")
        assert program.jobs[0][1].adapter == str(run.checkpoint(20))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, CheckpointsScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_work_goes_on_unless_its_end_is_confirmed(
    run: RunFolder, program: Program, size: tuple[int, int]
) -> None:
    program.waits = True
    program.answers = (("progress", {"task": "chartqa", "side": "base", "done": 1, "total": 4}),)
    async with opened(run, size) as pilot:
        await asked(pilot, "e")
        await pilot.press("y")
        await until_shown(pilot, "chartqa, base: 1 of 4")
        await asked(pilot, "escape")
        await pilot.press("escape")
        await until_shown(pilot, "chartqa, base: 1 of 4")
        assert isinstance(pilot.app.screen, WorkScreen)
        await asked(pilot, "escape")
        await pilot.press("y")
        await until_shown(pilot, "ended before it was done; what was answered is kept")


async def test_leaving_the_app_ends_the_work(run: RunFolder, program: Program) -> None:
    program.waits = True
    async with opened(run) as pilot:
        await asked(pilot, "m")
        await pilot.press("y")
        await until(pilot, lambda: program.jobs)
        assert program.jobs[0][1].folder == str(run.path / "merged-10")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("Work")]


async def test_a_question_is_asked_with_its_picture(run: RunFolder, program: Program, machine: Path) -> None:
    (machine / "chart.png").write_bytes(b"x")
    program.answers = (("answer", {"answer": "[b]42[/b]\x1b[2J"}),)
    async with opened(run) as pilot:
        await pilot.press("p")
        await until_shown(pilot, "Ask step 10 of mine")
        await pilot.press(*"nothing.png", "enter", *"How high?", "enter")
        await until_shown(pilot, "nothing.png: no such file")
        await pilot.press("tab", *"chart.png", "enter", "enter")
        await until_shown(pilot, "answer: [b]42[/b]")
        job = program.jobs[0][1]
        assert (job.questions[0].images, job.questions[0].question) == (["chart.png"], "How high?")


async def test_the_worst_samples_are_named_with_row_losses_and_answer(run: RunFolder, program: Program) -> None:
    one = {"where": "train.json, line 3", "question": "How high?\nOne word.", "truth": ["5"], "base": 5.0, "tuned": 6.5}
    one |= {"answer": "7", "right": 0.0, "image": "", "picture": None, "tokens": 1}
    found = {"samples": 20, "of": 20, "by_loss": [0], "by_worsening": [0], "found": [one]}
    program.answers = (("worst", found),)
    async with opened(run) as pilot:
        await asked(pilot, "w")
        await pilot.press("y")
        await until_shown(pilot, "largest loss, of all 20 training samples")
        await until_shown(pilot, "1. train.json, line 3: base 5.000 -> 6.500 (+1.500)")
        await until_shown(pilot, "answer: 7 (wrong)")
        assert (program.jobs[0][0], program.jobs[0][1].columns) == ("worst", 0)


async def test_a_report_that_is_there_is_replaced_only_after_a_yes(run: RunFolder) -> None:
    file = run.path / "report.html"
    async with opened(run) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: "written:" in told(pilot.app))
        assert "<h1>mine</h1>" in file.read_text()
        file.write_text("mine")
        await asked(pilot, "o")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, CheckpointsScreen))
        assert file.read_text() == "mine"
        await asked(pilot, "o")
        await pilot.press("y")
        await until(pilot, lambda: file.read_text() != "mine")


async def test_what_cannot_be_done_is_told_and_nothing_begins(run: RunFolder, program: Program) -> None:
    (run.checkpoint(10) / MARKER).unlink()
    (run.checkpoint(20) / "adapter_model.safetensors").write_bytes(b"damaged")
    async with opened(run) as pilot:
        for key in ("a", "e", "m", "p"):
            await pilot.press(key)
            await until(pilot, lambda: "checkpoint-10 is not complete" in told(pilot.app))
            pilot.app.clear_notifications()
        await pilot.press("j")
        for key in ("a", "e", "m"):
            await pilot.press(key)
            await until(pilot, lambda: "not what was written" in told(pilot.app))
            pilot.app.clear_notifications()
        assert isinstance(pilot.app.screen, CheckpointsScreen)
        assert not program.jobs


async def test_a_run_without_checkpoints_says_so(machine: Path) -> None:
    run = saved_run(machine / "outputs", adapter_of=None, status="stopped")
    for step in (10, 20, 30):
        (run.checkpoint(step) / MARKER).unlink()
        run.checkpoint(step).rename(run.path / f"away-{step}")
    app = VlmftConsole()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(CheckpointsScreen(run, lambda: None))
        await until_shown(pilot, "No checkpoints yet")
        await pilot.press("e")
        await until(pilot, lambda: "There is no checkpoint" in told(app))


async def test_a_run_that_is_deleted_while_it_is_shown_is_said_to_be_gone(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmft_console.app.screens.checkpoints.FOLLOW_SECONDS", 0.02)
    async with opened(run) as pilot:
        await until_shown(pilot, "best 2 by eval loss")
        shutil.rmtree(run.path)
        await until_shown(pilot, "The run's folder is gone: deleted, or moved")
