"""Patches: an image as Qwen2.5-VL's vision tower takes it, carried as bytes and normalised where the model is.

Normalised in fp32 and with its only frame doubled, as the image processor gives it, a patch has 4,704 bytes; as pixels
it has 588. Those are what goes from a data worker to the training process and on to the GPU.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import torch
from PIL.Image import Image
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

SIDE: Final = 14
"""Pixels along a side of a patch."""

PATCH_BYTES: Final = 3 * SIDE * SIDE
"""Numbers in one patch: channels x rows x columns of pixels."""

FRAMES: Final = 2
"""Frames of a video that the tower takes as one; an image is shown twice."""

MERGED: Final = 2
"""Patches along a side that become one token."""

_WHITE: Final = 255


def refuse_others(image_processor: Any) -> None:
    """Raise ValueError where a base's image processor does otherwise than `cut` and `normalised`, which do what that of
    every released Qwen2.5-VL does."""
    expected = {
        "patch_size": SIDE,
        "temporal_patch_size": FRAMES,
        "merge_size": MERGED,
        "do_rescale": True,
        "rescale_factor": 1 / _WHITE,
        "do_normalize": True,
        "image_mean": OPENAI_CLIP_MEAN,
        "image_std": OPENAI_CLIP_STD,
    }
    for name, usual in expected.items():
        if not np.allclose(found := getattr(image_processor, name), usual, rtol=1e-6):
            raise ValueError(f"its image processor has {name} {found}, where Qwen2.5-VL has {usual}")


def cut(image: Image, merge: int) -> torch.Tensor:
    """The pixels of an image, patch by patch, in the image processor's order.

    Args:
        image: in RGB; its sides are multiples of `SIDE` x `merge`.
        merge: patches merged along a side of an image token: those of one token follow each other.

    Returns:
        uint8 `[patches, PATCH_BYTES]`, each patch by channel, row and column.
    """
    rows, columns = image.height // SIDE, image.width // SIDE
    pixels = np.asarray(image).reshape(rows // merge, merge, SIDE, columns // merge, merge, SIDE, 3)
    return torch.from_numpy(pixels.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, PATCH_BYTES))


def normalised(pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What the image processor makes of pixels: the same numbers, bit for bit.

    Args:
        pixels: uint8 `[patches, PATCH_BYTES]`, on the device where they are wanted.
        dtype: of the vision tower.

    Returns:
        `[patches, 3 * FRAMES * SIDE * SIDE]`.
    """
    white, mean, std = _constants(pixels.device)
    values = pixels.view(-1, 3, SIDE * SIDE).float().div_(white).sub_(mean).div_(std).to(dtype)
    return values[:, :, None].expand(-1, -1, FRAMES, -1).flatten(1)


@cache
def _constants(device: torch.device) -> tuple[torch.Tensor, ...]:
    """White, mean and deviation of each channel. Tensors, because a GPU multiplies by a number's inverse instead of
    dividing by it, which is rounded otherwise; kept, because each copy to a GPU waits for all that it has to do."""
    white = torch.tensor(float(_WHITE), device=device)
    return white, *(torch.tensor(each, device=device)[:, None] for each in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
