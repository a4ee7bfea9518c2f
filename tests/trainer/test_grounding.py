"""Grounding: boxes are scaled with their pictures, and stand between tokens where they are declared."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from transformers import AddedToken, AutoTokenizer

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Data, Source
from vlmft_trainer.data.conversation import WRONG_BOX, WRONG_SCHEMA, BadRow
from vlmft_trainer.data.encode import GROUNDING, IGNORED, Encoder
from vlmft_trainer.data.patches import normalised
from vlmft_trainer.data.preview import preview
from vlmft_trainer.data.run_data import prepare
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.data.sources import Split, open_split
from vlmft_trainer.data.survey import Survey
from vlmft_trainer.model.load import load_encoder

SIDES = (800, 600)
"""Of the picture, which `data.max_pixels` scales down."""

MOST = 100352

Open = Callable[..., Split]


@pytest.fixture(scope="module")
def qwen() -> Encoder:
    """An encoder whose tokenizer has the tokens of boxes and names, as Qwen2.5-VL's has them."""
    tokenizer = AutoTokenizer.from_pretrained(str(DEMO_BASE))
    tokenizer.add_tokens([AddedToken(slot.value, special=True) for slot in GROUNDING], special_tokens=True)
    return Encoder(tokenizer, load_encoder(str(DEMO_BASE), MOST).image_processor)


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens rows about a picture as a split."""
    Image.new("RGB", SIDES, "white").save(tmp_path / "a.png")
    Image.new("RGB", (56, 84), "white").save(tmp_path / "b.png")

    def open_rows(*rows: dict[str, Any], **options: Any) -> Split:
        file = tmp_path / "rows.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in rows))
        return open_split(Source(task="messages", path=str(file), **options), "train")

    return open_rows


def talk(question: str, answer: str, images: tuple[str, ...] = ("a.png",), **columns: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, "images": list(images), **columns}


def read(split: Split, encoder: Encoder, row: int = 0) -> tuple[str, str]:
    """What the model reads of a sample, its image's tokens left out, and what it is trained on."""
    encoded = Samples([split], [(0, row)], encoder)[0]
    ids = [token for token in encoded.input_ids if token != encoder.image_id]
    trained = [label for label in encoded.labels if label != IGNORED]
    return encoder.tokenizer.decode(ids), encoder.tokenizer.decode(trained)


def scaled(*numbers: float, sides: tuple[int, int] = SIDES, to: tuple[int, int] = (364, 252)) -> list[int]:
    """The reference: numbers in pixels of a picture, in those of the resized one."""
    return [round(number * to[axis % 2] / sides[axis % 2]) for axis, number in enumerate(numbers)]


def test_the_picture_is_resized_as_the_processor_does_it(qwen: Encoder) -> None:
    fit = qwen.fit(*SIDES)
    assert (fit.width, fit.height, fit.limited) == (364, 252, -1)
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (*SIDES[::-1], 3), np.uint8))
    processed = qwen.image_processor(images=[noise], return_tensors="pt")
    encoded = qwen.sample("?", "!", noise)
    assert encoded.pixel_values is not None
    assert torch.equal(normalised(encoded.pixel_values, torch.float32), processed["pixel_values"])
    assert processed["image_grid_thw"].tolist() == [[1, fit.height // 14, fit.width // 14]]


def test_objects_fill_in_their_marks_between_tokens_in_pixels_of_the_resized_picture(
    qwen: Encoder, opened: Open
) -> None:
    objects = {"ref": ["the cat", "dog"], "bbox": [[100, 200, 700.5, 500], [40, 30]]}
    split = opened(talk("<image>Find <ref-object> and <ref-object>", "<bbox> and <bbox>", objects=objects))
    (x1, y1, x2, y2), (x, y) = scaled(100, 200, 700.5, 500), scaled(40, 30)
    whole, trained = read(split, qwen)
    boxes = f"<|box_start|>({x1},{y1}),({x2},{y2})<|box_end|> and <|box_start|>({x},{y})<|box_end|>"
    assert trained == f"{boxes}<|im_end|>"
    assert "Find <|object_ref_start|>the cat<|object_ref_end|> and <|object_ref_start|>dog<|object_ref_end|>" in whole
    tokens = Samples([split], [(0, 0)], qwen)[0].input_ids
    for slot in ("<|box_start|>", "<|box_end|>", "<|object_ref_start|>", "<|object_ref_end|>"):
        assert tokens.count(qwen.tokenizer.convert_tokens_to_ids(slot)) == 2


def test_as_json_boxes_are_lists_and_names_are_bare(qwen: Encoder, opened: Open) -> None:
    objects = {"ref": ["cat"], "bbox": [[0.125, 0.5, 1, 1]], "bbox_type": "norm1"}
    asked = talk("<image>Find <ref-object>", '{"bbox_2d": <bbox>}', objects=json.dumps(objects))
    whole, trained = read(opened(asked, box_style="json"), qwen)
    assert trained == f'{{"bbox_2d": {scaled(100, 300, 800, 600)}}}<|im_end|>'
    assert "Find cat<|im_end|>" in whole


def test_each_box_is_scaled_with_its_own_picture(qwen: Encoder, opened: Open) -> None:
    objects = {"bbox": [[28, 42], [400, 300]], "image_id": [1, 0]}
    split = opened(talk("<image><image>Which?", "<bbox><bbox>", ("a.png", "b.png"), objects=objects), box_style="json")
    assert read(split, qwen)[1] == f"[28, 42]{scaled(400, 300)}<|im_end|>"


@pytest.mark.parametrize(
    ("unit", "numbers"),
    [
        ("absolute", [100, 200, 700, 500]),
        ("relative_1000", [125, 333.3333, 875, 833.3333]),
        ("relative_1", [0.125, 0.333333, 0.875, 0.833333]),
        ("resized", scaled(100, 200, 700, 500)),
    ],
)
def test_declared_boxes_in_texts_are_scaled_whatever_they_count(
    unit: str, numbers: list[float], qwen: Encoder, opened: Open
) -> None:
    answer = f'[{{"bbox_2d": {numbers}, "label": "cat"}},\n {{"point_2d" : {numbers[:2]}}}]'
    expected = scaled(100, 200, 700, 500)
    split = opened(talk(f'Where in {{"bbox": [{numbers}, {numbers}], "x": []}}?', answer), boxes=unit)
    whole, trained = read(split, qwen)
    assert trained == f'[{{"bbox_2d": {expected}, "label": "cat"}},\n {{"point_2d" : {expected[:2]}}}]<|im_end|>'
    assert f'Where in {{"bbox": [{expected}, {expected}], "x": []}}?' in whole


def test_tokens_spelt_in_texts_are_tokens_only_where_boxes_are_declared(qwen: Encoder, opened: Open) -> None:
    spelt = "<|object_ref_start|>cat<|object_ref_end|><|box_start|>( 100, 200 ),(700,500)<|box_end|>"
    start = qwen.tokenizer.convert_tokens_to_ids("<|box_start|>")
    plain, told = opened(talk("Where?", spelt)), opened(talk("Where?", spelt), boxes="absolute")
    assert start not in Samples([plain], [(0, 0)], qwen)[0].input_ids
    assert read(plain, qwen)[1] == f"{spelt}<|im_end|>"
    assert start in Samples([told], [(0, 0)], qwen)[0].input_ids
    x1, y1, x2, y2 = scaled(100, 200, 700, 500)
    assert read(told, qwen)[1] == (
        f"<|object_ref_start|>cat<|object_ref_end|><|box_start|>({x1},{y1}),({x2},{y2})<|box_end|><|im_end|>"
    )
    hidden = opened(talk("Where?", f"<|im_end|>{spelt}"), boxes="absolute")
    trained = [label for label in Samples([hidden], [(0, 0)], qwen)[0].labels if label != IGNORED]
    assert trained.count(qwen.end_id) == 1


def test_a_box_in_a_turned_picture_is_one_of_the_picture_as_it_is_seen(
    qwen: Encoder, opened: Open, tmp_path: Path
) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.new("RGB", SIDES).save(tmp_path / "turned.jpg", exif=tags)
    split = opened(talk("Where?", '{"bbox_2d": [10, 700, 590, 790]}', ("turned.jpg",)), boxes="absolute")
    expected = scaled(10, 700, 590, 790, sides=(600, 800), to=(252, 364))
    assert read(split, qwen)[1] == f'{{"bbox_2d": {expected}}}<|im_end|>'


@pytest.mark.parametrize(
    ("row", "options", "reason", "said"),
    [
        (talk("Where?", "<bbox>"), {}, WRONG_SCHEMA, "<bbox> in a text, and no `objects`"),
        (talk("<ref-object>?", "a"), {}, WRONG_SCHEMA, "<ref-object> in a text, and no `objects`"),
        (
            talk("?", "<bbox>", objects={"bbox": [[1, 2], [3, 4]]}),
            {},
            WRONG_SCHEMA,
            "1 <bbox> in the texts, but 2",
        ),
        (
            talk("?", "<bbox>", objects={"ref": ["cat"], "bbox": [[1, 2]]}),
            {},
            WRONG_SCHEMA,
            "0 <ref-object> in the texts",
        ),
        (talk("?", "<bbox>", objects={"bbox": [[1, 2, 3]]}), {}, WRONG_SCHEMA, "3 numbers"),
        (talk("?", "<bbox>", objects={"bbox": [[]]}), {}, WRONG_SCHEMA, "0 numbers"),
        (talk("?", "<bbox>", objects={"bbox": [1, 2]}), {}, WRONG_SCHEMA, "objects.bbox is 1, not a list of numbers"),
        (talk("?", "<bbox>", objects={"bbox": [["1", "2"]]}), {}, WRONG_SCHEMA, "not a list of numbers"),
        (talk("?", "<bbox>", objects={"bbox": [[1, 2]], "bbox_type": "xywh"}), {}, WRONG_SCHEMA, "real or norm1"),
        (talk("?", "<bbox>", objects={"bbox": [[1, 2]], "image_id": [1]}), {}, WRONG_SCHEMA, "from 0, 1 image in all"),
        (
            talk("?", "<bbox>", objects={"bbox": [[1, 2]], "image_id": [0, 0]}),
            {},
            WRONG_SCHEMA,
            "2 in objects.image_id",
        ),
        (talk("?", "<bbox>", objects=[[1, 2]]), {}, WRONG_SCHEMA, "objects is a list"),
        (talk("?", "<bbox>", objects="x"), {}, WRONG_SCHEMA, "not JSON"),
        (talk("?", "<bbox>", (), objects={"bbox": [[1, 2]]}), {}, WRONG_SCHEMA, "from 0, 0 images in all"),
        (talk("?", "<bbox>", objects={"bbox": [[1, 2, 802, 3]]}), {}, WRONG_BOX, "image of 800x600"),
        (talk("?", "<bbox>", objects={"bbox": [[-2, 2]]}), {}, WRONG_BOX, "image of 800x600"),
        (talk("?", "<bbox>", objects={"bbox": [[9, 2, 3, 8]]}), {}, WRONG_BOX, "upper left"),
        (talk("?", '{"bbox_2d": [1, 2, 1100, 4]}'), {"boxes": "relative_1000"}, WRONG_BOX, "relative_1000"),
        (talk("?", '{"bbox_2d": [1, 2, 3, 4]}'), {"boxes": "relative_1"}, WRONG_BOX, "relative_1"),
        (talk("?", '{"bbox_2d": "left"}'), {"boxes": "absolute"}, WRONG_SCHEMA, "not a list of numbers"),
        (talk("?", '{"bbox_2d": [1, 2'), {"boxes": "absolute"}, WRONG_SCHEMA, "no list behind it"),
        (talk("?", '{"bbox_2d": [1, "b"]}'), {"boxes": "absolute"}, WRONG_SCHEMA, "not a list of numbers"),
        (talk("?", "<|box_start|>(1,2)"), {"boxes": "absolute"}, WRONG_SCHEMA, "no (x,y)"),
        (talk("?", "<|box_start|>1,2<|box_end|>"), {"boxes": "absolute"}, WRONG_SCHEMA, "no (x,y)"),
        (talk("?", "<|box_start|>(1,a)<|box_end|>"), {"boxes": "absolute"}, WRONG_SCHEMA, "not a number"),
        (talk("?", '{"bbox": [1, 2]}', ()), {"boxes": "absolute"}, WRONG_SCHEMA, "no image"),
        (talk("?", "<bbox>", objects={"bbox": [[0.1, 0.2, 0.9, 1]]}), {}, WRONG_BOX, "look like shares of the sides"),
        (talk("?", '{"bbox": [0.1, 0.2]}'), {"boxes": "relative_1000"}, WRONG_BOX, "look like shares of the sides"),
        (talk("?", "<bbox>", objects={"bbox": [[5, 6, 5, 6]]}), {}, WRONG_BOX, "both corners are the same"),
        (
            talk("?", '{"bbox": [1, 2]}', ("a.png", "b.png")),
            {"boxes": "absolute"},
            WRONG_SCHEMA,
            "2 images: use <bbox>",
        ),
    ],
)
def test_boxes_that_do_not_fit_are_refused_with_the_reason(
    row: dict[str, Any], options: dict[str, Any], reason: str, said: str, qwen: Encoder, opened: Open
) -> None:
    samples = Samples([opened(row, **options)], [(0, 0)], qwen)
    with pytest.raises(BadRow) as caught:
        samples.conversation(0)
    assert caught.value.reason == reason
    assert said in caught.value.detail


def test_a_check_counts_boxes_and_names_what_is_not_declared(encoder: Encoder, opened: Open) -> None:
    objects = {"bbox": [[1, 2], [3, 4]], "area": 3}
    split = opened(
        talk("Where?", "<bbox><bbox>", objects=objects),
        talk("Where?", '{"bbox_2d": [1, 2, 3, 4]}'),
        talk("Which?", "<|box_start|>(1,2)<|box_end|>"),
        talk("What is 'bbox'?", "a word", objects={"bbox": [[1, 2, 3, 4]], "category": [3]}),
    )
    survey = Survey("training", split, range(4))
    survey.read(encoder, 4096, lambda done: None)
    found = survey.to_dict()
    assert found["boxes"] == 2
    assert found["undeclared_boxes"]["count"] == 2
    assert found["undeclared_boxes"]["places"][0].endswith("line 2")
    assert any("column objects (no text has <bbox>" in line for line in found["unused"])
    assert any("key area of objects" in line for line in found["unused"])
    assert any("token <|box_start|> (this tokenizer has none" in line for line in found["unused"])


BOXES = [
    *("<box>[[1,2,3,4]]</box>", "<loc0012><loc0300>", '<point x="1" y="2">', "[12, 30.5, 400, 500]"),
    *("at (12, 30, 400, 500)", "pyautogui.click(x=120, y=80)", '{"box_2d": [1, 2, 3, 4]}'),
    *("[-1, 2, 3, 4]", '<points x1="1" y1="2">', "<patch_index_0044>"),
    *("<bndbox><xmin>1</xmin>", '{"x": 1, "y": 2, "width": 3}', '{"x1": 1, "y1": 2}', "click(start_box='(1,2)')"),
    *("pyautogui.moveTo(10, 20)", "<|det|>[[1, 2, 3, 4]]<|/det|>"),
]
NO_BOXES = '[{"x": 2019, "y": 34}, {"x": 2020, "y": 40}]', "from (0, 1), (2, 3) on", "[[1, 2], [3, 4]]", "press(1, 2)"


@pytest.mark.parametrize("declared", [{}, {"boxes": "absolute"}])
@pytest.mark.parametrize("text", BOXES)
def test_boxes_as_other_models_write_them_are_named_beside_an_image(
    text: str, declared: dict[str, Any], encoder: Encoder, opened: Open
) -> None:
    """Also where a source declares boxes: these are not scaled with the others."""
    others = [talk("Where?", other) for other in ("(a) 3 [of 4]", *NO_BOXES)]
    rows = talk("Where?", text), talk("Where?", text, ()), *others
    survey = Survey("training", opened(*rows, **declared), range(len(rows)))
    survey.read(encoder, 4096, lambda done: None)
    assert survey.to_dict()["undeclared_boxes"]["count"] == 1


def test_declared_boxes_are_not_named_as_undeclared(encoder: Encoder, opened: Open) -> None:
    texts = '{"bbox_2d": [[1, 2, 3, 4], [5, 6, 7, 8]]}', '{"action": "click", "coordinate": [10, 20]}'
    survey = Survey("training", opened(*(talk("Where?", text) for text in texts), boxes="absolute"), range(2))
    survey.read(encoder, 4096, lambda done: None)
    found = survey.to_dict()
    assert (found["boxes"], found["undeclared_boxes"]["count"]) == (3, 0)


def test_answers_are_scored_in_pixels_of_the_resized_picture(qwen: Encoder, opened: Open) -> None:
    split = opened(talk("Where?", "<bbox>", objects={"bbox": [[400, 300, 800, 600]]}))
    x1, y1, x2, y2 = scaled(400, 300, 800, 600)
    asked = Samples([split], [(0, 0)], qwen).conversation(0)
    assert asked.references == (f"({x1},{y1}),({x2},{y2})",)  # as it is decoded, without tokens


def test_boxes_are_drawn_on_the_picture(qwen: Encoder, opened: Open) -> None:
    split = opened(talk("Where?", "<bbox><bbox>", objects={"bbox": [[200, 150, 600, 450], [0, 0]]}))
    [image] = preview(split, 0, qwen, 4096, 80, 60)["images"]
    width, height = image["size"]
    pixels = np.frombuffer(bytes.fromhex(image["pixels"]), np.uint8).reshape(height, width, 3)
    assert image["resized"] == [364, 252]
    assert image["boxes"][0] == tuple(scaled(200, 150, 600, 450))
    assert pixels[0, 0].tolist() == pixels[30, 20].tolist() == pixels[15, 40].tolist() == [255, 0, 0]
    assert pixels[30, 40].tolist() == [255, 255, 255]


def part(**keys: Any) -> dict[str, Any]:
    content = [{"type": "image", "image": "a.png", **keys}, {"type": "text", "text": "What?"}]
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "a"}]}


@pytest.mark.parametrize(
    ("keys", "size"),
    [
        ({}, (364, 252)),
        ({"max_pixels": 50176}, (252, 168)),
        ({"max_pixels": 640000}, (812, 588)),
        ({"min_pixels": 640000}, (924, 700)),
        ({"min_pixels": 784, "max_pixels": 3136.0}, (56, 28)),
        ({"resized_height": 280, "resized_width": 430}, (420, 280)),
        ({"resized_height": 2, "resized_width": 2}, (28, 28)),
        ({"image": {"path": "a.png", "max_pixels": 50176}}, (252, 168)),
    ],
)
def test_an_image_may_have_a_size_of_its_own(
    keys: dict[str, Any], size: tuple[int, int], qwen: Encoder, opened: Open
) -> None:
    samples = Samples([opened(part(**keys))], [(0, 0)], qwen)
    encoded = samples[0]
    assert encoded.image_grid_thw is not None
    assert encoded.image_grid_thw.tolist() == [[1, size[1] // 14, size[0] // 14]]
    assert encoded.input_ids.count(qwen.image_id) == size[0] * size[1] // 784
    survey = Survey("training", samples.splits[0], [0])
    survey.read(qwen, 4096, lambda done: None)
    assert survey.to_dict()["tokens"]["max"] == encoded.length


def test_a_listed_image_may_have_a_size_of_its_own(qwen: Encoder, opened: Open) -> None:
    row = talk("<image>Where?", '{"bbox_2d": [400, 300, 800, 600]}', images=({"path": "a.png", "max_pixels": 50176},))  # type: ignore[arg-type]
    assert read(opened(row, boxes="absolute"), qwen)[1] == '{"bbox_2d": [126, 84, 252, 168]}<|im_end|>'


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"max_pixels": 0}, "not a number of pixels"),
        ({"max_pixels": "many"}, "not a number of pixels"),
        ({"min_pixels": True}, "not a number of pixels"),
        ({"min_pixels": 9000, "max_pixels": 8000}, "is over max_pixels"),
        ({"resized_height": 280}, "stand together"),
        ({"resized_height": 280, "resized_width": 280, "max_pixels": 784}, "keep one"),
        ({"image": {"path": "a.png", "max_pixels": 784}, "max_pixels": 784}, "keep one"),
        ({"image": None, "max_pixels": 784}, "put the path into the part"),
    ],
)
def test_a_size_that_cannot_be_is_refused(keys: dict[str, Any], said: str, opened: Open) -> None:
    with pytest.raises(BadRow, match=said):
        opened(part(**keys) | ({"images": ["a.png"]} if keys.get("image", 1) is None else {})).conversation(0)


def test_small_images_are_scaled_up_to_min_pixels(opened: Open) -> None:
    large = load_encoder(str(DEMO_BASE), MOST, 50176)
    fit = large.fit(56, 84)
    assert fit.width * fit.height >= 50176
    assert fit.limited == 1
    data = Data(sources=[Source(task="messages", path="x")], max_pixels=50176, min_pixels=50176)
    assert data.min_pixels == 50176
    with pytest.raises(ValidationError, match=r"data.min_pixels 60000 is over data.max_pixels 50176"):
        Data(sources=data.sources, max_pixels=50176, min_pixels=60000)


def test_training_says_which_tokens_the_base_lacks(encoder: Encoder, opened: Open, tmp_path: Path) -> None:
    rows = [
        talk(f"Where, {number}?", "<bbox>", images=(f"{number}.png",), objects={"bbox": [[1, 2]]})
        for number in range(8)
    ]
    for number in range(8):
        Image.new("RGB", (56, 56), (number, 0, 0)).save(tmp_path / f"{number}.png")
    opened(*rows)
    source = Source(task="messages", path=str(tmp_path / "rows.jsonl"), eval_share=0.3)
    assert any(
        "token <|box_start|> (this tokenizer has none" in note
        for note in prepare(Data(sources=[source]), encoder).notes
    )


def test_a_row_of_a_table_may_have_no_objects(qwen: Encoder, opened: Open) -> None:
    split = opened(
        talk("?", "a", objects=None), talk("?", "a", objects={"ref": None, "bbox": None}), talk("?", "a", objects="")
    )
    for row in range(3):
        assert read(split, qwen, row)[1] == "a<|im_end|>"


def test_bytes_of_a_picture_may_have_a_size_of_their_own(qwen: Encoder, opened: Open) -> None:
    file = io.BytesIO()
    Image.new("RGB", SIDES).save(file, "PNG")
    from vlmft_trainer.data.image_refs import image_ref

    unused: list[str] = []
    assert qwen.fit(*SIDES, image_ref({"bytes": file.getvalue(), "max_pixels": 50176}, unused)).width == 252
    assert unused == []
