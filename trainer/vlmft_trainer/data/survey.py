"""Survey of a split, read as the trainer does: what is in it, what cannot be used and why, what is there twice."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vlmft_core.figures import counted
from vlmft_core.plan.cautions import ANSWERS, ceiling, few_questions
from vlmft_trainer.data.conversation import NO_IMAGE, BadRow, Conversation
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.grounding import undeclared
from vlmft_trainer.data.pictures import Header, read_header
from vlmft_trainer.data.prefixes import Prefix, find_groups
from vlmft_trainer.data.sample_check import Size, bad, measure, spelt_tokens
from vlmft_trainer.data.sources import Split
from vlmft_trainer.data.unused import count, lines

NAMED: Final = 10
"""Places that are named of each kind of finding; all are counted."""

ALTERED: Final = ("scaled_down", "scaled_up", "rotated", "on_white", "from_16_bit", "first_frame")
"""What is done with images, as a report counts it: scaled to `data.max_pixels` or the least number of pixels, turned or
mirrored as EXIF says, laid on white, scaled to 8 bits, only the first frame taken."""

NOTHING: Final = frozenset(("nan", "none", "null", "n/a", "<na>"))
"""What programs write in the place of a missing text."""

BARS: Final = 10
"""Bars of a histogram, at most."""


@dataclass
class Findings:
    """Something found in several places: how often, and the first places."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        self.count += 1
        if len(self.places) < NAMED:
            self.places.append(place)

    def to_dict(self) -> dict[str, Any]:
        return {"count": self.count, "places": self.places}


class Survey:
    """What is found in one split.

    Args:
        kind: `training` or `eval`.
        split: where the rows are.
        rows: which of them.
        deep: whether images are decoded that can be told without to be not cut short.
    """

    def __init__(self, kind: str, split: Split, rows: Sequence[int], *, deep: bool = False) -> None:
        self.kind = kind
        self.split = split
        self.rows = rows
        self.deep = deep
        self.bad: dict[str, Findings] = {}
        self.duplicates = Findings()
        self.undeclared_boxes = Findings()
        self.boxes = 0
        self.unused = Counter[str]()
        self.text_only = self.spaced = self.many_images = self.many_turns = self.unasked = self.nothing = 0
        self.lengths, self.image_tokens, self.supervised = array("q"), array("q"), array("q")
        self.asked: dict[bytes, int] = {}
        """The first row with each question: images and what is asked about them."""
        self.images: set[bytes] = set()
        self.few_answers: list[tuple[str, ...]] = []
        """TextVQA's answers to each question that has too few of them for a full score."""
        self.altered = Counter[str]()
        """How many different images are not trained on as they lie in their files, by what is done with them."""
        self.images_not_decoded = 0
        """How many different images were looked at from without: only where they end."""
        self._samples: dict[bytes, int] = {}
        self._headers: dict[bytes, Header] = {}
        self._prefixes: list[Prefix] = []

    def read(self, encoder: Encoder, max_length: int, progress: Callable[[int], None]) -> None:
        """Read every row.

        Args:
            max_length: longest usable sample in tokens.
            progress: told after each row how many are done.
        """
        for done, row in enumerate(self.rows, start=1):
            try:
                conversation = self.split.conversation(row)
                count(self.unused, (*conversation.unused, *spelt_tokens(conversation, encoder)))
                contents = self.split.contents(conversation)
                digests = [_digest(content) for content in contents]
                size = measure(conversation, map(self._header, digests, contents), digests, encoder, max_length)
            except BadRow as error:
                found = bad(self.split, row, error)
                self.bad.setdefault(found.reason, Findings()).add(found.where)
            else:
                self.lengths.append(size.length)
                self.image_tokens.append(size.image)
                self.supervised.append(size.supervised)
                self._prefixes.append(size.prefix)
                self._count_altered(digests, size)
                self._remember(row, conversation, digests)
            progress(done)

    @property
    def unusable(self) -> int:
        return sum(found.count for found in self.bad.values())

    def leaks_into(self, training: Survey) -> Findings:
        """This split's questions that `training` asks as well, about the same images."""
        found = Findings()
        for question, row in self.asked.items():
            if (other := training.asked.get(question)) is not None:
                found.add(f"{self.split.where(row)} = {training.split.where(other)}")
        return found

    def notes(self) -> list[str]:
        """What a person should know of the split's paths, and of the scores that it can give."""
        said = []
        if NO_IMAGE in self.bad:
            said.append(
                f"image paths start from {(self.split.images or Path()).absolute()}: name another folder with --images"
                " (in a preset: `images` of the source)"
            )
        if self.split.boxes and self.lengths and not self.boxes:
            said.append(f"boxes: {self.split.boxes} is declared, and no {self.kind} sample has a box")
        if self.nothing:
            many = counted(self.nothing, f"{self.kind} sample")
            said.append(f"{many} with an answer of nan, None, null or N/A and nothing else: it is trained on as a word")
        if self.kind == "eval" and self.lengths:
            said += [ceiling(len(self.lengths), self.few_answers), few_questions(len(self.lengths))]
        return [note for note in said if note]

    def to_dict(self) -> dict[str, Any]:
        """All of it for JSON; places at most `NAMED` each."""
        groups = find_groups(self._prefixes, range(len(self._prefixes)))
        return {
            "kind": self.kind,
            "samples": len(self.rows),
            "usable": len(self.lengths),
            "unusable": {reason: found.to_dict() for reason, found in self.bad.items()},
            "unused": lines(self.unused),
            "duplicates": self.duplicates.to_dict(),
            "boxes": self.boxes,
            "undeclared_boxes": self.undeclared_boxes.to_dict(),
            "text_only": self.text_only,
            "several_images": self.many_images,
            "several_answers": self.many_turns,
            "spaced_answers": self.spaced,
            "empty_questions": self.unasked,
            "images": len(self.images),
            "images_not_decoded": self.images_not_decoded,
            "altered_images": {what: self.altered[what] for what in ALTERED},
            "asked_images": {"questions": groups.questions, "images": groups.images, "saved_tokens": groups.saved},
            "tokens": figures(self.lengths),
            "image_tokens": figures(self.image_tokens),
            "supervised_tokens": figures(self.supervised),
            "lengths": histogram(self.lengths),
        }

    def _header(self, digest: bytes, content: bytes) -> Header:
        """An image file's header. Many questions are about one image: it is looked at once."""
        if (known := self._headers.get(digest)) is None:
            known = self._headers[digest] = read_header(content, deep=self.deep)
        return known

    def _count_altered(self, images: list[bytes], size: Size) -> None:
        for image, header, fit in zip(images, size.headers, size.fits, strict=True):
            if image not in self.images:
                done = (
                    *(fit.limited < 0, fit.limited > 0, header.turned),
                    *(header.transparent, header.deep, header.animated),
                )
                self.images_not_decoded += not header.read_whole
                self.altered.update(what for what, so in zip(ALTERED, done, strict=True) if so)

    def _remember(self, row: int, conversation: Conversation, images: list[bytes]) -> None:
        self.text_only += not images
        self.many_images += len(images) > 1
        self.many_turns += len(conversation.answers) > 1
        self.unasked += not (images or conversation.prompt.strip())
        self.boxes += len(conversation.boxes)
        if undeclared(conversation, self.split.boxes):
            self.undeclared_boxes.add(self.split.where(row))
        self.nothing += any(answer.strip().lower() in NOTHING for answer in conversation.answers)
        self.spaced += any(answer != answer.strip() for answer in conversation.answers)
        if self.split.task_name == "textvqa" and len(conversation.references) < ANSWERS:
            self.few_answers.append(conversation.references)
        self.images.update(images)
        asked = _digest(*images, *(turn.text.encode() for turn in conversation.turns if turn.role == "user"))
        whole = _digest(asked, *(turn.text.encode() for turn in conversation.turns if turn.role != "user"))
        self.asked.setdefault(asked, row)
        first = self._samples.setdefault(whole, row)
        if first != row:
            self.duplicates.add(f"{self.split.where(row)} = {self.split.where(first)}")


def figures(values: Sequence[int]) -> dict[str, int] | None:
    """Least, median, 95th percentile, most and sum; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "min": ordered[0],
        "median": ordered[last // 2],
        "p95": ordered[last * 95 // 100],
        "max": ordered[last],
        "sum": sum(ordered),
    }


def histogram(values: Sequence[int]) -> list[tuple[int, int, int]]:
    """(from, to, how many) in steps of a round width, both ends included; empty bars within are there too."""
    if not values:
        return []
    low, high = min(values), max(values)
    width = next(
        step * 10**power for power in range(12) for step in (1, 2, 5) if (high - low) < BARS * step * 10**power
    )
    first = low // width
    counts = [0] * (high // width - first + 1)
    for value in values:
        counts[value // width - first] += 1
    return [((first + bar) * width, (first + bar + 1) * width - 1, count) for bar, count in enumerate(counts)]


def _digest(*parts: bytes) -> bytes:
    """Sixteen bytes that stand for `parts` in their order."""
    mix = hashlib.blake2b(digest_size=16)
    for part in parts:
        mix.update(len(part).to_bytes(8, "big") + part)
    return mix.digest()
