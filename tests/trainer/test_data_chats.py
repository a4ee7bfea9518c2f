"""Chat data as conversations: LLaVA's `conversations`, and `messages` as OpenAI and Qwen write them."""

from __future__ import annotations

from typing import Any

import pytest

from vlmft_trainer.data.conversation import BadRow, Conversation, Slot, Turn
from vlmft_trainer.data.tasks import TASKS

IMAGE = Slot.IMAGE


def llava(*turns: tuple[str, str], **columns: Any) -> Conversation:
    said = [{"from": who, "value": text} for who, text in turns]
    return TASKS["llava"].read({"conversations": said, **columns})


def messages(*turns: tuple[str, Any], **columns: Any) -> Conversation:
    said = [{"role": role, "content": content} for role, content in turns]
    return TASKS["messages"].read({"messages": said, **columns})


def test_llava_turns_keep_their_order_and_the_mark_becomes_the_image() -> None:
    question = llava(
        ("system", "Be brief."),
        ("human", "<image>\nHow many?"),
        ("gpt", " two "),
        ("human", "Sure?"),
        ("gpt", "Yes"),
        image="a.png",
    )
    assert question.turns == (
        Turn("system", ("Be brief.",)),
        Turn("user", (IMAGE, "How many?")),
        Turn("assistant", ("two",)),
        Turn("user", ("Sure?",)),
        Turn("assistant", ("Yes",)),
    )
    assert (question.images, question.references, question.prompt) == (("a.png",), ("Yes",), "Sure?")


def test_several_marks_take_the_images_in_their_order() -> None:
    question = llava(("human", "Is <image> like\n<image>?"), ("gpt", "no"), image=["a.png", "b.png"])
    assert question.turns[0].parts == ("Is ", IMAGE, " like", IMAGE, "?")
    assert question.images == ("a.png", "b.png")


def test_an_image_without_a_mark_stands_before_the_first_question() -> None:
    assert llava(("human", "Why?"), ("gpt", "so"), images=["a.png"]).turns[0].parts == (IMAGE, "Why?")
    assert messages(("user", "Why?"), ("assistant", "so"), images=["a.png"]).turns[0].parts == (IMAGE, "Why?")


def test_a_conversation_needs_no_image() -> None:
    question = messages(("user", "2 and 3?"), ("assistant", "5"))
    assert (question.images, question.turns[0].parts) == ((), ("2 and 3?",))


def test_message_parts_name_their_images_in_either_style() -> None:
    question = messages(
        (
            "user",
            [
                {"type": "image", "image": "a.png"},
                {"type": "image_url", "image_url": {"url": "b.png"}},
                {"type": "text", "text": "Which?"},
            ],
        ),
        ("assistant", [{"type": "text", "text": "b"}]),
    )
    assert question.images == ("a.png", "b.png")
    assert question.turns == (Turn("user", (IMAGE, IMAGE, "Which?")), Turn("assistant", ("b",)))


def test_parts_without_a_path_take_the_images_beside_the_messages() -> None:
    asked = [{"type": "image", "text": None}, {"type": "text", "text": "What?", "image": None}]
    question = messages(("user", asked), ("assistant", "x"), images=[{"bytes": b"png", "path": None}])
    assert question.images == (b"png",)
    assert question.turns[0].parts == (IMAGE, "What?")


def test_the_mark_is_plain_text_where_no_image_belongs_to_the_row() -> None:
    question = messages(("user", "What does <image> mean?"), ("assistant", "a tag"))
    assert question.turns[0].parts == ("What does <image> mean?",)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"conversations": None}, "conversations is missing"),
        ({"conversations": []}, "conversations is empty"),
        ({"conversations": "hello"}, "conversations is a str"),
        ({"conversations": ["hello"]}, "a turn is a str"),
        ({"conversations": [None]}, "a turn is missing"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "from is robot: no known role"),
        ({"conversations": [{"from": "human", "value": 3}]}, "value is a int, not a text"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "the last turn is not the assistant's"),
        ({"conversations": [{"from": "system", "value": "x"}]}, "the last turn is not the assistant's"),
        ({"conversations": [{"from": "gpt", "value": "x"}]}, "turn 1 is the assistant's"),
        (
            {"conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "x"}]},
            "1 places for images, but 0 images",
        ),
        ({"conversations": [], "image": 7}, "an image is a int"),
    ],
)
def test_a_wrong_schema_is_named(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow, match=f"wrong schema: {reason}"):
        TASKS["llava"].read(columns)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "content is missing"),
        ([3], "a part is a int"),
        ([{"type": "video"}], "a part of type video"),
        ([{"type": "text", "text": None}], "text is missing"),
    ],
)
def test_a_wrong_message_is_named(content: Any, reason: str) -> None:
    with pytest.raises(BadRow, match=f"wrong schema: .*{reason}"):
        messages(("user", content), ("assistant", "x"))


def test_free_answers_are_scored_by_exact_match_after_normalisation() -> None:
    questions = [Conversation((), (gold,)) for gold in ("Two cats", "red", "no")]
    assert TASKS["llava"].score(questions, ["2 cats.", "blue", "No"]) == {"accuracy": pytest.approx(2 / 3), "n": 3}
