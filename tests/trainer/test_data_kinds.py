"""Kinds of data files: CSV, TSV, Arrow, each also gzipped; and files that are not what their name says."""

from __future__ import annotations

import csv
import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from vlmft_core.errors import DataError
from vlmft_core.plan import make_plan
from vlmft_core.plan.row_count import count_rows
from vlmft_core.preset import Data, Preset, Source
from vlmft_trainer.data import unpack
from vlmft_trainer.data.conversation import BadRow
from vlmft_trainer.data.encode import IGNORED, Encoder
from vlmft_trainer.data.run_data import open_source, prepare
from vlmft_trainer.data.sources import Split, open_split, split_names
from vlmft_trainer.programs import inspect_data
from vlmft_trainer.programs.inspect_data import find_task

ROWS: list[dict[str, Any]] = [
    {"question": "How many,\nin all?", "answer": 'two "2"', "image": ""},
    {"question": "Größe?", "answer": "  keep ", "image": ""},
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(cache / name))
    return cache


def opened(path: Path, task: str = "qa", **options: Any) -> Split:
    return open_split(Source.model_validate({"task": task, "path": str(path), **options}), "train")


def write(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    """Rows as the kind of file that the name says."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    match plain.suffix:
        case ".json":
            plain.write_text(json.dumps(rows, indent=1))
        case ".jsonl" | ".ndjson":
            plain.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        case ".csv" | ".tsv":
            with plain.open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0], delimiter="," if plain.suffix == ".csv" else "\t")
                writer.writeheader()
                writer.writerows(rows)
        case ".parquet":
            datasets.Dataset.from_list(rows).to_parquet(plain)
        case ".arrow":
            datasets.Dataset.from_list(rows).save_to_disk(path.parent / "saved")
            next((path.parent / "saved").glob("*.arrow")).rename(plain)
    if plain != path:
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    return path


KINDS = ["json", "jsonl", "ndjson", "csv", "tsv", "parquet", "arrow"]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_read_the_same_gzipped_or_not(tmp_path: Path, kind: str, packed: str) -> None:
    path = write(tmp_path / f"mine.{kind}{packed}")
    split = opened(path)
    assert [(split.conversation(row).prompt, split.conversation(row).target) for row in (0, 1)] == [
        (row["question"], row["answer"]) for row in ROWS
    ]
    assert find_task({"path": str(path)}) == {"task": "qa"}
    assert split.where(1).startswith(str(path))
    if kind in ("parquet", "arrow"):
        assert count_rows(path) == (None if packed else 2)
    else:
        line = {"json": 7, "jsonl": 2, "ndjson": 2}.get(kind, 4)
        assert split.where(1) == f"{path}, line {line}"
        assert count_rows(path) == len(split) == 2


@pytest.mark.parametrize("name", ["train.csv", "train.tsv.gz", "train.jsonl.gz"])
def test_a_folder_may_have_any_kind_of_file_for_each_split(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    write(tmp_path / name.replace("train", "val"))
    assert split_names(Source(task="qa", path=str(tmp_path))) == ["train", "val"]
    assert len(opened(tmp_path)) == 2
    write(tmp_path / "train.json")
    with pytest.raises(DataError, match=r"both train.json and train\.\w+(.gz)?: keep one"):
        opened(tmp_path)


def test_a_cell_may_hold_turns_and_images_as_json(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "x"}]
    row = {"messages": json.dumps(turns), "images": '["a.png"]'}
    conversation = opened(write(tmp_path / "mine.csv", [row]), "messages").conversation(0)
    assert (conversation.images, conversation.target) == (("a.png",), "x")


def test_an_empty_list_in_json_is_no_image_no_answer_and_no_history(tmp_path: Path) -> None:
    asked = {"question": "q", "answer": "a", "history": "[]", "images": "[]"}
    conversation = opened(write(tmp_path / "mine.csv", [asked]), "qa").conversation(0)
    assert (conversation.images, conversation.answers) == ((), ("a",))
    labelled = {"image": "a.png", "query": "q", "label": "[]"}
    assert opened(write(tmp_path / "other.csv", [labelled]), "chartqa").conversation(0).references == ()


def test_the_task_is_told_by_columns_that_are_renamed_on_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", [{"frage": "q", "antwort": "a", "photo": "a.png"}])
    columns = {"question": "frage", "answer": "antwort", "image": "photo"}
    asked = {"path": str(path), "task": None, "columns": columns}
    assert inspect_data.with_source(Data(), asked).sources == [Source(task="qa", path=str(path), columns=columns)]
    with pytest.raises(DataError, match="the columns of no task"):
        find_task(asked | {"columns": {"query": "frage"}})


def test_the_rows_of_a_parquet_file_are_counted_for_a_plan_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    turns = [{"role": "user", "content": "q", "loss": None}, {"role": "assistant", "content": "x", "loss": True}]
    columns = {f"column {number}": [number / 7] * 3000 for number in range(40)}  # more than a short list's 15
    table = datasets.Dataset.from_dict({"messages": [turns] * 3000, **columns})
    table.to_parquet(path, batch_size=500)
    plan = make_plan(Preset(data=Data(sources=[Source(task="messages", path=str(path))], max_train=None)))
    assert (plan.samples, plan.eval_samples) == (2850, 150)
    content = path.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    for broken in (content[:-1], content[:-8] + b"\xff\xff\xff\x7fPAR1", content[:-8] + b"\1\0\0\0PAR1", b"PAR1", b""):
        path.write_bytes(broken)
        assert count_rows(path) is None
    path.write_bytes(content[: -8 - length] + b"\xff" * length + content[-8:])
    assert count_rows(path) is None


def test_a_table_without_rows_is_refused_as_any_other_file(tmp_path: Path) -> None:
    table = datasets.Dataset.from_list(ROWS).select([])
    table.to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(DataError, match="split train: no rows"):
        opened(tmp_path / "mine.parquet")


def test_columns_of_other_names_are_mapped_and_missing_ones_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", [{"frage": "q", "antwort": "a", "answer": "not this", "photo": "a.png"}])
    split = opened(path, columns={"question": "frage", "answer": "antwort", "image": "photo"})
    conversation = split.conversation(0)
    assert (conversation.prompt, conversation.target, conversation.images) == ("q", "a", ("a.png",))
    assert conversation.unused == ("column answer (of the data)",)
    with pytest.raises(DataError, match=r"no column foto .*there are frage, antwort, answer, photo"):
        opened(path, columns={"image": "foto"})
    with pytest.raises(DataError, match="no column answer"):
        opened(write(tmp_path / "b.csv", [{"question": "q"}]))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"picture": "x"}, "columns: qa has no picture: there are question, answer"),
        ({"question": ""}, "needs a column of its own"),
        ({"question": "a", "answer": "a"}, "needs a column of its own"),
    ],
)
def test_a_column_map_is_strict(columns: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Source(task="qa", path="x.json", columns=columns)


def test_turns_in_a_column_of_another_name_are_found(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    path = write(tmp_path / "mine.jsonl", [{"dialog": turns}])
    told = find_task({"path": str(path)})
    assert told == {"task": "messages", "columns": {"messages": "dialog"}}
    assert opened(path, **told).conversation(0).target == "a"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"question": "q", "answer": NaN}', "line 1: not JSON: NaN is no value of JSON: write null"),
        ("a.jsonl", '{"question": "é"}'.encode("latin-1"), "line 1: not JSON: not UTF-8: byte 0xe9.*Latin-1"),
        ("a.jsonl", '{"question": "é"}'.encode("utf-16"), "line 1: not UTF-8: it looks like UTF-16"),
        ("a.jsonl", '{"question": "é"}'.encode("utf-16-le"), "line 1: not UTF-8: it looks like UTF-16"),
        ("a.jsonl", b'{\n "question": "q"\n}\n{\n "question": "q"\n}', "lines 1 to 3: an object over several lines"),
        ("a.json", b'\n{\n "question": "q"\n}', "lines 2 to 4: an object over several lines"),
        ("a.json", b'{"v": 1,\n "data": [{"question": "q"}]}', r'line 2: the rows are wrapped.*under "data" .jq'),
        ("a.json", b'{"rows": [{"question": "q", "answer": "a"}]}', 'line 1: the rows are wrapped.*under "rows"'),
        ("a.jsonl", b"{'question': 'q'}", "line 1: not JSON: single quotes"),
        ("a.jsonl", b'{"a": 1} {"b": 2}', "line 1: not JSON: something follows the object, at place 10"),
        ("a.jsonl", b'{"a": [1,', "line 1: not JSON: it does not end on its line"),
        ("a.jsonl", gzip.compress(b"{}", mtime=0), "it is gzipped .let its name end with .gz"),
        ("a.jsonl", b"PK\x03\x04", "a zip archive"),
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "a Git LFS pointer"),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "a Git LFS pointer"),
        ("a.json", b"<!DOCTYPE html>\n<html><body>404</body></html>", "it is a web page, not data"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}' * 99, mtime=0)[:-9], "not a whole gzip file"),
        ("a.jsonl.gz", b"plain", "not a whole gzip file"),
        ("a.csv", b'question,answer\n"q,a\nq,a', "behind line 1: unexpected end of data"),
        ("a.csv", b"question;answer\nq;a", "line 1: the columns seem to be separated by ;"),
        ("a.tsv", b"question,answer\nq,a", "line 1: the columns seem to be separated by commas"),
        ("a.csv", b"question,question\nq,a", "line 1: two columns are named question"),
        ("a.csv", b"question,\nq,a", "line 1: column 2 has no name"),
        ("a.csv", "größe,answer\nq,a".encode("latin-1"), "line 1: not UTF-8.*Latin-1"),
        ("a.csv", "question,answer\nq,a".encode("utf-16"), "line 1: not UTF-8: it looks like UTF-16"),
        ("a.csv", b"question,answer\n", "no rows"),
        ("a.csv", b"\xef\xbb\xbf", "no rows"),
        ("a.json", b'{"0": {"question": "q"}, "1": {"question": "q"}}', "line 1: an object of rows under keys"),
        ("a.json", b'{"question": ["a", "b"], "answer": ["c", "d"]}', "line 1: an object of columns"),
        ("a.jsonl", b'{"chosen": [{"role": "user"}], "rejected": "x"}', "chosen: pairs of answers cannot"),
        ("a.jsonl", b'{"prompt": "q", "chosen": "a"}', "columns of no task: prompt, chosen .chosen: pairs of answers"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_one_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        find_task({"path": str(tmp_path / name)})
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_web_address_is_no_data_source() -> None:
    with pytest.raises(DataError, match=r"https://example\.org/a\.jsonl: a web address: nothing is fetched from there"):
        find_task({"path": "https://example.org/a.jsonl"})


def test_rows_in_a_folder_of_pictures_are_not_passed_over(tmp_path: Path) -> None:
    """`datasets` reads the pictures there, and no rows but those of `metadata`."""
    for name in "abc":
        Image.new("RGB", (40, 40)).save(tmp_path / f"{name}.png")
    rows = [json.dumps({"file_name": f"{name}.png", "question": "q", "answer": "a"}) for name in "abc"]
    (tmp_path / "data.jsonl").write_text("\n".join(rows))
    with pytest.raises(DataError, match=r"rows in data\.jsonl: name that file as the source, or rename it to train\.j"):
        find_task({"path": str(tmp_path)})
    (tmp_path / "data.jsonl").rename(tmp_path / "metadata.jsonl")
    assert find_task({"path": str(tmp_path)})["task"] == "qa"


def test_a_broken_record_of_a_csv_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b'\xef\xbb\xbfquestion,answer\n"two\nlines",a\n\nq,a,b\n' + "é,a\n".encode("latin-1") + b"q,a\n")
    split = opened(path)
    assert [split.where(row) for row in range(4)] == [f"{path}, line {line}" for line in (2, 5, 6, 7)]
    assert (split.conversation(0).prompt, split.conversation(3).prompt) == ("two\nlines", "q")
    for row, said in ((1, "3 cells, and the file's first line names 2"), (2, "not UTF-8: byte 0xe9")):
        with pytest.raises(BadRow, match=said):
            split.conversation(row)


def test_an_unpacked_file_is_kept_until_the_packed_one_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl.gz")
    first, again = (unpack.unpacked(path) for _ in range(2))
    assert first == again
    old = time.time() - unpack.KEPT_S - 60
    os.utime(first.parent, (old, old))
    (first.parents[1] / "gone").symlink_to("away")  # as another process leaves it that cleans up, too
    write(path, ROWS[:1])
    os.utime(path, (5, 5))
    assert unpack.unpacked(path) != first
    assert not first.exists()
    assert len(opened(path)) == 1


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "a", "question": "b", "answer": "x"}\n{"question": "\\"a\\": 1", "answer": "x"}\n')
    with pytest.raises(BadRow, match="key question is there twice"):
        opened(path).conversation(0)
    assert opened(path).conversation(1).prompt == '"a": 1'


def test_classes_of_a_table_are_their_names(tmp_path: Path) -> None:
    text = datasets.Value("string")
    features = datasets.Features({"photo": text, "label": datasets.ClassLabel(names=["cat", "dog"]), "q": text})
    rows = [{"photo": "a.png", "label": 1, "q": "What?"}, {"photo": "a.png", "label": None, "q": "What?"}]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(tmp_path / "set")
    split = opened(tmp_path / "set", columns={"question": "q", "answer": "label", "image": "photo"})
    assert (split.conversation(0).target, split.conversation(0).images) == ("dog", ("a.png",))
    with pytest.raises(BadRow, match="answer is missing"):
        split.conversation(1)


def test_images_within_the_turns_of_a_table_are_files(tmp_path: Path) -> None:
    part = {"type": datasets.Value("string"), "text": datasets.Value("string"), "image": datasets.Image()}
    turn = {"role": datasets.Value("string"), "content": datasets.List(part)}
    content = [{"type": "image", "text": None, "image": {"bytes": b"png", "path": "a.png"}}]
    content.append({"type": "text", "text": "What?", "image": None})
    said = {"role": "assistant", "content": [{"type": "text", "text": "x", "image": None}]}
    features = datasets.Features({"messages": datasets.List(turn)})
    rows = [{"messages": [{"role": "user", "content": content}, said]}]
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "mine.parquet")
    conversation = opened(tmp_path / "mine.parquet", "messages").conversation(0)
    assert (conversation.images, conversation.unused, conversation.target) == ((b"png",), (), "x")


def test_a_table_of_sound_is_refused(tmp_path: Path) -> None:
    table = datasets.Dataset.from_list([{"question": "q", "clip": {"bytes": b"x", "path": None}}])
    table.cast_column("clip", datasets.Audio(decode=False)).to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(DataError, match="column clip holds Audio files, which cannot be trained on"):
        opened(tmp_path / "mine.parquet")


def test_the_only_sample_cannot_be_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "one.jsonl", ROWS[:1])
    with pytest.raises(DataError, match="line 1 is the only sample: held out for evaluation, none is left"):
        open_source(Source(task="qa", path=str(path)))
    preset = Preset(data=Data(sources=[Source(task="qa", path=str(path))], max_train=None))
    with pytest.raises(DataError, match=r"there are 0 training samples: of a source with one sample .* it is held out"):
        make_plan(preset)


@pytest.mark.parametrize("train_on", ["all", "last"])
def test_a_training_supervises_what_the_check_counts_and_notes_what_is_not_used(
    tmp_path: Path, encoder: Encoder, train_on: str
) -> None:
    said = {"role": "assistant", "content": "  long answer\n"}
    turns = [{"role": "user", "content": "q"}, said | {"loss": False}, {"role": "user", "content": "q"}, said]
    turns += [{"role": "user", "content": "q"}, said | {"weight": 1, "name": "Ann"}]
    rows = [{"id": n, "topic": n, "system": f"s{n}", "messages": turns} for n in range(4)]
    for split in ("train", "val"):
        write(tmp_path / f"{split}.jsonl", rows)
    data = Data.model_validate({"sources": [{"task": "messages", "path": str(tmp_path)}], "train_on": train_on})
    checked = inspect_data.check(data, encoder, lambda *_: None)["sources"][0]["splits"][0]
    trained = prepare(data, encoder)
    assert trained.notes[0] == "training data: column topic, key name of a turn are not used: 4 rows"
    supervised = [len(one.labels) - one.labels.count(IGNORED) for one in (trained.train[n] for n in range(4))]
    assert sum(supervised) == checked["supervised_tokens"]["sum"]
    decoded = encoder.tokenizer.decode([label for label in trained.train[0].labels if label != IGNORED])
    assert decoded == "  long answer\n<|im_end|>" * (2 if train_on == "all" else 1)
    assert checked["unused"] == ["column id, column topic, key name of a turn are not used: 4 rows"]
