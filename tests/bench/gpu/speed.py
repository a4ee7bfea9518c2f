"""Speed and memory of one way to train a Qwen2.5-VL, from a configuration with random weights.

Samples are shaped like ChartQA's: 650 to 1,050 tokens, an answer of four, 1.55 questions to an image. A step has 16;
the first is not measured. MFU as `vlmft_core.plan.flops` states it: of what had to be computed, padding, recomputed
activations and logits that nobody asked for left out.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import torch

from tests.bench import charts_like
from tests.bench.gpu.flash import use_padded_flash
from tests.bench.gpu.ways import LORA, Way
from tests.bench.rivals import SCALE, WholeHead, as_row, padding_collator
from vlmft_core.plan.flops import Work, training_flops
from vlmft_core.plan.gpus import peak_flops
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.packing import pack
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.attention import use_packed_attention, varlen_problem
from vlmft_trainer.model.fused import fused_problem, use_fused_kernels
from vlmft_trainer.model.inputs import on_device
from vlmft_trainer.model.load import prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training.throughput import work

BATCH = 16
"""Samples of a step."""


def measure(way: Way, size: str, count: int, micro: int) -> dict[str, Any]:
    """Train `count` samples and a step to warm up.

    Returns:
        `samples_per_s`, `tokens_per_s` (as if nothing were padded or shared), `mfu` and `peak_gib` (None on a CPU),
        `data_share` of the time spent on making batches, `notes`: what of the way was not to be had here.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model, notes = _model(way, size)
    device = torch.device("cuda" if on_gpu else "cpu")
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-4)
    loss_of = _loss(way, model)
    data = charts_like.samples(count + BATCH, size, scale=SCALE[size], asked=True)
    done, tokens, waited, start = Work(), 0, 0.0, 0.0
    for number, indices in enumerate(_order(way, data, micro)):
        step, first = divmod(number, BATCH // micro)
        if step and not first:
            optimizer.step()
            optimizer.zero_grad()
            if step == 1:
                _wait()
                start, done, tokens, waited = time.perf_counter(), Work(), 0, 0.0
        began = time.perf_counter()
        picked = [data[index] for index in indices]
        batch = _batch(way, picked)
        if not way.plain:
            done += work(batch)
        tokens += sum(sample.length for sample in picked)
        batch = on_device(batch, device)
        waited += time.perf_counter() - began
        loss_of(batch).backward()
    optimizer.step()
    _wait()
    seconds = time.perf_counter() - start
    peak = peak_flops(torch.cuda.get_device_name()) if on_gpu else None
    if way.plain:
        done = sum((work(pack([sample], image_id=charts_like.IMAGE, merge=2)) for sample in data[BATCH:]), Work())
    needed = training_flops(charts_like.SIZES[size], LORA, done)
    return {
        "samples_per_s": count / seconds,
        "tokens_per_s": tokens / seconds,
        "mfu": needed / seconds / peak if peak else None,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None,
        "data_share": waited / seconds,
        "notes": notes,
    }


def _model(way: Way, size: str) -> tuple[Any, list[str]]:
    """The model, ready to train, and what could not be switched on."""
    on_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if on_gpu else torch.float32
    attention = "sdpa" if way.attention in ("vlmft", "flash") else way.attention
    base = charts_like.build(size, device="cuda" if on_gpu else "cpu", dtype=dtype, attention=attention)
    model = add_adapter(base, LORA.model_copy(update={"dropout": way.dropout}), seed=1)
    if way.attention == "vlmft":
        use_packed_attention(base)
    elif way.attention == "flash":
        use_padded_flash(base)
    if way.plain:
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()  # as PEFT has it
        if way.recomputed:
            base.activation_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()  # as transformers' Trainer and PEFT do: the tower gets a backward
    else:
        recomputed = way.recomputed > 0
        prepare_training(model, gradient_checkpointing=recomputed, train_vision=False, every=max(way.recomputed, 1))
    notes = []
    if way.attention in ("vlmft", "flash") and on_gpu and (problem := varlen_problem()):
        notes.append(f"sample by sample through SDPA: {problem}")
    if way.fused and not way.plain:
        if problem := fused_problem(model):
            notes.append(f"no fused kernels: {problem}")
        else:
            use_fused_kernels(model)
    return model.train(), notes


def _loss(way: Way, model: Any) -> Callable[[dict[str, Any]], torch.Tensor]:
    def plain(batch: dict[str, Any]) -> torch.Tensor:
        with torch.autocast(next(model.parameters()).device.type, torch.bfloat16, enabled=torch.cuda.is_available()):
            loss: torch.Tensor = model(**batch, use_cache=False).loss
        return loss / (BATCH / len(batch["input_ids"]))

    if way.plain:
        return plain
    if way.short_head:
        return lambda batch: answer_loss(model, batch).nll / (4 * BATCH)
    return lambda batch: WholeHead.compute_loss(None, model, batch, num_items_in_batch=4 * BATCH)


def _order(way: Way, data: list[Any], micro: int) -> list[list[int]]:
    if way.plain:
        return [list(range(start, start + micro)) for start in range(0, len(data), micro)]
    return list(
        MicroBatches(
            [sample.length for sample in data],
            effective_batch=BATCH,
            micro_batch=micro,
            packed=way.packed,
            seed=1,
            groups=charts_like.groups(data) if way.shared else None,
        )
    )


def _batch(way: Way, picked: list[Any]) -> dict[str, Any]:
    if way.plain:
        return padding_collator([as_row(sample) for sample in picked])
    if way.packed:
        return pack(picked, image_id=charts_like.IMAGE, merge=2, share=way.shared)
    return collate(picked, pad_id=charts_like.PAD, image_id=charts_like.IMAGE)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
