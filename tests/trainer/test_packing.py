"""Samples end to end in one row: the same numbers as each by itself, and none that leaks into its neighbour."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import pytest
import torch

from tests.trainer.pictures import noise
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Lora
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.encode import IGNORED, Encoded, Encoder
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.positions import positions
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.attention import Borders, use_packed_attention, varlen_attention
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import Kernels, load_base, prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.throughput import sample_count, work

KERNELS = Kernels("fp32", "sdpa", ())


@pytest.fixture
def conversations(encoder: Encoder) -> list[Encoded]:
    """Images of several shapes, small and with many windows, and one conversation of text alone between them."""
    return [
        encoder.sample("what is it", "12", noise(180, 90)),
        encoder.sample("only text here", "a long answer", None),
        encoder.sample("another?", "7 7 7", noise(300, 240)),
        encoder.sample("z", "q", noise(56, 200)),
    ]


def stock(attention: str) -> Any:
    """The demo base as transformers loads it."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLForConditionalGeneration.from_pretrained(DEMO_BASE, attn_implementation=attention).eval()


@pytest.mark.parametrize("attention", ["vlmft", "sdpa", "eager"])
def test_packed_logits_are_those_of_each_sample_alone(
    conversations: list[Encoded], encoder: Encoder, attention: str
) -> None:
    alone = stock("sdpa")
    packing = stock("sdpa" if attention == "vlmft" else attention)
    if attention == "vlmft":
        use_packed_attention(packing)
    row = pack_collator(encoder)(conversations)
    with torch.no_grad():
        together = packing(**model_inputs(packing, row), use_cache=False).logits
        start = 0
        for sample in conversations:
            batch = pad_collator(encoder)([sample])
            expected = alone(**model_inputs(alone, batch)).logits[0, : sample.length]
            torch.testing.assert_close(together[0, start : start + sample.length], expected, atol=1e-4, rtol=0)
            start += sample.length


def test_padded_batches_and_generation_are_as_with_sdpa(conversations: list[Encoded], encoder: Encoder) -> None:
    ours, theirs = stock("sdpa"), stock("sdpa")
    use_packed_attention(ours)
    batch = pad_collator(encoder, "left")(conversations)
    batch = model_inputs(ours, batch)
    with torch.no_grad():
        torch.testing.assert_close(ours(**batch).logits, theirs(**batch).logits, atol=1e-4, rtol=0)
        wanted = theirs.generate(**batch, max_new_tokens=6, do_sample=False)
        assert torch.equal(ours.generate(**batch, max_new_tokens=6, do_sample=False), wanted)


def test_a_packed_row_without_its_borders_is_refused(conversations: list[Encoded], encoder: Encoder) -> None:
    model = stock("sdpa")
    use_packed_attention(model)
    row = pack_collator(encoder)(conversations)
    inputs = model_inputs(model, row)
    leaking = {name: value for name, value in inputs.items() if name.partition("_")[0] not in ("cu", "max")}
    with pytest.raises(RuntimeError, match="needs cu_seq_lens_q"):
        model(**leaking, use_cache=False)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("tower", [False, True])
def test_packed_and_padded_gradients_agree(
    conversations: list[Encoded], encoder: Encoder, checkpointing: bool, tower: bool
) -> None:
    lora = Lora(r=4, alpha=8, dropout=0, target_modules=["q_proj", "up_proj"], vision_tower=tower)
    gradients, losses = [], []
    for join in (pad_collator(encoder), pack_collator(encoder)):
        model = add_adapter(load_base(str(DEMO_BASE), KERNELS), lora, seed=3)
        prepare_training(model, gradient_checkpointing=checkpointing, train_vision=tower)
        model.train()
        loss = answer_loss(model, join(conversations))
        loss.nll.backward()
        losses.append((float(loss.nll.detach()), int(loss.correct)))
        gradients.append([weight.grad for weight in model.parameters() if weight.requires_grad])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for padded, packed in zip(*gradients, strict=True):
        torch.testing.assert_close(packed, padded, atol=2e-4, rtol=1e-3)


def test_positions_are_the_models_own_for_any_number_of_images(encoder: Encoder) -> None:
    model = stock("sdpa").model
    image, grids = encoder.image_id, torch.tensor([[1, 4, 6], [1, 2, 2], [1, 8, 4]])
    three = torch.tensor([50, 51, *[image] * 6, 52, image, 53, *[image] * 8, 54, 55, 56])
    for grid, ids in ((grids, three), (grids[:1], three[:9]), (None, three[three != image])):
        wanted, _ = model.get_rope_index(ids[None], (ids == image).int()[None], image_grid_thw=grid)
        assert torch.equal(positions(ids == image, grid, 2), wanted[:, 0])


def test_images_that_touch_are_told_apart(encoder: Encoder) -> None:
    found = positions(torch.tensor([True] * 10), torch.tensor([[1, 4, 6], [1, 4, 4]]), 2)
    assert found[1].tolist() == [0, 0, 0, 1, 1, 1, 3, 3, 4, 4]
    assert found[2].tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 3, 4]


@pytest.mark.parametrize("grids", [None, torch.tensor([[1, 4, 4]]), torch.tensor([[1, 4, 6], [1, 2, 2]])])
def test_image_tokens_without_a_fitting_grid_are_refused(grids: torch.Tensor | None) -> None:
    with pytest.raises(ValueError, match="account for its tokens"):
        positions(torch.tensor([False, *[True] * 6, False]), grids, 2)


def test_no_sample_is_asked_what_the_next_one_begins_with(encoder: Encoder) -> None:
    one = encoder.sample("a", "1", None)
    supervised = Encoded(one.input_ids, list(one.input_ids), None, None)
    labels = pack_collator(encoder)([supervised, supervised])["labels"][0]
    assert labels[0] == labels[one.length] == IGNORED
    assert (labels != IGNORED).sum() == 2 * (one.length - 1)


def test_a_row_of_text_alone_gets_an_image_that_changes_nothing(encoder: Encoder) -> None:
    sample = encoder.sample("only text here", "yes", None)
    model = load_base(str(DEMO_BASE), KERNELS)
    with torch.no_grad():
        plain = stock("sdpa")(input_ids=torch.tensor([sample.input_ids]), labels=torch.tensor([sample.labels])).loss
        row = pack_collator(encoder)([sample])
        assert row["pixel_values"].shape == (4, 588)
        loss = answer_loss(model, row)
    assert float(loss.nll) == pytest.approx(float(plain) * work(row).supervised, rel=1e-5)


def test_a_row_without_loss_gives_zero_gradients(conversations: list[Encoded], encoder: Encoder) -> None:
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), Lora(r=4, alpha=8), seed=0)
    prepare_training(model, gradient_checkpointing=False, train_vision=False)
    row = pack_collator(encoder)(conversations[:1])
    row["labels"][:] = IGNORED
    loss = answer_loss(model, row).nll
    assert float(loss.detach()) == 0
    loss.backward()
    assert all(not weight.grad.any() for weight in model.parameters() if weight.requires_grad)


@pytest.mark.parametrize("collator", [pad_collator, pack_collator])
def test_a_micro_batch_of_no_sample_gives_zero_gradients(encoder: Encoder, collator: Any) -> None:
    """What a rank computes when a last, smaller effective batch leaves it nothing."""
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), Lora(r=4, alpha=8), seed=0)
    prepare_training(model, gradient_checkpointing=False, train_vision=False)
    batch = collator(encoder)([])
    assert sample_count(batch) == work(batch).supervised == 0
    answer_loss(model, batch).nll.backward()
    assert all(not weight.grad.any() for weight in model.parameters() if weight.requires_grad)


def test_packed_and_padded_batches_count_the_same_samples_and_work(
    conversations: list[Encoded], encoder: Encoder
) -> None:
    batches = [join(conversations) for join in (pad_collator(encoder), pack_collator(encoder))]
    assert [sample_count(batch) for batch in batches] == [4, 4]
    assert work(batches[0]) == work(batches[1])
    assert work(batches[1]).tokens == sum(sample.length for sample in conversations)
    masked = [
        Encoded(one.input_ids, [IGNORED] * one.length, one.pixel_values, one.image_grid_thw) for one in conversations
    ]
    assert sample_count(pack_collator(encoder)([*masked[:2], *conversations[2:]])) == 2


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [[5], [3, 3, 3], [4, 1, 4, 2, 1, 4], [7, 2]])
def test_pieces_attend_to_themselves_alone_whatever_their_lengths(lengths: list[int], causal: bool) -> None:
    made = torch.Generator().manual_seed(0)
    query = torch.randn(1, 4, sum(lengths), 8, generator=made)
    key, value = (torch.randn(1, 2, sum(lengths), 8, generator=made) for _ in range(2))
    cu_seqlens = torch.tensor([0, *lengths]).cumsum(0).int()
    borders = Borders(cu_seqlens, cu_seqlens, max(lengths), max(lengths))
    found = varlen_attention(query, key, value, borders, causal=causal, scale=None)
    for start, end in pairwise(cu_seqlens.tolist()):
        pieces = [tensor[:, :, start:end] for tensor in (query, key, value)]
        wanted = torch.nn.functional.scaled_dot_product_attention(*pieces, is_causal=causal, enable_gqa=True)
        torch.testing.assert_close(found[:, start:end], wanted.transpose(1, 2))


@pytest.mark.parametrize("lengths", [[(2, 5)], [(3, 3), (2, 7), (3, 3), (2, 7)], [(4, 4), (1, 5), (3, 7)]])
def test_a_piece_that_goes_on_behind_others_sees_them_and_itself(lengths: list[tuple[int, int]]) -> None:
    made = torch.Generator().manual_seed(0)
    queries, keys = (torch.tensor([0, *side]).cumsum(0).int() for side in zip(*lengths, strict=True))
    query = torch.randn(1, 4, int(queries[-1]), 8, generator=made)
    key, value = (torch.randn(1, 2, int(keys[-1]), 8, generator=made) for _ in range(2))
    found = varlen_attention(query, key, value, Borders(queries, keys, 4, 7), causal=True, scale=None)
    for (start, end), (first, last) in zip(pairwise(queries.tolist()), pairwise(keys.tolist()), strict=True):
        for number in range(start, end):
            seen = slice(first, last - (end - number) + 1)
            pieces = query[:, :, number : number + 1], key[:, :, seen], value[:, :, seen]
            wanted = torch.nn.functional.scaled_dot_product_attention(*pieces, enable_gqa=True)
            torch.testing.assert_close(found[:, number : number + 1], wanted.transpose(1, 2))


def test_a_row_tells_the_kernels_where_its_samples_begin_and_how_long_the_longest_is(
    conversations: list[Encoded], encoder: Encoder
) -> None:
    """A variable-length kernel reads nothing else: it has neither a mask nor positions."""
    lengths = [sample.length for sample in conversations]
    assert max(lengths) not in (lengths[0], lengths[-1])
    row = pack_collator(encoder)(conversations)
    for side in ("q", "k"):
        assert row[f"cu_seq_lens_{side}"].tolist() == [0, *accumulate(lengths)]
        assert row[f"cu_seq_lens_{side}"].dtype == torch.int32
        assert row[f"max_length_{side}"] == max(lengths)


def test_the_image_of_a_row_of_text_alone_is_a_sample_to_the_kernels(encoder: Encoder) -> None:
    sample = encoder.sample("only text here", "yes", None)
    row = pack_collator(encoder)([sample])
    assert row["cu_seq_lens_q"].tolist() == row["cu_seq_lens_k"].tolist() == [0, sample.length, sample.length + 1]
    assert row["max_length_q"] == row["max_length_k"] == sample.length
    alone = [Encoded([encoder.image_id], [IGNORED], torch.zeros(4, 588, dtype=torch.uint8), torch.tensor([[1, 2, 2]]))]
    assert pack_collator(encoder)(alone)["max_length_q"] == 1
