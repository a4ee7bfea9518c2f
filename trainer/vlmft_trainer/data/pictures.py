"""Pictures: whether an image file is whole, what its header says, and its pixels.

Whatever Pillow raises means that a file is broken: it promises OSError and ValueError, and lets through what a broken
file leads it to, as struct.error, IndexError, RuntimeError (AVIF) or SyntaxError (PNG).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from PIL import ExifTags, Image, UnidentifiedImageError

from vlmft_core.errors import first_line
from vlmft_core.plan.weight_file import LFS_POINTER
from vlmft_trainer.data.conversation import BROKEN_IMAGE, HUGE_IMAGE, BadRow
from vlmft_trainer.data.jpeg import ends_well, jpeg_fault
from vlmft_trainer.data.pixels import as_rgb

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "ICO", "QOI", "PCX", "SGI")
"""What is opened, in Pillow's words (MPO counts as JPEG). Pillow knows more: some of them start other programs, as EPS
does, or are documents; none of those is ever opened."""

_OTHERS: Final[dict[str, Callable[[bytes], bool | str]]] = {
    "PDF": lambda start: start.startswith(b"%PDF"),
    "SVG": lambda start: start.lstrip().startswith((b"<svg", b"<?xml")),
    "HEIF": lambda start: start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"),
}
"""What else is taken for an image, and how it begins."""


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before it is decoded.

    Attributes:
        size: width and height in pixels, once it is turned.
        turned: whether it is stored turned or mirrored, and says so (EXIF orientation).
        transparent: whether it can have transparent pixels.
        deep: whether a channel has more than 8 bits.
        animated: whether further frames or pages follow the first.
        read_whole: whether its pixels were decoded or their checksums compared; else only its end was looked at.
    """

    size: tuple[int, int]
    turned: bool
    transparent: bool
    deep: bool
    animated: bool
    read_whole: bool


def read_header(content: bytes, *, deep: bool = False) -> Header:
    """Look at an image file without decoding it, where that is enough to know that it is not cut short.

    PNG carries checksums, which are compared. JPEG has an end mark, and rules for what stands before it; WebP says how
    long it is: damage before its end is not seen. A file that does not hold these was cut short, or is merely odd: it
    is decoded to find out, as are all other formats.

    Args:
        deep: decode JPEG and WebP, too.

    Raises:
        BadRow: it is broken, or would take too much memory.
    """
    image = open_image(content)
    try:
        late = image.format == "PNG" and _verified(image, content)
        orientation = _orientation(_loaded(content) if late else image)
        width, height = image.size
        if orientation > 4 and not (image.format == "TIFF" and _tiff(image, ExifTags.Base.Orientation)):
            width, height = height, width  # Pillow itself turns the size of a TIFF
        if image.format in ("JPEG", "MPO") and (fault := jpeg_fault(content)):
            raise BadRow(BROKEN_IMAGE, fault)
        whole = deep or not _ends_well(image, content)
        header = Header(
            (width, height),
            orientation > 1,
            image.has_transparency_data,
            _is_deep(image, content),
            image.format != "MPO" and bool(getattr(image, "is_animated", False)),  # MPO: other views of the same
            whole or image.format == "PNG",
        )
        if whole and image.format != "PNG":
            image.load()
    except BadRow:
        raise
    except Exception as error:
        raise BadRow(BROKEN_IMAGE, _said(error)) from error
    return header


def decode(content: bytes) -> Image.Image:
    """An image file's pixels: the first frame, turned as it is to be seen, in RGB on a white ground.

    Raises:
        BadRow: as `read_header`.
    """
    try:
        image = _loaded(content)
        _scale_transparency(image, content)
        turn = _TURNS.get(_orientation(image))
        pixels = as_rgb(image)
        return pixels if turn is None else pixels.transpose(turn)
    except BadRow:
        raise
    except Exception as error:
        raise BadRow(BROKEN_IMAGE, _said(error)) from error


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn pixels, by EXIF orientation."""


def open_image(content: bytes) -> Image.Image:
    """Open an image file without decoding it.

    Raises:
        BadRow: it is none, or has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # twice as many pixels is the limit; the rest says what the error says
            return Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise BadRow(HUGE_IMAGE, f"over {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels") from error
    except UnidentifiedImageError as error:
        raise BadRow(BROKEN_IMAGE, _unknown(content)) from error
    except Exception as error:
        raise BadRow(BROKEN_IMAGE, _said(error)) from error


def _unknown(content: bytes) -> str:
    """Why a file is not opened."""
    if not content:
        return "an empty file"
    if content.startswith(LFS_POINTER):
        return "a Git LFS pointer, not the image itself: git lfs pull fetches it"
    if b"<html" in content[:1000].lower():
        return "a web page, not an image: download it again"
    Image.init()
    known = {name: accepts for name, (_, accepts) in Image.OPEN.items() if name not in FORMATS and accepts} | _OTHERS
    if names := [name for name, accepts in known.items() if _takes(accepts, content[:16])]:
        return f"{names[0]} files are not opened: convert it to PNG"
    return f"no image in a format that is read ({', '.join(FORMATS)})"


def _takes(accepts: Callable[[bytes], bool | str], start: bytes) -> bool:
    """Whether a format takes a file with this beginning for its own."""
    try:
        return accepts(start) is True
    except Exception:  # some look further than a tiny file goes
        return False


def _loaded(content: bytes) -> Image.Image:
    image = open_image(content)
    image.load()
    return image


def _verified(image: Any, content: bytes) -> bool:
    """Compare a PNG's checksums. Whether a chunk behind its pixels may hold EXIF data or XMP: Pillow sees such a chunk
    only once the pixels are decoded."""
    image.fp.seek(image.tile[0].offset - 8)
    behind = set(image.png.verify())
    return bool(behind & {b"eXIf", b"iTXt", b"zTXt"}) or (b"tEXt" in behind and b"Raw profile type exif" in content)


def _orientation(image: Image.Image) -> int:
    """How an image is stored, from 1 (as it is to be seen) to 8, as EXIF numbers it; read only where it may stand."""
    told = image.info.keys() & {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}
    if not told and image.format != "TIFF":
        return 1
    try:
        # A PNG's own getexif decodes the pixels, in case a chunk follows them.
        found = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # what it would say is lost, the pixels are not
        return 1
    return found if found in _TURNS else 1


def _tiff(image: Image.Image, tag: int) -> Any:
    return image.tag_v2.get(tag)  # type: ignore[attr-defined]


def _is_deep(image: Image.Image, content: bytes) -> bool:
    """Whether a channel has more than 8 bits."""
    if image.format == "PNG":
        return content[24] > 8  # bit depth, in the header that is always first
    if image.format == "TIFF":
        return max(_tiff(image, ExifTags.Base.BitsPerSample) or (1,)) > 8
    return image.mode[0] in "IF"


def _scale_transparency(image: Image.Image, content: bytes) -> None:
    """The transparent colour of a PNG as its pixels are decoded: Pillow scales those to 8 bits, but not the colour."""
    colour = image.info.get("transparency")
    if image.format == "PNG" and image.mode == "L" and isinstance(colour, int):
        image.info["transparency"] = colour * 255 // (2 ** content[24] - 1)
    elif image.format == "PNG" and image.mode == "RGB" and content[24] == 16 and colour is not None:
        image.info["transparency"] = tuple(channel >> 8 for channel in colour)


def _ends_well(image: Image.Image, content: bytes) -> bool:
    """Whether a file that says where it ends holds all of it."""
    if image.format in ("JPEG", "MPO"):
        return ends_well(content)
    return image.format == "WEBP" and len(content) >= 8 + int.from_bytes(content[4:8], "little")  # as its head says


def _said(error: Exception) -> str:
    """Pillow's words, without the address of the buffer it names."""
    return re.sub(r" <_io\.BytesIO[^>]*>", "", first_line(error))
