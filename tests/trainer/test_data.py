"""Data sources, tasks, and what happens to samples that cannot be used."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from PIL import Image

from tests.trainer.pictures import picture
from vlmft_core.errors import DataError
from vlmft_core.preset import Data, Source
from vlmft_trainer.data.conversation import NO_IMAGE, BadRow, Conversation, ImageRef, SizedImage, one_question
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.pictures import decode, read_header
from vlmft_trainer.data.run_data import prepare
from vlmft_trainer.data.sample_check import Bad, report
from vlmft_trainer.data.samples import Samples, evenly
from vlmft_trainer.data.sources import open_split
from vlmft_trainer.data.tasks import TASKS


def row(image: bytes | None = None, label: list[str] | None = None, query: str = "How many?") -> dict[str, Any]:
    content = picture() if image is None else image
    return {"image": {"bytes": content, "path": None}, "query": query, "label": ["1"] if label is None else label}


@pytest.fixture
def chartqa(tmp_path: Path) -> Callable[[list[dict[str, Any]]], Source]:
    """Writes rows as the train and val split of a folder in ChartQA's schema."""

    def write(rows: list[dict[str, Any]]) -> Source:
        features = datasets.Features(
            {
                "image": datasets.Image(decode=False),
                "query": datasets.Value("string"),
                "label": datasets.List(datasets.Value("string")),
            }
        )
        table = datasets.Dataset.from_list(rows, features=features)
        for split in ("train", "val"):
            table.to_parquet(tmp_path / "chartqa" / "data" / f"{split}-00000-of-00001.parquet")
        return Source(task="chartqa", path=str(tmp_path / "chartqa"))

    return write


def test_chartqa_is_asked_as_lmms_eval_asks() -> None:
    question = TASKS["chartqa"].read({"image": "x", "query": "How many?", "label": ["14"], "human_or_machine": 1})
    turns = one_question("How many?\nAnswer the question with a single word.", "14")
    assert question == Conversation(turns, ("14",), "augmented", ("x",))


def test_textvqa_is_trained_on_the_commonest_answer_and_ties_go_to_the_first() -> None:
    answers = ["", "stop", "go", "go", "stop", "x", "y", "z", "u", "v"]
    question = TASKS["textvqa"].read({"image": "x", "question": "What?", "answers": answers})
    assert question.prompt == "What?\nAnswer the question using a single word or phrase."
    assert question.target == "stop"
    assert len(question.references) == 10


def test_chartqa_is_scored_overall_and_by_origin() -> None:
    questions = [Conversation((), ("10",), group) for group in ("human", "human", "augmented")]
    scores = TASKS["chartqa"].score(questions, ["10", "no", "10.4"])
    assert scores == {"relaxed_accuracy": pytest.approx(2 / 3), "augmented": 1.0, "human": 0.5, "n": 3}


def test_a_missing_folder_split_or_column_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="/no/such/folder: no such folder"):
        open_split(Source(task="chartqa", path="/no/such/folder"), "train")
    with pytest.raises(DataError, match=f"{folders['chartqa']}, split tset: .*tset"):
        open_split(Source(task="chartqa", path=str(folders["chartqa"])), "tset")
    with pytest.raises(DataError, match=r"split train: no column query, label .*there are .*question"):
        open_split(Source(task="chartqa", path=str(folders["textvqa"])), "train")
    with pytest.raises(DataError, match="split train"):
        open_split(Source(task="chartqa", path=str(tmp_path)), "train")


def test_a_file_that_cannot_be_read_is_one_line(folders: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "data" / "train-00000-of-00001.parquet"
    broken.parent.mkdir()
    broken.write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match=f"{tmp_path}, split train: ") as caught:
        open_split(Source(task="chartqa", path=str(tmp_path)), "train")
    assert "\n" not in str(caught.value)


def test_unusable_samples_are_dropped_counted_and_named(
    chartqa: Callable[[list[dict[str, Any]]], Source], encoder: Encoder
) -> None:
    jpeg = picture("JPEG", (200, 200))
    source = chartqa(
        [
            row(),
            row(image=b"not an image"),
            row(image=picture()[:-40]),
            row(image=jpeg[: len(jpeg) // 2]),
            row(label=[]),
            row(label=[" "]),
            row(query="long " * 300),
            row(image=picture(size=(300, 1))),
            row(image=jpeg),
        ]
    )
    data = prepare(Data(sources=[source], max_length=500, max_bad=1.0), encoder)
    assert [data.train.places[index] for index in range(len(data.train))] == [(0, 0), (0, 8)]
    said = data.notes[0]
    assert said.startswith("7 of 9 training samples cannot be used: ")
    for part in ("3 broken image", "2 empty answer", "1 longer than data.max_length", "1 image too narrow"):
        assert part in said
    assert f"{source.path}, split train, row 1" in said


def test_too_many_unusable_samples_stop_the_run_before_it_starts(
    chartqa: Callable[[list[dict[str, Any]]], Source], encoder: Encoder
) -> None:
    source = chartqa([row(), row(), row(image=b"broken")])
    with pytest.raises(DataError, match=r"1 of 3 training samples .* row 2.*33.3 % is over data.max_bad 30.0 %"):
        prepare(Data(sources=[source], max_bad=0.3), encoder)
    with pytest.raises(DataError, match="none of the training samples can be used"):
        prepare(Data(sources=[chartqa([row(image=b"broken")])], max_bad=1.0), encoder)


def test_a_report_names_only_the_first_few() -> None:
    bad = [Bad(NO_IMAGE, f"row {number}") for number in range(5)]
    assert report("eval", bad, 100) == "5 of 100 eval samples cannot be used: 5 no image (row 0; row 1; row 2; …)"


def test_a_picture_cut_short_is_found_without_decoding_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg = picture("JPEG", (640, 480))
    with pytest.raises(BadRow, match="broken image"):
        read_header(jpeg[: len(jpeg) // 2])
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert read_header(jpeg).size == (640, 480)


@pytest.mark.parametrize(
    ("count", "limit", "picked"), [(5, None, [0, 1, 2, 3, 4]), (10, 4, [0, 2, 5, 7]), (3, 9, [0, 1, 2])]
)
def test_picking_is_even_and_always_the_same(count: int, limit: int | None, picked: list[int]) -> None:
    assert evenly(count, limit) == picked


def test_limits_take_samples_of_every_source(sources: list[Source], encoder: Encoder) -> None:
    data = prepare(Data(sources=sources, max_train=10, max_eval=4), encoder)
    assert len(data.train) == 10
    assert [data.train.task_name(index) for index in range(10)] == ["chartqa"] * 5 + ["textvqa"] * 5
    assert len(data.eval) == 4
    assert data.notes == []


def test_an_image_that_breaks_later_is_replaced_by_the_next_and_counted(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Samples(samples.splits, samples.places, samples.encoder)
    expected = mine[1].input_ids
    seen: list[bytes] = []

    def broken_first(content: bytes) -> Any:
        seen.append(content)
        if len(seen) == 1:
            raise OSError("image file is truncated")
        return decode(content)

    monkeypatch.setattr("vlmft_trainer.data.samples.decode", broken_first)
    assert mine[0].input_ids == expected
    assert int(mine.replaced) == 1


def test_an_image_that_several_samples_of_a_micro_batch_have_is_decoded_once(
    samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = Samples(samples.splits, [(0, 0), (0, 1), (0, 0)], samples.encoder)
    alone = [twice[index] for index in range(3)]
    seen: list[bytes] = []
    monkeypatch.setattr("vlmft_trainer.data.samples.decode", lambda content: (seen.append(content), decode(content))[1])
    together = twice.__getitems__([0, 1, 2])
    assert len(seen) == 2
    for one, other in zip(alone, together, strict=True):
        assert (one.input_ids, one.labels) == (other.input_ids, other.labels)
        assert torch.equal(one.pixel_values, other.pixel_values)  # type: ignore[arg-type]
        assert torch.equal(one.image_grid_thw, other.image_grid_thw)  # type: ignore[arg-type]


def test_samples_pickle_for_data_workers_and_share_their_count(samples: Samples) -> None:
    copy = pickle.loads(pickle.dumps(samples))
    assert copy[3].input_ids == samples[3].input_ids


def test_picked_questions_are_of_one_task_and_always_the_same(samples: Samples) -> None:
    picked = samples.pick("textvqa", 4)
    assert picked.places == [(1, 0), (1, 3), (1, 6), (1, 9)]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("charts/a.png", "charts/a.png"),
        (SizedImage("a.png", max_pixels=784), "a.png"),
        (b"\x89PNG", ""),
        ("DATA:image/png;base64,iVBORw0KGgo=", ""),
        ("iVBORw0KGgo" * 200, ""),
    ],
    ids=["path", "sized", "bytes", "url", "base64"],
)
def test_an_image_is_named_by_where_it_lies_and_never_by_its_content(image: ImageRef, name: str) -> None:
    assert Conversation(one_question("?", "!"), ("!",), images=(image,)).image_name == name
    assert Conversation(one_question("?", "!", with_image=False), ("!",)).image_name == ""
