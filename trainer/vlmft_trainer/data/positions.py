"""Positions in three dimensions (Qwen2.5-VL's M-RoPE) of one sample, worked out beside the training."""

from __future__ import annotations

import torch


def positions(image: torch.Tensor, grids: torch.Tensor | None, merge: int) -> torch.Tensor:
    """Positions in time, row and column for each token, as `Qwen2_5_VLModel.get_rope_index` gives them.

    Text counts on by one in all three. An image's tokens share one time and lie on a grid that begins where the text
    ended; the text after it goes on behind the larger of the grid's sides.

    Args:
        image: bool `[tokens]`: which tokens stand for an image.
        grids: int64 `[images, 3]`: frames, rows and columns of each image's patches; None without images.
        merge: patches merged along a side of an image token.

    Returns:
        int64 `[3, tokens]`.

    Raises:
        ValueError: the grids do not account for the image tokens.
    """
    sizes = [] if grids is None else [(int(t), int(h) // merge, int(w) // merge) for t, h, w in grids.tolist()]
    if sum(t * h * w for t, h, w in sizes) != int(image.sum()):
        raise ValueError("the image's grid does not account for its tokens")
    places = image.nonzero().squeeze(1).tolist()
    parts: list[torch.Tensor] = []
    done = following = begun = 0  # tokens, positions and image tokens so far
    for frames, rows, columns in sizes:
        count = frames * rows * columns
        start = places[begun]
        if places[begun + count - 1] != start + count - 1:
            raise ValueError("an image's tokens do not stand together")
        parts.append((torch.arange(start - done) + following).expand(3, -1))
        following += start - done
        grid = torch.cartesian_prod(torch.arange(frames), torch.arange(rows), torch.arange(columns))
        parts.append(grid.reshape(count, 3).T + following)
        following += max(rows, columns)
        done, begun = start + count, begun + count
    parts.append((torch.arange(len(image) - done) + following).expand(3, -1))
    return torch.cat(parts, dim=1)
