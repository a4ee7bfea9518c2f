"""Batches: processor time and bytes of a sample on its way to the GPU, as pixels and as the image processor's floats.

    python -m tests.bench.batches

Both ways take the same resized pictures in turn, on one thread, with processor time counted, so that other load on the
machine matters little. Floats: the image processor, `torch.cat`, and the conversion to bf16 that transformers makes on
the main thread under DeepSpeed. Pixels: `cut`, `torch.cat` and the tower's inputs, all in a data worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from PIL import Image

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_trainer.data.patches import cut, normalised
from vlmft_trainer.data.tower import tower_inputs
from vlmft_trainer.model.load import load_encoder

SIDES = (952, 700)
"""Of each picture: 850 image tokens, 3,400 patches."""

MICRO_BATCH, ROUNDS = 4, 15


def main() -> None:
    torch.set_num_threads(1)
    processor = load_encoder(str(DEMO_BASE), 1003520).image_processor
    made = np.random.default_rng(0)
    pictures = [Image.fromarray(made.integers(0, 256, (SIDES[1], SIDES[0], 3), np.uint8)) for _ in range(MICRO_BATCH)]
    grids = torch.tensor([[1, SIDES[1] // 14, SIDES[0] // 14]] * MICRO_BATCH)

    def floats() -> torch.Tensor:
        each = [processor(images=[one], do_resize=False, return_tensors="pt")["pixel_values"] for one in pictures]
        return torch.cat(each)

    def pixels() -> torch.Tensor:
        joined = torch.cat([cut(one, 2) for one in pictures])
        tower_inputs(grids, 2)
        return joined

    assert torch.equal(normalised(pixels(), torch.float32), floats())
    batch = floats()
    ways: dict[str, Callable[[], object]] = {
        "floats, in a worker": floats,
        "floats to bf16, on the main thread": lambda: batch.to(torch.bfloat16),
        "pixels, in a worker": pixels,
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            way()
            spent[name].append((time.process_time() - began) / MICRO_BATCH)
    for name, seconds in spent.items():
        print(f"{name:<40}{median(seconds) * 1e3:>8.2f} ms a sample")
    places = sum(value.nbytes for value in tower_inputs(grids, 2).values() if isinstance(value, torch.Tensor))
    sizes = [every.nbytes / MICRO_BATCH / 2**20 for every in (batch, pixels())]
    print(f"floats {sizes[0]:.2f} MiB a sample, pixels {sizes[1]:.2f}")
    print(f"and {places / MICRO_BATCH / 2**20:.3f} of tower inputs")


if __name__ == "__main__":
    main()
