"""Images with limits of their own, as the plan of a preset finds them in the first rows of its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vlmft_core.plan import make_plan
from vlmft_core.plan.gpus import asked_gpu
from vlmft_core.plan.own_sizes import with_own_sizes
from vlmft_core.preset import Preset

LARGE = {"path": "a.png", "max_pixels": 3_000_000}
TALK = [
    {"role": "user", "content": [{"type": "image", "image": "a.png", "resized_width": 2800, "resized_height": 1400}]}
]


def preset(folder: Path, name: str = "train.jsonl", **hardware: Any) -> Preset:
    source = {"task": "messages", "path": str(folder / name)}
    return Preset.model_validate({"data": {"sources": [source]}, "hardware": hardware})


def write(folder: Path, *rows: dict[str, Any]) -> None:
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("row", "pixels"),
    [
        ({"images": [LARGE, {"path": "b.png", "max_pixels": 784}]}, 3_000_000),
        ({"messages": TALK}, 2800 * 1400),
        ({"messages": json.dumps(TALK)}, 2800 * 1400),
        ({"image": {"path": "a.png", "max_pixels": 1000}}, None),
        ({"images": ["a.png"], "max_pixels": True}, None),
        ({"images": [{"max_pixels": "many"}, {"max_pixels": -1}, {"max_pixels": 1e300}, {"resized_width": 28}]}, None),
        ({"question": "[not JSON", "answer": "{"}, None),
    ],
)
def test_the_largest_limit_of_the_first_rows_counts_where_it_is_over_the_presets(
    tmp_path: Path, row: dict[str, Any], pixels: int | None
) -> None:
    write(tmp_path, {"question": "?"}, row)
    asked = preset(tmp_path)
    assert with_own_sizes(asked).data.max_pixels == (pixels or asked.data.max_pixels)
    if pixels is None:
        assert with_own_sizes(asked) is asked


def test_the_plans_memory_is_for_them_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, {"images": [{"path": "a.png"}]})
    usual = make_plan(preset(tmp_path), samples=100, gpu=asked_gpu("H100"))
    write(tmp_path, {"images": [LARGE]})
    larger = make_plan(preset(tmp_path), samples=100, gpu=asked_gpu("H100"))
    assert larger.gpu_memory_bytes is not None
    assert usual.gpu_memory_bytes is not None
    assert larger.gpu_memory_bytes > 1.3 * usual.gpu_memory_bytes
    said = "images have limits of their own, up to 3,000,000 pixels: memory is for those"
    assert said in larger.notes
    assert said not in usual.notes


def test_no_smaller_image_is_told_to_make_them_fit(tmp_path: Path) -> None:
    write(tmp_path, {"images": [LARGE]})
    ways = make_plan(preset(tmp_path, gpus=1), samples=100, gpu=asked_gpu("T4")).ways_to_fit
    assert ways
    assert not any("max_pixels" in way for way in ways)


def test_data_that_is_not_there_or_no_rows_has_none(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(b"\xff\x00[[[")
    for name in ("train.jsonl", "nowhere.jsonl", "deep.jsonl"):
        (tmp_path / "deep.jsonl").write_text('{"a": ' + "[" * 900 + "]" * 900 + "}\n")
        asked = preset(tmp_path, name)
        assert with_own_sizes(asked) is asked
