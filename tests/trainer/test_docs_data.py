"""Every example of docs/data.md runs, and README's commands that need neither GPU nor hub."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from vlmft_console.cli import app
from vlmft_console.paths import preset_folders
from vlmft_core.preset import Source, load_preset
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.sample_check import Usable, examine
from vlmft_trainer.data.sources import open_split
from vlmft_trainer.programs.__main__ import PROGRAMS
from vlmft_trainer.programs.inspect_data import find_task

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/data.md").read_text()
README = (ROOT / "README.md").read_text()
TALK = {
    "image": "a.png",
    "conversations": [{"from": "human", "value": "<image>\nHow many?"}, {"from": "gpt", "value": "two"}],
}


def chat(number: int) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": f"What is {number}?"},
            {"role": "assistant", "content": f"A number: {number}."},
        ]
    }


def blocks(text: str) -> list[str]:
    """What is indented as code, each block without its indentation."""
    found = re.findall(r"(?:^ {4,}\S.*\n(?:^\s*\n(?=^ {4}))?)+", text, flags=re.MULTILINE)
    return [textwrap.dedent(block).strip() for block in found]


def commands(text: str) -> list[str]:
    lines = [line for block in blocks(text) for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("vlmft ")]


def rows(text: str) -> list[dict[str, Any]]:
    """The rows of data in blocks: an object on each line, or one object on several."""
    found: list[dict[str, Any]] = []
    for block in blocks(text):
        if block.startswith("{"):
            try:
                found.append(json.loads(block))
            except ValueError:
                found += [json.loads(line) for line in block.splitlines()]
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the examples name."""
    monkeypatch.chdir(tmp_path)
    for folder in ("mine/images", "pictures"):
        (tmp_path / folder).mkdir(parents=True)
        for name, colour in (("a", "red"), ("b", "blue")):
            Image.new("RGB", (84, 56), colour).save(tmp_path / folder / f"{name}.png")
    talks = [TALK | {"image": name} for name in ("a.png", "b.png")] * 4
    (tmp_path / "mine/train.json").write_text(json.dumps(talks))
    (tmp_path / "mine.json").write_text(json.dumps(talks))
    (tmp_path / "chats.jsonl").write_text("".join(json.dumps(chat(n)) + "\n" for n in range(20)))
    (tmp_path / "x.csv").write_text("frage,antwort\nq,a\nq2,a2\n")
    (preset,) = [block for block in blocks(DOCS) if block.startswith("data:")]
    (tmp_path / "mine.yaml").write_text("extends: demo\n" + preset)
    return tmp_path


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer's programs do their work here, where the libraries that they take seconds to import are already."""

    def ask(program: str, job: Any, *ignored: Any) -> Iterator[tuple[str, Any]]:
        kind, work = PROGRAMS[program]
        said: list[tuple[str, Any]] = []
        do = getattr(import_module(f"vlmft_trainer.programs.{program}"), work)
        do(kind.model_validate_json(job.model_dump_json()), lambda name, value: said.append((name, value)))
        yield from json.loads(json.dumps(said))

    monkeypatch.setattr("vlmft_console.commands.asking.ask", ask)


def run(line: str) -> str:
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
    return done.output


def test_there_are_examples() -> None:
    assert len(commands(DOCS)) >= 3
    assert len(rows(DOCS)) >= 5
    assert not [block for block in blocks(DOCS) if not block.startswith(("data:", "vlmft ", "{"))]


def test_the_preset_of_the_docs_is_one(here: Path) -> None:
    sources = load_preset("mine.yaml", preset_folders()).preset.data.sources
    assert [source.task for source in sources] == ["chartqa", "llava", "messages"]


@pytest.mark.parametrize("line", commands(DOCS))
def test_a_command_of_the_docs_does_what_it_says(here: Path, line: str) -> None:
    preset = here / "mine.yaml"
    preset.write_text(preset.read_text().replace("path: HuggingFaceM4/ChartQA", "path: demo"))  # no network here
    assert run(line)


@pytest.mark.parametrize("row", rows(DOCS), ids=lambda row: next(iter(row)))
def test_a_row_of_the_docs_can_be_trained_on(here: Path, encoder: Encoder, row: dict[str, Any]) -> None:
    Image.new("RGB", (2000, 1200), "red").save(here / "a.png")
    file = here / "rows.jsonl"
    file.write_text((json.dumps(row) + "\n") * 2)
    asked = {"path": str(file), "images": "", "train_split": "train", "eval_split": None, "task": None}
    found = find_task(asked)
    split = open_split(Source.model_validate(asked | found), "train")
    examined = examine(split, 0, encoder, 4096)
    assert isinstance(examined, Usable), examined
    assert not split.conversation(0).unused


def test_what_a_text_says_a_source_may_be_is_a_source() -> None:
    said = re.findall(r"`(\{task:[^`]*\})`", DOCS)
    assert said
    for text in said:
        assert Source.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "line", [line for line in commands(README) if line.split()[1] in ("presets", "plan", "data", "runs")]
)
def test_a_command_of_readme_that_needs_no_gpu_runs(here: Path, line: str) -> None:
    assert run(line)


def test_the_preset_of_readme_is_one(here: Path) -> None:
    (text,) = [block for block in blocks(README) if block.startswith("extends:")]
    (here / "own.yaml").write_text(text)
    preset = load_preset("own.yaml", preset_folders()).preset
    assert (preset.model.base, preset.training.learning_rate) == ("Qwen/Qwen2.5-VL-3B-Instruct", 3e-5)
