"""One of two ranks. Rank 1 hangs, or works: rank 0 waits for it, in the group of all and in one that a library made."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import torch.distributed as dist

from vlmft_trainer.distributed import ranks

LONG = timedelta(hours=12)


def main() -> None:
    rank, meeting, rounds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2, timeout=LONG)
    own = dist.new_group([0, 1], timeout=LONG)
    ranks.barrier()
    ranks.set_patience(timedelta(seconds=3 if rounds else 1))
    for _ in range(rounds):  # an eval: its batches take longer in all than a rank waits
        time.sleep(rank)
        ranks.any_rank(False)
    if rounds:
        print(rounds, flush=True)
    elif rank == 1:
        sys.stdin.read()
    for group in () if rounds or rank == 1 else (own, None):
        try:
            dist.barrier(group)
        except RuntimeError as error:
            print(type(error).__name__, "imed out" in str(error), flush=True)


if __name__ == "__main__":
    main()
