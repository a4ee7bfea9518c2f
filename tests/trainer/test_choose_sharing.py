"""Whether a run shares images: as its preset says, where it can, where it is worth it, and as it began."""

from __future__ import annotations

from typing import Any

import pytest

from vlmft_core.preset.schema import Training
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_trainer.data.prefixes import Prefix, find_groups
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.load import Kernels
from vlmft_trainer.training.sharing import choose_sharing

SDPA = Kernels("fp32", "sdpa", ())
AUTO = Training(share_images="auto")


@pytest.fixture
def asked_twice(samples: Samples) -> Samples:
    """Four questions of 100 tokens about three images of 80."""
    groups = find_groups([Prefix(name, 80) for name in (b"a", b"b", b"a", b"c")], range(4))
    return Samples(samples.splits, samples.places[:4], samples.encoder, [100] * 4, groups=groups)


def checkpoint(**plan: Any) -> Checkpoint:
    return Checkpoint(10, 0.5, 0.9, {}, plan)


def test_auto_shares_and_says_what_it_saves(asked_twice: Samples) -> None:
    shared, kernels, note = choose_sharing(AUTO, SDPA, asked_twice, None)
    assert shared
    assert kernels == SDPA
    assert "4 questions are about 3 images, 1.33 each" in note
    assert "20%" in note


@pytest.mark.parametrize(
    ("options", "kernels", "reason"),
    [
        ({"share_images": "off"}, SDPA, "training.share_images is off"),
        ({"share_images": "auto", "packing": False}, SDPA, "training.packing is false"),
        ({"share_images": "auto"}, Kernels("fp32", "eager", ()), "model.attention is eager"),
        ({"share_images": "auto"}, Kernels("bf16", "flash_attention_2", ()), "no GPU"),
    ],
)
def test_what_keeps_images_from_being_shared_is_said(
    asked_twice: Samples, options: dict[str, Any], kernels: Kernels, reason: str
) -> None:
    shared, same, note = choose_sharing(Training(**options), kernels, asked_twice, None)
    assert not shared
    assert same == kernels
    assert "would save 20%" in note
    assert reason in note


def test_images_with_one_question_each_change_nothing(samples: Samples) -> None:
    groups = find_groups([Prefix(b"%d" % one, 80) for one in range(4)], range(4))
    alone = Samples(samples.splits, samples.places[:4], samples.encoder, [100] * 4, groups=groups)
    assert choose_sharing(AUTO, SDPA, alone, None) == (False, SDPA, "")
    assert choose_sharing(AUTO, SDPA, samples, None) == (False, SDPA, "")  # nobody knows


def test_a_resumed_run_goes_on_as_it_began(asked_twice: Samples) -> None:
    for old in (checkpoint(), checkpoint(share_images=False)):  # before there was a choice; chosen
        shared, _, note = choose_sharing(AUTO, SDPA, asked_twice, old)
        assert not shared
        assert "the run began so" in note
    shared, kernels, _ = choose_sharing(
        Training(share_images="off"),
        Kernels("bf16", "flash_attention_2", ()),
        asked_twice,
        checkpoint(share_images=True),
    )
    assert shared
    assert kernels.attention == "sdpa"
