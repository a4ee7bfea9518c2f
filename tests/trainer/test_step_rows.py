"""The rows of a step, worked out anew: they are those that a training goes through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.trained import Said, preset
from vlmft_core.errors import DataError
from vlmft_core.jobs import StepJob
from vlmft_core.preset import Source
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.run_data import prepare
from vlmft_trainer.programs.step_rows import described, step_rows


def rows(sources: list[Source], step: int, **changes: Any) -> dict[str, Any]:
    base = preset(sources)
    data = base.data.model_copy(update={"max_train": 20})
    training = base.training.model_copy(update={"effective_batch": 8, "micro_batch": 2, "epochs": 2, **changes})
    said = Said()
    step_rows(
        StepJob(preset=base.model_copy(update={"data": data, "training": training}), step=step, shared=False), said
    )
    return next(value for name, value in said.all if name == "rows")


@pytest.mark.parametrize("packing", [False, True])
def test_a_step_has_the_rows_that_its_order_gives_it(sources: list[Source], encoder: Encoder, packing: bool) -> None:
    base = preset(sources)
    samples = prepare(base.data.model_copy(update={"max_train": 20}), encoder).train
    order = MicroBatches(
        samples.lengths or [], effective_batch=8, micro_batch=2, packed=packing, seed=base.training.seed
    )
    for step in (1, 3, 4, 6):
        found = rows(sources, step, packing=packing)
        expected = [(samples.where(i), n) for n, part in enumerate(order.of_step(step)) for i in part]
        assert [(one["where"], one["micro_batch"]) for one in found["rows"]] == expected
        assert found["epoch"] == (1 if step <= 3 else 2)
        assert found["data"] == samples.fingerprint
    assert len(rows(sources, 3, packing=packing)["rows"]) == 4  # the last one of an epoch is smaller


def test_each_row_comes_with_what_it_asks_and_what_carries_loss(sources: list[Source]) -> None:
    one = rows(sources, 1)["rows"][0]
    assert one["question"]
    assert one["truth"]
    assert 0 < one["supervised"] < one["tokens"]
    assert one["images"] == 1


def test_a_step_beyond_the_end_is_refused(sources: list[Source]) -> None:
    with pytest.raises(DataError, match="the training has 6 steps"):
        rows(sources, 7)


def test_the_row_that_takes_the_place_of_an_image_that_cannot_be_decoded_is_named(
    tmp_path: Path, encoder: Encoder
) -> None:
    for number in range(4):
        Image.new("RGB", (64, 48), (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
    lines = [json.dumps({"image": f"{n}.png", "question": f"Which {n}?", "answer": "red"}) for n in range(4)]
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    own = Source(task="qa", path=str(tmp_path / "own.jsonl"), eval_share=0.25)
    samples = prepare(preset([own]).data, encoder).train
    name = described(samples, 0, 0)["image"]
    (tmp_path / name).write_bytes(b"damaged since it was checked")
    assert described(samples, 0, 0)["where"] == samples.where(1)
    assert described(samples, 1, 0)["where"] == samples.where(1)
    before = int(samples.replaced)
    assert samples.taken(0) == 1
    assert int(samples.replaced) == before
