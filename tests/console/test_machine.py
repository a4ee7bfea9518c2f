"""What a log tells of GPUs and hosts over time: series by name, charts, and records that say nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records import record, run_start, step
from vlmft_console.charts.draw import draw
from vlmft_console.charts.overlay import overlay_chart
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.charts.view import View
from vlmft_console.history.replay import Replay
from vlmft_console.history.state import RunState


def gpu(*loads: float | None, memory: float = 60.0) -> dict[str, Any]:
    return record(
        "gpu",
        gpus=[{"index": n, "util": load, "mem_gib": memory, "mem_total_gib": 80.0} for n, load in enumerate(loads)],
    )


def host(*loads: float, free: float = 100.0) -> dict[str, Any]:
    return record(
        "host",
        hosts=[
            {"index": n, "name": f"node{n}", "cpu": load, "mem_gib": 20.0, "mem_total_gib": 64.0, "disk_free_gib": free}
            for n, load in enumerate(loads)
        ],
    )


def state_of(*records: dict[str, Any]) -> RunState:
    state = RunState()
    state.apply_all([run_start(), *records])
    return state


def test_every_figure_is_a_series_over_the_steps_at_which_it_was_told() -> None:
    state = state_of(gpu(5, 6), step(1), gpu(90, None), host(40.0), step(2), step(3), gpu(95, 96))
    assert list(state.by_name["gpu0.util"]) == [(0, 5), (1, 90), (3, 95)]
    assert list(state.by_name["gpu1.util"]) == [(0, 6), (3, 96)]
    assert list(state.by_name["host0.disk_free_gib"]) == [(1, 100)]
    names = list(state.by_name)
    assert names[0] == "loss", "the main quantities come first"
    assert all("." in name for name in names[names.index("gpu0.util") :]), "machines come last"


def test_what_a_resume_repeats_is_superseded_and_a_replay_has_it_again() -> None:
    records = [run_start(), *(each for n in range(1, 5) for each in (step(n), gpu(10.0 * n))), run_start(2, 2), gpu(7)]
    replay = Replay(())
    replay.load(records)
    replay.seek(replay.length)
    assert list(replay.state.by_name["gpu0.util"]) == [(1, 10), (2, 20), (2, 7)]
    replay.seek(9)
    assert list(replay.state.by_name["gpu0.util"]) == [(1, 10), (2, 20), (3, 30), (4, 40)]


def test_load_memory_and_disk_are_charts_with_a_curve_for_each_part() -> None:
    state = state_of(gpu(50, 70), host(30.0, 35.0), step(1), step(2), gpu(60, 80), host(40.0, 45.0, free=90.0))
    load = CHARTS["load"].of(state)
    assert [curve.label for curve in load.curves] == ["GPU 0", "GPU 1", "node0", "node1"]
    assert [curve.tag for curve in load.curves] == ["1", "2", "a", "b"]
    assert load.headline == "60.00 to 80.00 %"
    assert "of 64" not in draw(CHARTS["host_memory"].of(state), View(), 80, 12).lines()[0]
    assert [line.label for line in CHARTS["gpu_memory"].of(state).references] == ["80 GiB in all"]
    disk = CHARTS["disk"].of(state)
    assert (disk.headline, [curve.points.last for curve in disk.curves]) == (
        "96.64 GB",
        [(2, pytest.approx(96.64, abs=0.01))] * 2,
    )
    assert [curve.label for curve in CHARTS["load"].of(state_of(host(5.0), step(1), host(6.0))).curves] == ["CPU"]


def test_of_many_gpus_the_first_are_drawn_and_the_others_counted() -> None:
    spec = CHARTS["load"].of(state_of(gpu(*range(1, 65)), step(1)))
    assert len(spec.curves) == 8
    assert "56 more in metrics" in spec.headline


def test_the_load_of_several_runs_is_laid_over_each_other() -> None:
    busy, idle = state_of(step(1), gpu(90)), state_of(step(1), host(3.0))
    spec = overlay_chart([("busy", busy), ("idle", idle)], "load")
    assert [curve.points.last for curve in spec.curves] == [(1, 90), (1, 3)]


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["index", "util", "cpu", "mem_gib", "mem_total_gib", "name", "disk_free_gib"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_parts_that_say_nonsense_change_nothing_else(parts: object) -> None:
    state = state_of(step(1), {**gpu(1), "gpus": parts}, {**host(1), "hosts": parts}, step(2))
    assert state.step == 2
    for key in ("load", "gpu_memory", "host_memory", "disk"):
        assert all(line.isprintable() for line in draw(CHARTS[key].of(state), View(), 60, 12).lines())
