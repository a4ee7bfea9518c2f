"""Data files of one's own: JSON, JSON lines, Parquet and saved tables, sound and broken."""

from __future__ import annotations

import base64
import json
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from tests.trainer.pictures import picture
from vlmft_core.errors import DataError
from vlmft_core.preset import Data, Source
from vlmft_trainer.data import rows as rows_module
from vlmft_trainer.data.encode import IGNORED, Encoder
from vlmft_trainer.data.pictures import read_header
from vlmft_trainer.data.run_data import prepare
from vlmft_trainer.data.sample_check import Bad, examine, measure
from vlmft_trainer.data.sources import Split, open_split

Write = Callable[..., Path]


def talk(answer: str = "two", **columns: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": answer}]
    return {"messages": said, **columns}


@pytest.fixture
def lines(tmp_path: Path) -> Write:
    """Writes rows, or whole lines, as a file of JSON lines beside a picture, `a.png`."""

    def write(*written: Any, name: str = "mine.jsonl") -> Path:
        (tmp_path / "a.png").write_bytes(picture())
        file = tmp_path / name
        file.write_bytes(b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in written))
        return file

    return write


def opened(path: Path, task: str = "messages", **options: Any) -> Split:
    return open_split(Source.model_validate({"task": task, "path": str(path), **options}), "train")


def found(split: Split, encoder: Encoder, max_length: int = 500) -> list[str | int]:
    """What is wrong with each row, or its length."""
    all_found = [examine(split, row, encoder, max_length) for row in range(len(split))]
    return [f"{one.where}: {one.reason}" if isinstance(one, Bad) else one.length for one in all_found]


def test_json_lines_are_read_with_images_beside_the_file(lines: Write, encoder: Encoder) -> None:
    split = opened(lines(b"\xef\xbb\xbf" + json.dumps(talk(image="a.png")).encode() + b"\r", b"", talk("five")))
    assert len(split) == 2
    assert [split.conversation(row).target for row in (0, 1)] == ["two", "five"]
    assert [image.size for image in split.sample(0)[1]] == [(56, 56)]
    assert split.where(1).endswith("mine.jsonl, line 3")
    assert all(isinstance(one, int) for one in found(split, encoder))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_list_is_read_and_its_entries_named_by_line(tmp_path: Path, indent: int | None) -> None:
    file = tmp_path / "mine.json"
    written = [talk("zwölf 12 ✓"), talk('with "quotes" \\ and ] }'), talk("x")]
    file.write_text("\n" + json.dumps(written, indent=indent, ensure_ascii=False))
    split = opened(file)
    assert [split.conversation(row).target for row in range(3)] == ["zwölf 12 ✓", 'with "quotes" \\ and ] }', "x"]
    text = file.read_text().splitlines()
    if indent is None:  # all on one line
        places = [f"{file}, line 2, row {row}" for row in (1, 2, 3)]
    else:
        places = [f"{file}, line {number}" for number, line in enumerate(text, 1) if line.startswith("  {")]
    assert [split.where(row) for row in range(3)] == places


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "the entry on line 1 is not JSON"),
        ('[\n{"a": 1},\n{"b" 2}]', "the entry on line 3 is not JSON"),
        ('[{"a": 1}\n{"b": 2}]', "line 2: neither a comma nor the end of the list"),
        ('[{"a": 1}] [', "line 1: something stands behind the list"),
        ('[{"a": 1}]\n[{"a": 2}]\n', r"line 2: something stands behind the list \(write one list of all rows"),
        ('[]\n[{"a": 2}]', "line 2: something stands behind the list"),
        ("[" * 100_000, "is not JSON"),
        ("", "no rows"),
        ("[]", "no rows"),
        (" \n\n", "no rows"),
    ],
)
def test_a_broken_json_list_is_one_line_that_names_the_place(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        opened(file)
    assert str(file) in str(caught.value)


def test_every_fault_is_counted_and_named_with_file_and_line(
    lines: Write, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "LARGEST_ROW", 4096)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    jpeg = picture("JPEG", (90, 90))
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "cut.png").write_bytes(picture()[:-40])
    (tmp_path / "none.png").write_bytes(b"")
    (tmp_path / "bomb.png").write_bytes(picture(size=(200, 101)))
    (tmp_path / "thin.png").write_bytes(picture(size=(300, 1)))
    os.mkfifo(tmp_path / "pipe.png")
    faults: Sequence[tuple[Any, str]] = [
        (talk(image="a.png"), ""),
        (b'{"messages": [', "not JSON"),
        (b"\x00\xff\xfe", "not JSON"),
        (b"[1, 2]", "wrong schema"),
        ({"conversations": []}, "wrong schema"),
        (talk(" "), "empty answer"),
        (talk("x" * 5000), "row too large"),
        (talk("word " * 700), "longer than data.max_length"),
        (talk(image="missing.png"), "no image"),
        (talk(image="."), "no image"),
        (talk(image="pipe.png"), "no image"),
        (talk(image="a\0.png"), "no image"),
        (talk(image="a" * 3000), "no image"),
        (talk(image="cut.jpg"), "broken image"),
        (talk(image="cut.png"), "broken image"),
        (talk(image="none.png"), "broken image"),
        (talk(image="mine.jsonl"), "broken image"),
        (talk(image="data:image/png;base64,%%%"), "broken image"),
        (talk(image="bomb.png"), "image of too many pixels"),
        (talk(image="thin.png"), "image too narrow"),
        (talk(image="https://example.com/a.png"), "image on the network"),
        (talk(image="\x1b]0;title\x07.png"), "no image"),
    ]
    file = lines(*(row for row, _ in faults))
    all_found = found(opened(file), encoder)
    assert isinstance(all_found[0], int)
    for number, (said, (_, reason)) in enumerate(zip(all_found[1:], faults[1:], strict=True), start=2):
        assert isinstance(said, str), reason
        assert said.startswith(f"{file}, line {number}"), said
        assert said.endswith(reason), said


def test_over_the_limit_a_run_does_not_start(lines: Write, encoder: Encoder) -> None:
    rows = [talk(str(number)) for number in range(9)]
    lines(*rows, talk(image="gone.png"), name="train.jsonl")
    source = Source(task="messages", path=str(lines(*rows, name="val.jsonl").parent))
    with pytest.raises(
        DataError, match=r"1 of 10 training samples .*train.jsonl, line 10: /.*/gone.png: no such .*max_bad"
    ):
        prepare(Data(sources=[source], max_bad=0.09), encoder)
    data = prepare(Data(sources=[source], max_bad=0.1), encoder)
    assert (len(data.train), len(data.eval), len(data.notes)) == (9, 9, 1)


def test_an_eval_image_that_only_decoding_shows_to_be_broken_is_left_out(lines: Write, encoder: Encoder) -> None:
    """While training the next sample takes its place; an answer to another question would be scored as if to this."""
    good = picture("JPEG", (300, 300))
    place = good.index(b"\xff\xc4") + 5  # no table of codes has so many
    rows = [talk(str(number), image="b.jpg") for number in range(3)]
    folder = lines(*rows, name="train.jsonl").parent
    lines(talk("4", image="b.jpg"), talk("5", image="a.png"), name="val.jsonl")
    (folder / "b.jpg").write_bytes(good[:place] + b"\xff" + good[place + 1 :])
    data = prepare(Data(sources=[Source(task="messages", path=str(folder))], max_bad=0.5), encoder)
    assert (len(data.train), len(data.eval)) == (3, 1)
    assert "1 of 2 eval samples cannot be used: 1 broken image" in data.notes[-1]


def test_special_tokens_and_escapes_in_data_train_as_plain_text(lines: Write, encoder: Encoder) -> None:
    text = "<|im_end|><|image_pad|>[bold]\x1b[31m"
    question = opened(lines(talk(text))).conversation(0)
    encoded = encoder.conversation(question.turns, [])
    assert encoder.image_id not in encoded.input_ids
    assert encoded.input_ids.count(encoder.end_id) == 3


def test_images_come_from_the_folder_named_from_anywhere_and_from_data_urls(lines: Write, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "b.png").write_bytes(picture(size=(84, 56)))
    url = "data:image/png;base64," + base64.b64encode(picture(size=(28, 28))).decode()
    images = ["b.png", str(tmp_path / "a.png"), f"file://{tmp_path / 'a.png'}", url]
    split = opened(lines(talk(images=images)), images=str(folder))
    assert [image.size for image in split.sample(0)[1]] == [(84, 56), (56, 56), (56, 56), (28, 28)]
    with pytest.raises(DataError, match="images /none: no such folder"):
        opened(tmp_path / "mine.jsonl", images="/none")


def test_a_folder_has_a_file_for_each_split(lines: Write, encoder: Encoder) -> None:
    lines(talk(), talk(), name="train.jsonl")
    file = lines(talk(image="a.png"), name="val.jsonl")
    data = prepare(Data(sources=[Source(task="messages", path=str(file.parent))]), encoder)
    assert (len(data.train), len(data.eval), data.notes) == (2, 1, [])


def test_a_file_goes_to_data_workers_without_its_rows(lines: Write) -> None:
    split = opened(lines(*[talk("x" * 500, image="a.png")] * 100))
    sent = pickle.dumps(split)
    assert len(sent) < 10_000
    assert pickle.loads(sent).sample(99)[1][0].size == (56, 56)


def test_any_task_reads_json_too(lines: Write) -> None:
    split = opened(lines({"image": "a.png", "query": "How many?", "label": 14}), task="chartqa")
    assert split.conversation(0).target == "14"


@pytest.mark.parametrize("kind", ["folder", "file", "saved", "dictionary"])
def test_tables_in_the_same_schemas_are_read(tmp_path: Path, encoder: Encoder, kind: str) -> None:
    image = {"bytes": picture(), "path": None}
    parts = [{"type": "image", "text": None}, {"type": "text", "text": "How many?"}]
    said = [{"role": "user", "content": parts}, {"role": "assistant", "content": [{"type": "text", "text": "2"}]}]
    table = datasets.Dataset.from_list([{"messages": said, "images": [image]}] * 2).cast_column(
        "images", datasets.List(datasets.Image())
    )
    path = tmp_path / "set"
    if kind == "saved":
        table.save_to_disk(path)
    elif kind == "dictionary":
        datasets.DatasetDict(train=table).save_to_disk(path)
    else:
        table.to_parquet(path / "train-00000-of-00001.parquet")
    split = opened(path / "train-00000-of-00001.parquet" if kind == "file" else path)
    question, images = split.sample(1)
    assert (question.target, images[0].size) == ("2", (56, 56))
    assert all(isinstance(one, int) for one in found(split, encoder))


def test_a_missing_file_a_wrong_kind_and_a_missing_split_are_one_line(lines: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl: no such file"):
        opened(Path("none.jsonl"))
    (tmp_path / "mine.txt").write_text("a,b\n")
    with pytest.raises(DataError, match=r"not a .json, .jsonl, .ndjson, .csv, .tsv, .parquet, .arrow file"):
        opened(tmp_path / "mine.txt")
    file = lines(talk())
    with pytest.raises(DataError, match="a single file has no split val"):
        open_split(Source(task="messages", path=str(file)), "val")
    datasets.Dataset.from_list([{"a": 1}]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"no column conversations.*there are"):
        opened(tmp_path / "t.parquet", task="llava")


@pytest.mark.parametrize("answers", [("two", " "), ("", "two"), ("\n", "")])
def test_a_conversation_with_one_empty_answer_cannot_be_trained_on(
    lines: Write, encoder: Encoder, answers: tuple[str, str]
) -> None:
    said = [message for answer in answers for message in talk(answer)["messages"]]
    file = lines({"messages": said}, talk())
    assert found(opened(file), encoder)[0] == f"{file}, line 1: empty answer"


def test_a_samples_size_counts_all_tokens_those_of_its_images_and_those_that_carry_loss(
    lines: Write, encoder: Encoder
) -> None:
    said = [*talk("two")["messages"], *talk("fourteen")["messages"]]
    split = opened(lines({"messages": said, "images": ["a.png"]}))
    conversation, pictures = split.sample(0)
    contents = split.contents(conversation)
    size = measure(conversation, map(read_header, contents), contents, encoder, 500)
    encoded = encoder.conversation(conversation.turns, pictures)
    assert size.length == encoded.length
    assert size.image == encoded.input_ids.count(encoder.image_id) == 4
    trained = [token for token, label in zip(encoded.input_ids, encoded.labels, strict=True) if label != IGNORED]
    assert encoder.tokenizer.decode(trained) == "two<|im_end|>fourteen<|im_end|>"
    assert size.supervised == len(trained)
