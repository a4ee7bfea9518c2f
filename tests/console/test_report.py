from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from textual.color import Color
from typer.testing import CliRunner, Result

from tests.app.test_app import contrast
from tests.records import evaluated, plan, record, run_start, step, write_log
from tests.run_folders import ended_run
from vlmft_console.cli import app
from vlmft_console.history.loading import read_log
from vlmft_console.report.html import _STYLE, html
from vlmft_console.report.run_report import report_figures
from vlmft_console.report.text import spelled_out
from vlmft_core.run_folder.answers import Answers

HOSTILE = "<script>alert(1)</script>\x1b[31m|x|"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose eval loss rose away, resumed once, with a spike and hostile text."""
    folder = tmp_path / "runs" / "rose"
    (folder / "logs").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "preset.yaml").write_text("training: {learning_rate: 1.0e-4}")
    start = record("run_start", run_id="r", segment=1, host=HOSTILE, versions={"torch": "2.13"}, world_size=2)
    first = [start, plan(80), record("note", message=HOSTILE)]
    for n in range(1, 61):
        first.append(step(n, 60.0 if n == 20 else 3 / n, epoch=n / 10))
        if n % 10 == 0:
            first.append(record("eval", step=n, epoch=n / 10, eval_loss=1 + abs(n - 20) / 20, token_accuracy=0.5))
    again = {**start, "segment": 2, "resumed_from": 40}
    second = [again, *(step(n, 2 / n, epoch=n / 10) for n in range(41, 81)), record("run_end", status="finished")]
    for number, records in ((1, first), (2, second)):
        log = folder / "logs" / f"events-{number:04d}.jsonl"
        write_log(log, records)
    return folder


def report(*args: Any) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, args)])


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_holds_charts_findings_epochs_plan_and_preset_and_fetches_nothing(run: Path, tmp_path: Path) -> None:
    result = report(run, "-o", tmp_path / "report.html")
    assert (result.exit_code, result.output) == (0, f"written: {tmp_path / 'report.html'}\n")
    page = Page((tmp_path / "report.html").read_text())
    names = [tag for tag, _ in page.tags]
    assert names.count("svg") >= 3
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert not [attrs for _, attrs in page.tags if {"src", "href", "onclick"} & set(attrs)]
    for text in ("eval_off_best", "Advice:", "Every epoch", "total steps", "training.learning_rate", "2.13"):
        assert text in page.text


def test_text_from_a_log_is_shown_and_never_obeyed(run: Path, tmp_path: Path) -> None:
    report(run, "-o", tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert "<script>alert(1)</script>\\x1b[31m" in page.text
    assert "\x1b" not in page.text


def test_a_spike_beyond_the_scale_is_named_in_the_picture(run: Path, tmp_path: Path) -> None:
    report(run, "-o", tmp_path / "report.html")
    assert "▲ 60.00 @20" in Page((tmp_path / "report.html").read_text()).text


def test_markdown_goes_to_standard_output_and_shows_hostile_text_as_it_is(run: Path) -> None:
    result = report(run, "--format", "md")
    assert result.exit_code == 0
    assert "- best eval loss: 1.000 at step 20" in result.output
    assert "| 2 ★ | 20 |" in result.output
    assert "\\<script\\>alert(1)\\</script\\>\\\\x1b\\[31m\\|x\\|" in result.output
    assert "\x1b" not in result.output
    tables = [line for line in result.output.splitlines() if line.startswith("|")]
    assert all(re.fullmatch(r"\|.*\|", line) for line in tables)


def test_json_tells_resolved_and_active_findings_with_the_changes_they_advise(run: Path) -> None:
    figures = json.loads(report(run, "--format", "json").output)
    assert figures["steps"] == 80
    assert figures["best_eval"] == {"step": 20, "epoch": 2.0, "eval_loss": 1.0}
    assert figures["preset"]["training"]["learning_rate"] == 1e-4
    advised = next(finding for finding in figures["findings"] if finding["rule"] == "eval_off_best")
    assert advised["changes"]["training.weight_decay"] == 0.02


def test_csv_has_one_line_a_step_and_leaves_out_what_a_resume_superseded(run: Path) -> None:
    rows = list(csv.DictReader(report(run, "--format", "csv").output.splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(1, 81))
    assert float(rows[49]["train_loss"]) == pytest.approx(2 / 50)
    assert (rows[19]["eval_loss"], rows[49]["eval_loss"]) == ("1.0", "")


def test_csv_and_json_have_every_metric(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    entries = [{"step": 1, "loss": 2.0, "reward": 0.5}, {"step": 2, "loss": 1.0}, {"step": 2, "eval_wer": 0.25}]
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    first, second = csv.DictReader(report(log, "--format", "csv").output.splitlines())
    assert (first["train_loss"], first["reward"], first["eval_wer"]) == ("2.0", "0.5", "")
    assert (second["train_loss"], second["reward"], second["eval_wer"]) == ("1.0", "", "0.25")
    figures = json.loads(report(log, "--format", "json").output)
    assert figures["metrics"]["reward"] == {"points": 1, "first": 0.5, "last": 0.5, "lowest": 0.5, "highest": 0.5}


def test_a_file_that_is_there_is_not_replaced_unasked(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("mine")
    result = report(run, "-o", target)
    assert (result.exit_code, target.read_text()) == (2, "mine")
    assert result.stderr == f"vlmft: {target}: exists already (pass --force to replace it)\n"
    assert report(run, "-o", target, "--force").exit_code == 0


def test_a_dash_is_no_file_to_write(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = report(run, "-o", "-", "--format=md")
    assert result.stderr == "vlmft: -: no file's name (what goes to standard output goes there without -o)\n"
    assert list(tmp_path.glob("-")) == []


def test_html_without_a_file_is_refused_in_one_line(run: Path) -> None:
    result = report(run)
    assert result.exit_code == 2
    assert result.stderr == "vlmft: an HTML report needs a file (pass -o report.html, or --format md)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "run.pdf"], "run.pdf: no report ends in .pdf (use .html, .md, .json, .csv, or --format, too)"),
        (
            ["-o", "run.md", "--format", "csv"],
            "run.md: --format csv is something else (let it end in .csv, or leave --format)",
        ),
    ],
)
def test_a_file_whose_ending_stands_for_something_else_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = report(run, *arguments)
    assert (result.exit_code, result.stderr) == (2, f"vlmft: {said}\n")
    assert not Path(arguments[1]).exists()


def test_the_preset_is_written_as_a_person_would(run: Path) -> None:
    rows = report(run, "--format", "md").output.splitlines()
    assert "| hardware.timeout_minutes | 30 |" in rows
    assert "| lora.dora | no |" in rows
    assert "| lora.target_modules | q_proj, v_proj, o_proj |" in rows
    assert not any("None" in row or "True" in row for row in rows)


def test_a_log_without_times_has_not_begun_in_1970(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    assert "started" not in report(log, "--format", "md").output
    assert json.loads(report(log, "--format", "json").output)["started"] is None


def test_a_run_whose_log_does_not_say_how_it_ended_has_ended_as_its_folder_says(tmp_path: Path) -> None:
    killed = ended_run(tmp_path, "killed", status="crashed", reason="killed by SIGKILL")
    assert "- ended: crashed: killed by SIGKILL" in report(killed.path, "--format", "md").output.splitlines()
    figures = json.loads(report(killed.path, "--format", "json").output)
    assert (figures["status"], figures["reason"]) == ("crashed", "killed by SIGKILL")


def test_a_log_of_nothing_but_evals_has_come_to_the_last_of_them(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f'{{"step": {step}, "eval_loss": {1 / step}}}\n' for step in (10, 20, 40)))
    assert "- steps: 40" in report(log, "--format", "md").output.splitlines()


LOGS = Path(__file__).parents[2] / "logs"


def test_a_report_rounds_its_figures_names_units_and_says_what_was_kept(tmp_path: Path) -> None:
    page = html(report_figures(run := read_log(LOGS / "healthy"), Answers()), run.state, Answers())
    text = re.sub(r"<[^>]+>", " ", page)
    assert not re.search(r"\d\.\d{8,}", text)
    assert "null" not in text.partition("Preset")[0]
    assert len(re.findall(r"\bkept\b", text)) == 5
    assert "took 2 min 38 s" in re.sub(r" +", " ", text)
    assert "peak learning rate" in text
    assert "UTC" in text


def test_figures_of_a_plan_have_names_and_units_that_people_write() -> None:
    told = {"peak_lr": 4e-5, "disk_bytes": 815_000_000, "gpu_memory_gib": 35.25, "eval_runtime_s": 3.0, "adapter": None}
    assert list(spelled_out(told)) == [
        ("peak learning rate", "4e-5"),
        ("disk", "815 MB"),
        ("GPU memory", "35.25 GiB"),
        ("eval runtime", "3 s"),
    ]


def test_values_of_the_preset_are_written_alike_in_every_form() -> None:
    told = CliRunner().invoke(app, ["report", str(LOGS / "healthy"), "--format=md"]).stdout
    page = html(report_figures(run := read_log(LOGS / "healthy"), Answers()), run.state, Answers())
    for key, value in (
        ("lora.dropout", "0.05"),
        ("lora.dora", "no"),
        ("lora.target_modules", "q_proj, v_proj, o_proj"),
    ):
        assert f"| {key} | {value} |" in told
        assert re.search(rf"<td>{key}</td><td[^>]*>{value}</td>", page)


def test_on_a_phone_no_number_breaks_and_on_paper_no_chart_and_no_row() -> None:
    page = html(report_figures(run := read_log(LOGS / "healthy"), Answers()), run.state, Answers())
    style = re.sub(r"\s+", " ", page.partition("<style>")[2].partition("</style>")[0])
    assert re.search(r"td, th {[^}]*white-space: nowrap", style)
    assert re.search(r"@media \(max-width: 600px\) {.*font-size", style)
    assert re.search(r"@media print {.*figure, article, tr {[^}]*break-inside: avoid", style)
    assert 'name="viewport"' in page


def test_every_curve_stands_out_from_the_paper_in_light_and_dark() -> None:
    light, dark = re.findall(r":root {([^}]*--paper[^}]*)}", _STYLE)
    for scheme in (light, dark):
        ink = dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", scheme))
        for name in ("raw", "old", "smooth", "points", "dim", "stop", "caution", "best"):
            assert contrast(Color.parse(ink[name]), Color.parse(ink["paper"])) >= 3, name
    assert "polyline.old { stroke: var(--old); }" in _STYLE


def test_the_accuracy_of_each_task_has_its_own_colour_in_chart_and_legend(tmp_path: Path) -> None:
    scores = [
        {"chartqa": {"relaxed_accuracy": a, "n": 40}, "textvqa": {"accuracy": b, "n": 40}}
        for a, b in ((0.3, 0.5), (0.6, 0.9))
    ]
    made = [evaluated(at, 1.0, tasks=tasks) for at, tasks in zip((1, 2), scores, strict=True)]
    log = write_log(tmp_path / "logs" / "events-0001.jsonl", [run_start(), plan(), *made])
    CliRunner().invoke(app, ["report", str(log), "-o", str(tmp_path / "r.html")])
    text = (tmp_path / "r.html").read_text()
    for number, task in ((1, "chartqa"), (2, "textvqa")):
        assert f'<span class="run-{number}"><b>━━</b> {task}</span>' in text
        assert f'<polyline class="curve points run-{number}"' in text
        assert text.count(f"--run-{number}: #") == 2  # for light and dark


def test_odd_steps_and_their_rows_stand_in_every_form(tmp_path: Path) -> None:
    odd = record("rows", step=3, why="loss 9", rows=["<b>a.json, line 3"], of=1, suspects=[])
    log = write_log(tmp_path / "logs" / "events-0001.jsonl", [run_start(), odd, step(3)])
    CliRunner().invoke(app, ["report", str(log), "-o", str(tmp_path / "r.html")])
    assert "step 3: loss 9; rows: &lt;b&gt;a.json, line 3" in (tmp_path / "r.html").read_text()
    assert "step 3: loss 9" in CliRunner().invoke(app, ["report", str(log), "--format=md"]).stdout
    figures = json.loads(CliRunner().invoke(app, ["report", str(log), "--format=json"]).stdout)
    assert figures["odd_steps"][0]["rows"] == ["<b>a.json, line 3"]
