"""Prefixes: what samples begin with alike, an image at least. Questions about one image need it computed only once.

What a token of a causal model sees is all before it, so that a common beginning has the same values in both samples.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from vlmft_trainer.data.encode import IGNORED, Encoded, Fit


class Prefix(NamedTuple):
    """What a sample has in common with others about its images.

    Attributes:
        key: stands for it: tokens, and the images byte for byte; empty where there is nothing to share.
        tokens: its length.
    """

    key: bytes = b""
    tokens: int = 0


class Common(NamedTuple):
    """A common beginning: its tokens, and the whole images among them."""

    tokens: int = 0
    images: int = 0


@dataclass(frozen=True)
class Groups:
    """Which samples begin alike.

    Attributes:
        first: for each sample the first of its group: itself where it is alone.
        shared: tokens that its group begins with; 0 for a sample without an image.
    """

    first: Sequence[int]
    shared: Sequence[int]

    @property
    def images(self) -> int:
        """How many beginnings with images there are."""
        return len({first for first, shared in zip(self.first, self.shared, strict=True) if shared})

    @property
    def questions(self) -> int:
        """How many samples have one."""
        return sum(shared > 0 for shared in self.shared)

    @property
    def saved(self) -> int:
        """Tokens that need not be computed where each group is together."""
        return sum(shared for sample, shared in enumerate(self.shared) if self.first[sample] != sample)


def find_prefix(
    ids: Sequence[int], labels: Sequence[int], image_id: int, images: Iterable[tuple[bytes, Fit]]
) -> Prefix:
    """A sample up to its last image that stands before what is trained on.

    Args:
        ids: its token ids.
        labels: `IGNORED` where nothing is trained on.
        image_id: token id of an image placeholder.
        images: content and size of each image, in their order.
    """
    most = _own(labels)
    end = next((place + 1 for place in reversed(range(most)) if ids[place] == image_id), 0)
    if not end:
        return Prefix()
    mix = hashlib.blake2b(array("q", ids[:end]).tobytes(), digest_size=16)
    there = ids[:end].count(image_id)
    for content, fit in images:
        if there <= 0:
            break
        mix.update(f"{fit.width} {fit.height} {len(content)} ".encode() + content)
        there -= fit.tokens
    return Prefix(mix.digest(), end)


def find_groups(prefixes: Sequence[Prefix], samples: Sequence[Hashable]) -> Groups:
    """Samples by what they begin with.

    Args:
        prefixes: of each sample.
        samples: what tells a sample from others. One that comes several times in an epoch is not to come several times
            in a step: its second time belongs to a group of second times.
    """
    times = Counter[Hashable]()
    leaders: dict[tuple[bytes, int], int] = {}
    first = []
    for number, (prefix, sample) in enumerate(zip(prefixes, samples, strict=True)):
        first.append(leaders.setdefault((prefix.key, times[sample]), number) if prefix.tokens else number)
        times[sample] += 1
    return Groups(first, [prefix.tokens for prefix in prefixes])


def common_prefix(one: Encoded, other: Encoded, image_id: int, merge: int) -> Common:
    """What `other` begins with as `one` does. None of it is trained on, nor the token after it, so that the loss of
    `other` is all in the rest of it.

    Args:
        image_id: token id of an image placeholder.
        merge: patches merged along a side of an image token.

    Returns:
        Nothing where there is no whole image among it.
    """
    if one.image_grid_thw is None or other.image_grid_thw is None:
        return Common()
    most = min(one.length, _own(other.labels))
    ids, theirs = (torch.tensor(sample.input_ids[:most]) for sample in (other, one))
    differs = (ids != theirs).nonzero()
    tokens = int(differs[0]) if len(differs) else most
    places = (ids == image_id).nonzero().squeeze(1).tolist()
    begun = patches = images = 0
    for grid, its in zip(other.image_grid_thw, one.image_grid_thw, strict=False):
        size = int(grid.prod())
        end = begun + size // merge**2
        if begun >= len(places) or places[begun] >= tokens:
            break
        if (
            end > len(places)
            or places[end - 1] >= tokens
            or not torch.equal(grid, its)
            or not _same_pixels(one, other, slice(patches, patches + size))
        ):
            tokens = places[begun]
            break
        begun, patches, images = end, patches + size, images + 1
    return Common(tokens, images) if images else Common()


def _own(labels: Sequence[int]) -> int:
    """Where a sample has to be by itself at the latest: at the token before the first that is trained on."""
    return max(0, next((place for place, label in enumerate(labels) if label != IGNORED), len(labels)) - 1)


def _same_pixels(one: Encoded, other: Encoded, patches: slice) -> bool:
    assert one.pixel_values is not None
    assert other.pixel_values is not None
    if one.pixel_values is other.pixel_values:  # decoded once
        return True
    return torch.equal(one.pixel_values[patches], other.pixel_values[patches])
