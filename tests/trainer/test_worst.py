"""The worst samples: their losses are the model's own, and wrong labels come first."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.trained import Said, preset, write_tuned
from vlmft_core.errors import DataError, ModelError
from vlmft_core.jobs import WorstJob
from vlmft_core.preset import Source
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.run_data import prepare_eval
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.data.sources import open_split
from vlmft_trainer.model.evaluate import mean_loss
from vlmft_trainer.programs import worst as worst_samples
from vlmft_trainer.programs.worst import worst


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """An adapter's folder, and the model with it."""
    folder = tmp_path_factory.mktemp("tuned")
    return folder, write_tuned(folder)


def found(sources: list[Source], **changes: Any) -> dict[str, Any]:
    said = Said()
    values = {"preset": preset(sources), "part": "eval", "samples": None, "limit": 4, "columns": 8, "rows": 6}
    worst(WorstJob(**values | changes), said)
    result: dict[str, Any] = next(value for name, value in said.all if name == "worst")
    return result


def test_losses_are_those_of_each_sample_alone_by_base_and_by_adapter(
    sources: list[Source], encoder: Encoder, adapter: tuple[Path, Any]
) -> None:
    folder, model = adapter
    result = found(sources, adapter=str(folder), limit=20)
    samples, _ = prepare_eval(preset(sources).data, encoder)
    assert (result["samples"], result["of"], len(result["found"])) == (len(samples), len(samples), len(samples))
    named = {one["where"]: one for one in result["found"]}
    for index in range(0, len(samples), 5):
        one = Samples(samples.splits, [samples.places[index]], encoder)
        tuned = mean_loss(model, one, batch_size=1)
        with model.disable_adapter():
            base = mean_loss(model, one, batch_size=1)
        assert tuned is not None
        assert base is not None
        told = named[samples.where(index)]
        assert told["tuned"] == pytest.approx(tuned.eval_loss, rel=1e-4)
        assert told["base"] == pytest.approx(base.eval_loss, rel=1e-4)


def test_the_lists_are_in_order_and_each_sample_is_described(sources: list[Source], adapter: tuple[Path, Any]) -> None:
    result = found(sources, adapter=str(adapter[0]))
    losses = [result["found"][index]["tuned"] for index in result["by_loss"]]
    worsened = [result["found"][index] for index in result["by_worsening"]]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 4
    assert [one["tuned"] - one["base"] for one in worsened] == sorted(
        (one["tuned"] - one["base"] for one in worsened), reverse=True
    )
    one = result["found"][0]
    assert one["question"]
    assert one["truth"]
    assert isinstance(one["answer"], str)
    width, height = one["picture"]["size"]
    assert len(one["picture"]["pixels"]) == 6 * width * height
    assert max(width / 8, height / 6) <= 1


def test_a_wrong_label_has_the_largest_loss(sources: list[Source], tmp_path: Path) -> None:
    charts = open_split(sources[0], sources[0].train_split)
    lines = []
    for row in range(12):
        conversation, (image,) = charts.sample(row)
        image.save(tmp_path / f"{row}.png")
        answer = "a purple elephant" if row == 7 else conversation.turns[-1].text
        question = conversation.prompt
        lines.append(json.dumps({"image": f"{row}.png", "question": question, "answer": answer}))
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    own = Source(task="qa", path=str(tmp_path / "own.jsonl"), eval_share=0.1)
    result = found([own], part="training", limit=1)
    one = result["found"][result["by_loss"][0]]
    assert one["where"].endswith("own.jsonl, line 8")
    assert (one["truth"], one["tuned"], result["by_worsening"]) == (["a purple elephant"], None, [])


def test_only_one_source_or_a_part_of_the_samples_is_looked_at(sources: list[Source]) -> None:
    result = found(sources, source="textvqa", samples=3)
    assert (result["samples"], {one["task"] for one in result["found"]}) == (3, {"textvqa"})
    with pytest.raises(DataError, match="no such task or source"):
        found(sources, source="nothing")


def test_a_loss_that_is_not_finite_is_said(sources: list[Source], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worst_samples, "row_losses", lambda model, batch: torch.full([len(batch["labels"])], math.nan))
    with pytest.raises(ModelError, match="the loss of 3 samples is not finite"):
        found(sources, samples=3)


def test_an_adapter_that_cannot_be_taken_off_its_base_is_refused(
    sources: list[Source], adapter: tuple[Path, Any], tmp_path: Path
) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes((adapter[0] / "adapter_model.safetensors").read_bytes())
    config = json.loads((adapter[0] / "adapter_config.json").read_text()) | {"bias": "all"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="changes biases of the base"):
        found(sources, adapter=str(tmp_path))
