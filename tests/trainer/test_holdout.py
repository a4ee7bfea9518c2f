"""Hold-out: how large the held-out share is, and which samples stay together."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vlmft_core.plan.sample_count import available
from vlmft_core.preset import Source
from vlmft_trainer.data.conversation import NOT_JSON, BadRow
from vlmft_trainer.data.holdout import hold_out
from vlmft_trainer.data.rows import open_json
from vlmft_trainer.data.sources import Split


@dataclass(frozen=True)
class Listed:
    """Rows in memory."""

    rows: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        return self.rows[row]

    def where(self, row: int) -> str:
        return f"row {row}"


def texts(*questions: str) -> list[dict[str, Any]]:
    said = [[{"role": "user", "content": one}, {"role": "assistant", "content": "ok"}] for one in questions]
    return [{"messages": turns} for turns in said]


def images(names: str) -> Split:
    """A row for each letter, which names its image."""
    talk = [{"from": "human", "value": "<image>what"}, {"from": "gpt", "value": "this"}]
    return Split("llava", Listed([{"image": name, "conversations": talk} for name in names]))


def held(names: str, share: float) -> Counter[str]:
    """The images of the held-out rows."""
    training, out = hold_out(images(names), share)
    assert sorted([*training, *out]) == list(range(len(names)))
    return Counter(names[row] for row in out)


@pytest.mark.parametrize(("rows", "wanted"), [(15, 2), (25, 2), (35, 4), (14, 1), (16, 2)])
def test_half_a_row_is_rounded_as_the_plan_rounds_it(tmp_path: Path, rows: int, wanted: int) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in texts(*map(str, range(rows)))))
    source = Source(task="messages", path=str(file), eval_share=0.1)
    training, out = hold_out(Split("messages", open_json(file)), 0.1)
    assert len(out) == wanted == available([source], "eval")
    assert len(training) == rows - wanted == available([source], "train")


def test_of_two_images_one_is_held_out() -> None:
    assert held("ab", 0.5) in (Counter("a"), Counter("b"))
    assert held("aaabbb", 0.5) in (Counter("aaa"), Counter("bbb"))


@pytest.mark.parametrize("large", "xyz")
def test_where_every_image_has_too_many_samples_the_smallest_goes(large: str) -> None:
    assert held(large * 10 + "s" * 6, 0.1) == Counter("s" * 6)  # two of 16 rows were wanted


def test_an_image_with_at_most_twice_the_wanted_samples_may_be_held_out_whole() -> None:
    """Two of 21 rows are wanted; by their names an image of three samples has its turn before the one of a single."""
    assert held("aaabbbccc" + "l" * 11 + "s", 2 / 21).total() == 3


@pytest.mark.parametrize("large", ["ab", "cd", "ef", "gh", "ij"])
def test_an_image_with_more_than_twice_the_wanted_samples_is_trained_on(large: str) -> None:
    out = held(large[0] * 5 + large[1] * 5 + "12345", 2 / 15)
    assert out.total() == 2
    assert not out.keys() & set(large)


def test_rows_that_cannot_be_read_are_each_on_one_side_and_always_the_same(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"mine\xff.jsonl")  # a name that is no UTF-8
    file.write_text("{broken\n" * 20)
    split = Split("messages", open_json(file))
    with pytest.raises(BadRow, match=NOT_JSON):
        split.conversation(0)
    training, out = hold_out(split, 0.25)
    assert (len(training), len(out)) == (15, 5)
    assert hold_out(split, 0.25) == (training, out)


def test_a_text_with_half_a_surrogate_pair_is_a_text_like_others() -> None:
    split = Split("messages", Listed(texts("\ud800", "\udfff and more", "plain", "fine")))
    assert [len(rows) for rows in hold_out(split, 0.25)] == [3, 1]
