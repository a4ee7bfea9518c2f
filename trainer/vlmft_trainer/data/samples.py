"""Samples of a run: picked, checked, and encoded when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from PIL.Image import Image
from torch.utils.data import Dataset

from vlmft_core.errors import DataError
from vlmft_core.preset.data_schema import Data, Source
from vlmft_trainer.data.conversation import Conversation
from vlmft_trainer.data.encode import Encoded, Encoder, Fit
from vlmft_trainer.data.fingerprint import fingerprint
from vlmft_trainer.data.fitting import fitted
from vlmft_trainer.data.holdout import hold_out
from vlmft_trainer.data.pictures import decode, read_header
from vlmft_trainer.data.prefixes import Groups, find_groups
from vlmft_trainer.data.row_keys import EXPECTED
from vlmft_trainer.data.sample_check import Bad, Usable, examine, report
from vlmft_trainer.data.sources import Split, eval_split, open_split
from vlmft_trainer.data.unused import lines
from vlmft_trainer.distributed import ranks

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


@dataclass(frozen=True)
class RunData:
    """What a run trains and evaluates on, and what there is to say about it."""

    train: Samples
    eval: Samples
    notes: list[str]


def evenly(count: int, limit: int | None) -> list[int]:
    """At most `limit` of the numbers below `count`, evenly spaced, in order; all of them for None."""
    return spread(count, count if limit is None else min(limit, count))


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` numbers below `count`, in order, each as often as any other or once more."""
    return [index * count // wanted for index in range(wanted)]


@dataclass(frozen=True)
class SourceSplits:
    """One source, ready to be picked from."""

    train: Split
    train_rows: list[int]
    eval: Split
    eval_rows: list[int]
    notes: tuple[str, ...] = ()


def open_source(source: Source, train_on: str = "all") -> SourceSplits:
    """Open what a source is trained and evaluated on. Every rank calls it, all for the same source.

    Args:
        train_on: as in the preset.

    Raises:
        DataError: it cannot be opened, or nothing can be held out of it.
    """

    def opened() -> tuple[Split, Split | None]:
        name = eval_split(source)
        held = None if name is None else open_split(source, name, train_on)
        return open_split(source, source.train_split, train_on), held

    train, other = ranks.host_first(opened)
    if other is not None:
        idle = f"{source.path}: eval_share is not used, as it has an eval split"
        notes = (idle,) if source.eval_share != Source.model_fields["eval_share"].default else ()
        return SourceSplits(train, list(range(len(train))), other, list(range(len(other))), notes)
    rows, held = ranks.together(lambda: hold_out(train, source.eval_share))
    note = f"{source.path} has no eval split: {len(held):,} of its {len(train):,} samples are held out"
    return SourceSplits(train, rows, train, held, (note,))


def prepare(data: Data, encoder: Encoder) -> RunData:
    """Open all sources, pick, check and drop. Every rank calls it; each checks its share.

    Raises:
        DataError: a source cannot be opened, or more than `data.max_bad` of the picked samples are unusable.
    """
    sources = [open_source(source, data.train_on) for source in data.sources]
    notes = [note for opened in sources for note in opened.notes]

    train = [
        (number, opened.train_rows[index])
        for number, (source, opened) in enumerate(zip(data.sources, sources, strict=True))
        for index in _mixed(source, len(opened.train_rows))
    ]
    picked = [train[index] for index in evenly(len(train), data.max_train)]
    return RunData(
        _usable("training", [opened.train for opened in sources], picked, data, encoder, notes),
        _eval_samples([(opened.eval, opened.eval_rows) for opened in sources], data, encoder, notes),
        notes,
    )


def prepare_eval(data: Data, encoder: Encoder) -> tuple[Samples, list[str]]:
    """The eval samples that `prepare` finds, and what there is to say about them; nothing is trained on. Every rank
    calls it.

    Raises:
        DataError: as `prepare`.
    """
    notes: list[str] = []
    parts = []
    for source in data.sources:
        name = ranks.together(partial(eval_split, source))
        if name is None:
            opened = open_source(source, data.train_on)
            notes += opened.notes
            parts.append((opened.eval, opened.eval_rows))
        else:
            split = ranks.host_first(partial(open_split, source, name, data.train_on))
            parts.append((split, list(range(len(split)))))
    return _eval_samples(parts, data, encoder, notes), notes


def _eval_samples(
    parts: Sequence[tuple[Split, Sequence[int]]], data: Data, encoder: Encoder, notes: list[str]
) -> Samples:
    held = [(number, row) for number, (_, rows) in enumerate(parts) for row in rows]
    picked = [held[index] for index in evenly(len(held), data.max_eval)]
    return _usable("eval", [split for split, _ in parts], picked, data, encoder, notes)


def _usable(
    kind: str, splits: list[Split], picked: list[Place], data: Data, encoder: Encoder, notes: list[str]
) -> Samples:
    """The picked samples without those that cannot be used, which `notes` then tell of.

    Raises:
        DataError: too many cannot be.
    """
    found, unused = _examine(splits, list(dict.fromkeys(picked)), encoder, data.max_length, deep=kind == "eval")
    notes += [f"{kind} data: {line}" for line in lines(unused)]
    bad = [one for one in found.values() if isinstance(one, Bad)]
    if bad:
        notes.append(report(kind, bad, len(found)))
    if len(bad) == len(found):
        raise DataError(f"none of the {kind} samples can be used", notes[-1] if bad else "")
    if len(bad) > data.max_bad * len(found):
        share = len(bad) / len(found)
        raise DataError(
            notes[-1], f"{share:.1%} is over data.max_bad {data.max_bad:.1%}: mend the data or raise the limit"
        )
    places = [place for place in picked if isinstance(found[place], Usable)]
    usable = [one for place in places if isinstance(one := found[place], Usable)]
    return Samples(
        splits,
        places,
        encoder,
        lengths=[one.length for one in usable],
        image_tokens=[one.image for one in usable],
        fingerprint=fingerprint(one.digest for one in usable),
        groups=find_groups([one.prefix for one in usable], places),
    )


def _mixed(source: Source, there: int) -> list[int]:
    """Which of a source's training rows come in an epoch, and how often."""
    kept = evenly(there, source.max_train)
    return [kept[index] for index in spread(len(kept), source.samples(there))]


def _examine(
    splits: Sequence[Split], picked: Sequence[Place], encoder: Encoder, max_length: int, *, deep: bool
) -> tuple[dict[Place, Usable | Bad], Counter[str]]:
    """What `examine` says of each of `picked`, in their order, and what nobody expects of what is not used, with its
    rows; each rank looks at its share.

    Args:
        deep: as `examine`: of what is scored every image is decoded, as another question cannot take its place.
    """
    unused = Counter[str]()
    mine = {
        (split, row): examine(splits[split], row, encoder, max_length, unused, deep=deep)
        for split, row in picked[ranks.rank() :: ranks.world_size()]
    }
    shares = ranks.gather((mine, unused))
    found = {place: one for share, _ in shares for place, one in share.items()}
    together = sum((share for _, share in shares), Counter[str]())
    return {place: found[place] for place in picked}, Counter(
        {name: rows for name, rows in together.items() if name not in EXPECTED}
    )
