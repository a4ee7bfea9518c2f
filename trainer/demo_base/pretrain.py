"""Pre-training of the demo base from nothing: `python -m demo_base.pretrain --out DIR`, from `trainer/`.

Started by `torchrun --nproc-per-node N`, N processes share every step's pictures.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import AutoModelForImageTextToText, AutoTokenizer

from demo_base.batches import Packer, loss_of, scene
from demo_base.blank import blank_image_processor, blank_model, blank_tokenizer
from demo_base.skill import accuracy
from vlmft_trainer.data.encode import Encoder


def optimizers_of(model: Any, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, which needs about half of AdamW's steps here, and AdamW for the rest."""
    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "embed" not in name else rest).append(parameter)
    muon = torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    return [muon, adamw]


def average_gradients(model: Any, ranks: int) -> None:
    """Replace every gradient by its mean over the processes, in one exchange."""
    if ranks == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters()]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    for gradient, mean in zip(
        gradients, torch.split(flat / ranks, [gradient.numel() for gradient in gradients]), strict=True
    ):
        gradient.copy_(mean.view_as(gradient))


def learning_rate_factor(step: int, *, steps: int) -> float:
    """Fifty steps of warm-up, then a cosine down to zero at `steps`."""
    return min((step + 1) / 50, 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps)))


def pretrain(
    out: Path,
    *,
    init: Path | None,
    steps: int,
    batch_size: int,
    questions: int,
    signs: float,
    learning_rate: float,
    seed: int,
    save_every: int,
) -> None:
    """Train for `steps` batches of `batch_size` pictures, cosine schedule, and save tokenizer and weights.

    Training starts from the weights in `init`, with a fresh optimizer, or from random ones.
    """
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if ranks > 1:
        torch.distributed.init_process_group("gloo")
    processor = blank_image_processor()
    if init is None:
        tokenizer = blank_tokenizer(seed)
        model = blank_model(tokenizer, seed)
    else:
        tokenizer = AutoTokenizer.from_pretrained(init)
        model = AutoModelForImageTextToText.from_pretrained(init, dtype=torch.float32)
    encoder = Encoder(tokenizer, processor)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    held_out_rng = random.Random(seed + 1)
    held_out = [scene(held_out_rng) for _ in range(60)]
    packer = Packer(encoder, model, held_out[0][0])
    rng = random.Random(f"{seed} {rank}")
    optimizers = optimizers_of(model, learning_rate)
    schedules = [LambdaLR(optimizer, partial(learning_rate_factor, steps=steps)) for optimizer in optimizers]
    began, total, counted = time.monotonic(), 0.0, 0
    for step in range(1, steps + 1):
        batch = packer.pack([scene(rng, questions=questions, signs=signs) for _ in range(batch_size // ranks)])
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(model, ranks)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        total, counted = total + loss.item(), counted + 1
        if rank:
            continue
        if step % 50 == 0 or step == steps:
            speed = step * batch_size / (time.monotonic() - began)
            print(f"step {step} loss {total / counted:.4f} {speed:.0f} pictures/s", flush=True)
            total, counted = 0.0, 0
        if step % save_every == 0 or step == steps:
            model.eval()
            print(f"step {step} accuracy {accuracy(model, encoder, held_out)}", flush=True)
            model.train()
            save(out, model, tokenizer, processor)


def save(out: Path, model: Any, tokenizer: Any, processor: Any) -> None:
    """Write the folder that `from_pretrained` loads; weights are stored as bfloat16."""
    # A copy is cast: training goes on in float32.
    weights = {name: value.to(torch.bfloat16) for name, value in model.state_dict().items()}
    model.save_pretrained(out, state_dict=weights)
    tokenizer.save_pretrained(out)
    processor.save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pre-train the demo base from nothing.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the base into")
    parser.add_argument("--init", type=Path, help="folder of a base to go on from, instead of random weights")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=16, help="pictures a step")
    parser.add_argument("--questions", type=int, default=5, help="questions a picture, beside its description")
    parser.add_argument("--signs", type=float, default=0.3, help="share of signs among the pictures")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=400, help="steps between checks and saves")
    asked = parser.parse_args()
    pretrain(
        asked.out,
        init=asked.init,
        steps=asked.steps,
        batch_size=asked.batch_size,
        questions=asked.questions,
        signs=asked.signs,
        learning_rate=asked.learning_rate,
        seed=asked.seed,
        save_every=asked.save_every,
    )


if __name__ == "__main__":
    main()
