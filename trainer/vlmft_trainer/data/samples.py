"""Samples of a run: picked, checked, and encoded when they are asked for."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

import torch
from PIL.Image import Image
from torch.utils.data import Dataset

from vlmft_core.errors import DataError
from vlmft_trainer.data.conversation import Conversation
from vlmft_trainer.data.encode import Encoded, Encoder, Fit
from vlmft_trainer.data.fitting import fitted
from vlmft_trainer.data.pictures import decode, read_header
from vlmft_trainer.data.prefixes import Groups
from vlmft_trainer.data.sources import Split

Place = tuple[int, int]
"""Which split, and which of its rows."""

Files = tuple[bytes, ...]
"""The image files of one sample."""


class Samples(Dataset[Encoded]):
    """Conversations with answers, in a fixed order; indexing encodes one conversation. Pickles for data workers.

    An image that turns out broken only when it is decoded does not end the run: the next sample takes its place and
    `replaced` (int64, one element, shared between processes) counts it.

    Args:
        splits: where the samples come from.
        places: which of their rows.
        encoder: the base model's.
        lengths: tokens of each sample; None where not known, and then all count as equally long.
        fingerprint: stands for the content of all; empty where not known.
        groups: which of them begin alike; None where not known.
        image_tokens: those of its tokens that stand for images, for each sample; None where not known.
    """

    def __init__(
        self,
        splits: Sequence[Split],
        places: Sequence[Place],
        encoder: Encoder,
        lengths: Sequence[int] | None = None,
        fingerprint: str = "",
        groups: Groups | None = None,
        image_tokens: Sequence[int] | None = None,
    ) -> None:
        self.splits = list(splits)
        self.places = list(places)
        self.encoder = encoder
        self.lengths = None if lengths is None else list(lengths)
        self.fingerprint = fingerprint
        self.groups = groups
        self.image_tokens = None if image_tokens is None else list(image_tokens)
        self.replaced = torch.zeros(1, dtype=torch.int64)
        self.replaced.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.places)

    def task_name(self, index: int) -> str:
        return self.splits[self.places[index][0]].task_name

    def conversation(self, index: int) -> Conversation:
        """A conversation, without decoding its images."""
        split, row = self.places[index]
        conversation = self.splits[split].conversation(row)
        if not conversation.boxes:
            return conversation
        headers = map(read_header, self.splits[split].contents(conversation))
        return fitted(conversation, [header.size for header in headers], self.encoder)[0]

    def sample(self, index: int, known: Container[Files] = ()) -> tuple[Conversation, list[Image], Files]:
        """A conversation, its images if their files are not `known`, and these; or those of the next sample whose
        images can be decoded."""
        _, conversation, images, files = self._usable_from(index, known)
        return conversation, images, files

    def taken(self, index: int) -> int:
        """Which sample is used for this one: itself, or the next one whose images can be decoded."""
        before = int(self.replaced)
        found = self._usable_from(index, ())[0]
        self.replaced.fill_(before)  # this was only a question
        return found

    def _usable_from(self, index: int, known: Container[Files]) -> tuple[int, Conversation, list[Image], Files]:
        for further in range(len(self)):
            number = (index + further) % len(self)
            place, row = self.places[number]
            split = self.splits[place]
            try:
                conversation = split.conversation(row)
                files = tuple(split.contents(conversation))
                return number, conversation, [] if files in known else [decode(file) for file in files], files
            except (OSError, ValueError, SyntaxError):
                self.replaced += 1
        raise DataError("no image of the data set can be decoded")

    def where(self, index: int) -> str:
        """How a message names the row of a sample."""
        split, row = self.places[index]
        return self.splits[split].where(row)

    def __getitem__(self, index: int) -> Encoded:
        (encoded,) = self.__getitems__([index])
        return encoded

    def __getitems__(self, indices: Sequence[int]) -> list[Encoded]:
        """Several samples, as a data loader asks for them. Images that several of them have are prepared once."""
        known: dict[Files, tuple[list[tuple[int, int]], tuple[Fit, ...], Encoded]] = {}
        found = []
        for index in indices:
            conversation, images, files = self.sample(index, known)
            sizes, before, earlier = known.get(files, ([image.size for image in images], None, None))
            conversation, fits = fitted(conversation, sizes, self.encoder)
            if earlier is not None and fits == before:
                ids, labels = self.encoder.ids(conversation.turns, [fit.tokens for fit in fits])
                found.append(replace(earlier, input_ids=ids, labels=labels))
                continue
            if earlier is not None:  # wanted in another size
                images = [decode(file) for file in files]
            found.append(self.encoder.conversation(conversation.turns, images, fits))
            known[files] = (sizes, fits, found[-1])
        return found

    def fitted(self, index: int) -> tuple[Conversation, list[Image], tuple[Fit, ...]]:
        """`sample`, its boxes in the pixels of the resized images, and how these are resized."""
        conversation, images, _ = self.sample(index)
        conversation, fits = fitted(conversation, [image.size for image in images], self.encoder)
        return conversation, images, fits

    def pick(self, task_name: str, limit: int) -> Samples:
        """At most `limit` samples of one task, evenly spaced, always the same ones."""
        mine = [place for index, place in enumerate(self.places) if self.task_name(index) == task_name]
        return Samples(self.splits, [mine[index] for index in evenly(len(mine), limit)], self.encoder)


class Prompts(Dataset[Encoded]):
    """The conversations of `samples` up to where the assistant begins its last answer."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Encoded:
        conversation, images, fits = self.samples.fitted(index)
        return self.samples.encoder.beginning(conversation.turns, images, fits)


def evenly(count: int, limit: int | None) -> list[int]:
    """At most `limit` of the numbers below `count`, evenly spaced, in order; all of them for None."""
    return spread(count, count if limit is None else min(limit, count))


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` numbers below `count`, in order, each as often as any other or once more."""
    return [index * count // wanted for index in range(wanted)]
