"""The samples of a run: picked, checked, and encoded when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.data import Dataset

from vlmft_trainer import ranks
from vlmft_trainer.data.check import Bad, examine, report
from vlmft_trainer.data.encode import Encoded, Encoder
from vlmft_trainer.data.sources import Split, open_split
from vlmft_trainer.data.tasks import Question
from vlmft_trainer.errors import DataError
from vlmft_trainer.preset.schema import Data

if TYPE_CHECKING:
    from PIL.Image import Image

Place = tuple[int, int]
"""Which split, and which of its rows."""


class Samples(Dataset[Encoded]):
    """Questions with answers, in a fixed order; indexing encodes one conversation. Pickles for data workers.

    An image that turns out broken only when it is decoded does not end the run: the next sample takes its place and
    `replaced` (int64, one element, shared between processes) counts it.

    Args:
        splits: where the samples come from.
        places: which of their rows.
        encoder: the base model's.
        lengths: tokens of each sample; None where not known, and then all count as equally long.
    """

    def __init__(
        self, splits: Sequence[Split], places: Sequence[Place], encoder: Encoder, lengths: Sequence[int] | None = None
    ) -> None:
        self.splits = list(splits)
        self.places = list(places)
        self.encoder = encoder
        self.lengths = None if lengths is None else list(lengths)
        self.replaced = torch.zeros(1, dtype=torch.int64)
        self.replaced.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.places)

    def task_name(self, index: int) -> str:
        return self.splits[self.places[index][0]].task_name

    def question(self, index: int) -> Question:
        """A question, without looking at its image."""
        split, row = self.places[index]
        return self.splits[split].read(row)[0]

    def sample(self, index: int) -> tuple[Question, Image]:
        """A question and its image, or those of the next sample whose image can be decoded."""
        for further in range(len(self)):
            split, row = self.places[(index + further) % len(self)]
            try:
                return self.splits[split].sample(row)
            except (OSError, ValueError, SyntaxError):
                self.replaced += 1
        raise DataError("no image of the data set can be decoded")

    def __getitem__(self, index: int) -> Encoded:
        question, image = self.sample(index)
        return self.encoder.sample(question.prompt, question.target, image)

    def pick(self, task_name: str, limit: int) -> Samples:
        """At most `limit` samples of one task, evenly spaced, always the same ones."""
        mine = [place for index, place in enumerate(self.places) if self.task_name(index) == task_name]
        return Samples(self.splits, [mine[index] for index in evenly(len(mine), limit)], self.encoder)


class Prompts(Dataset[Encoded]):
    """The conversations of `samples` up to where the assistant begins to answer."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Encoded:
        question, image = self.samples.sample(index)
        return self.samples.encoder.prompt(question.prompt, image)


@dataclass(frozen=True)
class RunData:
    """What a run trains and evaluates on, and what there is to say about it."""

    train: Samples
    eval: Samples
    notes: list[str]


def evenly(count: int, limit: int | None) -> list[int]:
    """At most `limit` of the numbers below `count`, evenly spaced, in order; all of them for None."""
    if limit is None or limit >= count:
        return list(range(count))
    return [index * count // limit for index in range(limit)]


def prepare(data: Data, encoder: Encoder) -> RunData:
    """Open all sources, pick, check and drop. Every rank calls it; each checks its share.

    Raises:
        DataError: a source cannot be opened, or more than `data.max_bad` of the picked samples are unusable.
    """
    notes: list[str] = []

    def part(kind: str, limit: int | None) -> Samples:
        names = [source.train_split if kind == "training" else source.eval_split for source in data.sources]
        splits = ranks.first_alone(
            lambda: [open_split(source, name) for source, name in zip(data.sources, names, strict=True)]
        )
        places = [(number, row) for number, split in enumerate(splits) for row in range(len(split))]
        picked = [places[index] for index in evenly(len(places), limit)]
        found = _examine(splits, picked, encoder, data.max_length)
        bad = {place: one for place, one in found.items() if isinstance(one, Bad)}
        if bad:
            notes.append(report(kind, bad.values(), len(picked)))
        if len(bad) == len(picked):
            raise DataError(f"none of the {kind} samples can be used", notes[-1])
        if len(bad) > data.max_bad * len(picked):
            share = len(bad) / len(picked)
            raise DataError(
                notes[-1], f"{share:.1%} is over data.max_bad {data.max_bad:.1%}: mend the data or raise the limit"
            )
        lengths = {place: one for place, one in found.items() if isinstance(one, int)}
        return Samples(splits, list(lengths), encoder, list(lengths.values()))

    return RunData(part("training", data.max_train), part("eval", data.max_eval), notes)


def _examine(
    splits: Sequence[Split], picked: Sequence[Place], encoder: Encoder, max_length: int
) -> dict[Place, int | Bad]:
    """The length of each of `picked`, or what is wrong with it, in their order; each rank looks at its share."""
    mine = {
        (split, row): examine(splits[split], row, encoder, max_length)
        for split, row in picked[ranks.rank() :: ranks.world_size()]
    }
    found = {place: one for share in ranks.gather(mine) for place, one in share.items()}
    return {place: found[place] for place in picked}
