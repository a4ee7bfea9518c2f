"""The answers in a report: with their pictures in the page, and harmless."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.console.test_report import Page
from tests.kept_answers import HOSTILE, keep, picture, question, spoil_pictures, three_evals
from tests.run_folders import ended_run
from vlmft_console.cli import app
from vlmft_core.run_folder.layout import RunLayout


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return ended_run(tmp_path, "one").path


def page(run: Path, tmp_path: Path) -> Page:
    """The report as HTML."""
    file = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["report", str(run), "-o", str(file)])
    assert result.exit_code == 0, result.output
    return Page(file.read_text())


def printed(run: Path, form: str) -> str:
    return CliRunner().invoke(app, ["report", str(run), f"--format={form}"]).stdout


def attributes(found: Page, tag: str) -> list[dict[str, Any]]:
    return [values for name, values in found.tags if name == tag]


def test_every_question_stands_in_the_page_with_what_base_and_adapter_said(run: Path, tmp_path: Path) -> None:
    three_evals(run)
    found = page(run, tmp_path)
    assert "base 0 of 6 right, step 20 5 of 6 right" in found.text
    classes = [each["class"] for each in attributes(found, "article") if "answer" in each["class"]]
    assert classes == ["answer wrong"] + ["answer right"] * 5
    assert "no idea (wrong)" in found.text
    assert "99 (wrong)" in found.text
    assert "val.json, line 5" in found.text


def test_the_pictures_are_in_the_page_and_whole(run: Path, tmp_path: Path) -> None:
    three_evals(run)
    sources = [each["src"] for each in attributes(page(run, tmp_path), "img")]
    assert len(sources) == 6
    kind, _, data = sources[0].partition(",")
    assert kind == "data:image/png;base64"
    image = Image.open(io.BytesIO(b64decode(data)))
    assert image.size == (24, 18)
    assert image.convert("RGB").tobytes() == picture().pixels()


def test_a_damaged_picture_is_told_beside_its_question(run: Path, tmp_path: Path) -> None:
    three_evals(run, 2)
    spoil_pictures(run)
    found = page(run, tmp_path)
    assert attributes(found, "img") == []
    assert found.text.count("damaged in the run's folder") == 2
    assert "base 0 of 2 right, step 20 1 of 2 right" in found.text


def test_hostile_answers_are_text_in_every_format(run: Path, tmp_path: Path) -> None:
    keep(run, [question(1, text=HOSTILE, truth=[HOSTILE])], {0: [HOSTILE], 10: ['"><img src=x onerror=alert(1)>']})
    found = page(run, tmp_path)
    assert "script" not in {name for name, _ in found.tags}
    assert all(each["src"].startswith("data:image/png;base64,") for each in attributes(found, "img"))
    assert "onerror=alert(1)" in found.text
    markdown = printed(run, "md")
    assert "<script>" not in markdown.replace("\\<", "")
    for text in (found.text, markdown, printed(run, "json")):
        assert not set(text) & set("\x1b\x07\u202e")


def test_json_has_the_answers_without_pictures_and_null_where_none_are_kept(run: Path) -> None:
    assert json.loads(printed(run, "json"))["answers"] is None
    three_evals(run)
    found = json.loads(printed(run, "json"))["answers"]
    assert (found["step"], found["not_read"], len(found["questions"])) == (20, 0, 6)
    assert "picture" not in found["questions"][0]
    assert "| How high is bar 5?" in printed(run, "md")


def test_answers_that_are_damaged_are_a_note_in_every_format(run: Path, tmp_path: Path) -> None:
    three_evals(run)
    with RunLayout(run).answers_file.open("a") as file:
        file.write("damaged\n")
    said = "lines of the run's answers that are not understood: 1"
    assert said in page(run, tmp_path).text
    assert f"- {said}" in printed(run, "md").splitlines()
    assert json.loads(printed(run, "json"))["notes"][-1] == said
    RunLayout(run).answers_file.write_text("damaged\n")
    assert f"- {said}" in printed(run, "md").splitlines()
