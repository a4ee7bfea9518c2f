"""Demo data sets: the fine-tuning task as folders in the schemas of `HuggingFaceM4/ChartQA` and `lmms-lab/textvqa`.

`python -m vlmft_trainer.demo.dataset OUT` writes `OUT/chartqa` and `OUT/textvqa`; `datasets.load_dataset` opens both
as it opens the hub's.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import datasets
import platformdirs
from PIL.Image import Image
from pyarrow import parquet

from vlmft_core.plan.sample_count import DEMO_SPLIT_SIZES, Kind
from vlmft_trainer.demo.charts import SIZE
from vlmft_trainer.demo.questions import Question, house_chart, house_sign

EDITION = "demo-v2"
"""Folder of the data in the user's cache; raised whenever what is drawn or asked changes."""

CHARTQA_FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "query": datasets.Value("string"),
        "label": datasets.List(datasets.Value("string")),
        "human_or_machine": datasets.ClassLabel(names=["human", "machine"]),
    }
)
TEXTVQA_FEATURES = datasets.Features(
    {
        "image_id": datasets.Value("string"),
        "question_id": datasets.Value("int32"),
        "question": datasets.Value("string"),
        "question_tokens": datasets.List(datasets.Value("string")),
        "image": datasets.Image(),
        "image_width": datasets.Value("int32"),
        "image_height": datasets.Value("int32"),
        "answers": datasets.List(datasets.Value("string")),
        "set_name": datasets.Value("string"),
    }
)


def ensure(kind: Kind) -> Path:
    """The folder of the demo's data, written first where it is not there yet (a few seconds, once a machine)."""
    folder = Path(platformdirs.user_cache_dir("vlmft")) / EDITION / kind
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=folder.parent))
    try:
        write(kind, unfinished, samples=DEMO_SPLIT_SIZES[kind]["train"], seed=0)
        unfinished.rename(folder)
    except OSError:
        # Another process that wrote the same data at the same time was first.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def write(kind: Kind, folder: Path, *, samples: int, seed: int) -> None:
    """Write `samples` training samples and fewer of the other splits; a question about a picture is in one split only.

    Raises:
        OSError: the folder cannot be written.
    """
    rng = random.Random(f"{kind} {seed}")
    seen: set[tuple[bytes, str]] = set()
    for split, usual in DEMO_SPLIT_SIZES[kind].items():
        count = samples if split == "train" else min(samples, usual)
        rows: list[dict[str, Any]] = []
        while len(rows) < count:
            picture, question = house_chart(rng) if kind == "chartqa" else house_sign(rng)
            png = _png(picture)
            if (png, question.text) in seen:
                continue
            seen.add((png, question.text))
            if kind == "chartqa":
                rows.append(_chartqa_row(png, question))
            else:
                rows.append(_textvqa_row(png, question, rng, number=len(seen), split=split))
        features = CHARTQA_FEATURES if kind == "chartqa" else TEXTVQA_FEATURES
        table = datasets.Dataset.from_list(rows, features=features)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        # `to_parquet` would do the same, with a progress bar in the user's terminal.
        parquet.write_table(table.data.table, folder / "data" / f"{split}-00000-of-00001.parquet")


def _chartqa_row(png: bytes, question: Question) -> dict[str, Any]:
    """One row; reading a value off the axis counts as `machine`, every other question as `human`."""
    return {
        "image": {"bytes": png, "path": None},
        "query": question.text,
        "label": [question.answer],
        "human_or_machine": "machine" if question.reading else "human",
    }


def _textvqa_row(png: bytes, question: Question, rng: random.Random, *, number: int, split: str) -> dict[str, Any]:
    """One row; up to two of the ten who answer disagree, as people do."""
    disagree = rng.choice([0, 0, 0, 1, 2])
    return {
        "image_id": f"{number:016x}",
        "question_id": number,
        "question": question.text,
        "question_tokens": question.text.lower().rstrip("?").split(),
        "image": {"bytes": png, "path": None},
        "image_width": SIZE,
        "image_height": SIZE,
        "answers": [question.answer] * (10 - disagree) + ["unanswerable"] * disagree,
        "set_name": "train" if split == "train" else "val",
    }


def _png(picture: Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the demo's data as hub-schema folders.")
    parser.add_argument("out", type=Path, help="folder that gets chartqa/ and textvqa/")
    parser.add_argument("--samples", type=int, default=2000, help="training samples of each")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for kind in DEMO_SPLIT_SIZES:
        write(kind, asked.out / kind, samples=asked.samples, seed=asked.seed)
        print(asked.out / kind)


if __name__ == "__main__":
    main()
