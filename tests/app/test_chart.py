"""The chart widget: what keys do, and what it sends to the screen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.color import Color
from textual.geometry import Region
from textual.theme import Theme

from tests.app.looking import told, until, until_shown
from tests.sample_run import make_sample
from vlmft_console.app.app import VlmftConsole
from vlmft_console.app.themes import DARK, LIGHT
from vlmft_console.app.widgets.base.chart import _ROLES, Chart
from vlmft_console.charts.spec import ChartSpec, Curve, Mark, ReferenceLine
from vlmft_console.history.series import Series, Smoothed


def loss_spec(steps: int = 1000) -> ChartSpec:
    """A falling loss with ripples, one spike, a gap and evals: the same every time."""
    raw, evals = Series(), Series()
    smooth = Smoothed(raw, 0.9)
    for step in range(1, steps + 1):
        loss = 0.4 + 2 * 0.995**step + (step * 7919 % 100) / 400
        value = None if 400 < step < 420 else 50.0 if step == 777 else loss
        raw.append(step, value)
        smooth.append(step, value)
        if step % 100 == 0:
            evals.append(step, 0.5 + 2 * 0.995**step + max(0, step - 600) ** 2 / 1e6)
    best = Mark(600, evals.nearest(600)[1], "★", "B", "best", "best 0.5988 @600")
    curves = (Curve("train", raw, "raw"), Curve("EMA", smooth, "smooth"), Curve("eval", evals, "points"))
    lines = (ReferenceLine(2.0, "base model"),)
    return ChartSpec("Loss", curves, headline="0.4312", references=lines, marks=(best,), limit=1250)


class TwoCharts(App[None]):
    """Two charts to move the focus between."""

    def compose(self) -> ComposeResult:
        yield Chart(ChartSpec("First"), id="first")
        yield Chart(ChartSpec("Second"), id="second")


class ChartApp(App[None]):
    """One chart, and what it asked for."""

    def __init__(self, spec: ChartSpec | None = None, *, light: bool = False, no_color: bool = False) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = (LIGHT if light else DARK).name
        self.no_color = no_color
        self.asked: list[object] = []
        self.spec = spec

    def compose(self) -> ComposeResult:
        yield Chart(self.spec)

    def on_chart_smoothing_requested(self, message: Chart.SmoothingRequested) -> None:
        self.asked.append(message.change)

    def on_chart_full_screen_requested(self, message: Chart.FullScreenRequested) -> None:
        self.asked.append(message.control)

    @property
    def chart(self) -> Chart:
        return self.query_one(Chart)

    @property
    def title_row(self) -> str:
        return self.chart.render_line(0).text

    @property
    def x_labels(self) -> list[str]:
        return self.chart.render_line(self.chart.size.height - 1).text.split()[1:]


class Repaints:
    """The regions that a chart asks to be painted anew; None where it was all of it."""

    def __init__(self, chart: Chart, patch: pytest.MonkeyPatch) -> None:
        self.regions: list[Region] | None = []
        refresh = chart.refresh

        def watched(*regions: Region, **options: bool) -> Chart:
            self.regions = [*self.regions, *regions] if regions and self.regions is not None else None
            return refresh(*regions, **options)

        patch.setattr(chart, "refresh", watched)


async def test_keys_zoom_in_and_out_and_show_the_whole_run_again() -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(60, 14)) as pilot:
        whole = app.x_labels
        await pilot.press("plus", "plus")
        closer = app.x_labels
        assert closer != whole
        assert app.chart.view.follows
        await pilot.press("minus")
        assert app.x_labels not in (closer, whole)
        await pilot.press("home")
        assert app.x_labels == whole


@pytest.mark.parametrize(("back", "forth"), [("h", "l"), ("left", "right")])
async def test_keys_pan_and_the_end_key_follows_the_newest_step_again(back: str, forth: str) -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(60, 14)) as pilot:
        await pilot.press("plus", "plus", back, back)
        earlier = app.x_labels
        assert not app.chart.view.follows
        await pilot.press(forth)
        assert app.x_labels != earlier
        await pilot.press("end")
        assert app.chart.view.follows


async def test_a_chart_that_holds_still_does_not_move_with_new_steps() -> None:
    spec = loss_spec()
    app = ChartApp(spec)
    async with app.run_test(size=(60, 14)) as pilot:
        await pilot.press("plus", "w")
        held = app.x_labels
        for step in range(1001, 1200):
            spec.curves[0].points.append(step, 0.4)
        app.chart.show(spec)
        assert app.x_labels == held
        await pilot.press("w")
        assert app.x_labels != held


async def test_the_crosshair_reads_the_curves_and_moves_with_the_arrows() -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(90, 14)) as pilot:
        await pilot.press("c")
        assert "step 1,000  train 0." in app.title_row
        assert "eval 0.6" in app.title_row
        await pilot.press("left")
        assert "step 1,000" not in app.title_row
        assert "step 9" in app.title_row
        await pilot.press("c")
        assert "step" not in app.title_row


async def test_a_click_puts_the_crosshair_where_it_points() -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(90, 14)) as pilot:
        below = app.chart.render_line(13).text.index("600") + 1
        await pilot.click(Chart, offset=(below, 5))
        assert app.chart.view.cross == pytest.approx(600, abs=15)


async def test_g_makes_the_axis_logarithmic_and_linear_again() -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(60, 14)) as pilot:
        linear = [app.chart.render_line(row).text[:8] for row in range(14)]
        await pilot.press("g")
        assert app.chart.view.log
        assert [app.chart.render_line(row).text[:8] for row in range(14)] != linear
        await pilot.press("g")
        assert [app.chart.render_line(row).text[:8] for row in range(14)] == linear


async def test_smoothing_and_full_screen_are_asked_for() -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(60, 14)) as pilot:
        await pilot.press("s", "S", "f", "enter")
        assert app.asked == [1, -1, app.chart, app.chart]


async def test_nothing_is_sent_when_no_character_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = loss_spec()
    app = ChartApp(spec)
    async with app.run_test(size=(60, 14)):
        painted = Repaints(app.chart, monkeypatch)
        app.chart.show(spec)
        spec.curves[0].points.append(1001, 0.45)
        app.chart.show(spec)
        assert painted.regions == []


async def test_only_the_changed_part_of_a_line_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = loss_spec()
    app = ChartApp(spec)
    async with app.run_test(size=(60, 14)):
        painted = Repaints(app.chart, monkeypatch)
        app.chart.show(ChartSpec("Loss", spec.curves, "0.4999", spec.references, spec.marks, limit=1250))
        assert painted.regions == [Region(9, 0, 3, 1)]


async def test_what_is_on_the_screen_after_partial_updates_equals_a_fresh_chart() -> None:
    spec = loss_spec(700)
    app, whole = ChartApp(spec), loss_spec(1100)
    async with app.run_test(size=(60, 14)) as pilot:
        for step in range(701, 1101):
            for mine, complete in zip(spec.curves, whole.curves, strict=True):
                x, y = complete.points.nearest(step)
                if x == step:
                    mine.points.append(x, y)
            app.chart.show(spec)
            await pilot.pause()
        partial = [strip.text for strip in app.screen._compositor.render_strips()]
        app.screen.refresh()
        await pilot.pause()
        assert [strip.text for strip in app.screen._compositor.render_strips()] == partial


async def test_the_focused_chart_is_marked_without_colour_and_only_that_one() -> None:
    app = TwoCharts()
    async with app.run_test(size=(60, 30)) as pilot:
        for first, second in (("▸First", " Second"), (" First", "▸Second"), ("▸First", " Second")):
            assert app.query_one("#first", Chart).render_line(0).text.rstrip() == first
            assert app.query_one("#second", Chart).render_line(0).text.rstrip() == second
            await pilot.press("tab")


async def test_another_theme_recolours_the_chart() -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(60, 14)) as pilot:
        dark = app.screen._compositor.render_strips()
        app.theme = LIGHT.name
        await pilot.pause()
        light = app.screen._compositor.render_strips()
        assert [strip.text for strip in light] == [strip.text for strip in dark]
        colors = [
            {segment.style.color for strip in strips for segment in strip if segment.style} for strips in (dark, light)
        ]
        assert not colors[0] & colors[1]


async def test_a_chart_survives_every_size() -> None:
    app = ChartApp(loss_spec())
    async with app.run_test(size=(60, 14)) as pilot:
        for size in ((1, 1), (2, 9), (10, 3), (23, 5), (24, 5), (40, 12), (200, 60), (1, 40)):
            await pilot.resize_terminal(*size)
            await pilot.press("plus", "c", "left", "c", "minus")
            assert app.chart.size == size


async def test_keys_do_no_harm_where_there_is_no_data() -> None:
    app = ChartApp()
    async with app.run_test(size=(60, 14)) as pilot:
        await pilot.press("plus", "minus", "h", "l", "home", "end", "w", "w", "c", "left", "g", "s", "f")
        assert "no data" in "".join(app.chart.render_line(row).text for row in range(14))


async def test_every_key_has_a_description() -> None:
    for binding in Chart.BINDINGS:
        assert binding.description
        assert binding.tooltip


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
def test_a_loss_chart_looks_as_it_should(snap_compare: object, size: tuple[int, int]) -> None:
    assert snap_compare(ChartApp(loss_spec()), terminal_size=size)


def test_a_loss_chart_looks_as_it_should_on_a_light_background(snap_compare: object) -> None:
    assert snap_compare(ChartApp(loss_spec(), light=True), press=["c", "left"], terminal_size=(80, 24))


def test_a_loss_chart_looks_as_it_should_without_colours(snap_compare: object) -> None:
    assert snap_compare(ChartApp(loss_spec(), no_color=True), terminal_size=(80, 24))


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_every_curve_stands_out_from_the_paper(theme: Theme) -> None:
    paper = Color.parse(theme.background or "")
    for name, style in _ROLES.items():
        word = next((word for word in style.split() if word.startswith("$")), None)
        if word is None:
            continue
        share = float(style.rpartition(" ")[2].rstrip("%")) / 100 if style.endswith("%") else 1.0
        ink = Color.parse(theme.variables.get(word[1:]) or getattr(theme, word[1:]))
        light, dark = sorted((_luminance(paper.blend(ink, share)), _luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, name


def _luminance(color: Color) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


async def test_a_chart_is_written_to_a_file_as_far_as_it_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = VlmftConsole(make_sample(tmp_path / "outputs").path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "2,000/")
        await pilot.press("i")
        await until(pilot, lambda: "best-sample-Loss.svg" in told(app))
        await pilot.press("plus", "plus", "i")
        await until(pilot, lambda: "best-sample-Loss-2.svg" in told(app))
    whole, part = ((tmp_path / name).read_text() for name in ("best-sample-Loss.svg", "best-sample-Loss-2.svg"))
    assert ">0</text>" in whole
    assert ">0</text>" not in part


async def test_a_chart_is_written_as_png_too_where_pillow_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = VlmftConsole(make_sample(tmp_path / "outputs").path)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "2,000/")
        await pilot.press("I")
        await until(pilot, lambda: "best-sample-Loss.png" in told(app))
        monkeypatch.setitem(sys.modules, "PIL", None)
        monkeypatch.delitem(sys.modules, "vlmft_console.report.chart_png")
        await pilot.press("I")
        await until(pilot, lambda: "PNG is drawn by Pillow" in told(app))
    assert (tmp_path / "best-sample-Loss.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*-2.png"))
