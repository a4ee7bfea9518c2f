"""JPEG files that were damaged and still decode: what shows of it without decoding them."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageDraw

from vlmft_trainer.data.conversation import BadRow
from vlmft_trainer.data.jpeg import jpeg_fault
from vlmft_trainer.data.pictures import read_header

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "own tables": {"optimize": True},
    "progressive": {"progressive": True},
    "restart marks": {"restart_marker_rows": 1},
    "full colour": {"subsampling": 0},
}


def photo(seed: int = 0) -> Image.Image:
    """As many details as a photograph has."""
    noise = Image.frombytes("RGB", (80, 60), random.Random(seed).randbytes(80 * 60 * 3))
    return noise.resize((400, 300), Image.Resampling.BICUBIC)


def page() -> Image.Image:
    """White nearly everywhere: with tables of its own, almost all of its data is zeros."""
    image = Image.new("RGB", (1000, 1000), "white")
    ImageDraw.Draw(image).rectangle((300, 300, 340, 340), fill="red")
    return image


def jpeg(image: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def overwritten(content: bytes, what: bytes) -> bytes:
    """The same with a part in its middle replaced."""
    at = len(content) // 2
    return content[:at] + what + content[at + len(what) :]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("image", [photo(), page(), photo().convert("L"), photo().convert("CMYK")])
def test_a_whole_jpeg_has_no_fault_whatever_stands_behind_it(image: Image.Image, kind: str) -> None:
    content = jpeg(image, **KINDS[kind])
    for behind in (b"", bytes(5000), jpeg(photo(1)), random.Random(0).randbytes(5000)):
        assert jpeg_fault(content + behind) == ""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
def test_a_block_of_zeros_in_a_photograph_is_found_before_training(kind: str) -> None:
    broken = overwritten(jpeg(photo(), **KINDS[kind]), bytes(512))
    Image.open(BytesIO(broken)).load()  # Pillow takes it for pixels
    with pytest.raises(BadRow, match="damaged within"):
        read_header(broken)


@pytest.mark.parametrize("kind", KINDS)
def test_most_blocks_of_other_files_are_found(kind: str) -> None:
    found = 0
    for seed in range(20):
        broken = overwritten(jpeg(photo(seed), **KINDS[kind]), random.Random(seed).randbytes(4096))
        found += jpeg_fault(broken) != ""
    assert found >= 15


def test_a_lost_row_of_restart_marks_is_found() -> None:
    content = jpeg(photo(), restart_marker_rows=1)
    first, second = (content.index(bytes((0xFF, 0xD0 + number))) for number in (2, 3))
    assert "restart marks are out of order" in jpeg_fault(content[:first] + content[second:])


def test_any_bytes_are_judged_without_breaking() -> None:
    content, rng = jpeg(photo()), random.Random(5)
    for _ in range(300):
        broken = bytearray(content[: rng.randrange(2, len(content))])
        for _ in range(rng.randrange(20)):
            broken[rng.randrange(len(broken))] = rng.choice((0, 0xFF, 0xD9, 0xDA, 0xC4, rng.randrange(256)))
        jpeg_fault(bytes(broken))
