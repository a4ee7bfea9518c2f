"""Process environment: what torch, deepspeed and tokenizers read when they are imported. Loads none of them."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Final

ALLOCATOR: Final = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""What PyTorch reads the settings of its allocator from, by the newer name and the older one. 2.9 knows both, but does
not obey the newer one on a GPU (pytorch/pytorch issue 183387); up to 2.11 the older one is taken."""


def prepare_process(device: str) -> None:
    """Set this rank's environment, before anything that reads it is imported.

    Args:
        device: `cpu` hides the GPUs.
    """
    # Each rank's share of the cores; torch would count them all for itself.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // ranks_here())))
    # A worker process inherits the tokenizer after it has been used, which its own threads do not survive.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Packed rows differ in length at each step: whole blocks of the allocator would be left with gaps.
    if device == "cuda" and not any(name in os.environ for name in ALLOCATOR):
        os.environ[ALLOCATOR[int(_torch_version() < (2, 12))]] = "expandable_segments:True"
    if device == "cpu":
        os.environ["DS_ACCELERATOR"] = "cpu"
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def ranks_here() -> int:
    """Ranks that were started on this machine, as DeepSpeed or torchrun says it."""
    said = (os.environ.get(name) for name in ("LOCAL_SIZE", "LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    return int(next(filter(None, said), 1))


def on_first_host() -> bool:
    """Whether this machine is the one with rank 0, as DeepSpeed or torchrun says it."""
    return int(os.environ.get("CROSS_RANK") or os.environ.get("GROUP_RANK") or 0) == 0


def _torch_version() -> tuple[int, int]:
    major, minor, *_ = version("torch").split(".")
    return int(major), int(minor)
