"""The table of epochs."""

from __future__ import annotations

import pytest

from tests.app.alone import Alone, sample_state
from tests.app.looking import screen_text, until, until_shown
from tests.records import plan, record, step
from vlmft_console.app.widgets.run.epoch_table import EpochTable
from vlmft_console.history.epochs import EpochFigures
from vlmft_console.history.state import RunState


def run_of(*losses: float, evals: dict[int, float] | None = None) -> RunState:
    """Two steps an epoch."""
    state = RunState()
    state.apply(plan(len(losses)))
    for number, loss in enumerate(losses, 1):
        state.apply(step(number, loss, epoch=number / 2, grad_norm=float(number)))
        if evals and number in evals:
            state.apply(record("eval", step=number, epoch=number / 2, eval_loss=evals[number], token_accuracy=0.5))
    return state


def test_an_epoch_has_the_mean_loss_and_median_norm_of_its_steps() -> None:
    first, second = EpochFigures().rows(run_of(4.0, 2.0, 1.0, 3.0))
    assert (first.train_loss, second.train_loss) == (3.0, 2.0)
    assert (first.grad_norm, second.grad_norm) == (1.5, 3.5)
    assert (first.last_step, second.last_step) == (2, 4)
    assert first.done
    assert second.done


def test_the_epoch_that_goes_on_is_not_done_and_grows() -> None:
    figures, state = EpochFigures(), run_of(4.0, 2.0, 1.0)
    assert [row.done for row in figures.rows(state)] == [True, False]
    state.apply(step(4, 3.0, epoch=2.0))
    assert figures.rows(state)[1].train_loss == 2.0


def test_gap_accuracy_and_best_come_from_the_evals() -> None:
    rows = EpochFigures().rows(run_of(4.0, 2.0, 1.0, 3.0, 1.0, 1.0, evals={2: 3.5, 4: 2.5, 6: 2.75}))
    assert [row.gap for row in rows] == [0.5, 0.5, 1.75]
    assert [row.best for row in rows] == [False, True, False]
    assert rows[0].accuracy == 0.5


def test_a_resumed_segment_replaces_the_epochs_it_repeats() -> None:
    figures, state = EpochFigures(), run_of(4.0, 2.0, 1.0, 3.0)
    figures.rows(state)
    state.apply(record("run_start", run_id="x", segment=2, resumed_from=2))
    state.apply(step(3, 7.0, epoch=1.5))
    rows = figures.rows(state)
    assert [row.train_loss for row in rows] == [3.0, 7.0]


def test_a_log_without_epochs_has_no_rows() -> None:
    state = RunState()
    state.apply(step(1, epoch=None))
    assert EpochFigures().rows(state) == []


async def test_the_table_marks_the_best_epoch_and_wide_gaps_in_words_and_signs() -> None:
    table = EpochTable()
    app = Alone(table)
    async with app.run_test(size=(70, 12)) as pilot:
        table.show(sample_state())
        await until_shown(pilot, "★ best")
        lines = screen_text(app).splitlines()
        assert lines[0].split() == ["epoch", "train", "eval", "gap", "token", "acc.", "grad"]
        assert "!+0.5" in lines[4]
        assert "!!+1.1" in lines[5]


async def test_an_epoch_that_answered_another_number_of_questions_than_the_others_is_named() -> None:
    state, table = run_of(4.0, 2.0, 1.0, 3.0), EpochTable()
    async with Alone(table).run_test(size=(70, 12)) as pilot:
        for number, asked in ((2, 100), (4, 100)):
            tasks = {"chartqa": {"relaxed_accuracy": 0.5, "n": asked}, "textvqa": {"accuracy": 0.5, "n": 60}}
            state.apply(record("eval", step=number, epoch=number / 2, eval_loss=1.0, tasks=tasks))
        table.show(state)
        await until_shown(pilot, "textvqa")
        assert "questions" not in screen_text(pilot.app)
        tasks = {"chartqa": {"relaxed_accuracy": 0.5, "n": 1000}, "textvqa": {"accuracy": 0.5, "n": 60}}
        state.apply(record("eval", step=4, epoch=2.0, eval_loss=1.0, tasks=tasks))
        table.show(state)
        await until_shown(pilot, "chartqa: 100 questions, but 1,000 at epoch 2")


async def test_the_newest_epoch_is_in_view_until_the_reader_scrolls_up() -> None:
    table = EpochTable()
    app = Alone(table)
    async with app.run_test(size=(70, 6)) as pilot:
        table.show(run_of(*[2.0] * 41))
        await until_shown(pilot, "so far")
        assert "   21" in screen_text(app)
        table.show(run_of(*[2.0] * 61))
        await until_shown(pilot, "   31")
        assert "epoch    train" in screen_text(app)  # the titles stay
        table.focus()
        await until(pilot, lambda: table.has_focus and table.allow_vertical_scroll)
        await pilot.press("home")
        await until_shown(pilot, "    2 ")
        table.show(run_of(*[2.0] * 81))
        await pilot.pause()
        assert "   41" not in screen_text(app)


@pytest.mark.parametrize("width", [20, 38, 50])
async def test_a_narrow_table_keeps_the_losses(width: int) -> None:
    table = EpochTable()
    app = Alone(table)
    async with app.run_test(size=(width, 12)) as pilot:
        table.show(sample_state())
        await until_shown(pilot, "6.65")


async def test_the_accuracy_on_each_task_stands_beside_the_losses() -> None:
    state = run_of(4.0, 2.0, 1.0, 3.0, evals={2: 3.5})
    tasks = {"chartqa": {"relaxed_accuracy": 0.79, "n": 100}, "textvqa": {"accuracy": 0.99, "n": 100}}
    state.apply(record("eval", step=4, epoch=2.0, eval_loss=3.0, tasks=tasks))
    for width in (60, 118):
        table = EpochTable()
        app = Alone(table)
        async with app.run_test(size=(width, 8)) as pilot:
            table.show(state)
            await until_shown(pilot, "chartqa textvqa")
            await until_shown(pilot, "79.0 %  99.0 %")
