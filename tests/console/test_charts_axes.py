"""What stands around the curves, and that it hides none of them."""

from __future__ import annotations

import pytest

from vlmft_console.charts.draw import draw
from vlmft_console.charts.spec import ChartSpec, Curve, Kind, Mark, ReferenceLine
from vlmft_console.charts.view import View
from vlmft_console.history.series import Series

RESUMED = Mark(11, None, "↻", "R", "crosshair", "resumed")
CAUTION = Mark(30, None, "◆", "!", "caution", "caution")
STOP = Mark(50, None, "✖", "X", "stop", "stop")


def curve(label: str, *values: float, kind: Kind = "raw", every: int = 1) -> Curve:
    points = Series()
    for number, value in enumerate(values, 1):
        points.append(number * every, value)
    return Curve(label, points, kind)


def lines(spec: ChartSpec, width: int = 60, height: int = 12, view: View | None = None) -> list[str]:
    return [line.rstrip() for line in draw(spec, view or View(), width, height).lines()]


def without(spec: ChartSpec) -> ChartSpec:
    """The same curves on the same axes, with nothing else."""
    return ChartSpec(spec.title, spec.curves, limit=spec.limit, log=spec.log)


@pytest.mark.parametrize("height", [6, 7, 8, 14])
def test_marks_without_a_value_never_stand_among_the_points(height: int) -> None:
    spec = ChartSpec("Loss", (curve("train", *[0.0] * 30, *[1.0] * 30),), marks=(RESUMED, CAUTION, STOP))
    rows = draw(spec, View(), 40, height).lines()
    canvas = [row for row in rows[1:] if row[7] in "│┤"]
    assert not any(glyph in row for row in canvas for glyph in "↻◆✖")
    assert all(glyph in "".join(rows[1 + len(canvas) :]) for glyph in "↻◆✖")


def test_a_label_of_x_makes_room_for_a_mark() -> None:
    spec = ChartSpec("Loss", (curve("train", *[1.0] * 60),), marks=(STOP,), limit=60)
    below, rule = lines(spec, 40, 6)[-1], lines(spec, 40, 7)[-2]
    assert below.index("✖") == rule.index("✖")
    assert below.split() in (["step", "0", "50", "✖"], ["step", "0", "✖", "50"])


def test_only_whole_steps_are_labelled() -> None:
    spec = ChartSpec("Loss", (curve("train", *[1.0] * 10),), limit=10)
    for width in range(24, 120, 5):
        assert all(label.isdecimal() for label in lines(spec, width)[-1].split()[1:])
    assert lines(ChartSpec("Loss", spec.curves, limit=10, unit="epoch"), 60)[-1].split()[1:3] == ["0", "2.5"]


def test_in_a_short_legend_a_stop_is_missed_most_and_long_entries_are_shortened_first() -> None:
    best = Mark(20, 1.0, "★", "B", "best", "best 1.0000 @20", "best")
    curves = (
        curve("before resume", 1, 2, kind="old"),
        curve("train", 1, 2),
        curve("EMA(0.9)", 1, 2, kind="smooth"),
        curve("eval", 1, 2, kind="points"),
    )
    spec = ChartSpec("Loss", curves, headline="1.234", marks=(best, RESUMED, CAUTION, STOP))
    legends = {width: lines(spec, width)[0].split(maxsplit=2)[2] for width in (120, 80, 60, 50, 40)}
    assert legends == {
        120: "⠒ before resume ⣿ train ━ EMA(0.9) ● eval ★ best 1.0000 @20 ↻ resumed ◆ caution ✖ stop",
        80: "⣿ train ━ EMA(0.9) ● eval ★ best ↻ resumed ◆ caution ✖ stop",
        60: "⣿ train ━ EMA(0.9) ● eval ↻ resumed ✖ stop",
        50: "━ EMA(0.9) ● eval ↻ resumed ✖ stop",
        40: "━ EMA(0.9) ● eval ✖ stop",
    }


def test_in_a_short_legend_every_run_is_named_with_both_ends_of_its_name() -> None:
    curves = tuple(
        Curve(f"a-sweep-of-the-rate-{lr}", curve("", 1, 2).points, tag=str(number))
        for number, lr in enumerate(("1e-4", "3e-5", "1e-5"), 1)
    )
    spec = ChartSpec("Loss", curves)
    legends = {width: lines(spec, width)[0].split(maxsplit=1)[1] for width in (100, 70, 50, 40)}
    assert legends == {
        100: "1 a-sweep-of-the-rate-1e-4 2 a-sweep-of-the-rate-3e-5 3 a-sweep-of-the-rate-1e-5",
        70: "1 a-sweep-o…ate-1e-4 2 a-sweep-o…ate-3e-5 3 a-sweep-o…ate-1e-5",
        50: "1 a-swe…-1e-4 2 a-swe…-3e-5 3 a-swe…-1e-5",
        40: "1 a-sw…1e-4 2 a-sw…3e-5",
    }


def test_labels_of_reference_lines_hide_no_point() -> None:
    noise = [0.3 + number * 7 % 11 / 4 for number in range(200)]
    lines_ = (ReferenceLine(1.0, "good below 1"), ReferenceLine(2.0, "caution above 2", "caution"))
    spec = ChartSpec("Norm", (curve("norm", *noise),), references=lines_, limit=199)
    for size in ((40, 7), (60, 12), (90, 20)):
        shown, bare = (draw(each, View(), *size) for each in (spec, without(spec)))
        for row, plain in zip(shown.text[1:], bare.text[1:], strict=True):
            assert all(now == then for now, then in zip(row, plain, strict=True) if "⠁" <= then <= "⣿")


def test_a_reference_line_without_room_for_its_label_is_in_the_legend() -> None:
    noise = [number * 7 % 11 / 4 for number in range(200)]
    spec = ChartSpec("Norm", (curve("norm", *noise),), references=(ReferenceLine(1.0, "good below 1"),), limit=199)
    picture = lines(spec)
    assert picture[0].endswith("┄ good below 1")
    assert not any("good" in row for row in picture[1:])


def test_a_label_stands_beside_its_line_where_the_line_itself_is_covered() -> None:
    noise = [1.0 + number % 2 / 10 for number in range(190)]
    flat = curve("norm", *noise, *[5.0] * 10)
    picture = lines(ChartSpec("Norm", (flat,), references=(ReferenceLine(1.05, "limit"),), limit=200), 60, 14)
    (row,) = [row for row, line in enumerate(picture) if "limit" in line]
    assert picture[row + 1].startswith("      1┤⠐⠒⠒⠒⠒")


@pytest.mark.parametrize(
    ("values", "row", "label"),
    [((1.7e6, 1.2e6), -3, "▼ bad above 10"), ((0.01, 0.02), 1, "▲ good below 1")],
)
def test_where_all_values_lie_beyond_the_lines_the_nearest_is_named_at_the_edge(
    values: tuple[float, float], row: int, label: str
) -> None:
    bounds = (ReferenceLine(1.0, "good below 1"), ReferenceLine(10.0, "bad above 10", "stop"))
    spec = ChartSpec("Norm", (curve("norm", *values * 20),), references=bounds, log=True)
    assert label in lines(spec)[row]
    assert "".join(lines(spec)).count("below 1") + "".join(lines(spec)).count("above 10") == 1


def test_the_line_between_evals_is_seen_in_a_window_between_them() -> None:
    raw = curve("train", *[0.1] * 100)
    spec = ChartSpec("Loss", (raw, curve("eval", 3, 1, 1, 1, 1, 1, 1, 2, 2, 2, kind="points", every=10)), limit=100)
    between = lines(spec, view=View(span=8, right=79))
    assert not any("●" in row for row in between[1:])
    rising = [row[8:] for row in between if row[7:8] in "│┤" and "⠁" <= row[8:].strip()[:1] <= "⣿"]
    assert any(row.startswith(("⢀", "⣀", "⡠", "⠤")) or row.endswith(("⠊", "⠉", "⠁")) for row in rising)
    grid = draw(spec, View(span=8, right=79), 60, 12)
    columns = {column for row in range(1, 10) for column in range(8, 60) if grid.style[row][column] == "points"}
    assert columns == set(range(8, 60))
    assert "▲" not in "".join(between)


def test_a_line_goes_on_to_both_edges_of_the_window() -> None:
    spec = ChartSpec("Loss", (curve("eval", 1, 1, 1, 1, 1, kind="points", every=10),))
    for log in (False, True):
        rows = lines(spec, view=View(span=10, right=35, log=log))
        (row,) = [row for row in rows if "●" in row]
        assert len(row) == 60
        assert " " not in row[8:]
    assert len(lines(spec, view=View(span=10, right=55))[1:-2]) == 9
    last = next(row for row in lines(spec, view=View(span=10, right=55)) if "●" in row)
    assert last.endswith("●")  # nothing lies beyond the newest point


def test_where_train_and_eval_meet_both_are_seen() -> None:
    values = [1.0] * 100
    spec = ChartSpec(
        "Loss",
        (
            curve("train", *[each + number % 5 / 50 for number, each in enumerate(values)]),
            curve("EMA", *values, kind="smooth"),
            curve("eval", *values[:10], kind="points", every=10),
        ),
    )
    grid = draw(spec, View(), 70, 12)
    styles = [style for row in grid.style[1:10] for style in row]
    assert styles.count("smooth") > 30
    assert sum(row.count("●") for row in grid.text[1:]) == 10


def test_the_raw_values_are_seen_in_turn_with_the_eval_line() -> None:
    values = [1.0 + number % 2 for number in range(200)]
    spec = ChartSpec("Loss", (curve("train", *values), curve("eval", 1.4, 1.6, kind="points", every=90)), limit=200)
    grid = draw(spec, View(), 70, 8)
    row = next(row for row in range(1, 6) if "points" in grid.style[row])
    assert grid.style[row][44:56] == ["points"] * 3 + ["raw"] * 3 + ["points"] * 3 + ["raw"] * 3
