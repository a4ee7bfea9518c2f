"""The Python that README and the model cards give: it runs as it stands, and answers as `vlmft predict` does."""

from __future__ import annotations

import contextlib
import io
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from tests.trainer.trained import Said, preset, write_tuned
from vlmft_core.cards.card import Course, adapter_card, merged_card
from vlmft_core.cards.usage import HERE, portable, snippet
from vlmft_core.jobs import Ask, MergeJob, PredictJob
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Lora, Model, Preset, Source, load_preset
from vlmft_trainer.programs.merge import merge
from vlmft_trainer.programs.predict import predict

ROOT = Path(__file__).parents[2]
QUESTION = "What is the highest value?"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture and an adapter, to work in."""
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((140, 140), 90).convert("RGB").save("chart.png")
    write_tuned(tmp_path / "adapter")
    return tmp_path


def answered(code: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "snippet", "exec"), {})
    return out.getvalue().rstrip("\n")


def predicted(sources: list[Source], adapter: str | None) -> str:
    said = Said()
    asked = [Ask(question=QUESTION, images=["chart.png"])]
    predict(PredictJob(preset=preset(sources), adapter=adapter, questions=asked, max_new_tokens=32), said)
    answer: str = said.last("answer")["answer"]
    return answer


def in_card(card: str) -> str:
    return card.split("```python\n")[1].split("```")[0]


def test_the_code_in_an_adapters_card_answers_as_predict_does(here: Path, sources: list[Source]) -> None:
    code = in_card(adapter_card(preset(sources), str(DEMO_BASE), None, 1, ({}, {}), Course(), {}))
    tuned = answered(code.replace(HERE, "adapter"))
    assert tuned.strip() == predicted(sources, "adapter")
    assert tuned.strip() != predicted(sources, None)


def test_the_code_in_a_merged_models_card_runs(here: Path, sources: list[Source]) -> None:
    merge(MergeJob(preset=preset(sources), adapter="adapter", folder="merged"), Said())
    code = in_card(merged_card(preset(sources), {}))
    assert "peft" not in code
    assert answered(code.replace(HERE, "merged"))
    assert in_card((here / "merged/README.md").read_text()) == code


def test_the_code_in_readme_is_that_of_the_best_preset_and_runs(here: Path) -> None:
    code = snippet(load_preset("best", [ROOT / "presets"]).preset, "outputs/charts-1/adapter")
    assert textwrap.indent(code, "    ", lambda line: True).replace("    \n", "\n") in (ROOT / "README.md").read_text()
    (here / "outputs/charts-1").mkdir(parents=True)
    (here / "adapter").rename("outputs/charts-1/adapter")
    assert answered(code.replace("Qwen/Qwen2.5-VL-7B-Instruct", str(DEMO_BASE)))


def test_a_card_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "qwen"
    folder.mkdir()
    sources = [Source(task="chartqa", path=f"{tmp_path}/charts", images=str(folder)), Source(task="qa", path="a/b")]
    own = Preset(model=Model(base=str(folder)), lora=Lora(start_from=f"{tmp_path}/outputs/first"))
    own = own.model_copy(update={"data": own.data.model_copy(update={"sources": sources})})
    text = adapter_card(own, str(folder), None, 1, ({}, {}), Course(), {}) + merged_card(own, {})
    assert str(tmp_path) not in text
    assert 'base = "path/to/qwen"' in text
    assert "chartqa: `charts`" in text
    assert [source.path for source in portable(own).data.sources] == ["charts", "a/b"]
    demo = Preset(model=Model(base="demo"))
    assert str(ROOT) not in adapter_card(demo, str(DEMO_BASE), None, 1, ({}, {}), Course(), {})
