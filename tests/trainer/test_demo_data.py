"""The demo's synthetic data: hub schemas, the same under a seed, nothing shared between splits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, get_args

import datasets
import pytest
from PIL import Image

from vlmft_core.plan.sample_count import DEMO_SPLIT_SIZES, Kind
from vlmft_trainer.demo import dataset
from vlmft_trainer.demo.charts import SIZE
from vlmft_trainer.demo.dataset import ensure, write
from vlmft_trainer.demo.questions import base_chart, base_sign, house_chart, house_sign

KINDS = get_args(Kind)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small folder a kind."""
    root = tmp_path_factory.mktemp("demo")
    for kind in KINDS:
        write(kind, root / kind, samples=150, seed=3)
    return {kind: root / kind for kind in KINDS}


def load(folder: Path, split: str, cache: Path) -> Any:
    return datasets.load_dataset(str(folder), split=split, cache_dir=str(cache))


def rows(folder: Path, split: str, cache: Path) -> list[dict[str, Any]]:
    """All rows with images as stored bytes."""
    table = load(folder, split, cache).cast_column("image", datasets.Image(decode=False))
    return [{**row, "image": row["image"]["bytes"]} for row in table]


def test_chartqa_has_the_hub_schema(written: dict[str, Path], tmp_path: Path) -> None:
    train = load(written["chartqa"], "train", tmp_path)
    assert train.features == dataset.CHARTQA_FEATURES
    first = train[0]
    assert isinstance(first["image"], Image.Image)
    assert first["image"].size == (SIZE, SIZE)
    assert isinstance(first["query"], str)
    assert len(first["label"]) == 1
    assert {train.features["human_or_machine"].int2str(kind) for kind in train["human_or_machine"]} == {
        "human",
        "machine",
    }


def test_textvqa_has_the_hub_schema(written: dict[str, Path], tmp_path: Path) -> None:
    train = load(written["textvqa"], "train", tmp_path)
    assert train.features == dataset.TEXTVQA_FEATURES
    assert {len(answers) for answers in train["answers"]} == {10}
    assert len(set(train["question_id"])) == len(train)
    assert train[0]["image"].size == (train[0]["image_width"], train[0]["image_height"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_writes_the_same_data_and_another_seed_does_not(
    kind: Kind, written: dict[str, Path], tmp_path: Path
) -> None:
    write(kind, tmp_path / "again", samples=150, seed=3)
    write(kind, tmp_path / "other", samples=150, seed=4)
    for split in DEMO_SPLIT_SIZES[kind]:
        known = rows(written[kind], split, tmp_path / "cache")
        assert rows(tmp_path / "again", split, tmp_path / "cache") == known
        assert rows(tmp_path / "other", split, tmp_path / "cache") != known


@pytest.mark.parametrize("kind", KINDS)
def test_no_question_about_a_picture_is_in_two_splits(kind: Kind, written: dict[str, Path], tmp_path: Path) -> None:
    text = "query" if kind == "chartqa" else "question"
    found = [
        {(row["image"], row[text]) for row in rows(written[kind], split, tmp_path)} for split in DEMO_SPLIT_SIZES[kind]
    ]
    assert sum(len(pairs) for pairs in found) == 150 * len(DEMO_SPLIT_SIZES[kind])
    assert len(set.union(*found)) == sum(len(pairs) for pairs in found)


def test_ensure_writes_once_and_leaves_nothing_else_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset.platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    monkeypatch.setitem(DEMO_SPLIT_SIZES["textvqa"], "train", 20)
    folder = ensure("textvqa")
    stamp = folder.stat().st_mtime_ns
    assert ensure("textvqa") == folder
    assert folder.stat().st_mtime_ns == stamp
    assert [path.name for path in folder.parent.iterdir()] == ["textvqa"]
    assert len(load(folder, "validation", tmp_path / "cache")) == 20


def test_ensure_takes_the_folder_of_a_process_that_was_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset.platformdirs, "user_cache_dir", lambda _: str(tmp_path))

    def write_late(kind: Kind, folder: Path, *, samples: int, seed: int) -> None:
        """Another process finishes while this one still writes."""
        (folder / "mine").touch()
        (tmp_path / dataset.EDITION / kind).mkdir()
        (tmp_path / dataset.EDITION / kind / "theirs").touch()

    monkeypatch.setattr(dataset, "write", write_late)
    folder = ensure("chartqa")
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert [path.name for path in folder.parent.iterdir()] == ["chartqa"]


def test_pictures_depend_on_the_seed_alone() -> None:
    for make in (house_chart, house_sign):
        one, again, other = (make(random.Random(seed)) for seed in (5, 5, 6))
        assert one[0].tobytes() == again[0].tobytes() != other[0].tobytes()
        assert one[1] == again[1]
    for pretraining in (base_chart, base_sign):
        one, again = (pretraining(random.Random(5), 3) for _ in range(2))
        assert one[0].tobytes() == again[0].tobytes()
        assert one[1] == again[1]


def test_every_height_means_half_as_much_in_the_house_style() -> None:
    rng = random.Random(0)
    numbers = {int(q.answer) for _, q in (house_chart(rng) for _ in range(400)) if q.reading}
    assert numbers == set(range(5, 51, 5))
    told = [q for _ in range(400) for q in base_chart(rng, 1)[1] if q.reading]
    assert {int(q.answer) for q in told} == set(range(10, 101, 10))
