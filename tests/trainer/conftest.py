"""The shipped tiny model and small data folders in the hub's schemas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Source
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.data.sources import open_split
from vlmft_trainer.demo.dataset import Kind, write
from vlmft_trainer.model.load import load_encoder

EVAL_SPLITS: dict[Kind, str] = {"chartqa": "val", "textvqa": "validation"}


@pytest.fixture(scope="session", autouse=True)
def _own_datasets_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("datasets-cache")
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
        patch.setenv("HF_DATASETS_CACHE", str(cache))
        yield


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    """One data folder a task, 48 training samples each."""
    root = tmp_path_factory.mktemp("data")
    for kind in EVAL_SPLITS:
        write(kind, root / kind, samples=48, seed=5)
    return {kind: root / kind for kind in EVAL_SPLITS}


@pytest.fixture(scope="session")
def sources(folders: dict[Kind, Path]) -> list[Source]:
    return [Source(task=kind, path=str(path), eval_split=EVAL_SPLITS[kind]) for kind, path in folders.items()]


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    loaded = load_encoder(str(DEMO_BASE), 200704)
    assert isinstance(loaded, Encoder)
    return loaded


@pytest.fixture(scope="session")
def samples(sources: list[Source], encoder: Encoder) -> Samples:
    """Twelve samples of ChartQA, then twelve of TextVQA."""
    splits = [open_split(source, source.train_split) for source in sources]
    return Samples(splits, [(split, row) for split in (0, 1) for row in range(12)], encoder)
