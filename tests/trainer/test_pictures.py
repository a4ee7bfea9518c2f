"""Pictures: how they are turned, laid on white and scaled to 8 bits, and which files are refused."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from vlmft_trainer.data.conversation import BROKEN_IMAGE, NO_IMAGE, BadRow
from vlmft_trainer.data.image_files import read_image
from vlmft_trainer.data.pictures import decode, read_header
from vlmft_trainer.data.pixels import as_rgb

WIDTH, HEIGHT = 6, 4

RED = np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH) * 10
RGB = np.stack([RED, RED[::-1], RED[:, ::-1]], axis=-1)
ALPHA = np.linspace(0, 255, WIDTH * HEIGHT).astype(np.uint8).reshape(HEIGHT, WIDTH)

TURNED: dict[int, Any] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: np.rot90(pixels),
}
"""What each EXIF orientation means, in rows and columns."""


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shown(content: bytes) -> np.ndarray:
    return np.asarray(decode(content))


def on_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The reference: `[rows, columns, 3]` over white, `alpha` from 0 to 255."""
    share = alpha[..., None].astype(float) / 255
    return np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)


def png(
    depth: int, colour: int, rows: list[bytes], *chunks: tuple[bytes, bytes], behind: tuple[bytes, bytes] | None = None
) -> bytes:
    """A PNG of `WIDTH` by `len(rows)`, with kinds of pixels that Pillow reads but does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", WIDTH, len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", data), *([behind] if behind else []), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})])
def test_a_picture_is_turned_as_its_exif_says(kind: str, options: dict[str, Any], orientation: int) -> None:
    content = saved(Image.fromarray(RGB), kind, exif=exif(orientation), **options)
    expected = TURNED[orientation](RGB)
    assert np.array_equal(shown(content), expected)
    header = read_header(content)
    assert header.size == expected.shape[1::-1]
    assert header.turned == (orientation > 1)


@pytest.mark.parametrize("orientation", TURNED)
def test_a_turned_jpeg_has_the_pixels_of_the_plain_one_turned(orientation: int) -> None:
    image = Image.fromarray(RGB).resize((48, 32))
    content = saved(image, "JPEG", exif=exif(orientation))
    expected = TURNED[orientation](shown(saved(image, "JPEG")))
    assert np.array_equal(shown(content), expected)
    assert read_header(content).size == expected.shape[1::-1]


@pytest.mark.parametrize(
    "behind",
    [(b"eXIf", exif(6).tobytes()[6:]), (b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>')],
    ids=["exif", "xmp"],
)
def test_an_orientation_behind_the_pixels_of_a_png_counts(behind: tuple[bytes, bytes]) -> None:
    content = png(8, 2, [row.tobytes() for row in RGB], behind=behind)
    assert np.array_equal(shown(content), TURNED[6](RGB))
    assert read_header(content).size == (HEIGHT, WIDTH)


def test_an_orientation_that_cannot_be_read_leaves_the_picture_as_it_is() -> None:
    for tags in (b"Exif\0\0nonsense", exif(0).tobytes(), exif(9).tobytes(), b""):
        content = saved(Image.fromarray(RGB), "PNG", exif=tags)
        assert np.array_equal(shown(content), RGB)
        assert read_header(content).size == (WIDTH, HEIGHT)


def _palette() -> tuple[Image.Image, np.ndarray]:
    """An image with a palette, and what it shows."""
    image = Image.fromarray(RED // 10, "P")
    colours = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
    image.putpalette(colours.tobytes())
    return image, colours[RED // 10]


def of_mode(mode: str) -> tuple[Image.Image, np.ndarray]:
    """An image of a mode, and its pixels in RGB worked out here."""
    grey = np.stack([RED] * 3, axis=-1)
    deep = RED.astype(np.uint16) * 257 + 100
    scaled = np.rint(deep / 257).astype(np.uint8)
    if mode in ("P", "PA"):
        image, pixels = _palette()
        if mode == "P":
            return image, pixels
        image = image.convert("PA")
        image.putalpha(Image.fromarray(ALPHA))
        return image, on_white(pixels, ALPHA)
    if mode.startswith("I;16"):
        image = Image.frombytes(mode, (WIDTH, HEIGHT), deep.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
        return image, np.stack([scaled] * 3, axis=-1)
    match mode:
        case "1":
            return Image.fromarray(RED > 100), np.where(grey > 100, 255, 0).astype(np.uint8)
        case "L":
            return Image.fromarray(RED), grey
        case "RGB":
            return Image.fromarray(RGB), RGB
        case "RGBX":
            return Image.fromarray(np.dstack([RGB, ALPHA]), "RGBX"), RGB
        case "LA":
            return Image.fromarray(np.dstack([RED, ALPHA])), on_white(grey, ALPHA)
        case "RGBA":
            return Image.fromarray(np.dstack([RGB, ALPHA])), on_white(RGB, ALPHA)
        case "CMYK":
            return Image.fromarray(np.dstack([255 - RGB, RED * 0]), "CMYK"), RGB
        case "I":
            numbers = RED.astype(np.int32) * 1000 - 5
            return Image.fromarray(numbers), np.rint(grey / RED.max() * 255).astype(np.uint8)
        case "F":
            return Image.fromarray(RED.astype(np.float32) / 255), grey
    raise AssertionError(mode)


EXACT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
PREMULTIPLIED = ("La", "RGBa")
COLOUR_SPACES = ("YCbCr", "LAB", "HSV")


@pytest.mark.parametrize("mode", EXACT)
def test_pixels_of_every_mode_are_those_of_the_reference(mode: str) -> None:
    image, expected = of_mode(mode)
    assert image.mode == mode
    assert np.array_equal(np.asarray(as_rgb(image)), expected)


@pytest.mark.parametrize("mode", PREMULTIPLIED)
def test_premultiplied_pixels_are_those_of_the_reference_but_for_rounding(mode: str) -> None:
    image, expected = of_mode(mode.upper())
    assert np.abs(np.asarray(as_rgb(image.convert(mode))).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("mode", COLOUR_SPACES)
def test_other_colour_spaces_come_back_but_for_rounding(mode: str) -> None:
    soft = Image.fromarray(RGB // 2 + 60)
    space = soft.convert(mode) if mode != "LAB" else _lab(soft)
    assert space.mode == mode
    assert np.abs(np.asarray(as_rgb(space)).astype(int) - np.asarray(soft)).max() <= 6


def _lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    there = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    converted = ImageCms.applyTransform(image, there)
    assert converted is not None
    return converted


def test_no_mode_of_pillow_is_left_out() -> None:
    assert {*EXACT, *PREMULTIPLIED, *COLOUR_SPACES} == set(Image.MODES)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *((mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *((mode, "TIFF") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "I", "F", "I;16", "I;16B")),
        *((mode, "BMP") for mode in ("1", "L", "P", "RGB")),
        *((mode, "GIF") for mode in ("L", "P")),
    ],
)
def test_files_of_every_mode_give_the_reference_and_say_what_is_done(mode: str, kind: str) -> None:
    image, expected = of_mode(mode)
    content = saved(image, kind)
    assert np.array_equal(shown(content), expected)
    header = read_header(content)
    assert header.transparent == (mode in ("LA", "RGBA"))
    assert header.deep == (mode in ("I", "F", "I;16", "I;16B"))


def test_a_colour_or_entries_of_a_palette_that_are_transparent_are_white() -> None:
    white = np.array([255, 255, 255], np.uint8)
    palette, pixels = _palette()
    rows = [row.tobytes() for row in RGB]
    cases = [
        (saved(palette, "PNG", transparency=3), np.where((RED == 30)[..., None], white, pixels)),
        (saved(palette, "GIF", transparency=3), np.where((RED == 30)[..., None], white, pixels)),
        (
            saved(palette, "PNG", transparency=bytes([0, 100, 255, 7])),
            on_white(pixels, np.array([0, 100, 255, 7, *[255] * 20], np.uint8)[RED // 10]),
        ),
        (
            png(8, 2, rows, (b"tRNS", struct.pack(">HHH", *RGB[1, 2]))),
            np.where((RED[1, 2] == RED)[..., None], white, RGB),
        ),
        (png(8, 0, [row.tobytes() for row in RED], (b"tRNS", struct.pack(">H", 50))), None),
    ]
    for content, expected in cases:
        if expected is None:
            expected = np.where((RED == 50)[..., None], white, np.stack([RED] * 3, axis=-1))
        assert np.array_equal(shown(content), expected)
        assert read_header(content).transparent


@pytest.mark.parametrize(("depth", "steps"), [(1, 255), (2, 85), (4, 17)])
def test_a_transparent_grey_of_few_bits_is_white(depth: int, steps: int) -> None:
    values = np.arange(WIDTH) % 2**depth
    bits = "".join(f"{value:0{depth}b}" for value in values).ljust(WIDTH * depth + 7, "0")
    row = bytes(int(bits[start : start + 8], 2) for start in range(0, WIDTH * depth, 8))
    content = png(depth, 0, [row], (b"tRNS", struct.pack(">H", 1)))
    assert shown(content)[0, :, 0].tolist() == [255 if value == 1 else value * steps for value in values]


def test_sixteen_bits_of_a_png_keep_their_colours_and_their_transparent_one() -> None:
    deep = (RGB.astype(np.uint16) * 256 + 3).astype(">u2")
    header = read_header(plain := png(16, 2, [row.tobytes() for row in deep]))
    assert np.array_equal(shown(plain), RGB)
    assert header.deep
    keyed = png(16, 2, [row.tobytes() for row in deep], (b"tRNS", struct.pack(">HHH", *deep[0, 0])))
    assert shown(keyed)[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(shown(keyed)[1:], RGB[1:])
    grey = png(16, 0, [row.tobytes() for row in deep[..., 0]], (b"tRNS", struct.pack(">H", deep[1, 1, 0])))
    assert shown(grey)[1, 1].tolist() == [255, 255, 255]
    assert shown(grey)[1, 2].tolist() == [int(RED[1, 2])] * 3


def test_numbers_of_32_bits_go_from_their_least_to_their_greatest() -> None:
    def grey(values: list[float], kind: Any) -> list[int]:
        return [int(value) for value in shown(saved(Image.fromarray(np.array([values], kind)), "TIFF"))[0, :, 0]]

    assert grey([-5, 0, 5], np.int32) == [0, 128, 255]
    assert grey([0, 1000, 4000], np.float32) == [0, 64, 255]
    assert grey([0, 0.2, 0.5], np.float32) == [0, 51, 128]
    assert grey([float("nan"), -1, 1, float("inf")], np.float32) == [0, 0, 255, 255]
    assert grey([7, 7, 300], np.int32) == [0, 0, 255]
    assert grey([7, 7], np.int32) == [7, 7]


def test_grey_of_16_bits_in_a_pgm_is_scaled_by_its_range() -> None:
    assert shown(b"P5 3 1 65535\n" + struct.pack(">3H", 0, 100 * 257, 200 * 257))[0, :, 0].tolist() == [0, 100, 200]
    assert shown(b"P5 3 1 1000\n" + struct.pack(">3H", 0, 500, 800))[0, :, 0].tolist() == [0, 128, 204]


def test_only_the_first_frame_of_an_animation_is_seen_and_that_is_said() -> None:
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("GIF", {})):
        content = saved(first, kind, save_all=True, append_images=[second], **options)
        alone = saved(first, kind, **options)
        assert np.array_equal(shown(content), shown(alone))
        assert read_header(content).animated
        assert not read_header(alone).animated


def test_formats_that_start_programs_or_are_documents_are_never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("started"))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    for look in (read_header, decode):
        with pytest.raises(BadRow, match="EPS files are not opened: convert it to PNG"):
            look(eps)
        with pytest.raises(BadRow, match="PDF files are not opened"):
            look(b"%PDF-1.7 and so on")
        with pytest.raises(BadRow, match="SVG files are not opened"):
            look(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
        with pytest.raises(BadRow, match="HEIF files are not opened"):
            look(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
        with pytest.raises(BadRow, match="no image in a format that is read"):
            look(b"nothing of the kind")
        with pytest.raises(BadRow, match="an empty file"):
            look(b"")


NOISE = Image.frombytes("RGB", (90, 70), random.Random(1).randbytes(90 * 70 * 3))
FILES = {
    "JPEG": saved(NOISE, "JPEG"),
    "JPEG with a small copy": saved(NOISE, "JPEG", exif=b"Exif\0\0" + b"\xff\xd8" + bytes(500) + b"\xff\xd9"),
    "progressive JPEG": saved(NOISE, "JPEG", progressive=True),
    "PNG": saved(NOISE, "PNG"),
    "WEBP": saved(NOISE, "WEBP"),
    "lossless WEBP": saved(NOISE, "WEBP", lossless=True),
    "GIF": saved(NOISE, "GIF"),
    "TIFF": saved(NOISE, "TIFF"),
    "TIFF with LZW": saved(NOISE, "TIFF", compression="tiff_lzw"),
    "AVIF": saved(NOISE, "AVIF"),
    "JPEG 2000": saved(NOISE, "JPEG2000"),
    "BMP": saved(NOISE, "BMP"),
    "PPM": saved(NOISE, "PPM"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_was_cut_anywhere_is_found_before_training(kind: str) -> None:
    content = FILES[kind]
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
        with pytest.raises(BadRow) as caught:
            read_header(content[: int(len(content) * share)])
        assert caught.value.reason == BROKEN_IMAGE


@pytest.mark.parametrize("kind", FILES)
def test_what_stands_behind_a_picture_does_no_harm(kind: str) -> None:
    content = FILES[kind]
    for rest in (b"\0" * 1000, b"garbage" * 1000):
        assert read_header(content + rest).size == NOISE.size
        assert np.array_equal(shown(content + rest), shown(content))


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A file with some bytes of its middle changed, cleared or gone."""
    place, size = rng.randrange(2, len(content) - 2), rng.randrange(1, 60)
    put = rng.choice((rng.randbytes(size), bytes(size), b""))
    return content[:place] + put + content[place + size :]


@pytest.mark.parametrize("kind", FILES)
def test_damage_anywhere_is_a_reason_and_never_breaks_the_check(kind: str) -> None:
    rng = random.Random(kind)
    for _ in range(30):
        content = damaged(FILES[kind], rng)
        with suppress(BadRow):
            header = read_header(content, deep=True)
            assert header.read_whole
            assert decode(content).size == header.size


def test_damage_before_the_end_of_a_jpeg_is_found_by_decoding_alone() -> None:
    content = FILES["JPEG"]
    tables = content.index(b"\xff\xc4")
    broken = content[: tables + 5] + b"\xff" + content[tables + 6 :]  # no table has so many codes
    assert not read_header(broken).read_whole
    for look in (decode, partial(read_header, deep=True)):
        with pytest.raises(BadRow, match=BROKEN_IMAGE):
            look(broken)


@pytest.mark.parametrize("kind", [kind for kind in FILES if "JPEG" in kind and "2000" not in kind])
def test_zeros_in_the_place_of_a_jpegs_rest_are_found(kind: str) -> None:
    """As broken downloads and disks leave them; Pillow would take them for pixels."""
    content = FILES[kind]
    for share in (0.5, 0.9):
        left = int(len(content) * share)
        with pytest.raises(BadRow, match="its end is missing: it was cut short"):
            read_header(content[:left] + bytes(len(content) - left))


@pytest.mark.parametrize("size", range(1, 40))
def test_a_file_of_a_few_bytes_is_no_image_and_breaks_nothing(size: int) -> None:
    for content in (b"x" * size, bytes(size), b"\xff\xd8\xff\xe0"[:size], b"\x89PNG\r\n\x1a\n"[:size]):
        for look in (read_header, decode):
            with pytest.raises(BadRow):
                look(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "a Git LFS pointer"),
        (b"<!doctype html>\n<HTML><body>404</body></HTML>", "a web page, not an image"),
    ],
)
def test_what_a_download_leaves_instead_of_an_image_is_said(content: bytes, said: str) -> None:
    with pytest.raises(BadRow, match=said):
        read_header(content)


def test_any_byte_of_a_png_that_is_missing_is_found() -> None:
    content = saved(Image.fromarray(RGB), "PNG")
    for place in range(len(content) - 4):
        with pytest.raises(BadRow):
            read_header(content[:place] + content[place + 1 :])


BASE64 = base64.b64encode(saved(NOISE, "PNG")).decode()


@pytest.mark.parametrize(
    "ref",
    [
        "data:image/png;base64," + BASE64,
        "DATA:image/png;charset=utf-8;BASE64," + BASE64,
        "data:;base64," + BASE64,
        "data:image/png;base64," + "\r\n".join(BASE64[at : at + 76] for at in range(0, len(BASE64), 76)) + "\n",
        "data:image/png;base64," + BASE64.replace("+", "-").replace("/", "_"),
        "data:image/png;base64," + BASE64.rstrip("="),
        "data:image/png;base64," + BASE64.replace("+", "%2B").replace("=", "%3D"),
        "data:image/png," + "".join(f"%{byte:02x}" for byte in base64.b64decode(BASE64)),
        BASE64,
        "\n".join(BASE64[at : at + 76] for at in range(0, len(BASE64), 76)),
        BASE64.replace("+", "-").replace("/", "_").rstrip("="),
    ],
)
def test_base64_is_read_in_all_its_forms(ref: str) -> None:
    assert read_image(ref, None) == saved(NOISE, "PNG")


@pytest.mark.parametrize(
    ("ref", "reason", "said"),
    [
        ("data:image/png," + BASE64, BROKEN_IMAGE, "base64 needs data:image/…;base64,"),
        ("data:image/png;base64,@@@@", BROKEN_IMAGE, "data URL: "),
        ("data:image/png;base64," + BASE64[:-1].rstrip("=")[:21], BROKEN_IMAGE, "data URL: "),
        ("image/png;base64," + BASE64, BROKEN_IMAGE, "it begins with image/png;base64,: base64 needs data:image/…"),
        ("base64://" + BASE64, BROKEN_IMAGE, "it begins with base64://: base64 needs data:image/…;base64,"),
        (f"b'{BASE64}'", BROKEN_IMAGE, "it begins with b': base64 needs data:image/…;base64,"),
        ("QUJD" * 100, NO_IMAGE, "which needs data:image/…;base64,"),
        ("x" * 80 + "/" + "y" * 80, NO_IMAGE, "no such file"),
        ("a.png?" * 100, NO_IMAGE, "… (600 letters): "),
        ("a\0b.png", NO_IMAGE, "no file's name"),
    ],
)
def test_what_is_no_base64_and_no_path_is_refused_in_a_short_line(
    ref: str, reason: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadRow) as caught:
        read_image(ref, tmp_path)
    assert caught.value.reason == reason
    assert said in caught.value.detail
    assert len(caught.value.detail) < 300


def test_a_file_whose_name_looks_like_base64_is_read(tmp_path: Path) -> None:
    name = "a" * 40 + "/" + "b" * 40
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(saved(NOISE, "PNG"))
    assert read_image(name, tmp_path) == saved(NOISE, "PNG")
