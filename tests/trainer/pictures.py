"""Pictures for samples."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (56, 56)) -> bytes:
    """An image file of this kind."""
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").resize(size).save(file, kind)
    return file.getvalue()


def noise(width: int, height: int) -> Image.Image:
    """No two pixels alike, and the same every time."""
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)
