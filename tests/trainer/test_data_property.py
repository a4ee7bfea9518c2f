"""No key of a data set is dropped in silence: a random one, anywhere, is used, refused, or named as not used."""

from __future__ import annotations

import copy
import json
import random
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from vlmft_core.preset import Source
from vlmft_core.preset.data_schema import COLUMNS
from vlmft_trainer.data.conversation import BadRow
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.sources import open_split
from vlmft_trainer.data.survey import Survey
from vlmft_trainer.data.tasks import TASKS

PARTS = [{"type": "image", "image": {"path": "a.png"}}, {"type": "text", "text": "What?"}]
URL = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": "a.png"}}]
ANSWER = {"role": "assistant", "content": "x"}
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("messages", {"messages": [{"role": "user", "content": PARTS}, ANSWER]}),
    ("messages", {"messages": [{"role": "user", "content": URL}, ANSWER], "id": 3}),
    ("messages", {"messages": [{"role": "user", "content": "q"}, ANSWER], "images": [{"path": "a.png"}]}),
    ("messages", {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, ANSWER]}),
    ("llava", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "x"}]}),
    ("llava", {"conversations": [{"from": "human", "value": "<image>q"}, {"from": "gpt", "value": "x"}], "image": "a"}),
    ("chartqa", {"image": {"bytes": b"x", "path": None}, "query": "q", "label": ["x"]}),
    ("textvqa", {"image": "a.png", "question": "q", "answers": ["x"] * 10}),
    ("qa", {"question": "q", "answer": "x"}),
    ("qa", {"instruction": "q", "input": "", "output": "x", "image": "a.png"}),
    ("qa", {"query": "q", "response": "x", "history": [["q0", "x0"]]}),
    ("qa", {"prompt": [{"role": "user", "content": URL}], "completion": [ANSWER]}),
]

TEMPTING = sorted(
    {name for names in COLUMNS.values() for name in names}
    | {
        "loss",
        "weight",
        "role",
        "content",
        "from",
        "value",
        "type",
        "text",
        "url",
        "path",
        "bytes",
        "image_url",
        "base64",
    }
    | {"video", "videos", "audio", "tools", "tool_calls", "function_call", "name", "objects", "bbox", "train", "mask"}
    | {"max_pixels", "resized_height", "detail", "cache_control", "image_path", "file_name", "photo", "chosen", "split"}
    | {
        "instruction",
        "output",
        "query",
        "response",
        "prompt",
        "completion",
        "conversation",
        "label",
        "Image",
        "images ",
    }
)
VALUES: list[Any] = [None, 0, 1, 0.5, True, False, "", "word", "b.png", "<image>", [], ["b.png"], [[1]], {}, {"a": 1}]
NEUTRAL: list[Any] = [None, "", [], {}, True, 1]
"""Values of a key that is known which say no more than what holds without it."""


def holders(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a row, the row first."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from holders(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from holders(inner)


def word(rng: random.Random) -> str:
    return (
        rng.choice(TEMPTING) if rng.random() < 0.5 else "".join(rng.choices(string.ascii_letters, k=rng.randint(1, 12)))
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_random_key_anywhere_is_used_refused_or_named(seed: int) -> None:
    rng = random.Random(seed)
    tried = 0
    while tried < 200:
        task, row = rng.choice(ROWS)
        plain = replace(TASKS[task].read(row), unused=())
        changed = copy.deepcopy(row)
        holder, key, value = rng.choice(list(holders(changed))), word(rng), rng.choice(VALUES)
        if key in holder:
            continue
        tried += 1
        holder[key] = value
        try:
            found = TASKS[task].read(changed)
        except BadRow:
            continue
        within = value if isinstance(value, dict) else {}
        told = (f"column {key}", *(f"key {name} " for name in (key, *within)))
        named = any(name.startswith(told) for name in found.unused)
        used = replace(found, unused=()) != plain or (key in TEMPTING and value in NEUTRAL)
        assert named or used, (task, changed, key)


@pytest.mark.parametrize("seed", range(10))
def test_a_random_key_of_a_source_is_refused(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        key = word(rng)
        if key not in Source.model_fields:
            with pytest.raises(ValidationError):
                Source.model_validate({"task": "messages", "path": "x.json", key: rng.choice(VALUES)})


def test_a_check_names_what_is_not_used_with_its_rows(tmp_path: Path, encoder: Encoder) -> None:
    rows = [{"source": "web", "id": n, "messages": [{"role": "user", "content": f"q{n}"}, ANSWER]} for n in range(6)]
    rows[2]["messages"][0]["name"] = "Ann"
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    survey = Survey(
        "training", open_split(Source(task="messages", path=str(tmp_path / "mine.jsonl")), "train"), range(6)
    )
    survey.read(encoder, 500, lambda done: None)
    assert survey.to_dict()["unused"] == [
        "column source, column id are not used: 6 rows",
        "key name of a turn is not used: 1 row",
    ]
