"""Merging: the same model without PEFT, there whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.trainer.trained import LORA, Said, preset, write_tuned
from vlmft_core.errors import VlmftError
from vlmft_core.jobs import MergeJob
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.plan.base_files import check_base
from vlmft_core.preset import Source
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.adapter import add_adapter, save_adapter
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import Kernels, load_base, load_encoder
from vlmft_trainer.programs.merge import merge


def logits(model: Any, samples: Samples) -> torch.Tensor:
    encoder = samples.encoder
    batch = collate([samples[0], samples[12]], pad_id=encoder.pad_id, image_id=encoder.image_id)
    with torch.no_grad():
        return model(**model_inputs(model, batch)).logits[batch["attention_mask"].bool()].float()


def test_the_merged_model_is_base_and_adapter_within_bf16(
    sources: list[Source], samples: Samples, tmp_path: Path
) -> None:
    from transformers import AutoModelForImageTextToText

    tuned = write_tuned(tmp_path / "adapter")
    said = Said()
    merge(MergeJob(preset=preset(sources), adapter=str(tmp_path / "adapter"), folder=str(tmp_path / "m")), said)
    merged = AutoModelForImageTextToText.from_pretrained(tmp_path / "m", dtype="auto").eval()
    assert merged.dtype == torch.bfloat16
    assert said.last("merged") == {
        "folder": str(tmp_path / "m"),
        "bytes": sum(file.stat().st_size for file in (tmp_path / "m").iterdir()),
    }
    wanted, found = logits(tuned, samples), logits(merged.float(), samples)
    base = logits(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())).eval(), samples)
    rounded = (found - wanted).abs().mean()
    assert rounded < 0.02 * wanted.std()
    assert rounded < 0.1 * (base - wanted).abs().mean()


def test_a_merged_folder_is_a_whole_base_model_with_a_card(sources: list[Source], tmp_path: Path) -> None:
    write_tuned(tmp_path / "adapter")
    merge(MergeJob(preset=preset(sources), adapter=str(tmp_path / "adapter"), folder=str(tmp_path / "m")), Said())
    check_base(str(tmp_path / "m"))
    load_encoder(str(tmp_path / "m"), 200704)
    load_base(str(tmp_path / "m"), Kernels("fp32", "sdpa", ()))
    card = (tmp_path / "m" / "README.md").read_text()
    assert "AutoModelForImageTextToText.from_pretrained" in card
    assert "target_modules" in card


def test_a_dora_adapter_merges_too(sources: list[Source], samples: Samples, tmp_path: Path) -> None:
    lora = LORA.model_copy(update={"dora": True})
    model = add_adapter(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())), lora, seed=0).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "magnitude" in name:
                weight.mul_(1.2)
    save_adapter(model, tmp_path / "adapter")
    merge(MergeJob(preset=preset(sources), adapter=str(tmp_path / "adapter"), folder=str(tmp_path / "m")), Said())
    wanted, found = logits(model, samples), logits(load_base(str(tmp_path / "m"), Kernels("fp32", "sdpa", ())), samples)
    assert (found - wanted).abs().mean() < 0.02 * wanted.std()


def test_a_disk_without_room_is_said_before_anything_is_written(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tuned(tmp_path / "adapter")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(VlmftError, match=r"1\.00 MB are free, the merged model takes"):
        merge(MergeJob(preset=preset(sources), adapter=str(tmp_path / "adapter"), folder=str(tmp_path / "m")), Said())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_a_merge_that_fails_in_the_middle_leaves_nothing(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tuned(tmp_path / "adapter")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vlmft_trainer.programs.merge.sync_files", full)
    with pytest.raises(VlmftError, match="No space left on device"):
        merge(MergeJob(preset=preset(sources), adapter=str(tmp_path / "adapter"), folder=str(tmp_path / "m")), Said())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_a_folder_that_is_there_is_never_overwritten(sources: list[Source], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(VlmftError, match="exists already"):
        merge(MergeJob(preset=preset(sources), adapter=str(tmp_path), folder=str(tmp_path / "m")), Said())
