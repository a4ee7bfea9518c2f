"""The shipped demo base: it opens like any Qwen2.5-VL, speaks its chat format, and can read a chart."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from demo_base.batches import Packer, loss_of, scene
from demo_base.skill import accuracy
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.demo.questions import house_chart
from vlmft_trainer.model.inputs import model_inputs

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>", "<|video_pad|>"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(AutoTokenizer.from_pretrained(DEMO_BASE), AutoImageProcessor.from_pretrained(DEMO_BASE))


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForImageTextToText.from_pretrained(DEMO_BASE).eval()


def test_the_folder_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in DEMO_BASE.rglob("*") if path.is_file()) <= 10_000_000


def test_it_is_a_qwen2_5_vl(model: Any) -> None:
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_chat_template_gives_the_ids_that_training_uses(encoder: Encoder) -> None:
    picture, question = house_chart(random.Random(0))
    content = [{"type": "image"}, {"type": "text", "text": question.text}]
    turns = [{"role": "user", "content": content}]
    built = encoder.prompt(question.text, picture).input_ids
    pads = built.count(encoder.image_id)
    assert pads == 16
    template = encoder.tokenizer.apply_chat_template
    prompt = template(turns, tokenize=False, add_generation_prompt=True)
    assert encoder.tokenizer(prompt.replace("<|image_pad|>", "<|image_pad|>" * pads))["input_ids"] == built
    turns.append({"role": "assistant", "content": question.answer})
    whole = template(turns, tokenize=False).replace("<|image_pad|>", "<|image_pad|>" * pads)
    sample = encoder.sample(question.text, question.answer, picture)
    assert encoder.tokenizer(whole.removesuffix("\n"))["input_ids"] == sample.input_ids


def test_a_special_token_spelt_in_a_question_stays_text(encoder: Encoder) -> None:
    text = " ".join(SPECIAL)
    plain = encoder.prompt("", None).input_ids
    spelt = encoder.prompt(text, None).input_ids
    for token in encoder.tokenizer.convert_tokens_to_ids(SPECIAL):
        assert spelt.count(token) == plain.count(token)
    assert text in encoder.tokenizer.decode(spelt)


def test_any_text_is_encoded_without_loss_and_digits_stand_alone(encoder: Encoder) -> None:
    text = "".join(map(chr, range(32, 127))) + "\n\té漢字🙂 1234"
    ids = encoder.tokenizer(text, split_special_tokens=True)["input_ids"]
    assert encoder.tokenizer.decode(ids) == text
    assert encoder.tokenizer.tokenize("1234") == list("1234")


def test_a_packed_question_gives_the_loss_of_the_question_alone(encoder: Encoder, model: Any) -> None:
    picture, questions = scene(random.Random(1))
    packer = Packer(encoder, model, picture)
    with torch.no_grad():
        packed = packer.pack([(picture, questions[:2])])
        # Only the second question is scored, with the first beside it.
        first_answer = packer.pack([(picture, questions[:1])])["labels"].shape[1]
        packed["labels"][:, :first_answer] = -100
        sample = encoder.sample(questions[1].text, questions[1].answer, picture)
        batch = collate([sample], pad_id=0, image_id=encoder.image_id)
        alone = model(**model_inputs(model, batch), labels=batch["labels"]).loss
        assert loss_of(model, packed).item() == pytest.approx(alone.item(), abs=1e-4)


def test_it_has_the_skill_it_was_trained_for(encoder: Encoder, model: Any) -> None:
    rng = random.Random(2024)
    right = accuracy(model, encoder, [scene(rng) for _ in range(8)])
    assert right["reading"] > 0.8
    assert right["other"] > 0.8
    assert right["sign"] > 0.9
    assert right["description"] > 0.8
