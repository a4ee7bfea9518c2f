"""Sharing images alone: its gain on a CPU by processor time; charts with 1.55 questions each, in turn with and without.

    python -m tests.bench.sharing_speed [--size small] [--steps 5] [--rounds 2]

One process, one thread, no compiled kernels: it runs on a machine that has other things to do. Of each step the round
that was disturbed least counts, and the first step does not.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import torch

from tests.bench import charts_like
from tests.bench.rivals import EFFECTIVE_BATCH, SCALE, Clock, OurSamples, vlmft


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="small", choices=["tiny", "small"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()

    torch.set_num_threads(1)
    count = EFFECTIVE_BATCH * options.steps
    data = OurSamples(charts_like.samples(count, options.size, scale=SCALE[options.size], asked=True))
    print(
        f"{count} questions about {data.groups.images} images, {count / data.groups.images:.2f} each; shared:"
        f" {data.groups.saved / sum(data.lengths):.0%} of the tokens less"
    )
    seconds: dict[bool, list[list[float]]] = {True: [], False: []}
    losses: dict[bool, list[float]] = {}
    for _ in range(options.rounds):
        for share in (True, False):
            clock = Clock()
            vlmft(charts_like.build(options.size), data, clock, micro=2, fused=False, share=share)
            seconds[share].append([end[1] - start[1] for start, end in pairwise(clock.ends)])
            losses[share] = clock.losses
    shared, apart = (sum(map(min, zip(*seconds[share], strict=True))) for share in (True, False))
    differs = max(abs(one - other) for one, other in zip(losses[True], losses[False], strict=True))
    print(f"CPU s: shared {shared:.2f}, apart {apart:.2f}: {apart / shared:.2f} x; loss curves differ by {differs:.1e}")


if __name__ == "__main__":
    main()
