"""Fused kernels: the same numbers as eager PyTorch, whatever is around them, and no run that fails for want of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Lora, Model
from vlmft_core.run_folder.events import NOTE, EventWriter
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.encode import Encoded, Encoder
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.model import kernels
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.fused import fused_problem, use_fused_kernels
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import Kernels, Precision, choose_kernels, load_base, prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.build import fuse, fused_everywhere
from vlmft_trainer.training.run_log import RunLog

LORA = Lora(r=4, alpha=8, dropout=0, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"])
JOINS = {"packed": pack_collator, "padded": pad_collator}
TOLERANCE = {"fp32": 1e-4, "bf16": 0.15}
"""Of a gradient, as a share of its largest value. A mistake in a formula shows in fp32; in bf16 two orders of summing
are some percent apart."""


@pytest.fixture(scope="module", autouse=True)
def _kernels_of_all_precisions_at_once() -> Iterator[None]:
    """A training has one number format; here they add up, and torch.compile gives up on a function with too many."""
    with torch._dynamo.config.patch(recompile_limit=32):
        yield


@pytest.fixture
def conversations(encoder: Encoder) -> list[Encoded]:
    """Two images of different shapes and a conversation without one."""
    from PIL import Image

    return [
        encoder.sample("what is it", "12", Image.linear_gradient("L").resize((180, 90)).convert("RGB")),
        encoder.sample("only text here", "a long answer", None),
        encoder.sample("another?", "7 7 7", Image.radial_gradient("L").resize((120, 150)).convert("RGB")),
    ]


def adapted(
    *,
    fused: bool,
    lora: Lora = LORA,
    precision: Precision = "fp32",
    checkpointing: bool = False,
    train_norms: bool = False,
) -> Any:
    """The demo base with an adapter that has learned something, ready to train."""
    base = load_base(str(DEMO_BASE), Kernels(precision, "sdpa", ()))
    model = add_adapter(base, lora, seed=3)
    torch.manual_seed(4)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
        elif train_norms and "layernorm" in name:
            weight.requires_grad_()
    prepare_training(model, gradient_checkpointing=checkpointing, train_vision=lora.vision_tower)
    if fused:
        use_fused_kernels(model)
    return model.train()


def step(model: Any, batch: dict[str, Any]) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one micro-batch."""
    loss = answer_loss(model, batch).nll
    loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    return float(loss.detach()), {name: gradient for name, gradient in gradients.items() if gradient is not None}


def assert_same_step(batch: dict[str, Any], *, precision: Precision = "fp32", **options: Any) -> None:
    (loss, found), (wanted_loss, wanted) = (
        step(adapted(fused=fused, precision=precision, **options), batch) for fused in (True, False)
    )
    tolerance = TOLERANCE[precision]
    assert loss == pytest.approx(wanted_loss, rel=tolerance / 10)
    assert found.keys() == wanted.keys()
    assert len(found) > 8
    for name, gradient in wanted.items():
        assert (found[name] - gradient).abs().max() <= tolerance * gradient.abs().max(), name


def fused_with_notes(model: Any, folder: Path) -> list[str]:
    """What a training says when it switches to fused kernels."""
    fuse(model, RunLog(EventWriter(folder / "events.jsonl")))
    return notes(folder)


def notes(folder: Path) -> list[str]:
    records = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [record["message"] for record in records if record["event"] == NOTE]


def test_a_rank_without_fused_kernels_is_told_where_the_others_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunLog(EventWriter(tmp_path / "events.jsonl"))
    assert fused_everywhere(True, log)
    monkeypatch.setattr("vlmft_trainer.distributed.ranks.any_rank", lambda flag: True)
    assert not fused_everywhere(False, log)
    assert notes(tmp_path) == []
    assert not fused_everywhere(True, log)
    assert notes(tmp_path) == [
        "fused kernels are not used on every rank: the others wait for those without at each step"
    ]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("layout", JOINS)
def test_loss_and_gradients_are_those_of_the_eager_model(
    conversations: list[Encoded], encoder: Encoder, layout: str, precision: Precision
) -> None:
    assert_same_step(JOINS[layout](encoder)(conversations), precision=precision)


def test_logits_are_those_of_the_eager_model(conversations: list[Encoded], encoder: Encoder) -> None:
    batch = pad_collator(encoder)(conversations)
    with torch.no_grad():
        found, wanted = (
            model(**model_inputs(model, batch)).logits for model in (adapted(fused=True), adapted(fused=False))
        )
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_activations_can_be_recomputed(conversations: list[Encoded], encoder: Encoder) -> None:
    assert_same_step(pack_collator(encoder)(conversations), checkpointing=True)


def test_an_adapted_tower_gets_its_gradients(conversations: list[Encoded], encoder: Encoder) -> None:
    lora = Lora(r=4, alpha=8, dropout=0, target_modules=["up_proj"], vision_tower=True)
    assert_same_step(pack_collator(encoder)(conversations), lora=lora)


def test_a_norm_that_trains_gets_its_gradient(conversations: list[Encoded], encoder: Encoder) -> None:
    assert_same_step(pack_collator(encoder)(conversations), train_norms=True)


def test_an_adapter_of_another_kind_trains_as_before(conversations: list[Encoded], encoder: Encoder) -> None:
    batch = pack_collator(encoder)(conversations)
    dora = LORA.model_copy(update={"dora": True})
    losses = [step(adapted(fused=fused, lora=dora), batch)[0] for fused in (True, False)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_dropout_drops_its_share_and_scales_the_rest(p: float) -> None:
    x, each = torch.randn(400, 250) + 9, torch.eye(250)
    first, again, other = (kernels.dropped_product(x, each, p, seed) for seed in (1, 1, 2))
    kept = first != 0
    assert 1 - float(kept.float().mean()) == pytest.approx(p, abs=4 * (p * (1 - p) / x.numel()) ** 0.5)
    torch.testing.assert_close(first[kept], x[kept] / (1 - p))
    assert torch.equal(again, first)
    both = float((kept & (other != 0)).float().mean())
    assert both == pytest.approx((1 - p) ** 2, abs=0.01)  # one seed's mask says nothing of another's


def test_gradients_through_dropout_are_those_of_what_was_kept() -> None:
    made = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, dtype=torch.float64, generator=made) for shape in ((40, 6), (3, 6)))
    assert torch.autograd.gradcheck(
        lambda x, weight: kernels.dropped_product(x, weight, 0.4, 7), (x.requires_grad_(), weight.requires_grad_())
    )


def test_dropout_keeps_nothing_more_for_the_backward_pass(conversations: list[Encoded], encoder: Encoder) -> None:
    batch = pack_collator(encoder)(conversations)

    def kept(*, fused: bool, dropout: float) -> int:
        model = adapted(fused=fused, lora=LORA.model_copy(update={"dropout": dropout}))
        weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
        storages: dict[int, torch.UntypedStorage] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = answer_loss(model, batch).nll
        assert loss.requires_grad
        return sum(storage.nbytes() for place, storage in storages.items() if place not in weights)

    without = kept(fused=True, dropout=0)
    assert kept(fused=True, dropout=0.3) == without
    assert kept(fused=False, dropout=0.3) > 1.1 * kept(fused=False, dropout=0)


def test_dropout_is_the_same_again_from_the_same_random_state(conversations: list[Encoded], encoder: Encoder) -> None:
    batch, lora = pack_collator(encoder)(conversations), LORA.model_copy(update={"dropout": 0.3})
    kept, recomputed = (adapted(fused=True, lora=lora, checkpointing=again) for again in (False, True))
    torch.manual_seed(5)
    state = torch.get_rng_state()  # what a checkpoint holds
    loss, wanted = step(kept, batch)
    kept.zero_grad()
    other, _ = step(kept, batch)
    assert other != loss
    for model in (kept, recomputed):
        model.zero_grad()
        torch.set_rng_state(state)
        again, found = step(model, batch)
        assert again == pytest.approx(loss, rel=1e-6)
        for name, gradient in wanted.items():
            torch.testing.assert_close(found[name], gradient)


def test_without_training_nothing_is_dropped(conversations: list[Encoded], encoder: Encoder) -> None:
    batch = pack_collator(encoder)(conversations)
    with torch.no_grad():
        losses = [
            float(answer_loss(adapted(fused=True, lora=lora).eval(), batch).nll)
            for lora in (LORA, LORA.model_copy(update={"dropout": 0.3}))
        ]
    assert losses[0] == losses[1]


def test_without_its_adapter_the_model_is_the_base(conversations: list[Encoded], encoder: Encoder) -> None:
    batch = pack_collator(encoder)(conversations)
    model, base = adapted(fused=True), load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ()))
    with torch.no_grad(), model.disable_adapter():
        assert float(answer_loss(model, batch).nll) == pytest.approx(float(answer_loss(base, batch).nll), rel=1e-5)


@pytest.mark.parametrize("questions", [1, 3])
def test_the_same_tokens_are_generated(conversations: list[Encoded], encoder: Encoder, questions: int) -> None:
    batch = pad_collator(encoder, "left")(conversations[:questions])
    found, wanted = (
        model.eval().generate(**model_inputs(model, batch), max_new_tokens=6, do_sample=False)
        for model in (adapted(fused=True), adapted(fused=False))
    )
    assert torch.equal(found, wanted)


def test_rows_of_any_length_do_with_the_kernels_of_the_first(conversations: list[Encoded], encoder: Encoder) -> None:
    from torch._dynamo.utils import counters

    model = adapted(fused=True)
    join = pack_collator(encoder)
    step(model, join(conversations))
    compiled = counters["stats"]["unique_graphs"]
    assert compiled > 0
    lengths = set()
    for samples in (conversations[:1], conversations[2:], conversations[:2], conversations * 2):
        batch = join(samples)
        lengths.add(batch["input_ids"].numel())
        step(model, batch)
    assert len(lengths) == 4
    assert counters["stats"]["unique_graphs"] == compiled


def test_kernels_that_work_here_are_used_without_a_word(tmp_path: Path) -> None:
    model = load_base(str(DEMO_BASE), Kernels("bf16", "sdpa", ()))
    notes = fused_with_notes(model, tmp_path)
    assert notes == ["compiling fused kernels"]
    assert "forward" in vars(model.model.language_model.norm)


def test_without_a_compiler_a_note_says_so_and_the_model_stays_eager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conversations: list[Encoded], encoder: Encoder
) -> None:
    def compile_nothing(*_: Any) -> None:
        raise RuntimeError("Failed to find C compiler. Please specify via CC.\n\nMore about this …")

    for kernel in vars(kernels).values():
        if isinstance(kernel, kernels.Compiled):
            monkeypatch.setitem(vars(kernel), "compiled", compile_nothing)
    model = adapted(fused=False)
    notes = fused_with_notes(model, tmp_path)
    assert notes[1:] == ["fused kernels are not used (Failed to find C compiler. Please specify via CC.)"]
    batch = pack_collator(encoder)(conversations)
    assert step(model, batch)[0] == step(adapted(fused=False), batch)[0]


def test_a_wrong_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(gradient: torch.Tensor, gate: torch.Tensor, up: torch.Tensor) -> Any:
        return gradient * up * torch.sigmoid(gate), gradient * gate * torch.sigmoid(gate)

    monkeypatch.setattr(kernels, "_swiglu_gradients", wrong)
    problem = fused_problem(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())))
    assert problem == "the gated MLP gives other results than eager PyTorch"


def test_trying_kernels_out_moves_no_random_number() -> None:
    base = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ()))
    before = torch.get_rng_state()
    fused_problem(base)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("asked", "on_cpu"), [("auto", False), (True, True), (False, False)])
def test_a_cpu_compiles_only_where_it_is_asked_to(asked: Any, on_cpu: bool) -> None:
    assert choose_kernels(Model(base="demo", fused_kernels=asked)).fused is on_cpu


def test_an_adapter_computes_in_the_bases_number_format() -> None:
    """Else it would fall back to PEFT's own forward where DeepSpeed leaves its weights as they are: under ZeRO-3."""
    formats = {weight.dtype for weight in adapted(fused=True, precision="bf16").parameters()}
    assert formats == {torch.bfloat16}
