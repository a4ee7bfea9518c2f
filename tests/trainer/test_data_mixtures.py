"""Several sources in one training: weights, caps, and what is held out where there is no eval split."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from vlmft_core.errors import DataError
from vlmft_core.plan.row_count import count_rows
from vlmft_core.plan.sample_count import available
from vlmft_core.preset import Data, Source
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.holdout import hold_out
from vlmft_trainer.data.rows import open_json
from vlmft_trainer.data.run_data import open_source, prepare
from vlmft_trainer.data.sources import eval_split, open_split
from vlmft_trainer.demo.dataset import write


def texts(folder: Path, count: int, **options: Any) -> Source:
    """A file of `count` different questions without images."""
    file = folder / f"{count}.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"number {n}"}, {"role": "assistant", "content": "ok"}]}
        for n in range(count)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Source.model_validate({"task": "messages", "path": str(file), **options})


def test_weights_repeat_or_thin_out_evenly_and_caps_come_first(tmp_path: Path, encoder: Encoder) -> None:
    sources = [texts(tmp_path, 100, weight=2.0), texts(tmp_path, 200, weight=0.5), texts(tmp_path, 300, max_train=10)]
    data = prepare(Data(sources=sources, max_train=None, max_eval=None), encoder)
    trained = [Counter(row for split, row in data.train.places if split == number) for number in range(3)]
    assert set(trained[0].values()) == {2}
    assert [sum(one.values()) for one in trained] == [2 * 95, 95, 10]
    assert data.train.lengths is not None
    assert len(data.train.lengths) == len(data.train)


def test_a_mixture_is_the_same_every_time(tmp_path: Path, encoder: Encoder) -> None:
    def places() -> list[tuple[int, int]]:
        sources = [texts(tmp_path, 40, weight=1.5), texts(tmp_path, 60)]
        return prepare(Data(sources=sources, max_train=50), encoder).train.places

    assert places() == places()
    assert len(places()) == 50
    assert {split for split, _ in places()} == {0, 1}


def test_what_is_held_out_is_said_and_never_trained_on(tmp_path: Path, encoder: Encoder) -> None:
    source = texts(tmp_path, 100, eval_share=0.1)
    data = prepare(Data(sources=[source]), encoder)
    assert data.notes == [f"{source.path} has no eval split: 10 of its 100 samples are held out"]
    trained, held = ({row for _, row in part.places} for part in (data.train, data.eval))
    assert (len(trained), len(held), trained & held) == (90, 10, set())


def test_what_is_held_out_does_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    source = texts(tmp_path, 50)
    opened = open_source(source)
    held = {opened.train.conversation(row).prompt for row in opened.eval_rows}
    file = Path(source.path)
    file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    again = open_source(source)
    assert {again.train.conversation(row).prompt for row in again.eval_rows} == held


def test_samples_of_one_image_are_all_trained_on_or_all_held_out(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    talk = [{"from": "human", "value": "<image>\nwhat"}, {"from": "gpt", "value": "this"}]
    file.write_text(json.dumps([{"image": f"{n % 7}.png", "conversations": talk} for n in range(70)]))
    opened = open_source(Source(task="llava", path=str(file), eval_share=0.2))
    sides = [{opened.train.conversation(row).images for row in rows} for rows in (opened.train_rows, opened.eval_rows)]
    assert sides[0] & sides[1] == set()
    assert len(opened.eval_rows) == 10
    file.write_text(json.dumps([{"image": "1.png", "conversations": talk}] * 4))
    with pytest.raises(DataError, match="none can be held out"):
        open_source(Source(task="llava", path=str(file)))


def test_a_tiny_share_still_holds_one_out_and_a_large_one_leaves_one_to_train_on(tmp_path: Path) -> None:
    split = open_source(texts(tmp_path, 5)).train
    assert [len(rows) for rows in hold_out(split, 0.001)] == [4, 1]
    assert [len(rows) for rows in hold_out(split, 0.999)] == [1, 4]


def test_an_eval_split_is_found_by_its_usual_names(folders: dict[Any, Path]) -> None:
    for task, rows in (("chartqa", 48), ("textvqa", 48)):
        opened = open_source(Source.model_validate({"task": task, "path": str(folders[task])}))
        assert (len(opened.eval_rows), opened.notes) == (rows, ())


def test_a_json_file_beside_tables_does_not_hide_their_eval_split(tmp_path: Path) -> None:
    write("chartqa", tmp_path, samples=4, seed=1)
    (tmp_path / "dataset_infos.json").write_text("{}")
    assert eval_split(Source(task="chartqa", path=str(tmp_path))) == "val"


def test_the_plan_counts_weights_and_caps() -> None:
    sources = [
        Source(task="chartqa", path="demo", weight=2.0),
        Source(task="textvqa", path="demo", max_train=100, weight=0.5),
    ]
    assert available(sources, "train") == 8000 + 50
    assert available(sources, "eval") == 800
    assert available([*sources, Source(task="llava", path="mine.json")], "train") is None


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": "[]\\n"},\n {"b": 1}, {"c": {"d": []}}]\n',
        '{"a": 1}\n\n  \n{"b": "\u2028"}\r\n{"c": 3}',
        "\ufeff[1, 2, 3]",
        "[]",
        "",
    ],
)
def test_the_plan_counts_the_rows_of_local_files_as_the_training_does(tmp_path: Path, content: str) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(content, encoding="utf-8")
    assert count_rows(file) == len(open_json(file))


def test_the_plan_holds_out_as_much_as_the_training_does(tmp_path: Path) -> None:
    alone = texts(tmp_path, 100)
    training, held = hold_out(open_split(alone, "train"), alone.eval_share)
    assert (available([alone], "train"), available([alone], "eval")) == (len(training), len(held)) == (95, 5)
    texts(tmp_path, 7)
    (tmp_path / "100.jsonl").rename(tmp_path / "train.jsonl")
    (tmp_path / "7.jsonl").rename(tmp_path / "dev.jsonl")
    folder = Source(task="messages", path=str(tmp_path))
    assert (available([folder], "train"), available([folder], "eval")) == (100, 7)


def test_a_plan_does_not_guess_what_a_broken_or_missing_file_holds(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text('[{"a": 1}, ')
    for path in (tmp_path, tmp_path / "train.json", tmp_path / "none", Path("x" * 5000)):
        assert available([Source(task="messages", path=str(path))], "train") is None


def test_there_is_no_generated_chat_data() -> None:
    with pytest.raises(ValidationError, match="demo has no llava"):
        Source(task="llava", path="demo")
