"""Chart as PNG: the elements of its SVG file, drawn by Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final
from xml.etree import ElementTree

from PIL import Image, ImageDraw, ImageFont

from vlmft_console.report.chart_file import INK, PAPER

_SCALE: Final = 2
"""Pixels for each of the file's: for screens of today."""
_PLAIN: Final = str.maketrans("★◆✖▲▼↻", "*!x^vR")
"""What stands for signs that Pillow's own font does not have."""
_SIZES: Final = {"title": 14, "mark": 13, "off-scale": 12}
_DASHED: Final = ("planned", "ref")
_DASH: Final = 8.0


def png_of(svg: str) -> bytes:
    """The content of a PNG file that shows what this SVG file of ours shows."""
    root = ElementTree.fromstring(svg)
    width, height = (round(float(root.attrib[side])) for side in ("width", "height"))
    image = Image.new("RGB", (width * _SCALE, height * _SCALE), PAPER)
    pen = ImageDraw.Draw(image)
    for element, down in _elements(root, 0.0):
        _draw(pen, element, down)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _elements(parent: ElementTree.Element, down: float) -> Iterator[tuple[ElementTree.Element, float]]:
    """The elements in order, each with how far down its group is moved."""
    for element in parent:
        if element.tag.endswith("}g"):
            moved = float(element.attrib["transform"].removeprefix("translate(0,").removesuffix(")"))
            yield from _elements(element, down + moved)
        else:
            yield element, down


def _draw(pen: ImageDraw.ImageDraw, element: ElementTree.Element, down: float) -> None:
    kind, classes = element.tag.rpartition("}")[2], element.get("class", "").split()
    color = next((color for name, color in reversed(INK.items()) if name in classes), INK[""])
    if kind == "text":
        _write(pen, element, down, classes, color)
        return

    def place(x: str, y: str) -> tuple[float, float]:
        return float(x) * _SCALE, (float(y) + down) * _SCALE

    if kind == "circle":
        (x, y), radius = place(element.attrib["cx"], element.attrib["cy"]), float(element.attrib["r"]) * _SCALE
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    elif kind == "line":
        ends = [place(element.attrib[f"x{end}"], element.attrib[f"y{end}"]) for end in "12"]
        _stroke(pen, ends, color, dashed=any(name in classes for name in _DASHED))
    elif kind == "polyline":
        points = [place(*point.split(",")) for point in element.attrib["points"].split()]
        _stroke(pen, points, color, dashed=any(name in classes for name in _DASHED), thick="raw" not in classes)


def _stroke(
    pen: ImageDraw.ImageDraw, points: list[tuple[float, float]], color: str, *, dashed: bool, thick: bool = False
) -> None:
    if not dashed:
        pen.line(points, fill=color, width=3 if thick else 2, joint="curve")
        return
    drawn = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        at = 0.0
        while at < length:
            step = min(_DASH - drawn % _DASH, length - at)
            if drawn // _DASH % 2 == 0:
                share, end = at / length, (at + step) / length
                pen.line(
                    ((x0 + (x1 - x0) * share, y0 + (y1 - y0) * share), (x0 + (x1 - x0) * end, y0 + (y1 - y0) * end)),
                    fill=color,
                    width=2,
                )
            at, drawn = at + step, drawn + step


def _write(pen: ImageDraw.ImageDraw, element: ElementTree.Element, down: float, classes: list[str], color: str) -> None:
    size = next((size for name, size in _SIZES.items() if name in classes), 11)
    font: Any = ImageFont.load_default(size * _SCALE)
    anchor = {"middle": "ms", "end": "rs"}.get(element.get("text-anchor", ""), "ls")
    place = float(element.attrib["x"]) * _SCALE, (float(element.attrib["y"]) + down) * _SCALE
    pen.text(place, (element.text or "").translate(_PLAIN), fill=color, font=font, anchor=anchor)
