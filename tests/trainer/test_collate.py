"""Samples as one padded batch."""

from __future__ import annotations

from PIL import Image

from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.encode import IGNORED, Encoder


def test_padding_goes_right_and_is_neither_seen_nor_supervised(encoder: Encoder) -> None:
    short = encoder.sample("a", "1", Image.new("RGB", (56, 56)))
    long = encoder.sample("a much longer question", "12", Image.new("RGB", (84, 56)))
    batch = collate([short, long], pad_id=encoder.pad_id, image_id=encoder.image_id)
    assert batch["input_ids"].shape == (2, long.length)
    assert batch["input_ids"][0, : short.length].tolist() == short.input_ids
    assert batch["attention_mask"][0].sum() == short.length
    assert (batch["labels"][0, short.length :] == IGNORED).all()
    assert batch["image_grid_thw"].tolist() == [[1, 4, 4], [1, 4, 6]]
    assert len(batch["pixel_values"]) == 16 + 24


def test_padding_goes_left_for_generation(encoder: Encoder) -> None:
    short, long = encoder.prompt("a", None), encoder.prompt("a much longer question", None)
    batch = collate([short, long], pad_id=encoder.pad_id, image_id=encoder.image_id, side="left")
    assert batch["input_ids"][0, -short.length :].tolist() == short.input_ids
    assert batch["attention_mask"][0].tolist() == [0] * (long.length - short.length) + [1] * short.length


def test_image_tokens_are_marked_in_the_rows_that_have_an_image(encoder: Encoder) -> None:
    with_image = encoder.sample("a", "1", Image.new("RGB", (56, 56)))
    without = encoder.sample("a", "1", None)
    batch = collate([with_image, without], pad_id=encoder.pad_id, image_id=encoder.image_id)
    assert batch["mm_token_type_ids"].sum(dim=1).tolist() == [4, 0]


def test_a_batch_without_images_gets_the_smallest_one_in_a_row_of_its_own(encoder: Encoder) -> None:
    without = encoder.sample("a", "1", None)
    batch = collate([without], pad_id=encoder.pad_id, image_id=encoder.image_id)
    assert batch["input_ids"][0].tolist() == without.input_ids
    assert batch["attention_mask"].sum(dim=1).tolist() == [without.length, 1]
    assert batch["mm_token_type_ids"].sum(dim=1).tolist() == [0, 1]
    assert (batch["labels"][1] == IGNORED).all()
    assert batch["pixel_values"].shape == (4, 588)
