"""What makes a training fast, as far as a test can see it: work counted, memory judged, benches that run."""

from __future__ import annotations

import pytest
import torch

from tests.bench.gpu import BATCH, WAYS, measure
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN, read_architecture
from vlmft_core.plan.flops import Work, forward_flops, training_flops
from vlmft_core.preset import Lora, Model
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.load import Kernels, choose_kernels, load_base
from vlmft_trainer.model.loss import answer_loss, supervised_tokens
from vlmft_trainer.training.throughput import find_mfu, mfu, work

SEVEN = KNOWN["Qwen2.5-VL-7B"]


def test_the_output_layer_runs_on_supervised_positions_only(samples: Samples) -> None:
    model = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ()))
    seen = []
    model.lm_head.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    batch = pack_collator(samples.encoder)([samples[0], samples[1], samples[12]])
    answer_loss(model, batch)
    assert seen == [(1, supervised_tokens(batch), model.config.text_config.hidden_size)]
    assert supervised_tokens(batch) < batch["input_ids"].numel() / 3


def test_counted_operations_are_those_that_torch_counts(samples: Samples) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ()))
    batch = pack_collator(samples.encoder)([samples[0], samples[12]])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        answer_loss(model, batch)
    counted = counter.get_flop_counts()["Global"]
    base = read_architecture(DEMO_BASE)
    mine = forward_flops(base, work(batch))
    # torch counts the whole square of causal attention, and a window or two that is not full.
    products = sum(count for name, count in counted.items() if "attention" not in str(name))
    attention = 2 * work(batch).token_squares * base.layers * base.hidden
    windows = (
        4
        * base.vision_hidden
        * (work(batch).patch_squares * 2 + work(batch).patches * base.vision_window * (base.vision_depth - 2))
    )
    assert sum(mine.values()) - attention - windows == pytest.approx(products, rel=0.01)


def test_mfu_is_needed_operations_by_possible_ones_and_unknown_on_a_cpu() -> None:
    one = Work(850, 850**2, 4, 2436, 2436**2)
    assert mfu(SEVEN, Lora(), 989e12, one, 1.0) == pytest.approx(training_flops(SEVEN, Lora(), one) / 989e12)
    assert find_mfu(SEVEN, Lora(), "bf16") is None


def test_the_best_attention_there_is_is_taken_without_a_word() -> None:
    assert choose_kernels(Model(base="demo", attention="auto")) == Kernels("fp32", "sdpa", ())


@pytest.mark.parametrize("name", [name for name in WAYS if "flash" not in name])
def test_every_way_of_the_gpu_bench_runs(name: str) -> None:
    figures = measure(WAYS[name], "tiny", BATCH, 4)
    assert figures["samples_per_s"] > 0
    assert figures["tokens_per_s"] > figures["samples_per_s"]
    assert 0 < figures["data_share"] < 1
