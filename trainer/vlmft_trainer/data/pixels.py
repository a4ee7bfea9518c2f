"""Pixels in RGB, from every mode that Pillow has: transparency on white, deep channels scaled to 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image


def as_rgb(image: Image.Image) -> Image.Image:
    """A decoded image in RGB.

    What is transparent is laid on white. 16 bits are scaled by their range, 12 bits of a TIFF by theirs. Numbers of 32
    bits have no white of their own: floats between 0 and 1 are taken as that range, and all others go from the least
    (black) to the greatest (white).
    """
    if image.mode[0] in "IF":
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    seen = image.convert("RGBA")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(seen, mask=seen.getchannel("A"))
    return ground


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Pixels `[rows, columns]` of an image with one deep channel, as bytes."""
    pixels = np.asarray(image)
    grey: NDArray[np.uint8]
    if image.mode.startswith("I;16"):
        white = 4095 if getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample) == (12,) else 65535
        grey = ((np.minimum(pixels, white).astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
    else:
        low, high = _range(image, pixels)
        scaled = (np.clip(np.nan_to_num(pixels, nan=low).astype(np.float64), low, high) - low) / (high - low)
        grey = np.rint(scaled * 255).astype(np.uint8)
    if (transparent := image.info.get("transparency")) is not None:
        grey = np.where(pixels == transparent, np.uint8(255), grey)
    return grey


def _range(image: Image.Image, pixels: NDArray[Any]) -> tuple[float, float]:
    """What is black and what is white in numbers of 32 bits."""
    if image.format == "PPM" and image.mode == "I":
        return 0, 65535  # Pillow scales to it
    numbers = pixels[np.isfinite(pixels)]
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)
    if image.mode == "F" and low >= 0 and high <= 1:
        return 0, 1
    return (low, high) if low < high else (0, 255)
