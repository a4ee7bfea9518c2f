"""Runs laid over each other: what the screen shows, and what its keys do."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.app.looking import screen_text, told, until, until_shown
from tests.records import run_start, step, write_log
from tests.run_folders import ended_run
from tests.supervised import LONG, Supervised
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.runs_reader import RunUnread
from vlmft_console.app.screens.compare import CompareScreen
from vlmft_console.app.screens.runs import RunsScreen
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.run.outcome_table import OutcomeTable
from vlmft_console.history.series import Series
from vlmft_core.run_folder.stop import StopRequest


@asynccontextmanager
async def compared(*targets: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[None]]:
    async with VlmftConsole().run_test(size=size) as pilot:
        await pilot.app.push_screen(CompareScreen(targets))
        yield pilot


def two_runs(machine: Path) -> tuple[Path, Path]:
    falling = ended_run(machine / "outputs", "falling", steps=20)
    rising = ended_run(machine / "outputs", "rising", steps=20, rising=True)
    return falling.path, rising.path


def figures(pilot: Pilot[None], label: str) -> list[str]:
    """What stands behind a label in the table, word by word."""
    lines = [line for line in screen_text(pilot.app).splitlines() if line.startswith(f"{label} ")]
    return lines[0].removeprefix(label).split() if lines else []


async def test_curves_figures_and_the_verdict_stand_on_one_screen(machine: Path) -> None:
    async with compared(*two_runs(machine)) as pilot:
        await until_shown(pilot, "falling is ahead by")
        for text in ("Train loss, smoothed", "Eval loss", "1 falling", "2 rising", "1.050 ★", "by step"):
            await until_shown(pilot, text)


async def test_runs_marked_in_the_list_are_compared(machine: Path) -> None:
    two_runs(machine)
    async with VlmftConsole().run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "rising")
        await pilot.press("space", "space", "c")
        await until_shown(pilot, "is ahead by")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_runs_whose_names_differ_at_their_ends_are_told_apart_in_legend_and_table(machine: Path) -> None:
    names = [f"a-sweep-over-the-learning-rate-lr{rate}" for rate in ("1e-4", "3e-5", "1e-5")]
    runs = [ended_run(machine / "outputs", name).path for name in names]
    async with compared(*runs, size=(80, 24)) as pilot:
        await until_shown(pilot, "best eval loss")
        legend, table = (line for line in screen_text(pilot.app).splitlines() if "1 a-sw" in line)
        for each in (legend, table):
            assert [end in each for end in ("1e-4", "3e-5", "1e-5")] == [True] * 3, each


async def test_the_charts_count_along_epochs_and_show_other_metrics(machine: Path) -> None:
    async with compared(*two_runs(machine)) as pilot:
        await until_shown(pilot, "by step")
        await pilot.press("u")
        await until_shown(pilot, "2 runs by epoch")
        await pilot.press("m")
        await until_shown(pilot, "Learning rate")
        assert "Train loss, smoothed" not in screen_text(pilot.app)


async def test_zoom_and_crosshair_are_those_of_both_charts_and_each_has_its_own_scale(machine: Path) -> None:
    async with compared(*two_runs(machine)) as pilot:
        await until_shown(pilot, "is ahead by")
        first, second = pilot.app.screen.query(Chart)
        await pilot.press("plus", "c", "left", "g")
        await until(pilot, lambda: first.view.cross is not None and first.view.log)
        assert (second.view.span, second.view.cross) == (first.view.span, first.view.cross)
        assert first.view.span is not None
        assert first.view.span < 20
        assert not second.view.log
        await pilot.press("escape")
        await until(pilot, lambda: first.view.cross is second.view.cross is None)
        assert isinstance(pilot.app.screen, CompareScreen)


async def test_a_chart_alone_fills_the_screen_and_gives_it_back(machine: Path) -> None:
    async with compared(*two_runs(machine)) as pilot:
        await until_shown(pilot, "is ahead by")
        pilot.app.screen.query_one("#second").focus()
        for key in ("f", "escape"):
            await pilot.press("f")
            await until(pilot, lambda: "Train loss" not in screen_text(pilot.app))
            assert "Eval loss" in screen_text(pilot.app)
            await pilot.press(key)
            await until_shown(pilot, "Train loss")
            assert "is ahead by" in screen_text(pilot.app)


async def test_what_cannot_be_read_is_said_in_the_screen(machine: Path) -> None:
    (machine / "nothing.txt").write_text("not a log\n")
    async with compared(two_runs(machine)[0], machine / "nothing.txt") as pilot:
        await until_shown(pilot, "nothing.txt")
        assert "compare" in screen_text(pilot.app)


async def test_a_run_that_cannot_be_read_any_more_is_said_and_its_figures_stay(machine: Path) -> None:
    async with compared(*two_runs(machine)) as pilot:
        await until_shown(pilot, "falling is ahead by")
        pilot.app.screen.post_message(RunUnread(0, "falling is gone"))
        await until(pilot, lambda: "falling is gone" in told(pilot.app))
        assert "falling is ahead by" in screen_text(pilot.app)


async def test_a_live_run_is_followed_until_it_ends(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmft_console.app.runs_reader.LOOK_SECONDS", 0.1)
    run = Supervised(machine / "outputs", 1, *LONG, name="live")
    run.wait_for_ranks()
    async with compared(two_runs(machine)[0], run.folder.path) as pilot:
        await until(pilot, lambda: figures(pilot, "ended") == ["finished", "running"])
        before = figures(pilot, "steps")
        await until(pilot, lambda: figures(pilot, "steps")[3:] > before[3:])
        assert figures(pilot, "steps")[:3] == before[:3]
        StopRequest("a test").write(run.folder)
        await until(pilot, lambda: figures(pilot, "ended") == ["finished", "stopped"], 60)


async def test_another_training_that_begins_in_a_log_takes_the_place_of_the_one_before(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmft_console.app.runs_reader.LOOK_SECONDS", 0.02)
    log = write_log(machine / "two.jsonl", [run_start(), *(step(number, 2.0) for number in range(1, 6))])
    async with compared(two_runs(machine)[0], log) as pilot:
        await until(pilot, lambda: figures(pilot, "steps")[-1:] == ["5"])
        with log.open("a") as file:
            file.write("".join(json.dumps(each) + "\n" for each in (run_start(), step(1, 9.0), step(2, 9.0))))
        await until(pilot, lambda: figures(pilot, "steps")[-1:] == ["2"])
        await until(pilot, lambda: "two.jsonl: another training begins" in told(pilot.app))
        curve = pilot.app.screen.query_one("#first", Chart).spec.curves[1].points
        assert isinstance(curve, Series)
        assert (curve.last, len(curve.superseded)) == ((2, 9.0), 0)


async def test_nobody_reads_on_when_the_screen_is_left(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmft_console.app.runs_reader.LOOK_SECONDS", 0.1)
    run = Supervised(machine / "outputs", 1, *LONG, name="live")
    run.wait_for_ranks()
    async with compared(two_runs(machine)[0], run.folder.path) as pilot:
        await until_shown(pilot, "running")
        (reader,) = (thread for thread in threading.enumerate() if thread.name == "runs reader")
        await pilot.press("escape")
        await until(pilot, lambda: not reader.is_alive())
    StopRequest("a test").write(run.folder)
    run.wait_for_end()


async def test_four_runs_stand_beside_each_other_and_nothing_is_cut(machine: Path) -> None:
    modules = ("[q_proj]", "[q_proj, k_proj, v_proj, o_proj]", "[q_proj, v_proj]", "[gate_proj, up_proj, down_proj]")
    targets = [ended_run(machine / "outputs", f"a-run-{n}", steps=40, rising=n == 3).path for n in range(4)]
    for target, names in zip(targets, modules, strict=True):
        (target / "preset.yaml").write_text(f"lora: {{target_modules: {names}}}\n")
    async with compared(*targets) as pilot:
        await until_shown(pilot, "lora.target_modules")
        pilot.app.screen.query_one(OutcomeTable).action_last()
        for text in ("a-run-3", "q_proj, k_proj,", "v_proj, o_proj", "gate_proj, up_proj,", "down_proj"):
            await until_shown(pilot, text)


async def test_where_not_all_runs_fit_the_others_are_reached(machine: Path) -> None:
    targets = [ended_run(machine / "outputs", f"a-run-{n}", steps=40).path for n in range(6)]
    async with compared(*targets, size=(60, 24)) as pilot:
        await until_shown(pilot, "1 of 6 →")
        pilot.app.screen.query_one(OutcomeTable).focus()
        await pilot.press("right", "right", "right", "l", "l")
        await until_shown(pilot, "[6 a-run-5]")
        assert "← 6 of 6" in screen_text(pilot.app)


async def test_it_can_be_used_on_the_smallest_terminal(machine: Path) -> None:
    async with compared(*two_runs(machine), size=(40, 12)) as pilot:
        await until_shown(pilot, "ahead by")
        assert "Train loss" in screen_text(pilot.app)
        assert "steps" in screen_text(pilot.app)
