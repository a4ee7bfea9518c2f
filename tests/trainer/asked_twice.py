"""Random samples of which many ask about one image: of a model from `tests.bench.charts_like`."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from tests.bench.charts_like import FIRST_WORD, IMAGE, VISION_END, VISION_START
from vlmft_trainer.data.encode import IGNORED, Encoded, Fit
from vlmft_trainer.data.patches import PATCH_BYTES
from vlmft_trainer.data.prefixes import Groups, find_groups, find_prefix

MERGE = 2


class Picture:
    """An image of a few tokens, its pixels random."""

    def __init__(self, chance: random.Random) -> None:
        self.rows, self.columns = chance.randint(1, 4), chance.randint(1, 4)
        made = torch.Generator().manual_seed(chance.randrange(2**32))
        self.pixels = torch.randint(256, (self.tokens * MERGE**2, PATCH_BYTES), dtype=torch.uint8, generator=made)

    @property
    def tokens(self) -> int:
        return self.rows * self.columns

    @property
    def ids(self) -> list[int]:
        return [VISION_START, *[IMAGE] * self.tokens, VISION_END]

    @property
    def grid(self) -> list[int]:
        return [1, MERGE * self.rows, MERGE * self.columns]


def sample(chance: random.Random, pictures: Sequence[Picture], system: Sequence[int], turns: int) -> Encoded:
    """A conversation: a system turn, pictures, then questions and answers; all answers are trained on."""
    ids = [*system, *(token for picture in pictures for token in picture.ids)]
    labels = [IGNORED] * len(ids)
    for _ in range(turns):
        question, answer = _words(chance, 2, 9), _words(chance, 1, 4)
        ids += question + answer
        labels += [IGNORED] * len(question) + answer
    if not pictures:
        return Encoded(ids, labels, None, None)
    pixels = torch.cat([picture.pixels for picture in pictures])  # a copy of its own: told by content
    return Encoded(ids, labels, pixels, torch.tensor([picture.grid for picture in pictures]))


def samples(chance: random.Random, count: int) -> list[Encoded]:
    """Questions about few images: with one, two, none; one and several turns; under two system turns."""
    pictures = [Picture(chance) for _ in range(3)]
    systems = [_words(chance, 3, 3), _words(chance, 4, 4)]
    found: list[Encoded] = []
    while len(found) < count:
        which = chance.choice([(0,), (0,), (0,), (1,), (0, 1), (0, 2), (0, 1), ()])
        turns = chance.choice([1, 1, 2])
        found.append(sample(chance, [pictures[one] for one in which], systems[chance.random() < 0.2], turns))
        if chance.random() < 0.1:
            found.append(found[-1])  # the same question again
    return found[:count]


def groups(encoded: Sequence[Encoded]) -> Groups:
    """Which of them begin alike, as the check of the data finds it."""
    prefixes = []
    for one in encoded:
        images = []
        begun = 0
        for grid in [] if one.image_grid_thw is None else one.image_grid_thw.tolist():
            size = grid[1] * grid[2]
            assert one.pixel_values is not None
            content = one.pixel_values[begun : begun + size].numpy().tobytes()
            images.append((content, Fit(grid[2] * 14, grid[1] * 14, size // MERGE**2)))
            begun += size
        prefixes.append(find_prefix(one.input_ids, one.labels, IMAGE, images))
    return find_groups(prefixes, range(len(encoded)))


def _words(chance: random.Random, least: int, most: int) -> list[int]:
    return [chance.randrange(FIRST_WORD, FIRST_WORD + 30) for _ in range(chance.randint(least, most))]
