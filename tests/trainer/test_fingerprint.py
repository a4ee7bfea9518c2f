"""Whether a resumed run is trained on what it began with, on as many ranks: told before the model is loaded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlmft_core.errors import VlmftError
from vlmft_core.preset import Data, Source
from vlmft_core.run_folder.checkpoints import Checkpoint, check_ranks
from vlmft_trainer.data import run_data
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.run_data import RunData, prepare
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.options import read_job
from vlmft_trainer.training.run_plan import compare_data

Row = dict[str, Any]


def rows() -> list[Row]:
    return [
        {
            "messages": [
                {"role": "user", "content": f"<image>what is {number}"},
                {"role": "assistant", "content": str(number)},
            ],
            "image": f"{number % 3}.png",
        }
        for number in range(12)
    ]


@pytest.fixture
def prepared(tmp_path: Path, encoder: Encoder) -> Callable[[list[Row]], RunData]:
    for number in range(3):
        Image.new("RGB", (56, 56), (number, 0, 0)).save(tmp_path / f"{number}.png")

    def prepared(written: list[Row]) -> RunData:
        file = tmp_path / "mine.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in written))
        return prepare(Data(sources=[Source(task="messages", path=str(file))], max_length=500), encoder)

    return prepared


def test_the_same_data_has_the_same_fingerprint_on_any_number_of_ranks(
    prepared: Callable[[list[Row]], RunData], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = prepared(rows())
    assert len(alone.train.fingerprint) == 16
    assert alone.train.fingerprint != alone.eval.fingerprint
    whole = run_data._examine

    def on_three_ranks(*arguments: Any, **options: Any) -> Any:
        shares = []
        for rank in range(3):
            with monkeypatch.context() as patch:
                patch.setattr(ranks, "rank", lambda rank=rank: rank)
                patch.setattr(ranks, "world_size", lambda: 3)
                patch.setattr(ranks, "gather", lambda value: shares.append(value) or [value])
                with contextlib.suppress(KeyError):  # what the other ranks found is missing
                    whole(*arguments, **options)
        with monkeypatch.context() as patch:
            patch.setattr(ranks, "gather", lambda value: shares)
            return whole(*arguments, **options)

    monkeypatch.setattr(run_data, "_examine", on_three_ranks)
    together = prepared(rows())
    assert (together.train.fingerprint, together.eval.fingerprint) == (alone.train.fingerprint, alone.eval.fingerprint)


@pytest.mark.parametrize("change", ["answer", "question", "image's name", "image", "order", "row less"])
def test_other_data_has_another_fingerprint(
    prepared: Callable[[list[Row]], RunData], tmp_path: Path, change: str
) -> None:
    before, data = prepared(rows()), rows()
    if change == "answer":
        for row in data:
            row["messages"][1]["content"] = "none"
    elif change == "question":
        for row in data:
            row["messages"][0]["content"] += "?"
    elif change == "image's name":
        for row in data:
            row["image"] = "./" + row["image"]
    elif change == "image":
        for number in range(3):
            Image.new("RGB", (84, 56), "red").save(tmp_path / f"{number}.png")
    elif change == "order":
        data.reverse()
    else:
        del data[3:5]
    assert prepared(data).train.fingerprint != before.train.fingerprint


def checkpoint(plan: dict[str, Any], *files: str) -> Checkpoint:
    return Checkpoint(6, None, None, {name: {"size": 1} for name in files}, plan)


PLAN = {"train_data": "aa", "eval_data": "bb"}


def test_a_resume_on_other_data_is_refused_unless_it_is_asked_for() -> None:
    assert compare_data(PLAN, checkpoint(PLAN), data_changed=False) == []
    with pytest.raises(VlmftError, match=r"checkpoint-6 was made with other data.* of the training samples differ"):
        compare_data(PLAN | {"train_data": "cc"}, checkpoint(PLAN), data_changed=False)
    with pytest.raises(VlmftError, match=r"of the eval samples differ \(.*vlmft resume --data-changed\)"):
        compare_data(PLAN | {"eval_data": "cc"}, checkpoint(PLAN), data_changed=False)
    (note,) = compare_data({"train_data": "1", "eval_data": "2"}, checkpoint(PLAN), data_changed=True)
    assert note == "the training and eval samples are not those of checkpoint-6: going on with them was asked for"


def test_a_checkpoint_without_a_fingerprint_is_resumed_with_a_note() -> None:
    (note,) = compare_data(PLAN, checkpoint({}), data_changed=False)
    assert note.startswith("checkpoint-6 does not say what data it was trained on")


def test_a_checkpoint_is_resumed_on_as_many_ranks_as_wrote_it() -> None:
    of_two = checkpoint({}, "rng_state_0.pth", "rng_state_1.pth", "adapter_model.safetensors")
    check_ranks(of_two, 2)
    check_ranks(checkpoint({}, "rng_state.pth"), 1)
    check_ranks(checkpoint({}), 3)  # what does not say is tried
    with pytest.raises(VlmftError, match=r"made on 2 GPUs or processes and cannot be resumed on 1 \(set hardware.gpus"):
        check_ranks(of_two, 1)


def test_the_training_program_takes_the_same_option(tmp_path: Path) -> None:
    preset = tmp_path / "p.yaml"
    preset.write_text("training: {epochs: 1}\n")
    options = [f"--sft_config={preset}", f"--output_dir={tmp_path}"]
    assert read_job([*options, "--resume", "--data_changed"], 8).data_changed
    assert not read_job([*options, "--resume"], 8).data_changed
    with pytest.raises(VlmftError, match="--data_changed without --resume"):
        read_job([*options, "--data_changed"], 8)
