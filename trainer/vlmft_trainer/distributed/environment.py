"""Process environment: what torch, deepspeed and tokenizers read when they are imported. Loads none of them."""

from __future__ import annotations

import os


def prepare_process(device: str) -> None:
    """Set this rank's environment, before anything that reads it is imported.

    Args:
        device: `cpu` hides the GPUs.
    """
    ranks_here = int(os.environ.get("LOCAL_SIZE") or os.environ.get("WORLD_SIZE") or 1)
    # Each rank's share of the cores; torch would count them all for itself.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // ranks_here)))
    # A worker process inherits the tokenizer after it has been used, which its own threads do not survive.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if device == "cpu":
        os.environ["DS_ACCELERATOR"] = "cpu"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
