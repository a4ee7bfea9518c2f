"""JPEG files that were damaged and still decode: what shows of it without decoding them."""

from __future__ import annotations

import random
from collections.abc import Iterator
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


WAYS: list[dict[str, Any]] = [
    *({"subsampling": 0, "optimize": True}, {"subsampling": 1}, {"subsampling": 2, "progressive": True}),
    *({"restart_marker_blocks": 3}, {"restart_marker_rows": 1, "optimize": True}, {"optimize": True}),
]


def pictures() -> Iterator[Image.Image]:
    """Flat ones, ramps to either side, stripes and noise."""
    ramp = bytes(255 - x // 8 % 256 for x in range(1600)) * 64
    yield Image.frombytes("L", (1600, 64), ramp)
    yield Image.frombytes("L", (1600, 64), ramp[::-1])
    yield Image.frombytes("L", (256, 64), bytes(range(256)) * 64)
    for grey in (0, 128, 255):
        yield Image.new("L", (900, 300), grey)
    yield Image.frombytes("L", (400, 64), bytes(255 * (x % 2) for x in range(400)) * 64)
    yield Image.frombytes("L", (90, 70), random.Random(2).randbytes(90 * 70))
    yield photo().convert("L")


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBX", "CMYK", "YCbCr"])
def test_no_whole_jpeg_is_refused(mode: str) -> None:
    refused = []
    for number, grey in enumerate(pictures()):
        image = grey.convert("RGB").convert(mode)
        for place, options in enumerate(WAYS):
            for quality in range(1 + (number + place) % 8, 101, 8):
                content = jpeg(image, quality=quality, **options)
                bad = {jpeg_fault(content), jpeg_fault(content[:-2] + bytes(80) + content[-2:])} - {""}
                refused += [(number, quality, options, fault) for fault in bad]
    assert not refused


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_that_decoders_pass_over_are_no_damage(kind: str) -> None:
    """As cameras write them: before the end mark, and in a segment of their own behind the pixels."""
    content = jpeg(photo(), **KINDS[kind])
    pixels = Image.open(BytesIO(content)).tobytes()
    for more in (bytes(80), b"\xff\xfe\0\x52" + bytes(80), b"\xff\xe5\0\x52" + bytes(80), b"\xff\xcc\0\2"):
        padded = content[:-2] + more + content[-2:]
        assert jpeg_fault(padded) == ""
        assert Image.open(BytesIO(padded)).tobytes() == pixels


def test_a_file_of_scans_alone_is_judged_in_one_pass_over_it() -> None:
    class Counted(bytes):
        passed = 0

        def find(self, what: Any, start: Any = 0, end: Any = None) -> int:  # type: ignore[override]
            found = bytes.find(self, what, start)
            Counted.passed += (len(self) if found < 0 else found) - start
            return found

    content = Counted(b"\xff\xd8" + b"\xff\xda\0\x0c" * 5000 + bytes(5000) + b"\xff\xd9")
    jpeg_fault(content)
    assert Counted.passed <= len(content)


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
