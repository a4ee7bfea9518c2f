"""Charts as the characters a person sees."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmft_console.charts.draw import draw
from vlmft_console.charts.spec import ChartSpec, Curve, Kind, Mark, ReferenceLine
from vlmft_console.charts.styles import STYLES, Look
from vlmft_console.charts.view import View
from vlmft_console.history.series import Series

PLAIN = Look(unicode=False)


def series(*values: float | None, every: int = 1) -> Series:
    made = Series()
    for step, value in enumerate(values, 1):
        made.append(step * every, value)
    return made


def chart(*values: float | None, kind: Kind = "raw", log: bool = False) -> ChartSpec:
    return ChartSpec("Loss", (Curve("train", series(*values), kind),), log=log)


def shown(
    spec: ChartSpec, width: int = 40, height: int = 10, view: View | None = None, look: Look | None = None
) -> str:
    return "\n".join(line.rstrip() for line in draw(spec, view or View(), width, height, look).lines())


def test_a_falling_loss_is_a_falling_line_with_labelled_axes() -> None:
    assert shown(chart(4, 3, 2, 1.5, 1.2, 1, 0.9, 0.85, 0.8, 0.8)) == "\n".join(
        [
            " Loss",
            "      4┤   ⢆",
            "       │    ⠑⢄",
            "       │      ⠑⢄",
            "      2┤        ⠑⢄⡀",
            "       │          ⠈⠑⠒⠤⢄⣀⣀⡀",
            "       │                 ⠈⠉⠉⠉⠉⠉⠒⠒⠒⠒⠒⠂",
            "      0┤",
            "       └┬───────────────────────────┬───",
            "  step  0                          10",
        ]
    )


def test_a_gap_is_not_bridged() -> None:
    rows = shown(chart(4, 3, 2, None, None, 1, 0.9, 0.85, 0.8, 0.8)).splitlines()
    assert rows[4] == "      2┤        ⠑"
    assert rows[5] == "       │                 ⡀"
    assert rows[6] == "       │                 ⠈⠉⠉⠉⠉⠉⠒⠒⠒⠒⠒⠂"


def test_values_that_are_not_finite_are_marked_below_and_named() -> None:
    spec = chart(1.0, 2.0, *[None] * 48, 1.5)
    rows = draw(spec, View(), 60, 10).lines()
    assert "× not finite" in rows[0]
    assert rows[-3].count("×") > 20
    assert "x not finite" in draw(spec, View(), 60, 10, Look(unicode=False)).lines()[0]


def test_all_values_being_finite_nothing_is_marked() -> None:
    assert "×" not in "".join(draw(chart(1.0, 2.0, 3.0), View(), 60, 10).lines())


def test_a_chart_that_is_held_says_what_it_shows_and_how_to_go_on() -> None:
    spec = chart(*[1.0] * 160)
    assert "held at 50-90, w follows" in draw(spec, View(span=40, right=90), 60, 10).lines()[0]
    assert "held" not in draw(spec, View(span=40), 60, 10).lines()[0]


@pytest.mark.parametrize(
    ("title", "headline", "width", "said"),
    [
        ("Loss", "0.09621", 48, "Loss 0.09621  held at 50-90, w follows"),
        ("Loss", "train 0.09621", 40, "Loss train 0.09621  held at 50-90"),
        ("Throughput", "last 89.63 samples/s", 40, "Throughput last 89.63 samples/s  held"),
        ("Throughput", "last 89.63 samples/s and 1,234 tokens/s", 40, "Throughput  held at 50-90, w follows"),
        ("a_metric_of_a_name_that_is_longer_than_its_chart", "1", 40, "a_metric_of_a_name_that_is_longer  held"),
    ],
)
def test_a_narrow_chart_that_is_held_says_so_too(title: str, headline: str, width: int, said: str) -> None:
    spec = replace(chart(*[1.0] * 160), title=title, headline=headline)
    view = View(span=40, right=90)
    assert draw(spec, view, width, 10).lines()[0].strip() == said
    crossed = draw(spec, replace(view, cross=70.0), width, 10).lines()[0]
    assert "held" in crossed
    assert "step 70  train 1.000" in crossed


def test_a_spike_is_marked_with_value_and_step_and_leaves_the_curve_readable() -> None:
    noise = [1 + index % 2 / 10 for index in range(1, 1000)]
    noise[776] = 50.0
    picture = shown(chart(*noise))
    assert "50.00 @777 ▲" in picture
    assert "1.08┤⣿⣿" in picture
    assert "1.00┤⠛⠛" in picture


def test_a_spike_near_the_right_edge_is_named_to_its_left() -> None:
    noise = [1 + index % 2 / 10 for index in range(1, 120)]
    noise[-2] = 50.0
    assert "50.00 @118 ▲" in shown(chart(*noise), view=View(span=120, right=120))


def test_a_reference_line_leaves_the_name_of_a_spike_readable() -> None:
    noise = [1 + index % 2 / 10 for index in range(1, 1000)]
    noise[300] = 50.0
    spec = ChartSpec("Loss", (Curve("train", series(*noise), "raw"),), references=(ReferenceLine(1.12, "limit"),))
    top = shown(spec, 70).splitlines()[1]
    assert "▲ 50.00 @301 ┄" in top
    assert "┄ limit" in top


def test_values_far_below_are_marked_at_the_bottom() -> None:
    noise = [1 + index % 2 / 10 for index in range(1, 200)]
    noise[50] = -70.0
    assert "▼ -70.00 @51" in shown(chart(*noise)).splitlines()[7]


def test_a_log_axis_spaces_powers_of_ten_evenly_and_shows_reference_lines() -> None:
    spec = ChartSpec(
        "Norm",
        (Curve("norm", series(0.1, 1, 10, 100, 1000), "line"),),
        log=True,
        references=(ReferenceLine(10, "bad above 10", "stop"),),
    )
    assert shown(spec) == "\n".join(
        [
            " Norm",
            "       │                   ⢀",
            "       │                 ⢀⠔⠁",
            "    100┤               ⡠⠒⠁",
            "       │┄┄┄┄┄┄┄┄┄┄┄┄⣀⠔⠉┄┄┄ bad above 10",
            "       │         ⢀⠤⠊",
            "      1┤       ⡠⠒⠁",
            "       │    ⣀⠔⠉",
            "       └┬──────────────────┬────────────",
            "  step  0                  5",
        ]
    )


def test_a_log_axis_leaves_out_what_has_no_logarithm() -> None:
    picture = shown(chart(1, 10, 0, -5, 10, 1, kind="line", log=True))
    assert "10┤" in picture
    assert "no values above 0 for a log axis" in shown(chart(0, -1, 0, log=True))


def test_a_chart_without_data_says_so() -> None:
    assert shown(ChartSpec("Loss")).splitlines()[5].strip() == "no data"
    assert shown(chart(None, None)).splitlines()[5].strip() == "no data"
    words = "loading the base model Qwen/Qwen2.5-VL-7B-Instruct, which takes a while"
    for width, height in ((30, 7), (40, 10), (40, 5)):
        assert " ".join(shown(ChartSpec("Loss", empty=words), width, height).split()) == f"Loss {words}"


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e-9, 1e308, -1e308])
def test_a_constant_is_a_level_line_away_from_the_edges(value: float) -> None:
    rows = draw(chart(*[value] * 50, kind="line"), View(), 40, 10).lines()
    marked = [index for index, row in enumerate(rows[1:8]) if any("⠁" <= character <= "⣿" for character in row)]
    assert len(marked) == 1
    assert any("┤" in row for row in rows)


def test_ascii_alone_draws_every_part() -> None:
    spec = ChartSpec(
        "Loss",
        (Curve("train", series(4, 3, 2, 1), "raw"), Curve("eval", series(3.5, 2.5, every=2), "points")),
        marks=(Mark(4, 2.5, "★", "B", "best", "best"),),
    )
    assert shown(spec, look=PLAIN) == "\n".join(
        [
            " Loss              . train o eval B best",
            "      4+    .",
            "       |     .. o",
            "       |       ..-------B",
            "      2+         ....",
            "       |             ....",
            "       |",
            "      0+",
            "       ++------------------+------------",
            "  step  0                  5",
        ]
    )


def test_superseded_points_are_drawn_dim_and_under_the_new_ones() -> None:
    loss = series(*[3.0] * 20)
    loss.rewind(10)
    for step in range(11, 21):
        loss.append(step, 1.0)
    spec = ChartSpec("Loss", (Curve("before resume", loss.superseded, "old"), Curve("train", loss, "raw")))
    grid = draw(spec, View(), 40, 10)
    old = [row for row, styles in enumerate(grid.style[1:8]) if "old" in styles]
    raw = [row for row, styles in enumerate(grid.style[1:8]) if "raw" in styles]
    assert old
    assert max(old) < max(raw)
    assert "dim" in STYLES["old"] or "bright_black" in STYLES["old"]
    assert "⠒ before resume" in grid.lines()[0]


def test_without_colours_the_average_is_drawn_in_other_characters_than_the_raw_values() -> None:
    spec = ChartSpec(
        "Loss",
        (Curve("train", series(1, 3, 1, 3, 1, 3), "raw"), Curve("EMA", series(2, 2, 2, 2, 2, 2), "smooth")),
    )
    picture = shown(spec, look=Look(color=False))
    assert any(block in picture for block in "▀▄▚▞")
    assert any("⠁" <= character <= "⣿" for character in picture)


def test_runs_are_told_apart_by_a_digit_as_well_as_by_colour() -> None:
    spec = ChartSpec(
        "Loss",
        (
            Curve("one", series(4, 3, 2, 2), "line", "run-1", "1"),
            Curve("two", series(4, 2, 1, 1), "line", "run-2", "2"),
        ),
    )
    picture = shown(spec)
    assert "1 one 2 two" in picture.splitlines()[0]
    assert "1" in "".join(row[8:] for row in picture.splitlines()[1:7])


def test_a_title_wider_than_its_chart_is_cut_and_takes_the_legends_place() -> None:
    spec = replace(chart(1.0, 2.0), title="a_metric_with_a_name_that_is_longer_than_its_panel_is_wide")
    assert draw(spec, View(), 40, 10).lines()[0] == " a_metric_with_a_name_that_is_longer_tha"


def test_the_crosshair_reads_step_and_values_in_the_title() -> None:
    spec = ChartSpec("Loss", (Curve("train", series(4, 3, 2, 1)), Curve("eval", series(9, 8, every=3), "points")))
    assert shown(spec, 60, view=View(cross=2.0)).splitlines()[0] == " Loss step 2  train 3.000  eval 9.000 @3"


def test_on_a_narrow_chart_the_crosshair_reading_takes_the_place_of_the_title() -> None:
    spec = ChartSpec("Loss", (Curve("train", series(4, 3, 2, 1)), Curve("eval", series(9, 8, every=3), "points")))
    assert shown(spec, 32, view=View(cross=2.0)).splitlines()[0] == " step 2  train 3.000"
    assert shown(spec, 24, view=View(cross=2.0)).splitlines()[0] == " step 2  train 3.000"


def test_what_was_is_read_off_before_what_was_planned() -> None:
    curves = (Curve("planned", series(1, 2, 3), "planned"), Curve("actual", series(1, 2, 4)))
    spec = ChartSpec("Learning rate", curves)
    assert shown(spec, 60, view=View(cross=3.0)).splitlines()[0] == " Learning rate step 3  actual 4.000  planned 3.000"
    assert shown(spec, 28, view=View(cross=3.0)).splitlines()[0] == " step 3  actual 4.000"


def test_names_from_a_log_cannot_break_the_rectangle() -> None:
    spec = ChartSpec("Verlust 損失 \u0301", (Curve("電", series(1, 2)), Curve("b", series(1, 2))))
    assert all(len(line) == 40 for line in draw(spec, View(), 40, 8).lines())
    assert "損" not in shown(spec)


def test_no_control_character_in_a_name_reaches_the_terminal() -> None:
    curves = (Curve("\x1b[2Jone\x9b", series(1, 2)), Curve("two\u202e\n", series(1, 2)))
    spec = ChartSpec("\x1b]0;x\x07", curves, "\x1b[31m", (ReferenceLine(1.5, "\x1bc", "stop"),))
    for view in (View(), View(cross=1.0)):
        text = "".join(draw(spec, view, 70, 9).lines())
        assert text.isprintable()
        assert "[2Jone?" in text or view.cross


@pytest.mark.parametrize(
    ("width", "height", "picture"),
    [
        (10, 3, "Loss 1.000\n ⠑⠤⣀\n    ⠑⠂"),
        (12, 1, "1.000 ⠈⠒⠢"),
        (5, 1, "1.000"),
        (1, 1, "⠣"),
    ],
)
def test_a_tiny_chart_is_the_latest_value_and_a_small_curve(width: int, height: int, picture: str) -> None:
    assert shown(chart(4, 3, 2, 1), width, height) == picture


@pytest.mark.parametrize(("width", "height"), [(40, 4), (23, 8), (30, 2), (12, 1)])
def test_of_several_runs_none_is_left_out_of_a_tiny_chart(width: int, height: int) -> None:
    points = {"1": series(4, 3, 2, 2), "2": series(9, 9, 8)}
    curves = tuple(Curve(f"run {tag}", each, "line", f"run-{tag}", tag) for tag, each in points.items())
    rows = shown(ChartSpec("Train loss, smoothed", curves), width, height).splitlines()
    assert ("Train loss, smoothed" in rows[0]) is (height > 1)
    assert all(tag in "".join(rows[height > 1 :]) for tag in "12")


_VALUES = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=40)
_KINDS: st.SearchStrategy[Kind] = st.sampled_from(["raw", "smooth", "line", "points", "planned", "old"])


@settings(max_examples=150)
@given(
    curves=st.lists(st.tuples(_KINDS, _VALUES), max_size=3),
    every=st.sampled_from([1, 7, 10**6]),
    size=st.tuples(st.integers(0, 70), st.integers(0, 16)),
    log=st.booleans(),
    look=st.sampled_from([Look(), PLAIN, Look(color=False)]),
    cross=st.none() | st.floats(-10, 1e8),
    span=st.none() | st.floats(0.5, 1e7),
)
def test_any_data_at_any_size_fill_exactly_the_rectangle(
    curves: list[tuple[Kind, list[float | None]]],
    every: int,
    size: tuple[int, int],
    log: bool,
    look: Look,
    cross: float | None,
    span: float | None,
) -> None:
    spec = ChartSpec(
        "Any",
        tuple(Curve(f"c{index}", series(*ys, every=every), kind) for index, (kind, ys) in enumerate(curves)),
        references=(ReferenceLine(1.0, "one"),),
        marks=(Mark(3, None, "◆", "!", "caution"),),
    )
    grid = draw(spec, View(span=span, log=log, cross=cross), *size, look)
    assert [len(row) for row in grid.lines()] == [size[0]] * size[1]
    assert look.unicode or all(row.isascii() for row in grid.lines())
    assert "\u2800" not in "".join(grid.lines())
    assert {style for row in grid.style for style in row} <= {"", *STYLES}
    for row in range(grid.height):
        assert "".join(text for text, _ in grid.runs(row)) == grid.lines()[row]


def test_two_charts_never_mix() -> None:
    first, second = chart(4, 3, 2, 1), chart(*[math.sin(index) for index in range(200)])
    alone = shown(first)
    shown(second, 90, 20)
    assert shown(first) == alone
