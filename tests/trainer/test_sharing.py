"""Questions about one image that share it in a row: the loss and the gradients of separate samples, in less work."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tests.bench import charts_like
from tests.trainer.asked_twice import MERGE, Picture, groups, sample, samples
from vlmft_core.preset import Lora
from vlmft_trainer.data.encode import Encoded
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.packing import pack
from vlmft_trainer.model import attention
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.attention import use_packed_attention
from vlmft_trainer.model.load import prepare_training
from vlmft_trainer.model.loss import answer_loss, supervised_tokens
from vlmft_trainer.training.throughput import sample_count, work

TOLERANCE = 1e-6


def build(*, checkpointing: bool = False, tower: bool = False) -> Any:
    """A tiny model with an adapter that has learnt something, and no dropout."""
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"]
    lora = Lora(r=4, alpha=8, dropout=0, target_modules=names, vision_tower=tower)
    model = add_adapter(charts_like.build("tiny"), lora, seed=1)
    use_packed_attention(model.get_base_model())
    torch.manual_seed(5)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    prepare_training(model, gradient_checkpointing=checkpointing, train_vision=tower)
    return model.train()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small gain nothing from a second one, which waits on a machine that is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models() -> dict[bool, Any]:
    """By whether activations are recomputed."""
    return {checkpointing: build(checkpointing=checkpointing) for checkpointing in (False, True)}


def row(encoded: list[Encoded], *, share: bool = True) -> dict[str, Any]:
    return pack(encoded, image_id=charts_like.IMAGE, merge=MERGE, share=share)


def train(model: Any, rows: list[dict[str, Any]]) -> tuple[float, int, torch.Tensor]:
    """Loss, right tokens and gradient of some rows, summed as the ranks' are."""
    model.zero_grad()
    nll, correct = 0.0, 0
    for one in rows:
        loss = answer_loss(model, one)
        loss.nll.backward()
        nll, correct = nll + float(loss.nll.detach()), correct + int(loss.correct)
    return nll, correct, torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad])


def assert_same(model: Any, rows: list[dict[str, Any]], encoded: list[Encoded]) -> None:
    """The rows train as the samples do, each alone."""
    nll, correct, gradient = train(model, rows)
    wanted_nll, wanted_correct, wanted = train(model, [row([one], share=False) for one in encoded])
    assert nll == pytest.approx(wanted_nll, rel=TOLERANCE)
    assert correct == wanted_correct
    assert float((gradient - wanted).norm() / wanted.norm()) < TOLERANCE


@pytest.mark.parametrize("part", range(4))
def test_two_hundred_random_batches_train_as_separate_samples_do(models: dict[bool, Any], part: int) -> None:
    saved = 0
    for seed in range(50 * part, 50 * part + 50):
        chance = random.Random(seed)
        encoded = samples(chance, chance.randint(2, 9))
        world, micro = chance.choice([1, 2]), chance.randint(1, 4)
        lengths = [one.length for one in encoded]
        rows = []
        for rank in range(world):
            order = MicroBatches(
                lengths,
                effective_batch=world * micro * -(-len(encoded) // (world * micro)),
                micro_batch=micro,
                packed=True,
                seed=seed,
                rank=rank,
                world=world,
                groups=groups(encoded),
            )
            rows += [row([encoded[index] for index in batch]) for batch in order]
        assert sum(map(supervised_tokens, rows)) == sum(supervised_tokens(row([one])) for one in encoded)
        assert sum(map(sample_count, rows)) == len(encoded)
        assert_same(models[chance.random() < 0.3], rows, encoded)
        saved += sum(lengths) - sum(one["input_ids"].numel() for one in rows)
    assert saved > 500


def test_an_adapted_tower_gets_the_gradient_of_all_questions() -> None:
    encoded = samples(random.Random(3), 6)
    shared = row(encoded)
    assert shared["pixel_values"].shape[0] < row(encoded, share=False)["pixel_values"].shape[0]
    assert_same(build(tower=True), [shared], encoded)


def kernel(q: Any, k: Any, v: Any, cu_q: Any, cu_k: Any, max_q: int, max_k: int, **options: Any) -> torch.Tensor:
    """Takes each piece as the contract of PyTorch's kernel says, which runs on GPUs only."""
    assert cu_q.dtype == cu_k.dtype == torch.int32
    assert (max_q, max_k) == (int(cu_q.diff().max()), int(cu_k.diff().max()))
    outputs = []
    for (a, b), (c, d) in zip(pairwise(cu_q.tolist()), pairwise(cu_k.tolist()), strict=True):
        mask = torch.ones(b - a, d - c, dtype=torch.bool)
        pieces = [tensor.transpose(0, 1)[None] for tensor in (q[a:b], k[c:d], v[c:d])]
        seen = mask.tril(d - c - (b - a)) if options["window_size"] == (-1, 0) else mask
        out = scaled_dot_product_attention(*pieces, attn_mask=seen, scale=options["scale"], enable_gqa=True)
        outputs.append(out[0].transpose(0, 1))
    return torch.cat(outputs)


def of_2_11(
    q: Any, k: Any, v: Any, cu_q: Any, cu_k: Any, max_q: int, max_k: int, *, scale: Any = None, window_size: Any
) -> torch.Tensor:
    """The same as PyTorch 2.11 has it: it takes fewer heads of keys, and has no option that says so."""
    return kernel(q, k, v, cu_q, cu_k, max_q, max_k, scale=scale, window_size=window_size)


def of_2_13(*tensors: Any, scale: Any = None, window_size: Any = (-1, -1), enable_gqa: bool = False) -> torch.Tensor:
    """As PyTorch 2.13 has it: fewer heads have to be asked for."""
    assert enable_gqa == (tensors[0].shape[1] != tensors[1].shape[1])
    return kernel(*tensors, scale=scale, window_size=window_size)


def of_one_kind(*tensors: Any, scale: Any = None, window_size: Any = (-1, -1)) -> torch.Tensor:
    """One that takes as many heads of keys as of queries."""
    assert tensors[0].shape[1] == tensors[1].shape[1]
    return kernel(*tensors, scale=scale, window_size=window_size)


@pytest.mark.parametrize(("varlen", "grouped"), [(of_2_11, True), (of_2_13, True), (of_one_kind, False)])
def test_the_kernel_is_told_of_what_each_sample_sees(
    models: dict[bool, Any], monkeypatch: pytest.MonkeyPatch, varlen: Any, grouped: bool
) -> None:
    monkeypatch.setattr(attention, "_by_length", partial(attention._by_kernel, grouped=grouped))
    monkeypatch.setattr(attention, "_varlen", lambda: varlen)
    encoded = samples(random.Random(8), 7)
    assert "kv_indices" in row(encoded)
    assert_same(models[False], [row(encoded)], encoded)


def test_a_row_holds_an_image_and_what_is_said_before_it_once() -> None:
    chance = random.Random(1)
    picture = Picture(chance)
    asked = [sample(chance, [picture], [7, 8, 9], 1) for _ in range(3)]
    shared = row(asked)
    begins = 3 + len(picture.ids)
    assert shared["input_ids"].numel() <= sum(one.length for one in asked) - 2 * begins
    assert shared["image_grid_thw"].tolist() == [picture.grid]
    assert work(shared).patches == len(picture.pixels)
    assert shared["cu_seq_lens_k"].diff().tolist() == [one.length for one in asked]
    seen = shared["input_ids"][0][shared["kv_indices"]]
    assert seen.tolist() == [token for one in asked for token in one.input_ids]


def test_only_content_that_is_the_same_is_shared() -> None:
    chance = random.Random(2)
    picture = Picture(chance)
    other = Picture(chance)
    other.rows, other.columns = picture.rows, picture.columns
    other.pixels = picture.pixels.clone()
    other.pixels[-1, -1] ^= 1
    one = sample(chance, [picture], [7, 8], 1)
    for different in (
        sample(chance, [other], [7, 8], 1),  # a pixel
        sample(chance, [picture], [7, 9], 1),  # a word of the system turn
        sample(chance, [], [7, 8], 1),  # no image
    ):
        assert "kv_indices" not in row([one, different])
        assert groups([one, different]).saved == 0
    assert "kv_indices" in row([one, sample(chance, [picture], [7, 8], 1)])
    two = row([sample(chance, [picture, other], [7], 1), sample(chance, [picture, picture], [7], 1)])
    assert len(two["image_grid_thw"]) == 3  # the first image is shared, the second is not


@pytest.mark.parametrize("seed", range(20))
def test_a_row_shares_all_that_the_check_of_the_data_finds_alike(seed: int) -> None:
    encoded = samples(random.Random(seed), 8)
    found = groups(encoded)
    for first in {first for first in found.first if found.shared[first]}:
        group = [one for number, one in enumerate(encoded) if found.first[number] == first]
        shared = found.shared[first] * (len(group) - 1)
        assert row(group)["cu_seq_lens_q"][-1] <= sum(one.length for one in group) - shared


def test_nothing_that_is_trained_on_is_shared() -> None:
    chance = random.Random(4)
    asked = sample(chance, [Picture(chance)], [7], 2)
    twice = row([asked, asked])
    assert supervised_tokens(twice) == 2 * supervised_tokens(row([asked]))
    assert sample_count(twice) == 2
