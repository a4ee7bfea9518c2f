"""What makes a training fast, as far as a test can see it: work counted, memory judged, benches that run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.bench import charts_like
from tests.bench.gpu.__main__ import Part, make
from tests.bench.gpu.table import table
from tests.bench.gpu.ways import WAYS
from vlmft_core.plan.architecture import DEMO_BASE, KNOWN
from vlmft_core.plan.base_folder import read_architecture
from vlmft_core.plan.flops import Work, forward_flops, training_flops
from vlmft_core.preset import Lora, Model
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.encode import IGNORED
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import Kernels, choose_kernels, load_base
from vlmft_trainer.model.loss import answer_loss, supervised_tokens
from vlmft_trainer.training.throughput import find_mfu, mfu, work

SEVEN = KNOWN["Qwen2.5-VL-7B"]


@pytest.mark.parametrize("collator", [pack_collator, pad_collator])
def test_output_layer_and_last_mlp_run_on_supervised_positions_only(samples: Samples, collator: Any) -> None:
    model = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ()))
    seen = []
    for module in (model.get_decoder().layers[-1].mlp, model.lm_head):
        module.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape)))
    batch = collator(samples.encoder)([samples[0], samples[1], samples[12]])
    answer_loss(model, batch)
    assert seen == [(1, supervised_tokens(batch), model.config.text_config.hidden_size)] * 2
    assert supervised_tokens(batch) < batch["input_ids"].numel() / 3


@pytest.mark.parametrize("collator", [pack_collator, pad_collator])
def test_loss_and_gradients_are_those_of_all_positions(samples: Samples, collator: Any) -> None:
    lora = Lora(r=4, alpha=8, dropout=0, target_modules=["all-linear"])
    model = add_adapter(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())), lora, seed=0).train()
    batch = collator(samples.encoder)([samples[0], samples[1], samples[12]])
    targets = batch["labels"][:, 1:].flatten()
    logits = model(**model_inputs(model, batch), use_cache=False).logits[:, :-1].flatten(0, 1)
    whole = cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    wanted = torch.autograd.grad(whole, trained)
    short = answer_loss(model, batch).nll
    torch.testing.assert_close(short, whole, rtol=1e-6, atol=0)
    for found, weight in zip(torch.autograd.grad(short, trained), wanted, strict=True):
        torch.testing.assert_close(found, weight, rtol=1e-5, atol=1e-6 * float(weight.abs().max()))


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


def test_rope_of_the_benchs_models_is_not_rounded() -> None:
    model = charts_like.build("tiny", dtype=torch.bfloat16)
    frequencies = [buffer for name, buffer in model.named_buffers() if "inv_freq" in name]
    exact = [buffer for name, buffer in charts_like.build("tiny").named_buffers() if "inv_freq" in name]
    assert len(frequencies) >= 2  # of text and images
    for one, other in zip(frequencies, exact, strict=True):
        assert torch.equal(one, other)


@pytest.mark.soak
def test_the_gpu_bench_runs_through_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.gpu", "--tiny", "--out", str(out)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert not [row for row in rows if "error" in row], done.stdout
    ways = {name for name, way in WAYS.items() if way.attention != "flash_attention_2"}
    speeds = {row["row"]: row["samples_per_s"] for row in rows if row["part"] == "speed:tiny"}
    assert speeds.keys() == ways
    assert min(speeds.values()) > 0
    for row in rows:
        if row["part"] == "agreement:tiny":  # two CPUs agree
            assert row["loss_differs"] == row["gradient_differs"] == 0
    for line in (f"torch {torch.__version__}", *(f"| {name} |" for name in ways)):
        assert line in out.read_text()


def test_a_row_of_the_gpu_bench_that_fails_leaves_the_rest_and_says_why() -> None:
    part = Part("speed:tiny", ("no such way", "vlmft without fused kernels"), 400)
    failed, made = make(part, time.monotonic() + 400)
    assert failed == {"part": "speed:tiny", "row": "no such way", "error": "KeyError: 'no such way'"}
    assert made["samples_per_s"] > 0
    late = make(part, time.monotonic())
    assert [row["error"] for row in late] == ["not reached: the time was up"] * 2
    text = table([failed, made, *late], 1.0)
    assert "| no such way | KeyError: 'no such way' |" in text
    assert text.count("not reached: the time was up") == 2
