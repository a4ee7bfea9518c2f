"""Fingerprint of data: a few bytes that tell whether a resumed run is trained on what it began with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from vlmft_trainer.data.conversation import Conversation, SizedImage, Slot, file_of


def sample_digest(conversation: Conversation, contents: Sequence[bytes]) -> bytes:
    """Eight bytes that stand for what is said in a sample, and for the names and sizes of its images. Their content is
    not gone through: that would take longer than the check.

    Args:
        contents: its image files.
    """
    mix = hashlib.blake2b(digest_size=8)
    mix.update(repr(replace(conversation, images=(), unused=())).encode(errors="replace"))
    for ref, content in zip(conversation.images, contents, strict=True):
        name = file if isinstance(file := file_of(ref), str) else ""
        if isinstance(ref, SizedImage):
            name += repr(replace(ref, file=""))
        mix.update(f"\0{len(name)} {name} {len(content)}".encode(errors="replace"))
    return mix.digest()


def question_digest(conversation: Conversation, contents: Sequence[bytes]) -> str:
    """Sixteen hexadecimal digits that stand for what is asked and what answers are right: the same in other folders
    and under other presets.

    Args:
        contents: its image files, which count byte for byte.
    """
    said = [
        [turn.role, *(part.value if isinstance(part, Slot) else str(part) for part in turn.parts)]
        for turn in conversation.turns[:-1]
    ]
    mix = hashlib.blake2b(json.dumps([said, conversation.references]).encode(), digest_size=8)
    for content in contents:
        mix.update(f"{len(content)} ".encode() + content)
    return mix.hexdigest()


def fingerprint(digests: Iterable[bytes]) -> str:
    """What stands for samples in their order, as 16 hexadecimal digits."""
    mix = hashlib.blake2b(digest_size=8)
    for digest in digests:
        mix.update(digest)
    return mix.hexdigest()
