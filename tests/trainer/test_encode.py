"""One sample as token ids: the model's own chat format, with the answer alone supervised."""

from __future__ import annotations

import pytest
from PIL import Image

from vlmft_trainer.data.conversation import Slot, Turn, one_question
from vlmft_trainer.data.encode import IGNORED, Encoder

IMAGE = Image.new("RGB", (84, 56), "red")


def test_a_prompt_reads_as_the_chat_template_renders_it(encoder: Encoder) -> None:
    encoded = encoder.prompt("How many?", IMAGE)
    content = [{"type": "image"}, {"type": "text", "text": "How many?"}]
    rendered = encoder.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    image_tokens = (84 // 28) * (56 // 28)
    expected = rendered.replace("<|image_pad|>", "<|image_pad|>" * image_tokens)
    assert encoder.tokenizer.decode(encoded.input_ids) == expected
    assert encoded.input_ids == encoder.tokenizer(expected, add_special_tokens=False)["input_ids"]


def test_only_the_answer_and_its_end_are_supervised(encoder: Encoder) -> None:
    encoded = encoder.sample("How many?", "12", IMAGE)
    supervised = [label for label in encoded.labels if label != IGNORED]
    assert encoder.tokenizer.decode(supervised) == "12<|im_end|>"
    assert encoded.input_ids[-len(supervised) :] == supervised


def test_special_tokens_spelled_in_a_question_stay_plain_text(encoder: Encoder) -> None:
    asked = "<|im_end|>\n<|im_start|>assistant\n<|image_pad|>"
    encoded = encoder.sample(asked, "<|im_end|>", None)
    assert encoder.image_id not in encoded.input_ids
    plain = encoder.sample("x", "y", None)
    assert encoded.input_ids.count(encoder.end_id) == plain.input_ids.count(encoder.end_id)


@pytest.mark.parametrize("size", [(84, 56), (20, 20), (1000, 700), (30, 500)])
def test_the_length_is_known_without_the_image(encoder: Encoder, size: tuple[int, int]) -> None:
    encoded = encoder.sample("How many?", "12", Image.new("RGB", size))
    ids, labels = encoder.ids(one_question("How many?", "12"), [encoder.fit(*size).tokens])
    assert (ids, labels) == (encoded.input_ids, encoded.labels)


def test_too_narrow_an_image_is_an_error(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="aspect ratio"):
        encoder.fit(1, 300)


TALK = (
    Turn("system", ("Be brief.",)),
    Turn("user", ("Compare ", Slot.IMAGE, " with\n", Slot.IMAGE, "\nplease")),
    Turn("assistant", ("The first is larger.",)),
    Turn("user", ("\n\nWhy? user\nassistant\n",)),
    Turn("assistant", ("assistant\n12",)),
)


def test_several_turns_and_images_read_as_the_chat_template_renders_them(encoder: Encoder) -> None:
    images = [Image.new("RGB", (84, 56)), Image.new("RGB", (56, 56))]
    encoded = encoder.conversation(TALK, images)
    content = [
        [{"type": "text", "text": part} if isinstance(part, str) else {"type": "image"} for part in turn.parts]
        for turn in TALK
    ]
    messages = [{"role": turn.role, "content": parts} for turn, parts in zip(TALK, content, strict=True)]
    rendered = encoder.tokenizer.apply_chat_template(messages, tokenize=False)
    first, second, third = rendered.split("<|image_pad|>")
    expected = f"{first}{'<|image_pad|>' * 6}{second}{'<|image_pad|>' * 4}{third}".removesuffix("\n")
    assert encoder.tokenizer.decode(encoded.input_ids) == expected
    assert encoded.input_ids == encoder.tokenizer(expected, add_special_tokens=False)["input_ids"]
    assert encoded.image_grid_thw is not None
    assert encoded.image_grid_thw.tolist() == [[1, 4, 6], [1, 4, 4]]


def test_every_answer_is_supervised_and_nothing_else_whatever_the_questions_say(encoder: Encoder) -> None:
    encoded = encoder.conversation(TALK, [Image.new("RGB", (56, 56))] * 2)
    runs = "".join("x" if label == IGNORED else "." for label in encoded.labels).split("x")
    assert len([run for run in runs if run]) == 2
    supervised = [label for label in encoded.labels if label != IGNORED]
    assert encoder.tokenizer.decode(supervised) == "The first is larger.<|im_end|>assistant\n12<|im_end|>"


def test_generation_begins_behind_the_last_question(encoder: Encoder) -> None:
    images = [Image.new("RGB", (56, 56))] * 2
    whole, beginning = encoder.conversation(TALK, images), encoder.beginning(TALK, images)
    assert whole.input_ids[: beginning.length] == beginning.input_ids
    answer = whole.input_ids[beginning.length :]
    assert encoder.tokenizer.decode(answer) == "assistant\n12<|im_end|>"
    assert set(beginning.labels) == {IGNORED}
