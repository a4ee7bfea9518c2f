"""Sample count of a preset's sources, as far as it is known before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from vlmft_core.home import expanded
from vlmft_core.plan.data_files import TABLES, row_files
from vlmft_core.plan.row_count import count_rows
from vlmft_core.preset.data_schema import EVAL_SPLITS, Source

SPLIT_SIZES = {
    "HuggingFaceM4/ChartQA": {"train": 28_299, "val": 1_920, "test": 2_500},
    "lmms-lab/textvqa": {"train": 34_602, "validation": 5_000, "test": 5_734},
}
"""Samples in the splits of the data sets on the hub."""

Kind = Literal["chartqa", "textvqa"]

DEMO_SPLIT_SIZES: Final[dict[Kind, dict[str, int]]] = {
    "chartqa": {"train": 4000, "val": 400, "test": 400},
    "textvqa": {"train": 1000, "validation": 400},
}
"""Samples in each split of the demo's data, by task."""


def available(sources: Sequence[Source], kind: str) -> int | None:
    """Samples to train on (`train`) or to evaluate on (`eval`) in all sources together.

    Rows that turn out to be unusable count. What is held out for evaluation is about right: samples with the same
    image stay together.

    Returns:
        None where a source's size is not known.
    """
    total = 0
    for source in sources:
        sizes = _known_sizes(source)
        names = [source.eval_split] if source.eval_split else EVAL_SPLITS
        training, measured = sizes.get(source.train_split), next((sizes[name] for name in names if name in sizes), None)
        if measured is None and source.eval_split is None and training is not None:
            measured = min(max(1, round(source.eval_share * training)), training)
            training -= measured
        size = training if kind == "train" else measured
        if size is None:
            return None
        total += source.samples(size) if kind == "train" else size
    return total


def _known_sizes(source: Source) -> Mapping[str, int]:
    """Samples in a source's splits; empty where they are not known offline."""
    if source.path == "demo":
        return DEMO_SPLIT_SIZES["chartqa" if source.task == "chartqa" else "textvqa"]
    path, sizes = expanded(source.path), dict[str, int]()
    for split in {source.train_split, source.eval_split or source.train_split, *EVAL_SPLITS}:
        file = split_file(path, split)
        count = count_rows(file) if file else None
        if count is not None:
            sizes[split] = count
        elif file:
            return {}
    return sizes or SPLIT_SIZES.get(source.path, {})


def split_file(path: Path, split: str) -> Path | None:
    """The file of a source's split whose rows can be counted; None where there is none, or it cannot be looked for."""
    try:
        if path.suffix.lower() in TABLES and split == "train" and path.is_file():
            return path
        return next(iter(row_files(path, split)), None)
    except (OSError, ValueError):  # a name that no path can have, or a folder that is closed to us
        return None
