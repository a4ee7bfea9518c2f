"""Run data: what a preset's sources come to, picked, checked, and held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from vlmft_core.errors import DataError
from vlmft_core.preset.data_schema import Data, Source
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.fingerprint import fingerprint
from vlmft_trainer.data.holdout import hold_out
from vlmft_trainer.data.prefixes import find_groups
from vlmft_trainer.data.row_keys import EXPECTED
from vlmft_trainer.data.sample_check import Bad, Usable, examine, report
from vlmft_trainer.data.samples import Place, Samples, evenly, spread
from vlmft_trainer.data.sources import Split, eval_split, open_split
from vlmft_trainer.data.unused import lines
from vlmft_trainer.distributed import ranks


@dataclass(frozen=True)
class RunData:
    """What a run trains and evaluates on, and what there is to say about it."""

    train: Samples
    eval: Samples
    notes: list[str]


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
        share, limit = 100 * len(bad) / len(found), 100 * data.max_bad
        raise DataError(
            notes[-1], f"{share:.1f} % is over data.max_bad {limit:.1f} %: mend the data or raise the limit"
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
