"""A small Qwen2.5-VL that can read charts, and a task to fine-tune it to: everything runs without a GPU."""

from typing import Final, Literal

Kind = Literal["chartqa", "textvqa"]

SPLIT_SIZES: Final[dict[Kind, dict[str, int]]] = {
    "chartqa": {"train": 4000, "val": 400, "test": 400},
    "textvqa": {"train": 1000, "validation": 400},
}
"""Samples in each split of the demo's data, by task."""
