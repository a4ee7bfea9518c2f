"""Hold-out: a share of a split for evaluation, always the same samples, and no image on both sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Final

from vlmft_core.errors import DataError
from vlmft_trainer.data.conversation import BadRow, file_of
from vlmft_trainer.data.sources import Split
from vlmft_trainer.distributed import ranks

_MEND: Final = "add samples, or name a folder with train.jsonl and val.jsonl as the source"


def hold_out(split: Split, share: float) -> tuple[list[int], list[int]]:
    """Rows to train on and rows to evaluate on. Every rank calls it; each reads its share of the rows.

    Samples about the same images stay together. Which are held out follows from their content alone: it is the same
    for every seed and does not change with the order of the rows. A group larger than twice the share is trained on.

    Args:
        share: of the rows, above 0 and below 1. One row at least is held out.

    Raises:
        DataError: all samples are about the same images.
    """
    count = len(split)
    mine = {row: _group(split, row) for row in range(ranks.rank(), count, ranks.world_size())}
    groups = ranks.gather_entries(mine)
    sizes = Counter(groups.values())
    if count == 1:
        raise DataError(
            f"{split.where(0)} is the only sample: held out for evaluation, none is left to train on", _MEND
        )
    if len(sizes) < 2:
        raise DataError(
            f"{split.where(0)} and all other samples have the same images, or ask the same: none can be held out", _MEND
        )
    wanted = max(1, round(share * count))
    held: set[bytes] = set()
    taken = 0
    for group in sorted(sizes)[:-1]:
        if sizes[group] <= 2 * (wanted - taken):  # comes nearer to what is wanted
            held.add(group)
            taken += sizes[group]
    if not held:
        held.add(min(sizes, key=lambda group: (sizes[group], group)))
    training = [row for row in range(count) if groups[row] not in held]
    return training, [row for row in range(count) if groups[row] in held]


def _group(split: Split, row: int) -> bytes:
    """What a sample has in common with those that must stay on its side: its images, else what is asked."""
    try:
        conversation = split.conversation(row)
    except BadRow:
        return hashlib.blake2b(split.where(row).encode(errors="replace"), digest_size=8).digest()
    # Image references are paths or whole files: either tells images apart.
    about = tuple(map(file_of, conversation.images)) or tuple(
        turn.text for turn in conversation.turns if turn.role == "user"
    )
    mix = hashlib.blake2b(digest_size=8)
    for part in about:
        mix.update(hashlib.blake2b(part.encode(errors="replace") if isinstance(part, str) else part).digest())
    return mix.digest()
