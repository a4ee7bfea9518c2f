"""Sample check: unusable samples are found before training, without decoding every image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from vlmft_trainer.data.conversation import NO_ANSWER, TOO_LONG, BadRow, Conversation, Slot
from vlmft_trainer.data.encode import GROUNDING, IGNORED, Encoder, Fit
from vlmft_trainer.data.fingerprint import sample_digest
from vlmft_trainer.data.fitting import fitted
from vlmft_trainer.data.pictures import Header, read_header
from vlmft_trainer.data.prefixes import Prefix, find_prefix
from vlmft_trainer.data.sources import Split
from vlmft_trainer.data.unused import count


@dataclass(frozen=True)
class Bad:
    """One unusable sample: why, and where it stands."""

    reason: str
    where: str


class Usable(NamedTuple):
    """One usable sample.

    Attributes:
        length: its tokens.
        image: those of them that stand for images.
        digest: stands for its content.
        prefix: what it may have in common with others.
    """

    length: int
    image: int
    digest: bytes
    prefix: Prefix


@dataclass(frozen=True)
class Size:
    """Tokens of a usable sample.

    Attributes:
        length: all of them.
        image: those that stand for images.
        supervised: those that carry loss.
        headers: of its image files.
        fits: how they are resized.
        prefix: what it may have in common with others.
    """

    length: int
    image: int
    supervised: int
    headers: tuple[Header, ...]
    fits: tuple[Fit, ...]
    prefix: Prefix


def examine(
    split: Split, row: int, encoder: Encoder, max_length: int, unused: Counter[str] | None = None, *, deep: bool = False
) -> Usable | Bad:
    """A sample's length and content, or what is wrong with it.

    Args:
        max_length: longest usable sample in tokens, image tokens included.
        unused: counts what the row has beside it.
        deep: as `read_header`.
    """
    try:
        conversation = split.conversation(row)
        if unused is not None:
            count(unused, (*conversation.unused, *spelt_tokens(conversation, encoder)))
        contents = split.contents(conversation)
        size = measure(conversation, map(partial(read_header, deep=deep), contents), contents, encoder, max_length)
        return Usable(size.length, size.image, sample_digest(conversation, contents), size.prefix)
    except BadRow as error:
        return bad(split, row, error)


def measure(
    conversation: Conversation, headers: Iterable[Header], contents: Sequence[bytes], encoder: Encoder, max_length: int
) -> Size:
    """A conversation's size in tokens.

    Args:
        headers: of its image files; looked at once its answers are found to be there.
        contents: the files, or what stands for each.
        max_length: as `examine`.

    Raises:
        BadRow: it cannot be trained on.
    """
    refuse_unanswered(conversation)
    headers = tuple(headers)
    conversation, fits = fitted(conversation, [header.size for header in headers], encoder)
    image_tokens = [fit.tokens for fit in fits]
    refuse_longer(max_length, sum(image_tokens), "image tokens")
    ids, labels = encoder.ids(conversation.turns, image_tokens)
    refuse_longer(max_length, len(ids), "tokens")
    prefix = find_prefix(ids, labels, encoder.image_id, zip(contents, fits, strict=True))
    return Size(len(ids), sum(image_tokens), len(labels) - labels.count(IGNORED), headers, fits, prefix)


def refuse_unanswered(conversation: Conversation) -> None:
    """Refuse a sample with an empty answer.

    Raises:
        BadRow: an answer is empty.
    """
    if not all(answer.strip() for answer in conversation.answers):
        raise BadRow(NO_ANSWER)


def refuse_longer(max_length: int, tokens: int, what: str) -> None:
    """Refuse a sample that is longer than it may be.

    Raises:
        BadRow: it is longer than a sample may be.
    """
    if tokens > max_length:
        raise BadRow(TOO_LONG, f"{tokens} {what}")


def spelt_tokens(conversation: Conversation, encoder: Encoder) -> list[str]:
    """What to say of a conversation's tokens that the tokenizer lacks."""
    if not encoder.missing:
        return []
    there = {part for turn in conversation.turns for part in turn.parts if isinstance(part, Slot)}
    return [
        f"token {slot.value} (this tokenizer has none: it is spelt as text)"
        for slot in GROUNDING
        if slot in there & encoder.missing
    ]


def bad(split: Split, row: int, error: BadRow) -> Bad:
    """A row's mistake with its place."""
    where = split.where(row)
    return Bad(error.reason, f"{where}: {error.detail}" if error.detail else where)


def report(kind: str, bad: Iterable[Bad], checked: int, named: int = 3) -> str:
    """One line that counts bad samples by reason and names the first `named` of each.

    Args:
        kind: `training` or `eval`.
        checked: how many samples were looked at.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in bad:
        by_reason[one.reason].append(one.where)
    parts = [
        f"{len(places)} {reason} ({'; '.join(places[:named])}{'; …' if len(places) > named else ''})"
        for reason, places in by_reason.items()
    ]
    count = sum(len(places) for places in by_reason.values())
    return f"{count} of {checked} {kind} samples cannot be used: {', '.join(parts)}"
