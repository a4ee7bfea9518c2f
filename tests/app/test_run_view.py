"""All panels of a run: which are shown at which size, and how a person moves between them."""

from __future__ import annotations

import pytest

from tests.app.alone import RUNNING, Alone, sample_state
from tests.app.looking import screen_text, until, until_shown
from tests.records import record, run_start, step
from tests.sample_run import BEGAN, sample_records
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.run.panel_layout import PANELS, UPPER, size_class, visible
from vlmft_console.app.widgets.run.progress_line import ProgressLine
from vlmft_console.app.widgets.run.run_view import RunView
from vlmft_console.history.state import RunState
from vlmft_console.runs.headline import Headline, headline
from vlmft_console.runs.status import RunStatus
from vlmft_core.figures import figure


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(40, 12, "tiny"), (200, 15, "tiny"), (80, 24, "small"), (120, 40, "medium"), (200, 60, "large")],
)
def test_a_terminal_shows_as_many_panels_as_are_readable(width: int, height: int, expected: str) -> None:
    assert size_class(width, height) == expected


def test_the_chosen_panel_is_always_shown() -> None:
    for size in ("tiny", "small", "medium", "large"):
        for panel in PANELS:
            lower = "health" if panel in UPPER else panel
            assert panel in visible(size, panel, lower, full=False)
            assert visible(size, panel, lower, full=True) == {panel}


async def shown(view: RunView, width: int, height: int, *keys: str) -> str:
    """The screen after these keys."""
    app = Alone(view)
    async with app.run_test(size=(width, height)) as pilot:
        view.show(sample_state(), RUNNING)
        view.focus_panel()
        await pilot.pause()
        await pilot.press(*keys)
        await until(pilot, lambda: "Loss" in screen_text(app) or keys)
        await pilot.pause()
        return screen_text(app)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("1", "Loss"),
        ("2", "Learning rate"),
        ("3", "Gradient norm"),
        ("4", "Throughput"),
        ("5", "■ STOP"),
        ("6", "★ best"),
        ("7", "Log"),
    ],
)
async def test_on_the_smallest_terminal_a_digit_shows_its_panel(key: str, text: str) -> None:
    assert text in await shown(RunView(), 40, 12, key)


async def test_tab_goes_through_the_panels_and_back() -> None:
    assert "Learning rate" in await shown(RunView(), 40, 12, "tab")
    assert "Loss" in await shown(RunView(), 40, 12, "tab", "tab", "shift+tab", "shift+tab")


async def test_the_fourth_panel_changes_between_throughput_gpus_memory_and_accuracy() -> None:
    machine = await shown(RunView(), 80, 24, "4", "4")
    assert "Load 9" in machine  # what is in percent, and what the log does not tell
    assert "Host memory" in machine
    gpus = await shown(RunView(), 80, 24, "4", "4", "4")
    assert "GPUs" in gpus
    assert "/ 80" in gpus
    memory = await shown(RunView(), 80, 24, "4", "4", "4", "4")
    assert "of 80 GiB a GPU" in memory
    assert "5 checkpoints, 240 MB" in memory
    assert "newest at step 2,000" in memory
    assert "Accuracy" in await shown(RunView(), 80, 24, *"44444")
    assert "Throughput" in await shown(RunView(), 80, 24, *"444444")


async def test_the_share_of_the_gpus_peak_stands_beside_the_speed_where_there_is_room() -> None:
    state = sample_state()
    for width, mfu, seen in ((120, 0.3817, True), (80, 0.3817, False), (120, None, False)):
        state.apply(step(2001, samples_per_s=61.9, mfu=mfu))
        view = RunView()
        app = Alone(view)
        async with app.run_test(size=(width, 24)) as pilot:
            view.show(state, RUNNING)
            await until_shown(pilot, "epoch 200.10")
            text = screen_text(app)
            assert ("MFU 38.2 %" in text) is seen
            assert "samples/s" in text


async def test_one_panel_fills_the_screen_and_gives_it_back() -> None:
    full = await shown(RunView(), 120, 40, "3", "f")
    assert "Gradient norm" in full
    assert "Learning rate" not in full
    assert "Learning rate" in await shown(RunView(), 120, 40, "3", "f", "f")


async def test_a_smoother_curve_can_be_asked_for() -> None:
    view = RunView()
    app = Alone(view)
    async with app.run_test(size=(80, 24)) as pilot:
        view.show(sample_state(), RUNNING)
        view.focus_panel()
        assert view.state is not None
        before = view.state.smooth_loss.weight
        await pilot.press("s", "s")
        smoother = view.state.smooth_loss.weight
        assert smoother > before
        view.show(sample_state(), RUNNING)  # as a replay does after a jump
        assert view.state.smooth_loss.weight == smoother


async def test_of_a_part_that_is_seen_the_average_is_over_a_share_of_that_part() -> None:
    view = RunView()
    app = Alone(view)
    async with app.run_test(size=(120, 40)) as pilot:
        view.show(sample_state(), RUNNING)
        view.focus_panel()
        assert view.state is not None
        whole = view.state.smooth_loss.weight
        await pilot.press("plus", "plus", "plus")
        closer = view.state.smooth_loss.weight
        assert closer < whole
        await until_shown(pilot, f"EMA({closer:g})")
        view.show(sample_state(), RUNNING)  # as it goes on
        assert view.state.smooth_loss.weight == closer
        await pilot.press("home")
        assert view.state.smooth_loss.weight == whole


async def test_all_charts_zoom_together_and_read_off_the_same_step() -> None:
    view = RunView()
    app = Alone(view)
    async with app.run_test(size=(120, 40)) as pilot:
        view.show(sample_state(), RUNNING)
        view.focus_panel()
        await pilot.press("plus", "plus", "c", "left")
        loss, *others = view.query(Chart)
        assert loss.view.span is not None
        assert loss.view.cross is not None
        for chart in others:
            assert (chart.view.span, chart.view.right, chart.view.cross) == (
                loss.view.span,
                loss.view.right,
                loss.view.cross,
            )
        assert screen_text(app).count(f"step {loss.view.cross:,.0f}") == 4


async def test_header_titles_and_tables_are_of_one_step_at_every_moment() -> None:
    view, state = RunView(), RunState()
    records = list(sample_records(60))
    app = Alone(view)
    async with app.run_test(size=(120, 40)) as pilot:
        for each in records:
            state.apply(each)
            if each["event"] == "step" and each["step"] > 1:
                view.show(state, RUNNING)
                await pilot.pause()
                text = screen_text(app)
                assert f"step {each['step']:,}/2,400" in text
                assert f"Loss train {figure(each['loss'])}" in text
                assert f"Learning rate {figure(each['lr'])}" in text
                assert f"Gradient norm {figure(each['grad_norm'])}" in text
                assert f"Throughput last {figure(each['samples_per_s'])} samples/s" in text


async def test_the_speed_of_a_run_that_has_ended_is_its_median_and_not_that_of_its_last_step() -> None:
    state = RunState()
    state.apply_all([step(number, samples_per_s=5.0 if number == 40 else 50.0) for number in range(1, 41)])
    view = RunView()
    app = Alone(view)
    async with app.run_test(size=(80, 24)) as pilot:
        view.show(state, Headline("finished", "run"))
        await until_shown(pilot, "median 50.00 samples/s")


async def test_of_a_long_name_both_ends_stand_above_the_charts() -> None:
    view = RunView()
    async with Alone(view).run_test(size=(80, 24)) as pilot:
        view.show(sample_state(), Headline("finished", "a-sweep-over-the-learning-rate-on-charts-lr3e-5-seed-084"))
        await until_shown(pilot, "✓ finished  a-sweep-ov")
        await until_shown(pilot, "-seed-084  epoch 5.00/6")


async def test_a_run_without_steps_says_in_its_charts_what_it_is_doing() -> None:
    state = RunState()
    state.apply_all([run_start(), record("note", message="loading the base model demo")])
    view = RunView()
    app = Alone(view)
    async with app.run_test(size=(120, 40)) as pilot:
        view.show(state, RUNNING)
        await until_shown(pilot, "loading the base model demo")
        assert "no data" not in screen_text(app)


async def test_a_run_that_starts_tells_how_long_ago_it_was_launched_and_then_how_long_it_trains() -> None:
    state = RunState()
    state.apply_all([{**run_start(), "t": BEGAN + 14}])
    view = RunView()
    async with Alone(view).run_test(size=(120, 40)) as pilot:
        view.show(state, headline("one", RunStatus("starting"), None, BEGAN + 16, launched=BEGAN))
        await until_shown(pilot, "launched 16 s ago")
        assert "elapsed" not in screen_text(pilot.app)
        view.tick(BEGAN + 100)
        await until_shown(pilot, "launched 1:40 ago")
        view.show(sample_state(), headline("one", RunStatus("running"), None, BEGAN + 4000, launched=BEGAN))
        await until_shown(pilot, "elapsed 1:06:40")
        assert "launched" not in screen_text(pilot.app)


async def test_the_clock_changes_time_left_and_elapsed_only() -> None:
    view = RunView()
    app = Alone(view)
    async with app.run_test(size=(100, 30)) as pilot:
        view.show(sample_state(), RUNNING)
        await until_shown(pilot, "ETA 13:20")
        assert "elapsed 1:06:40" in screen_text(app)
        assert RUNNING.now is not None
        view.query_one(ProgressLine).tick(RUNNING.now + 61)
        await until_shown(pilot, "ETA 12:19")
        assert "elapsed 1:07:41" in screen_text(app)


async def test_a_resize_keeps_everything_readable() -> None:
    view = RunView()
    app = Alone(view)
    async with app.run_test(size=(200, 60)) as pilot:
        view.show(sample_state(), RUNNING)
        for size in ((40, 12), (1, 1), (300, 80), (79, 23), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await until_shown(pilot, "step 2,000/2,400")
        assert "Loss" in screen_text(app)
