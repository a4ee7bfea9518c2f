"""Any metric as a panel: which are shown, how a person chooses them, and that the choice is remembered."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.app.looking import screen_text, told, until, until_shown
from tests.records import plan, record, run_start, step
from tests.run_folders import ended_run
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.messages import OpenMetrics
from vlmft_console.app.screens.answers import AnswersScreen
from vlmft_console.app.screens.metrics import MetricsScreen
from vlmft_console.app.settings import kept_settings, settings_file
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.run.metric_choice import MetricChoice
from vlmft_console.charts.spec import ChartSpec
from vlmft_console.history.choice import LAST
from vlmft_console.history.state import RunState
from vlmft_core.figures import figure
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter

HOSTILE = "\x1b[31m[b]rouge[/b]"
SIZES = [(40, 12), (80, 24), (120, 40), (200, 60)]


def state_of(count: int = 20) -> RunState:
    state = RunState()
    state.apply_all([run_start(), plan(40), *(step(n, loss=1 / n) for n in range(1, count + 1))])
    for n in (10, 20):
        metrics = {f"my_{name}": n * 1.5 for name in ("bleu", "chrf")} | {HOSTILE: float(n)}
        state.apply_all([record("metrics", step=n, metrics=metrics)])
    return state


def titles(app: VlmftConsole) -> list[str]:
    return [chart.spec.title for chart in app.screen.query(Chart) if chart.display]


@pytest.mark.parametrize("size", SIZES)
async def test_every_metric_of_the_log_can_be_reached(machine: Path, size: tuple[int, int]) -> None:
    state = state_of()
    app = VlmftConsole()
    async with app.run_test(size=size) as pilot:
        app.post_message(OpenMetrics("mine", lambda: state))
        await until(pilot, lambda: "Loss" in titles(app))
        seen: list[str] = []
        while not set(titles(app)) <= set(seen):
            seen += titles(app)
            await pilot.press("n")
        assert len(seen) == len(state.by_name)
        assert "\x1b" not in screen_text(app)


async def test_patterns_choose_panels_and_are_remembered(machine: Path) -> None:
    state = state_of()
    app = VlmftConsole()
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(OpenMetrics("mine", lambda: state))
        await until_shown(pilot, f"{len(state.by_name)} of {len(state.by_name)} metrics")
        await pilot.press("slash", *"^my_ loss", "enter")
        assert titles(app) == ["my_bleu", "my_chrf", "Loss"]
        assert f"my_bleu {figure(30.0)}" in screen_text(app)
        await pilot.press("slash", "ctrl+u", *"nosuch", "enter")
        await until(pilot, lambda: "nosuch: there is no such metric" in told(app))
        await pilot.press("escape")
        assert titles(app) == ["my_bleu", "my_chrf", "Loss"]
    assert kept_settings().panels == ("^my_", "loss")
    app = VlmftConsole()
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(OpenMetrics("mine", lambda: state))
        await until(pilot, lambda: titles(app) == ["my_bleu", "my_chrf", "Loss"])


async def test_a_name_with_spaces_is_chosen_between_double_quotes_and_stays_so(machine: Path) -> None:
    state = state_of()
    state.apply_all([record("metrics", step=20, metrics={"eval acc": 0.25, "acc": 0.5})])
    app = VlmftConsole()
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(OpenMetrics("mine", lambda: state))
        await until_shown(pilot, f"{len(state.by_name)} of {len(state.by_name)} metrics")
        await pilot.press("slash", *'"eval acc', "enter")
        await until(pilot, lambda: "a double quote has no second one" in told(app))
        await pilot.press('"', "enter")
        assert titles(app) == ["eval acc"]
        await pilot.press("slash", "enter")
        assert titles(app) == ["eval acc"]
    assert kept_settings().panels == ("eval acc",)


async def test_a_name_that_is_no_regular_expression_is_chosen_and_is_none_that_the_next_start_refuses(
    machine: Path,
) -> None:
    state = state_of()
    state.apply(record("metrics", step=20, metrics={"acc@5(top": 1.0, "acc@5(top1)": 2.0}))
    for keys in (["slash", *"acc@5(top", "enter"], []):
        async with VlmftConsole().run_test(size=(120, 40)) as pilot:
            pilot.app.post_message(OpenMetrics("mine", lambda: state))
            await until_shown(pilot, "acc@5(top")
            await pilot.press(*keys)
            await until_shown(pilot, f"1 of {len(state.by_name)} metrics")
            assert "acc@5(top1)" not in screen_text(pilot.app)


@pytest.mark.parametrize("pattern", ["(" * 3000, "[[Q]{3}", "a{9999999999999}"], ids=["deep", "doubtful", "huge"])
async def test_any_pattern_is_taken_or_refused_in_words(
    machine: Path, recwarn: pytest.WarningsRecorder, pattern: str
) -> None:
    app = VlmftConsole()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        app.post_message(OpenMetrics("mine", state_of))
        await until(pilot, lambda: titles(app))
        await pilot.press("slash")
        app.screen.query_one(MetricChoice).value = pattern
        await pilot.press("enter")
        await until(pilot, lambda: pattern[:9] in told(app) and told(app))
        assert not [warned for warned in recwarn if issubclass(warned.category, FutureWarning)]


async def test_panels_zoom_together_and_one_can_have_the_whole_screen(machine: Path) -> None:
    state = state_of()
    app = VlmftConsole()
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(OpenMetrics("mine", lambda: state))
        await until_shown(pilot, "metrics")
        await pilot.press("tab", "plus", "c")
        charts = [chart for chart in app.screen.query(Chart) if chart.display]
        assert len({chart.view.span for chart in charts}) == 1
        assert charts[0].view.span is not None
        assert charts[0].view.cross == charts[1].view.cross is not None
        await pilot.press("f")
        assert titles(app) == [charts[1].spec.title]
        await pilot.press("escape")
        assert charts[0].view.cross is None
        await pilot.press("escape")
        assert len(titles(app)) == len(charts)
        await pilot.press("escape")
        assert not isinstance(app.screen, MetricsScreen)


async def test_a_run_that_goes_on_is_drawn_on(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmft_console.app.screens.metrics.LOOK_SECONDS", 0.01)
    state = state_of()
    app = VlmftConsole()
    async with app.run_test(size=(120, 40)) as pilot:
        app.post_message(OpenMetrics("mine", lambda: state))
        await until_shown(pilot, figure(1 / 20))
        state.apply_all([step(21, loss=0.0123)])
        await until_shown(pilot, figure(0.0123))


async def test_the_run_below_draws_nothing_until_it_is_seen_again(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmft_console.app.live_reader.IDLE_SECONDS", 0.02)
    monkeypatch.setattr("vlmft_console.app.screens.metrics.LOOK_SECONDS", 0.02)
    run = ended_run(machine / "outputs", "grows", steps=20, total=40)
    app = VlmftConsole(run.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "20/40")
        await pilot.press("m")
        await until_shown(pilot, "metrics")
        below = app.screen_stack[-2]
        drawn: list[str] = []
        show = Chart.show

        def counted(chart: Chart, spec: ChartSpec) -> None:
            if chart.screen is below:
                drawn.append(spec.title)
            show(chart, spec)

        monkeypatch.setattr(Chart, "show", counted)
        with closing(EventWriter(run.events_file())) as log:
            log.write(events.STEP, step=21, epoch=0.5, loss=0.0123, lr=1e-4, grad_norm=0.5)
        await until_shown(pilot, figure(0.0123))
        assert not drawn
        await pilot.press("escape")
        await until_shown(pilot, "21/40")
        assert f"Loss train {figure(0.0123)}" in screen_text(app)
        assert drawn


async def test_a_replay_goes_on_below_and_answers_are_a_key_away(machine: Path) -> None:
    run = ended_run(machine / "outputs", "played", steps=20)
    app = VlmftConsole(run.path, replay=LAST)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "20/20")
        await pilot.press("m")
        await until_shown(pilot, "played  ")
        await pilot.press("escape", "0", "m")
        await until_shown(pilot, "holds no figures yet")
        await pilot.press("escape", "v")
        await until(pilot, lambda: isinstance(app.screen, AnswersScreen))


async def test_a_remembered_pattern_that_matches_nothing_here_stays(machine: Path) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text('panels: ["elsewhere"]\n')
    app = VlmftConsole()
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(OpenMetrics("mine", state_of))
        await until_shown(pilot, "No metric matches. There are loss")
    assert kept_settings().panels == ("elsewhere",)
