"""Qwen2.5-VL from a configuration with random weights on one GPU: how fast, and what each switch contributes.

    python -m tests.bench.gpu [--sizes 3b 7b] [--samples 64] [--micro 4]
    python -m tests.bench.gpu --tiny        # on a CPU, to see that it runs

Nothing is downloaded. Samples are shaped like ChartQA's (650 to 1,050 tokens, an answer of four); a step has 16. Each
row runs in a process of its own. The first step is not measured. MFU as `vlmft_core.plan.flops` states it.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import torch

BATCH = 16


@dataclass(frozen=True)
class Way:
    """One way to train: what is switched on."""

    packed: bool = True
    short_head: bool = True
    checkpointing: bool = False
    attention: str = "vlmft"
    fused: bool = True
    tower_backward: bool = False
    """As transformers' own switch for checkpointing has it: the frozen tower gets a backward too."""


OURS = Way()
WAYS = {
    "plain baseline": Way(
        packed=False, short_head=False, checkpointing=True, attention="sdpa", fused=False, tower_backward=True
    ),
    "vlmft": OURS,
    "  without packing": replace(OURS, packed=False),
    "  without fused kernels": replace(OURS, fused=False),
    "  logits for all tokens": replace(OURS, short_head=False),
    "  activations recomputed": replace(OURS, checkpointing=True),
    "  stock SDPA": replace(OURS, packed=False, attention="sdpa"),
    "  flash-attn": replace(OURS, attention="flash_attention_2"),
}


def measure(way: Way, size: str, count: int, micro: int) -> dict[str, Any]:
    """Train `count` samples and a step to warm up; figures of one process on one device."""
    from tests.bench import charts_like
    from tests.bench.rivals import LORA, SCALE, WholeHead, fuse
    from vlmft_core.plan.flops import Work, training_flops
    from vlmft_core.plan.gpus import peak_flops
    from vlmft_trainer.data.collate import collate
    from vlmft_trainer.data.order import MicroBatches
    from vlmft_trainer.data.packing import pack
    from vlmft_trainer.model.adapter import add_adapter
    from vlmft_trainer.model.attention import use_packed_attention, varlen_problem
    from vlmft_trainer.model.load import prepare_training
    from vlmft_trainer.model.loss import answer_loss
    from vlmft_trainer.training.throughput import work

    on_gpu = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if on_gpu else ("cpu", torch.float32)
    kernels = "sdpa" if way.attention == "vlmft" else way.attention
    model = add_adapter(charts_like.build(size, device=device, dtype=dtype, attention=kernels), LORA, seed=1)
    if way.attention == "vlmft":
        use_packed_attention(model.get_base_model())
    if way.tower_backward:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    else:
        prepare_training(model, gradient_checkpointing=way.checkpointing, train_vision=False)
        model.to(dtype)  # the adapter too, as DeepSpeed has it, where PEFT would keep it in fp32
    if way.fused:
        fuse(model)
    model.train()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-4)

    data = charts_like.samples(count + BATCH, size, scale=SCALE[size])
    lengths = [sample.length for sample in data]
    order = MicroBatches(lengths, effective_batch=BATCH, micro_batch=micro, packed=way.packed, seed=1)
    plain = way.tower_backward  # takes samples as they come
    batches = [list(range(i, i + micro)) for i in range(0, len(data), micro)] if plain else list(order)
    done, waited, start = Work(), 0.0, 0.0
    accumulation = BATCH // micro
    for number, indices in enumerate(batches):
        if number == accumulation:
            _wait(on_gpu)
            start, done, waited = time.perf_counter(), Work(), 0.0
        began = time.perf_counter()
        picked = [data[index] for index in indices]
        batch: dict[str, Any] = (
            pack(picked, image_id=charts_like.IMAGE, merge=2)
            if way.packed
            else collate(picked, pad_id=charts_like.PAD, image_id=charts_like.IMAGE)
        )
        done += work(batch)
        batch = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}
        waited += time.perf_counter() - began
        with torch.autocast(device, dtype, enabled=on_gpu and plain):  # DeepSpeed does without
            if way.short_head:
                loss = answer_loss(model, batch).nll
            else:
                loss = WholeHead.compute_loss(None, model, batch, num_items_in_batch=1)
        loss.backward()
        if (number + 1) % accumulation == 0:
            optimizer.step()
            optimizer.zero_grad()
    _wait(on_gpu)
    seconds = time.perf_counter() - start
    peak = peak_flops(torch.cuda.get_device_name()) if on_gpu else None
    return {
        "samples_per_s": count / seconds,
        "tokens_per_s": done.tokens / seconds,
        "mfu": training_flops(charts_like.SIZES[size], LORA, done) / seconds / peak if peak else None,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None,
        "data_share": waited / seconds,
        "kernels": varlen_problem() or "variable-length",
    }


def _wait(on_gpu: bool) -> None:
    if on_gpu:
        torch.cuda.synchronize()


def in_a_process_of_its_own(name: str, size: str, options: argparse.Namespace) -> dict[str, Any] | str:
    """The row's figures, or in one line why there are none (out of memory, a kernel that is not there)."""
    line = [sys.executable, "-W", "ignore", "-m", "tests.bench.gpu", "--one", name, "--sizes", size]
    line += ["--samples", str(options.samples), "--micro", str(options.micro)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1][:80]
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(size: str, options: argparse.Namespace) -> None:
    """The table of one model."""
    print(f"\n{size}: {options.samples} samples, micro-batch {options.micro}")
    print(f"{'':<26}{'samples/s':>10}{'x':>7}{'tokens/s':>10}{'MFU':>7}{'GiB':>7}{'data':>7}")
    slowest = None
    for name in WAYS:
        one = in_a_process_of_its_own(name, size, options)
        if isinstance(one, str):
            print(f"{name:<26}{one}", flush=True)
            continue
        slowest = slowest or one["samples_per_s"]
        mfu = "" if one["mfu"] is None else f"{one['mfu']:.1%}"
        memory = "" if one["peak_gib"] is None else f"{one['peak_gib']:.1f}"
        print(
            f"{name:<26}{one['samples_per_s']:>10.2f}{one['samples_per_s'] / slowest:>7.2f}"
            f"{one['tokens_per_s']:>10.0f}{mfu:>7}{memory:>7}{one['data_share']:>7.1%}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="+", default=["3b", "7b"], choices=["tiny", "small", "3b", "7b"])
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--micro", type=int, default=4)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(WAYS[options.one], options.sizes[0], options.samples, options.micro)))
        return
    if options.tiny:
        options.sizes, options.samples = ["tiny"], BATCH
    elif not torch.cuda.is_available():
        raise SystemExit("no GPU here: --tiny runs on a CPU")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine() + " CPU"
    print(f"{device}, torch {torch.__version__}")
    for size in options.sizes:
        show(size, options)


if __name__ == "__main__":
    main()
