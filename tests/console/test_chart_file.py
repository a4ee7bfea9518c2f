"""Charts as files: what stands in them is the log's, and whatever a log says they are pictures and nothing else."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from textual.color import Color
from typer.testing import CliRunner

from tests.app.test_app import contrast
from tests.records import evaluated, plan, record, run_start, step, write_log
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.charts.spec import ChartSpec, Curve
from vlmft_console.charts.view import View
from vlmft_console.cli import app
from vlmft_console.history.series import Series
from vlmft_console.history.state import RunState
from vlmft_console.report.chart_file import INK, PAPER, chart_svg
from vlmft_console.report.chart_png import png_of
from vlmft_console.report.picture_file import free_file
from vlmft_console.report.svg import HEIGHT, WIDTH
from vlmft_core.errors import VlmftError

HOSTILE = "</text><script>alert(1)</script>\x1b[31m&\ufffe\uffff"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    steps = (step(n, loss=2.0 / n + (50 if n == 77 else 0), lr=1e-4) for n in range(1, 101))
    return write_log(tmp_path / "events.jsonl", [run_start(), plan(100), *steps, evaluated(100, 0.5)])


def plot(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["plot", *map(str, arguments)])
    return result.exit_code, result.output


def polylines(svg: str) -> list[list[tuple[float, float]]]:
    found = [each for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("polyline")]
    points = [[point.split(",") for point in each.attrib["points"].split()] for each in found]
    return [[(float(x), float(y)) for x, y in line] for line in points]


def test_a_chart_is_written_as_a_picture_of_the_logs_points(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "loss.svg"
    code, output = plot(log, "-m", "loss", "-m", "lr", "--out", path)
    assert (code, "written" in output) == (0, True)
    svg = path.read_text()
    (raw, *_) = polylines(svg)
    assert len(raw) == 100, "every step is there"
    assert "▲ 50.03 @77" in svg
    assert svg.count(">Learning rate") == 1


def test_no_label_reaches_beyond_the_picture(tmp_path: Path) -> None:
    steps = [step(n, lr=1e-7) for n in range(1000, 1_300_000, 1000)]
    log = write_log(tmp_path / "events.jsonl", [run_start(), plan(1_300_000), *steps])
    assert plot(log, "-m", "loss", "--from", 1_000_000, "--to", 1_200_000, "-o", tmp_path / "part.svg")[0] == 0
    root = ElementTree.parse(tmp_path / "part.svg").getroot()
    for each in (each for each in root.iter() if each.get("class") == "tick x"):
        width, x = 7.0 * len(each.text or ""), float(each.attrib["x"])
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[each.attrib["text-anchor"]]
        assert 40 <= left < left + width <= WIDTH, each.text


@pytest.mark.parametrize("name", ["raw", "old", "smooth", "points", "planned", "stop", "caution", "best", "run-1"])
def test_every_curve_stands_out_from_the_paper(name: str) -> None:
    assert contrast(Color.parse(INK[name]), Color.parse(PAPER)) >= 3


def test_only_the_part_that_was_asked_for_is_drawn(log: Path, tmp_path: Path) -> None:
    assert plot(log, "-m", "loss", "--from", 10, "--to", 19, "-o", tmp_path / "part.svg")[0] == 0
    assert len(polylines((tmp_path / "part.svg").read_text())[0]) == 10


def test_a_png_has_the_same_in_it(log: Path, tmp_path: Path) -> None:
    assert plot(log, "-m", "loss", "-o", tmp_path / "loss.png")[0] == 0
    image = Image.open(io.BytesIO((tmp_path / "loss.png").read_bytes()))
    assert image.format == "PNG"
    assert image.width == 1440
    colors = {color for _, color in image.getcolors(1 << 24) or []}
    assert {(11, 107, 203), (179, 92, 0)} <= colors, "the average and the evals"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("-o", "loss.gif"), ".svg or .png"), (("-o", "a.svg", "--json"), "--json"), (("-o", "gone/a.svg"), "gone")],
)
def test_what_cannot_be_written_is_refused_in_a_line(log: Path, here: Path, arguments: tuple[str], said: str) -> None:
    code, output = plot(log, *arguments)
    assert code == 2
    assert said in output
    assert len(output.strip().splitlines()) <= 2


def test_a_file_that_is_there_stays(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "loss.svg"
    path.write_text("mine")
    assert plot(log, "-o", path)[0] == 2
    assert path.read_text() == "mine"
    assert plot(log, "-o", path, "--force")[0] == 0


def test_without_pillow_a_png_is_refused_and_says_what_helps(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "vlmft_console.report.chart_png", raising=False)
    code, output = plot(log, "-o", tmp_path / "a.png")
    assert code == 2
    assert "Pillow" in output
    assert not (tmp_path / "a.png").exists()


def test_names_from_a_log_are_text_and_nothing_else() -> None:
    state = RunState()
    metrics = (record("metrics", step=n, metrics={HOSTILE: float(n)}) for n in (1, 2))
    state.apply_all([run_start(), step(1), step(2), *metrics])
    series = state.by_name[HOSTILE]
    curves = (Curve(HOSTILE, series), Curve(HOSTILE, series, "line", "run-1", "1"))
    svg = chart_svg([(ChartSpec(HOSTILE, curves), View())], HOSTILE)
    assert "\x1b" not in svg
    kinds = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(svg).iter()}
    assert kinds <= {"svg", "title", "style", "rect", "g", "text", "line", "polyline", "circle"}
    assert Image.open(io.BytesIO(png_of(svg))).width == 1440


def test_every_chart_with_values_that_are_not_finite_becomes_a_picture() -> None:
    state = RunState()
    steps = (step(n, None if n % 3 else 1e300, nonfinite=["loss"] if n % 3 else [], mem_gib=9.0) for n in range(1, 50))
    state.apply_all([run_start(), plan(100), *steps])
    drawn = [(chart.of(state), View()) for chart in CHARTS.values()]
    svg = chart_svg(drawn, "run")
    places = [place for line in polylines(svg) for place in line]
    assert all(0 <= y <= HEIGHT for _, y in places)


def test_there_is_no_picture_of_nothing() -> None:
    with pytest.raises(VlmftError, match="nothing to draw"):
        chart_svg([(ChartSpec("empty", (Curve("a", Series()),)), View())], "run")


def test_a_new_file_takes_no_other_ones_place(tmp_path: Path) -> None:
    first = free_file(tmp_path, "../a run: Loss/1\x1b", ".svg")
    assert first == tmp_path / "a-run--Loss-1.svg"
    first.write_text("")
    assert free_file(tmp_path, "a run: Loss/1", ".svg") == tmp_path / "a-run--Loss-1-2.svg"
    assert free_file(tmp_path, "///", ".svg").name == "chart.svg"
    (tmp_path / "chart.svg").symlink_to("nowhere")
    assert free_file(tmp_path, "///", ".svg").name == "chart-2.svg"
    free_file(tmp_path, 300 * "損", ".svg").write_text("")
