"""Tower inputs: where the vision tower's patches stand and which see each other, worked out beside the training.

From the grids of its images the tower works out these itself, in Python and value by value: on a GPU it waits for each,
and so for everything that was begun before.
"""

from __future__ import annotations

from typing import Any, Final

import torch

from vlmft_trainer.data.patches import SIDE

try:
    from transformers import vision_utils
except ImportError:  # an older one, whose tower takes no such inputs
    vision_utils = None

WINDOW: Final = 112
"""Pixels along a side of the windows of most of the tower's layers, in every released Qwen2.5-VL."""


def refuse_other_windows(tower: Any) -> None:
    """Raise ValueError where a base's tower has other windows than `tower_inputs` works out.

    Args:
        tower: its configuration (transformers).
    """
    if (tower.window_size, tower.patch_size) != (WINDOW, SIDE):
        raise ValueError(
            f"its vision tower has windows of {tower.window_size} and patches of {tower.patch_size} pixels"
        )


def tower_inputs(grids: torch.Tensor, merge: int) -> dict[str, Any]:
    """What transformers takes with its images instead of working it out, under the names it has there.

    Args:
        grids: int64 `[images, 3]`: frames, rows and columns of each image's patches.
        merge: patches merged along a side of an image token.

    Returns:
        `image_position_ids` (int64 `[patches, 2]`: row and column), `image_cu_seqlens` and `image_cu_window_seqlens`
        (int32: where images and windows begin, and the number of patches), `image_max_seqlen` and
        `image_max_window_seqlen` (patches of the largest), `image_window_index` (int64 `[tokens]`: the order by
        windows); nothing where this transformers does not take them.
    """
    if vision_utils is None:
        return {}
    index, windows = vision_utils.get_vision_window_index(grids, merge, WINDOW, SIDE)
    images = vision_utils.get_vision_cu_seqlens(grids)
    return {
        "image_position_ids": vision_utils.get_vision_position_ids(grids, merge),
        "image_cu_seqlens": images,
        "image_max_seqlen": int(images.diff().max()),
        "image_window_index": index,
        "image_cu_window_seqlens": windows,
        "image_max_window_seqlen": int(windows.diff().max()),
    }
