"""`vlmft data`, as a person calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.command_line import vlmft
from vlmft_console.cli import app
from vlmft_core.jobs import InspectJob


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", *arguments], terminal_width=100)


def split(kind: str, **changes: Any) -> dict[str, Any]:
    figures = {"min": 30, "median": 40, "p95": 49, "max": 49, "sum": 4000}
    return {
        "kind": kind,
        "samples": 100,
        "usable": 98,
        "unusable": {"no image": {"count": 12, "places": ["mine.json, line 7: [red]\x1b[31m.png: no such file"]}},
        "duplicates": {"count": 0, "places": []},
        "unused": ["column [red]id is not used: 98 rows"],
        "spaced_answers": 5,
        "empty_questions": 6,
        "images_not_decoded": 20,
        "boxes": 7,
        "undeclared_boxes": {"count": 1, "places": ["mine.json, line 8"]},
        "text_only": 1,
        "several_images": 2,
        "several_answers": 3,
        "images": 90,
        "asked_images": {"questions": 93, "images": 60, "saved_tokens": 1200},
        "altered_images": {
            "scaled_down": 12,
            "scaled_up": 1,
            "rotated": 0,
            "on_white": 3,
            "from_16_bit": 0,
            "first_frame": 0,
        },
        "tokens": figures,
        "image_tokens": figures,
        "supervised_tokens": None,
        "lengths": [[30, 39, 10], [40, 49, 88]],
    } | changes


LIMITS = {"max_length": 4096, "max_pixels": 1003520, "min_pixels": 3136}


def report(**changes: Any) -> dict[str, Any]:
    source = {
        "path": "mine.json",
        "task": "llava",
        "columns": {"image": "photo"},
        "notes": ["mine.json has no eval split"],
        "splits": [split("training"), split("eval", unusable={})],
        "leaks": {"count": 2, "places": ["val.json, line 1 = mine.json, line 3"]},
        "shared_images": 4,
    }
    return {"sources": [source], "max_bad": 0.01, "starts": True} | LIMITS | changes


SAMPLE: dict[str, Any] = {
    "where": "mine.json, line 2",
    "unused": ["column id"],
    "tokens": 41,
    "supervised": 3,
    "segments": [
        {"kind": "text", "tokens": 30, "text": "<|im_start|>user\n[bold]\x1b[2J"},
        {"kind": "image", "tokens": 6},
        {"kind": "supervised", "tokens": 3, "text": "red<|im_end|>"},
    ],
    "images": [
        {"width": 84, "height": 56, "resized": [84, 56], "boxes": [], "size": [1, 3], "pixels": "ff000000ff000000ff"}
    ],
}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> list[InspectJob]:
    """Stands in for the trainer's program; collects what it is asked."""
    jobs: list[InspectJob] = []

    def ask(program: str, job: InspectJob, errors: object, processes: int) -> Iterator[tuple[str, Any]]:
        jobs.append(job)
        yield "base", {"name": "demo", "note": "base is not here"}
        if job.mode == "show":
            yield "sample", deepcopy(SAMPLE)
            yield "sample", {"where": "mine.json, line 9", "bad": "no image", "detail": "\x1b]0;x.png"}
        else:
            yield "progress", {"task": "mine.json", "side": "training", "done": 1, "total": 100}
            yield "report", report(starts="bad" not in str(job.source))

    monkeypatch.setattr("vlmft_console.commands.asking.ask", ask)
    return jobs


def test_a_check_says_what_was_found_and_takes_nothing_for_markup(program: list[InspectJob]) -> None:
    result = call("check", "mine.json")
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert "training 100 samples, 2 cannot be used (2.0 %)" in text
    assert r"12 no image mine.json, line 7: [red]\x1b[31m.png: no such file and 11 more" in text
    assert "eval questions that are trained on: 2" in text
    assert "mine.json (llava, photo as image)" in text
    assert "column [red]id is not used: 98 rows" in text
    assert "answers that begin or end with white space, which is kept: 5" in text
    assert "last questions without a text or an image: 6" in text
    assert "different images: 90 (20 not decoded: --deep does); samples:" in text
    saving = "1.55 questions begin with the same images; training.share_images: auto saves 30.0 % of the tokens"
    assert text.count(saving) == 1  # of the training data alone
    assert "images in both training and eval: 4" in text
    assert "12 scaled down to at most 1,003,520 pixels, 1 scaled up to at least 3,136 pixels, 3 flattened on" in text
    assert "rotated" not in text
    assert "boxes and points, scaled with their images: 7" in text
    assert "left as they are: 1; see data.sources boxes mine.json, line 8" in text
    assert "40 - 49 ############################## 88" in text
    assert "can be trained on; data.max_bad is 1.0 %" in text
    assert "\x1b" not in result.stdout
    assert program[0].source is not None
    assert program[0].source["path"] == "mine.json"
    assert result.stderr == ""


def test_columns_of_other_names_and_depth_are_asked_for(program: list[InspectJob]) -> None:
    for what in ("check", "show"):
        call(what, "x.csv", "--columns", "question=frage", "--columns", "answer=a=b")
    call("check", "x.csv", "--deep")
    assert [job.source and job.source.get("columns") for job in program] == [
        {"question": "frage", "answer": "a=b"}
    ] * 2 + [None]
    assert [job.deep for job in program] == [False, False, True]
    for wrong in (["--columns", "question"], ["--columns", "=x"], ["--columns", "image=a", "--columns", "image=b"]):
        refused = call("check", "x.csv", *wrong)
        assert (refused.exit_code, "OURS=ITS is needed" in refused.stderr) == (2, True)
    assert (
        "--columns: such options belong to a SOURCE" in call("check", "--preset", "demo", "--columns", "image=a").stderr
    )
    for options in (["check", "--eval-split", "val"], ["show", "--train-split", "val"]):
        assert f"{options[1]}: such options belong to a SOURCE" in call(*options, "--preset", "demo").stderr


def test_data_that_cannot_be_trained_on_gives_exit_2(program: list[InspectJob]) -> None:
    result = call("check", "bad.json", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["base"]["name"] == "demo"
    assert "would not start" in call("check", "bad.json").stdout


def test_the_sources_of_a_preset_are_checked_with_its_limits(program: list[InspectJob]) -> None:
    assert call("check", "--preset", "demo", "--set", "data.max_length=99").exit_code == 0
    asked = program[0]
    assert asked.source is None
    assert asked.base == "demo"
    assert asked.data.max_length == 99
    assert {source.path for source in asked.data.sources} == {"demo"}


def test_a_sample_is_shown_with_marks_for_what_is_trained_on(program: list[InspectJob]) -> None:
    result = call("show", "mine.json", "--limit", "1", "--task", "llava")
    assert result.exit_code == 0
    assert "[image 84x56, 6 tokens]" in result.stdout
    assert "[[red<|im_end|>]]" in result.stdout
    assert r"[bold]\x1b[2J" in result.stdout
    assert "not used: column id" in result.stdout
    assert r"line 9: cannot be used, no image: \x1b]0;x.png" in result.stdout
    assert "\x1b" not in result.stdout
    assert program[0].source is not None
    assert (program[0].limit, program[0].source["task"]) == (1, "llava")


def test_samples_as_json_have_no_pictures(program: list[InspectJob]) -> None:
    shown = json.loads(call("show", "mine.json", "--json").stdout)
    assert shown[0]["images"] == [{"width": 84, "height": 56, "resized": [84, 56], "boxes": []}]
    assert shown[0]["segments"][2]["text"] == "red<|im_end|>"


def test_without_source_and_preset_there_is_nothing_to_check() -> None:
    result = call("check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "which data? (name a SOURCE" in result.stderr


def test_a_program_that_breaks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('out of memory')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("vlmft_console.programs.ask.PROGRAMS", "broken")
    result = call("check", "mine.json")
    assert (result.exit_code, result.stderr) == (1, "vlmft: it broke: out of memory\n")


def test_the_real_program_checks_a_file_and_says_what_is_missing(tmp_path: Path) -> None:
    said = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "x"}]
    rows = [{"image": "none.png", "conversations": said}, {"image": "http://x/y.png", "conversations": said}]
    (tmp_path / "mine.json").write_text(json.dumps(rows, indent=0))
    (tmp_path / "transformers.py").write_text("raise SystemExit('not the library')\n")
    done = vlmft("data", "check", "mine.json", "--base", "demo", "--json", folder=tmp_path)
    assert done.returncode == 2, done.stderr
    found = json.loads(done.stdout)
    assert not found["starts"]
    unusable = [reason for part in found["sources"][0]["splits"] for reason in part["unusable"]]
    assert sorted(unusable) == ["image on the network", "no image"]
    assert done.stderr == ""
