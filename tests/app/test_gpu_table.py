"""The GPU table."""

from __future__ import annotations

import pytest

from tests.app.alone import Alone
from tests.app.looking import screen_text, until, until_shown
from tests.records import record
from vlmft_console.app.widgets.run.gpu_table import GpuTable
from vlmft_console.history.state import RunState


def state_with(*gpus: dict[str, float | None]) -> RunState:
    state = RunState()
    state.apply(record("gpu", gpus=list(gpus)))
    return state


def gpu(index: int, **figures: float | None) -> dict[str, float | None]:
    usual = {"util": 98, "mem_gib": 61.25, "mem_total_gib": 79.6, "power_w": 388.4, "temp_c": 61}
    return {"index": index, **usual, **figures}


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (30, "7  98 % 61.25 / 80"),
        (40, "7  98 % 61.25 / 80   61 °C"),
        (48, "7  98 % 61.25 / 80    388 W 61 °C"),
        (60, "7  98 % 61.25 / 80    388 W 61 °C     █"),
        (120, "7 █████▉  98 % 61.25 / 80    388 W 61 °C     █"),
    ],
)
async def test_a_narrow_table_keeps_load_and_memory_the_longest(width: int, line: str) -> None:
    table = GpuTable()
    app = Alone(table)
    async with app.run_test(size=(width, 6)) as pilot:
        table.show(state_with(gpu(7)))
        await until_shown(pilot, "98 %")
        assert screen_text(app).splitlines()[1].strip() == line


async def test_more_gpus_than_rows_are_scrolled_under_their_titles() -> None:
    table = GpuTable()
    app = Alone(table)
    async with app.run_test(size=(50, 8)) as pilot:
        table.show(state_with(*(gpu(index, util=80 + index) for index in range(16))))
        await until_shown(pilot, "86 %")
        assert "87 %" not in screen_text(app)
        await pilot.press(*"jjjjjjjjjj")
        await until(pilot, lambda: "95 %" in screen_text(app))
        assert screen_text(app).splitlines()[0].split() == ["GPU", "load", "memory", "GiB", "power", "temp"]
        assert "88 %" not in screen_text(app)


async def test_a_hot_gpu_and_a_full_one_are_told_from_unknown_figures() -> None:
    table = GpuTable()
    app = Alone(table)
    async with app.run_test(size=(60, 8)) as pilot:
        table.show(state_with(gpu(0, temp_c=85), gpu(1, mem_gib=76.0), {"index": 2, "util": None}))
        await until_shown(pilot, "85 °C hot")
        hot, full, unknown = screen_text(app).splitlines()[1:4]
        assert "hot" not in full
        assert unknown.split() == ["2", "–", "–", "–", "–"]
        roles = [[role for text, role in line if text.strip()] for line in table.shown[1:]]
        assert [len([role for role in line if role == "caution"]) for line in roles] == [1, 1, 0]
        assert hot.count("80") == full.count("80") == 1


async def test_the_load_so_far_is_drawn_for_each_gpu() -> None:
    state = RunState()
    for load in (0, 50, 100):
        state.apply(record("gpu", gpus=[gpu(0, util=load), gpu(1, util=100)]))
    table = GpuTable()
    app = Alone(table)
    async with app.run_test(size=(59, 6)) as pilot:  # of a terminal with 120 columns
        table.show(state)
        await until_shown(pilot, "load so far")
        lines = screen_text(app).splitlines()
        assert lines[1].endswith("▁▅█")
        assert lines[2].endswith("███")
