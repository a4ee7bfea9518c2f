"""Which activations a step keeps, by the preset, the GPU's memory and the data's longest micro-batch."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from vlmft_core.plan.activations import ALL, KEPT, Batch, largest_batch
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN
from vlmft_core.preset import Lora, Preset
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.prefixes import Groups
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import Kernels, load_base, prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.recompute import choose_recomputation, longest_batch

SEVEN, TRAINABLE = KNOWN["Qwen2.5-VL-7B"], 8_257_536
GIB = 2**30
ORDER = [[0, 1, 2, 3], [4, 5, 6, 7]]


def data(lengths: list[int], image_tokens: list[int] | None = None) -> Samples:
    """Samples of which only their lengths are asked, all but 100 tokens of each an image."""
    images = [max(0, length - 100) for length in lengths] if image_tokens is None else image_tokens
    return cast("Samples", SimpleNamespace(lengths=lengths, image_tokens=images))


DATA = data([1400] * 8)
"""Samples as long as the preset allows."""


def on_a_gpu(patch: pytest.MonkeyPatch, gib: int) -> None:
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=gib * GIB))
    patch.setattr("vlmft_trainer.distributed.ranks.all_reduce_max", lambda values: [float(value) for value in values])


def preset(**training: Any) -> Preset:
    return Preset.model_validate({"training": training})


@pytest.mark.parametrize(
    ("gib", "every", "words"),
    [
        (80, KEPT, "kept: 3"),
        (34, 3, "recomputed in one of 3 layers: "),
        (24, ALL, "recomputed in all layers but the last: 2"),
    ],
)
def test_a_gpu_recomputes_as_few_layers_as_its_memory_needs(
    monkeypatch: pytest.MonkeyPatch, gib: int, every: int, words: str
) -> None:
    on_a_gpu(monkeypatch, gib)
    chosen, why = choose_recomputation(preset(), SEVEN, TRAINABLE, ORDER, DATA)
    assert chosen == every
    assert why.startswith(f"activations are {words}")
    assert why.endswith(f" GiB of {gib}.0 are needed for the longest micro-batch, 5,600 tokens")


def test_memory_that_does_not_suffice_even_so_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_gpu(monkeypatch, 16)
    chosen, why = choose_recomputation(preset(), SEVEN, TRAINABLE, ORDER, DATA)
    assert chosen == ALL
    assert why.endswith("more than there is, so this may end for want of memory")


def test_the_longest_micro_batch_is_that_of_all_epochs() -> None:
    chance = random.Random(0)
    samples = data([chance.randint(200, 1400) for _ in range(160)])
    assert samples.lengths is not None
    order = MicroBatches(samples.lengths, effective_batch=16, micro_batch=4, packed=True, seed=1)
    first, all_six = (longest_batch(preset(), SEVEN, order.of_epochs(epochs), samples) for epochs in (1, 6))
    rows = []
    for epoch in range(6):
        order.set_epoch(epoch)
        rows += [sum(samples.lengths[place] for place in places) for places in order]
    assert all_six.tokens == max(rows) > first.tokens


def test_data_of_short_samples_keeps_more(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_gpu(monkeypatch, 30)
    assert choose_recomputation(preset(), SEVEN, TRAINABLE, ORDER, DATA)[0] != KEPT
    assert choose_recomputation(preset(), SEVEN, TRAINABLE, ORDER, data([500] * 8))[0] == KEPT


def test_unknown_lengths_are_the_longest_and_an_unknown_base_recomputes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_gpu(monkeypatch, 80)
    unknown = cast("Samples", SimpleNamespace(lengths=None, image_tokens=None))
    assert longest_batch(preset(), SEVEN, ORDER, unknown) == largest_batch(preset(), SEVEN)
    assert choose_recomputation(preset(), None, TRAINABLE, ORDER, DATA) == (
        ALL,
        "activations are recomputed in all layers but the last: the model's sizes are not known",
    )


def test_the_presets_word_counts_without_a_remark() -> None:
    for asked, every in ((False, KEPT), (True, ALL)):
        assert choose_recomputation(preset(gradient_checkpointing=asked), SEVEN, 1, ORDER, DATA) == (every, "")
    third = preset(gradient_checkpointing=True, recompute_every=3)
    assert choose_recomputation(third, SEVEN, 1, ORDER, DATA) == (3, "")
    assert choose_recomputation(preset(), SEVEN, 1, ORDER, DATA)[0] == KEPT  # on a CPU


def test_a_padded_micro_batch_is_as_long_as_its_longest_sample_for_each() -> None:
    order, samples = [[0, 1], [2, 3], []], data([10, 300, 200, 200], [0, 250, 150, 160])
    assert longest_batch(preset(), SEVEN, order, samples) == Batch(2, 400, 300, 310 * 4)
    assert longest_batch(preset(packing=False), SEVEN, order, samples) == Batch(2, 600, 300, 310 * 4)


def test_images_count_with_their_own_tokens_whatever_the_preset_allows_of_one() -> None:
    """A sample with several images, or with one that has a limit of its own, beside a short one."""
    samples = data([9000, 200], [8900, 100])
    small = preset().model_copy(update={"data": preset().data.model_copy(update={"max_pixels": 200_704})})
    assert longest_batch(small, SEVEN, [[0, 1]], samples) == Batch(2, 9200, 9000, 9000 * 4)


def test_what_a_group_begins_with_is_in_a_row_once() -> None:
    groups = Groups(first=[0, 0, 0, 3], shared=[150, 150, 150, 0])
    assert longest_batch(preset(), SEVEN, [[0, 1, 2, 3]], data([200] * 4), groups).tokens == 500


@pytest.mark.parametrize(("every", "recomputed"), [(1, [0, 1, 2, 3]), (2, [0, 2]), (3, [0, 3])])
def test_the_first_of_each_so_many_layers_is_recomputed(every: int, recomputed: list[int]) -> None:
    model = add_adapter(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())), Lora(), seed=0)
    prepare_training(model, gradient_checkpointing=True, train_vision=False, every=every)
    layers = model.get_base_model().model.language_model.layers
    marked = [number for number, layer in enumerate(layers) if layer.gradient_checkpointing]
    assert marked == [number for number in recomputed if number < len(layers)]


def test_a_step_recomputes_all_layers_but_the_last_and_every_other_forward_is_the_models_own(samples: Samples) -> None:
    model = add_adapter(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())), Lora(), seed=0).train()
    prepare_training(model, gradient_checkpointing=True, train_vision=False)
    layers = model.get_base_model().model.language_model.layers
    seen: list[int] = []
    for number, layer in enumerate(layers):
        layer.mlp.register_forward_pre_hook(lambda *_, number=number: seen.append(number))
    batch = pad_collator(samples.encoder)([samples[0], samples[1]])
    answer_loss(model, batch).nll.backward()
    *others, last = (seen.count(number) for number in range(len(layers)))
    assert (set(others), last) == ({2}, 1)
    seen.clear()
    model(**model_inputs(model, batch), use_cache=False).logits.sum().backward()
    assert {seen.count(number) for number in range(len(layers))} == {2}
