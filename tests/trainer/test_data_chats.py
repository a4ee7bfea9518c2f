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
        Turn("assistant", (" two ",)),
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


def test_a_mark_without_an_image_is_refused_in_either_schema() -> None:
    for read in (llava, messages):
        with pytest.raises(BadRow, match="1 place for images, but 0 images"):
            read(("user", "What does <image> mean?"), ("assistant", "a tag"))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"conversations": None}, "conversations is missing"),
        ({"conversations": []}, "conversations is empty"),
        ({"conversations": "hello"}, "conversations is a text, not a list of turns, nor one in JSON"),
        ({"conversations": ["hello"]}, "a turn is a text"),
        ({"conversations": [None]}, "a turn is missing"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "from is robot: no known role"),
        ({"conversations": [{"from": "human", "value": 3}]}, "value is a number, not a text"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "the last turn is not the assistant's"),
        ({"conversations": [{"from": "system", "value": "x"}]}, "the last turn is not the assistant's"),
        ({"conversations": [{"from": "gpt", "value": "x"}]}, "turn 1 is the assistant's"),
        (
            {"conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "x"}]},
            "1 place for images, but 0 images",
        ),
        ({"conversations": [], "image": 7}, "an image is a number"),
    ],
)
def test_a_wrong_schema_is_named(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow, match=f"wrong schema: {reason}"):
        TASKS["llava"].read(columns)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "content is missing"),
        ([3], "a part is a number"),
        ([{"type": "video"}], "a part of type video"),
        ([{"type": "text", "text": None}], "text is missing"),
        ([{"image_id": 3}], "a part without a type"),
        ([{"type": "text", "text": "q", "image": "a.png"}], "a part has both text and image: make two parts"),
        ([{"type": "image", "text": "q", "image": "a.png"}], "a part has both text and image: make two parts"),
    ],
)
def test_a_wrong_message_is_named(content: Any, reason: str) -> None:
    with pytest.raises(BadRow, match=f"wrong schema: .*{reason}"):
        messages(("user", content), ("assistant", "x"))


def test_parts_without_a_type_are_what_they_hold() -> None:
    """So Qwen's own template takes them."""
    parts = [{"image": "a.png"}, {"text": "q"}]
    asked = messages(("user", parts), ("assistant", [{"text": "x"}]))
    assert (asked.turns[0].parts, asked.images, asked.unused) == ((Slot.IMAGE, "q"), ("a.png",), ())


def test_free_answers_are_scored_by_exact_match_after_normalisation() -> None:
    questions = [Conversation((), (gold,)) for gold in ("Two cats", "red", "no")]
    assert TASKS["llava"].score(questions, ["2 cats.", "blue", "No"]) == {"accuracy": pytest.approx(2 / 3), "n": 3}


def test_marks_in_text_parts_are_places() -> None:
    asked = [{"type": "text", "text": "Left: <image> right: <image> which?"}]
    question = messages(("user", asked), ("assistant", "left"), images=["a.png", "b.png"])
    assert question.turns[0].parts == ("Left: ", IMAGE, " right: ", IMAGE, " which?")
    inline = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "<image> which?"}]
    with pytest.raises(BadRow, match="2 places for images, but 1 image:"):
        messages(("user", inline), ("assistant", "left"))


def test_a_system_column_is_the_system_turn() -> None:
    question = llava(("human", "Hi"), ("gpt", "Ahoy"), system="You are a pirate.")
    assert question.turns[0] == Turn("system", ("You are a pirate.",))
    assert question.unused == ()
    same = llava(("system", "Be brief."), ("human", "Hi"), ("gpt", "Yo"), system="Be brief.")
    assert [turn.role for turn in same.turns] == ["system", "user", "assistant"]
    assert llava(("human", "Hi"), ("gpt", "Yo"), system="").turns[0].role == "user"
    for system, said in (("Be long.", "another system turn"), (3, "system is a number")):
        with pytest.raises(BadRow, match=said):
            llava(("system", "Be brief."), ("human", "Hi"), ("gpt", "Yo"), system=system)


def flagged(*flags: dict[str, Any]) -> Conversation:
    turns: list[dict[str, Any]] = []
    for number, flag in enumerate(flags):
        turns.append({"role": "user", "content": f"q{number}"})
        turns.append({"role": "assistant", "content": f"a{number}", **flag})
    return TASKS["messages"].read({"messages": turns})


@pytest.mark.parametrize("off", [{"loss": False}, {"weight": 0}, {"loss": 0, "weight": 0.0}])
def test_an_answer_without_loss_is_not_trained_on(off: dict[str, Any]) -> None:
    question = flagged(off, {"loss": True, "weight": 1}, {"loss": None})
    assert question.answers == ("a1", "a2")
    assert question.last_only().answers == ("a2",)
    assert question.unused == ()


def test_the_last_answer_with_loss_is_the_one_asked_for() -> None:
    question = flagged({}, {"loss": False})
    assert (question.prompt, question.target, question.references) == ("q0", "a0", ("a0",))
    assert question.unused == ("what follows the last answer with loss",)
    with pytest.raises(BadRow, match="empty answer: no answer is trained on"):
        flagged({"loss": False}, {"weight": 0})


@pytest.mark.parametrize(
    ("flag", "said"),
    [({"weight": 0.5}, "weight is 0.5"), ({"loss": "no"}, 'loss is "no"'), ({"loss": True, "weight": 0}, "keep one")],
)
def test_other_weights_and_contradictions_are_refused(flag: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRow, match=said):
        flagged(flag)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"video": "a.mp4"}, "column video: videos cannot be trained on"),
        ({"audios": ["a.wav"]}, "column audios: sound cannot"),
        ({"tools": [{"name": "f"}]}, "column tools: tool calls cannot"),
        ({"messages": [{"role": "user", "content": "<video>What?"}]}, "<video> in a text: videos"),
        ({"messages": [{"role": "tool", "content": "4"}]}, "role is tool: tool calls"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{}]}]}, "key tool_calls of a turn: tool"),
        ({"messages": [{"role": "user", "content": "x", "images": ["a.png"]}]}, "key images of a turn"),
        ({"messages": [{"role": "assistant", "content": "x", "reasoning_content": "hm"}]}, "key reasoning_content"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_what_to_do(row: dict[str, Any], said: str) -> None:
    ends = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    with pytest.raises(BadRow, match=f"not supported: {said}"):
        TASKS["messages"].read({"messages": ends, **row})


def test_empty_columns_of_that_kind_are_only_named() -> None:
    assert messages(("user", "q"), ("assistant", "a"), tools=[], videos=None).unused == (
        "column tools",
        "column videos",
    )


def test_an_answer_is_kept_as_it_is_written() -> None:
    assert messages(("user", "complete"), ("assistant", "    return x\n")).answers == ("    return x\n",)


@pytest.mark.parametrize(
    "columns",
    [
        {"image": "a.png"},
        {"images": "a.png"},
        {"images": '["a.png"]'},
        {"images": ["a.png"]},
        {"image": "a.png", "images": ["a.png"]},
        {"image": {"bytes": None, "path": "a.png"}},
        {"images": [{"url": "a.png"}]},
        {"images": [{"file_name": "a.png"}]},
        {"image": {"bytes": None, "path": None}, "images": ["a.png"]},
        {"image_path": "a.png"},
        {"file_name": "a.png", "images": []},
    ],
)
def test_images_are_found_in_their_usual_columns_and_forms(columns: dict[str, Any]) -> None:
    question = messages(("user", "<image>What?"), ("assistant", "x"), **columns)
    assert (question.images, question.unused) == (("a.png",), ())


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"photo": "a.png"}, r"column photo seems to hold an image.*columns: \{image: photo\}"),
        ({"photo": {"bytes": b"png", "path": None}}, "column photo seems to hold an image"),
        ({"image_base64": "iVBORw0KGgo" + "A/+9" * 20 + "=="}, "column image_base64 seems to hold an image"),
        ({"image": "a.png", "images": ["b.png"]}, "images in both `image` and `images`"),
        ({"image_path": "a.png", "file_name": "b.png"}, "images in both image_path and file_name"),
        ({"images": [{"width": 3}]}, "an image has width, and no path"),
        ({"images": [None]}, "an image is empty"),
        ({"image": {"path": "a.png", "url": "b.png"}}, "an image has both path and url"),
        ({"image": {"path": "a.png", "max_pixels": float("inf")}}, "max_pixels of an image is inf, not a number of"),
        ({"image": {"path": "a.png", "max_pixels": float("nan")}}, "max_pixels of an image is nan, not a number of"),
    ],
)
def test_images_are_never_passed_over(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRow, match=said):
        messages(("user", "What?"), ("assistant", "x"), **columns)


@pytest.mark.parametrize(("person", "model"), [("human", "chatgpt"), ("user", "bing"), ("human", "gpt")])
def test_sharegpt_variants_are_read(person: str, model: str) -> None:
    turns = [{"from": person, "value": "q"}, {"from": model, "value": "a"}]
    for task, column in (("llava", "conversations"), ("messages", "messages")):
        assert TASKS[task].read({column: turns}).answers == ("a",)
    assert TASKS["llava"].read({"conversations": [{"role": "user", "content": "q"}, turns[1]]}).answers == ("a",)


Q, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ({"question": "q", "answer": "a"}, "q"),
        ({"instruction": "q", "input": "", "output": "a"}, "q"),
        ({"instruction": "q", "input": "more", "output": "a"}, "q\nmore"),
        ({"query": "q", "response": "a", "history": []}, "q"),
        ({"prompt": "q", "completion": "a"}, "q"),
        ({"prompt": [Q], "completion": [A]}, "q"),
        ({"prompt": [Q], "completion": "a"}, "q"),
        ({"prompt": "q", "completion": [A]}, "q"),
        ({"query": "q", "response": "a", "history": [["q0", "a0"], ["q1", "a1"]]}, "q"),
    ],
)
def test_question_rows_are_read_in_their_usual_shapes(row: dict[str, Any], asked: str) -> None:
    question = TASKS["qa"].read(row)
    assert (question.prompt, question.target, question.unused) == (asked, "a", ())
    assert len(question.answers) == 1 + len(row.get("history") or [])


def test_answers_that_are_lists_in_json_are_texts() -> None:
    assert TASKS["qa"].read({"question": "[1, 2]?", "answer": "[3, 4]"}).target == "[3, 4]"


def test_answers_within_a_prompt_are_not_trained_on() -> None:
    question = TASKS["qa"].read({"prompt": [Q, {"role": "assistant", "content": "first"}, Q], "completion": [A]})
    assert ([turn.text for turn in question.turns], question.answers) == (["q", "first", "q", "a"], ("a",))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "q", "answer": None}, "answer is missing"),
        ({"question": "q", "answer": ["a"]}, "answer is a list"),
        ({"question": "q", "answer": "a", "history": ["q0"]}, "history is not a list of pairs"),
        ({"prompt": [Q], "completion": [A], "input": "x"}, "prompt is a list of turns"),
        ({"question": "<image> q", "answer": "a"}, "1 place for images, but 0 images"),
    ],
)
def test_a_wrong_question_row_is_named(row: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRow, match=said):
        TASKS["qa"].read(row)
