"""Runs on the same axes: what each is at the crosshair, held against the pinned one, and what the keys do."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from textual.color import Color
from textual.pilot import Pilot

from tests.app.looking import screen_text, told, until, until_shown
from tests.app.test_app import contrast
from tests.records import evaluated, run_start, step, write_log
from tests.run_folders import ended_run
from tests.supervised import LONG, Supervised
from vlmft_console.app import runs_reader
from vlmft_console.app.app import THEMES, VlmftConsole
from vlmft_console.app.screens.live import LiveScreen
from vlmft_console.app.screens.overlay import OverlayScreen
from vlmft_console.app.screens.runs import RunsScreen
from vlmft_console.app.settings import kept_settings
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.base.role_style import RUN_ROLES
from vlmft_console.figures import signed
from vlmft_console.history.loading import load
from vlmft_core.figures import figure
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.stop import StopRequest

SIZES = [(80, 24), (120, 40), (200, 60)]


def foreign_log(folder: Path, name: str = "other.jsonl", steps: int = 20) -> Path:
    path = folder / name
    path.write_text(
        "".join(json.dumps({"step": n, "loss": 3 / n, "my_bleu": n / 2}) + "\n" for n in range(1, steps + 1))
    )
    return path


def three_runs(machine: Path) -> tuple[Path, Path, Path]:
    falling = ended_run(machine / "outputs", "falling", steps=20)
    rising = ended_run(machine / "outputs", "rising", steps=20, rising=True)
    return falling.path, rising.path, foreign_log(machine)


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No run is read before this is set."""
    may_read = threading.Event()

    def load_later(target: Path, **options: Any) -> Any:
        may_read.wait(60)
        return load(target, **options)

    monkeypatch.setattr(runs_reader, "load", load_later)
    return may_read


@asynccontextmanager
async def laid_over(*targets: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[None]]:
    async with VlmftConsole(*targets).run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "reading" not in screen_text(pilot.app))
        yield pilot


def row(pilot: Pilot[None], number: int) -> list[str]:
    """What the table says of a run, word by word."""
    lines = [line.split() for line in screen_text(pilot.app).splitlines()]
    return next((line for line in lines if line[1:2] == [str(number)] and line[0] in "●○"), [])


def shown(pilot: Pilot[None]) -> dict[str, str]:
    """The panels by title, and the tags of the runs in each."""
    charts = [chart.spec for chart in pilot.app.screen.query(Chart) if chart.display]
    return {spec.title: "".join(sorted(curve.tag for curve in spec.curves)) for spec in charts}


@pytest.mark.parametrize("size", SIZES)
async def test_runs_marked_in_the_list_share_their_axes(machine: Path, size: tuple[int, int]) -> None:
    three_runs(machine)
    async with VlmftConsole().run_test(size=size) as pilot:
        await until_shown(pilot, "rising")
        await pilot.press("space", "space", "o")
        await until(pilot, lambda: row(pilot, 2)[2:4] == ["rising", "✓"])
        assert shown(pilot)["Train loss, smoothed"] == "12"
        assert "overlay: 2 runs by step" in screen_text(pilot.app)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_the_difference_from_the_pinned_run_stands_at_the_crosshair(machine: Path, size: tuple[int, int]) -> None:
    async with laid_over(*three_runs(machine), size=size) as pilot:
        await pilot.press("slash", *"eval_loss", "enter", "p", "c")
        await until(pilot, lambda: "pinned" in row(pilot, 1))
        assert figure(1 + 1 / 20) in row(pilot, 1)
        assert {figure(3.0), signed(3 - (1 + 1 / 20))} <= set(row(pilot, 2))
        for _ in range(200):
            await pilot.press("left")
            if "18" in row(pilot, 2):
                break
        assert {figure(2.8), "18", signed(2.8 - (1 + 1 / 18))} <= set(row(pilot, 2))
        assert {"not", "logged"} <= set(row(pilot, 3))
        await pilot.press("p")
        await until(pilot, lambda: "pinned" not in row(pilot, 1))


async def test_the_words_over_a_chart_tell_differences_too(machine: Path) -> None:
    async with laid_over(*three_runs(machine), size=(200, 60)) as pilot:
        await pilot.press("slash", *"eval_loss", "enter", "j", "p", "c")
        await until_shown(pilot, f"1 {figure(1.05)} ({signed(1.05 - 3)})  2 {figure(3.0)}")


async def test_a_run_that_is_hidden_keeps_its_colour_and_its_digit(machine: Path) -> None:
    async with laid_over(*three_runs(machine)) as pilot:
        await pilot.press("down", "space")
        await until(pilot, lambda: "hidden" in row(pilot, 2))
        assert shown(pilot)["Train loss, smoothed"] == "13"
        assert "1 hidden" in screen_text(pilot.app)
        await pilot.press("space")
        await until(pilot, lambda: shown(pilot)["Train loss, smoothed"] == "123")


async def test_any_metric_of_any_of_the_logs_is_a_panel_and_is_remembered(machine: Path) -> None:
    runs = three_runs(machine)
    async with laid_over(*runs) as pilot:
        await pilot.press("slash", *"^my_ loss", "enter")
        assert shown(pilot) == {"my_bleu": "3", "Train loss, smoothed": "123"}
        await pilot.press("slash", "ctrl+u", *"nosuch", "enter")
        await until(pilot, lambda: "nosuch: there is no such metric" in told(pilot.app))
    assert kept_settings().overlay == ("^my_", "loss")
    async with laid_over(*runs) as pilot:
        await until(pilot, lambda: set(shown(pilot)) == {"my_bleu", "Train loss, smoothed"})


async def test_accuracies_of_different_things_are_not_laid_over_each_other(machine: Path) -> None:
    both = {"token_accuracy": 0.9, "tasks": {"chartqa": {"relaxed_accuracy": 0.4, "n": 20}}}
    logs = [
        write_log(machine / f"{name}.jsonl", [run_start(), step(1), evaluated(1, 1.0, **fields)])
        for name, fields in (("both", both), ("tokens", {"token_accuracy": 0.8}))
    ]
    async with laid_over(*logs, size=(200, 60)) as pilot:
        assert shown(pilot)["Accuracy of the tokens"] == "12"
        assert shown(pilot)["chartqa.relaxed_accuracy"] == "1"


async def test_the_runs_are_counted_along_epochs_and_what_has_none_says_so(machine: Path) -> None:
    async with laid_over(*three_runs(machine)) as pilot:
        await pilot.press("u")
        await until(pilot, lambda: shown(pilot)["Train loss, smoothed"] == "12")
        assert "by epoch" in screen_text(pilot.app)
        assert {"no", "epoch"} <= set(row(pilot, 3))


async def test_zoom_and_crosshair_are_those_of_all_panels(machine: Path) -> None:
    async with laid_over(*three_runs(machine)) as pilot:
        await pilot.press("2", "plus", "c")
        charts = [chart for chart in pilot.app.screen.query(Chart) if chart.display]
        assert charts[1].has_focus
        assert len({(chart.view.span, chart.view.cross) for chart in charts}) == 1
        assert charts[0].view.span is not None
        await pilot.press("f")
        assert list(shown(pilot)) == [charts[1].spec.title]
        await pilot.press("escape", "escape")
        assert len(shown(pilot)) == len(charts)
        assert charts[0].view.cross is None


async def test_all_panels_show_the_same_steps_however_far_a_metric_reaches(machine: Path) -> None:
    short = foreign_log(machine, "short.jsonl", steps=5)
    long = ended_run(machine / "outputs", "long", steps=200, total=200)
    async with laid_over(short, long.path) as pilot:
        await pilot.press("slash", *"my_bleu loss", "enter")
        assert shown(pilot) == {"my_bleu": "1", "Train loss, smoothed": "12"}
        labels = [line.split() for line in screen_text(pilot.app).splitlines() if line.startswith("  step")]
        assert labels
        assert all(words[: len(words) // 2] == words[len(words) // 2 :] for words in labels), "two panels beside"
        await pilot.press("down", "space")  # what is hidden does not count
        await until(pilot, lambda: "200" not in screen_text(pilot.app).partition("run ")[0])


async def test_one_more_is_added_by_its_name(machine: Path) -> None:
    falling, rising, other = three_runs(machine)
    async with laid_over(falling, other) as pilot:
        await pilot.press("a", *"nosuchrun", "enter")
        await until(pilot, lambda: "nosuchrun" in told(pilot.app))
        await pilot.press("ctrl+u", *str(falling), "enter")
        await until(pilot, lambda: "is among them" in told(pilot.app))
        await pilot.press("ctrl+u", *"rising", "enter")
        await until(pilot, lambda: shown(pilot)["Train loss, smoothed"] == "123")
        pilot.app.clear_notifications()  # they lie over the table
        await until(pilot, lambda: rising.name in row(pilot, 3))


def same_path(run: Path) -> Path:
    return run


def link_to(run: Path) -> Path:
    link = run.parent / "a-link"
    link.symlink_to(run)
    return link


def folder_of_logs(run: Path) -> Path:
    return run / "logs"


def only_log(run: Path) -> Path:
    return run / "logs" / "events-0001.jsonl"


@pytest.mark.parametrize("again", [same_path, link_to, folder_of_logs, only_log])
async def test_a_run_that_is_named_twice_is_shown_once_and_that_is_said(
    machine: Path, again: Callable[[Path], Path]
) -> None:
    falling, rising, _ = three_runs(machine)
    async with laid_over(rising, falling, again(rising), falling) as pilot:
        await until(pilot, lambda: "named more than once, shown once: rising, falling" in told(pilot.app))
        assert shown(pilot)["Train loss, smoothed"] == "12"
        assert "overlay: 2 runs by step, 2 named twice" in screen_text(pilot.app)
        pilot.app.clear_notifications()  # they lie over the table
        await until(pilot, lambda: row(pilot, 2)[2:4] == ["falling", "✓"])
        assert not row(pilot, 3)


async def test_of_a_log_with_several_trainings_it_is_said_that_the_last_one_is_shown(machine: Path) -> None:
    trainings = [run_start(), step(1, 2.0), step(2, 2.0), run_start(), step(1, 9.0)]
    log = write_log(machine / "two.jsonl", trainings)
    async with laid_over(three_runs(machine)[0], log) as pilot:
        await until(pilot, lambda: "two.jsonl: the last of several trainings in this log" in told(pilot.app))
        assert shown(pilot)["Train loss, smoothed"] == "12"


async def test_a_folder_and_the_log_in_it_are_one_run(machine: Path) -> None:
    (machine / "logged").mkdir()
    log = foreign_log(machine / "logged")
    async with laid_over(log, log.parent) as pilot:
        await until(pilot, lambda: "other.jsonl" in told(pilot.app))
        assert "shown once" in told(pilot.app)
        assert shown(pilot)["Train loss, smoothed"] == "1"


async def test_what_was_pinned_stays_pinned_when_it_turns_out_to_be_there_already(
    machine: Path, ready: threading.Event
) -> None:
    falling, rising, _ = three_runs(machine)
    async with VlmftConsole(falling, rising, falling).run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "overlay: 3 runs")
        await pilot.press("down", "down", "p")
        ready.set()
        await until(pilot, lambda: "shown once: falling" in told(pilot.app))
        pilot.app.clear_notifications()  # they lie over the table
        await until(pilot, lambda: "pinned" in row(pilot, 1))


async def test_the_cursor_stays_on_its_run_when_one_above_it_turns_out_to_be_there_already(
    machine: Path, ready: threading.Event
) -> None:
    falling, rising, other = three_runs(machine)
    async with VlmftConsole(falling, falling, rising, other).run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "overlay: 4 runs")
        await pilot.press("down", "down")
        ready.set()
        await until(pilot, lambda: "shown once: falling" in told(pilot.app))
        await pilot.press("p")
        pilot.app.clear_notifications()  # they lie over the table
        await until(pilot, lambda: "pinned" in row(pilot, 2))
        assert "rising" in row(pilot, 2)


async def test_the_run_under_the_cursor_is_watched_alone(machine: Path) -> None:
    async with laid_over(*three_runs(machine)) as pilot:
        await pilot.press("down", "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        await until_shown(pilot, "rising")
        await pilot.press("q")
        assert isinstance(pilot.app.screen, OverlayScreen)


@pytest.mark.parametrize("ours", [False, True])
async def test_what_cannot_be_read_does_not_keep_the_others_from_being_seen(
    machine: Path, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    def broken(target: Path, **options: Any) -> Any:
        if ours and target.name == "nothing.txt":
            raise TypeError("a log that nobody thought of")
        return load(target, **options)

    (machine / "nothing.txt").write_text("not a log\n")
    monkeypatch.setattr(runs_reader, "load", broken)
    monkeypatch.setenv("XDG_STATE_HOME", str(machine / "state"))
    falling, rising, _ = three_runs(machine)
    async with laid_over(falling, machine / "nothing.txt", rising) as pilot:
        await until(pilot, lambda: shown(pilot)["Train loss, smoothed"] == "13")
        await until(pilot, lambda: bool(told(pilot.app)))
        pilot.app.clear_notifications()  # they lie over the table
        await until(pilot, lambda: "unreadable" in row(pilot, 2))


async def test_of_several_that_cannot_be_read_the_reason_of_each_is_told(machine: Path) -> None:
    for name in ("one.txt", "two.txt"):
        (machine / name).write_text("not a log\n")
    falling, _, _ = three_runs(machine)
    async with laid_over(machine / "one.txt", falling, machine / "two.txt") as pilot:
        await until(pilot, lambda: all(name in told(pilot.app) for name in ("one.txt", "two.txt")))


@pytest.mark.parametrize("what", ["ours", "another program's"])
async def test_what_is_added_to_a_log_is_drawn(machine: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(runs_reader, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr("vlmft_console.app.screens.overlay.DRAW_SECONDS", 0.05)
    falling, rising, other = three_runs(machine)
    target = rising if what == "ours" else other
    async with laid_over(falling, target) as pilot:
        await until(pilot, lambda: "20" in row(pilot, 2))
        if what == "ours":
            log = EventWriter(target / "logs" / "events-0001.jsonl")
            log.write(events.STEP, step=21, epoch=1.0, loss=0.5, lr=1e-4, grad_norm=0.5)
            log.close()
        else:
            with target.open("a") as file:
                file.write(json.dumps({"step": 21, "loss": 0.5, "my_bleu": 3}) + "\n")
        await until(pilot, lambda: "21" in row(pilot, 2))
        chart = next(iter(pilot.app.screen.query(Chart)))
        await until(
            pilot, lambda: [curve.points.last[0] for curve in chart.spec.curves if curve.points.last] == [20, 21]
        )


@pytest.mark.parametrize("unit", ["step", "epoch", "hours"])
async def test_another_training_that_begins_in_a_log_takes_the_place_of_the_one_before(
    machine: Path, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    monkeypatch.setattr(runs_reader, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr("vlmft_console.app.screens.overlay.DRAW_SECONDS", 0.05)
    first = [run_start(), *(step(number, 2.0, step_s=3600.0) for number in range(1, 6))]
    log = write_log(machine / "two.jsonl", first)
    async with laid_over(three_runs(machine)[0], log) as pilot:
        await pilot.press(*"u" * ["step", "epoch", "hours"].index(unit))
        await until_shown(pilot, f"by {unit}")
        await until(pilot, lambda: "2" in shown(pilot)["Train loss, smoothed"])
        with log.open("a") as file:
            again = [run_start(), *(step(number, 9.0, epoch=float(number), step_s=7200.0) for number in range(1, 6))]
            file.write("".join(json.dumps(each) + "\n" for each in again))
        await until(pilot, lambda: "two.jsonl: another training begins" in told(pilot.app))
        chart = next(iter(pilot.app.screen.query(Chart)))
        end = {"step": 5.0, "epoch": 5.0, "hours": 10.0}[unit]
        await until(pilot, lambda: chart.spec.curves[-1].points.last == (end, 9.0))


async def test_a_live_run_grows_until_it_ends(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_reader, "LOOK_SECONDS", 0.1)
    run = Supervised(machine / "outputs", 1, *LONG, name="live")
    run.wait_for_ranks()
    async with laid_over(three_runs(machine)[0], run.folder.path) as pilot:
        await until(pilot, lambda: "running" in row(pilot, 2))
        before = row(pilot, 2)
        await until(pilot, lambda: row(pilot, 2)[5:6] > before[5:6])
        StopRequest("a test").write(run.folder)
        await until(pilot, lambda: "stopped" in row(pilot, 2), 60)


async def test_nothing_is_read_while_another_screen_is_looked_at(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_reader, "LOOK_SECONDS", 0.02)
    looks: list[bool] = []
    monkeypatch.setattr(runs_reader.RunsReader, "_look", lambda self, *, others: looks.append(others))
    async with laid_over(*three_runs(machine)) as pilot:
        await until(pilot, lambda: len(looks) > 10)
        await pilot.press("question_mark")
        await pilot.pause(0.2)
        seen = len(looks)
        await pilot.pause(0.3)
        assert len(looks) - seen <= 1
        await pilot.press("escape")
        await until(pilot, lambda: len(looks) > seen + 3)


async def test_names_of_runs_are_shown_as_they_are(machine: Path) -> None:
    hostile = foreign_log(machine, "\x1b[31m[b]rouge.jsonl")
    async with laid_over(hostile, three_runs(machine)[0]) as pilot:
        await until_shown(pilot, "[b]rouge")
        assert "\x1b" not in screen_text(pilot.app)


async def test_it_can_be_used_on_the_smallest_terminal(machine: Path) -> None:
    async with laid_over(*three_runs(machine), size=(40, 12)) as pilot:
        await until(pilot, lambda: list(shown(pilot)) == ["Train loss, smoothed"])
        await pilot.press("n")
        assert list(shown(pilot)) == ["Eval loss"]


@pytest.mark.parametrize(("size", "theme"), [((80, 24), "dark"), ((120, 40), "light"), ((200, 60), "dark")])
def test_how_it_looks(
    machine: Path, snap_compare: Callable[..., bool], size: tuple[int, int], theme: Literal["dark", "light"]
) -> None:
    async def settle(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "reading" not in screen_text(pilot.app))
        await pilot.press("j", "p", "c", "left", "left", "left", "left")
        await until(pilot, lambda: "pinned" in row(pilot, 2) and "16" in row(pilot, 1))

    targets = three_runs(machine)
    assert snap_compare(VlmftConsole(*targets, theme=theme), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("theme", THEMES)
def test_every_run_has_a_colour_of_its_own_that_stands_out(theme: str) -> None:
    colours = THEMES[theme]
    runs = [Color.parse(colours.variables[name]) for name in RUN_ROLES]
    assert len(set(runs)) == len(runs) == 8
    for color in runs:
        assert contrast(color, Color.parse(colours.background or "")) >= 3
