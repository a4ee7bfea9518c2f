"""Shapes and marks of other programs in rows: read where they are plain, else refused or named, never read as something
else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from vlmft_trainer.data.conversation import BadRow, Slot, Turn
from vlmft_trainer.data.tasks import TASKS
from vlmft_trainer.programs.inspect_data import find_task

Q, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def read(row: dict[str, Any]) -> Any:
    task = next(name for name in ("llava", "messages", "qa") if not TASKS[name].lacks(row))
    return TASKS[task].read(row)


@pytest.mark.parametrize(
    "turns",
    [
        [{"human": "q", "assistant": "a"}],
        [{"assistant": "a", "human": "q"}],
        [{"user": "q", "gpt": "a"}],
        [{"input": "q", "output": "a"}],
        [{"human": "q"}, {"assistant": "a"}],
        [{"human": "q", "assistant": None}, {"human": None, "assistant": "a"}],
        [{"system": "", "human": "q", "assistant": "a"}],
    ],
)
@pytest.mark.parametrize("column", ["conversations", "messages"])
def test_turns_that_are_named_by_who_says_them_are_read(turns: list[dict[str, Any]], column: str) -> None:
    said = read({column: turns})
    assert (said.turns, said.unused) == ((Turn("user", ("q",)), Turn("assistant", ("a",))), ())


def test_pairs_keep_their_system_images_and_loss_and_name_what_else_they_have() -> None:
    first = {"system": "s", "human": "<image>q0", "assistant": "a0", "loss": False, "id": 3}
    said = read({"conversations": [first, {"human": "q", "assistant": "a"}], "image": "a.png"})
    assert said.turns == (
        Turn("system", ("s",), trained=False),
        Turn("user", (Slot.IMAGE, "q0"), trained=False),
        Turn("assistant", ("a0",), trained=False),
        Turn("user", ("q",)),
        Turn("assistant", ("a",)),
    )
    assert (said.answers, said.images, said.unused) == (("a",), ("a.png",), ("key id of a turn",))


def test_two_of_one_side_in_a_pair_are_refused() -> None:
    with pytest.raises(BadRow, match="a turn has human and assistant and gpt: keep one of each side"):
        read({"conversations": [{"human": "q", "assistant": "a", "gpt": "b"}]})


def test_pairs_in_a_column_of_another_name_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text((json.dumps({"dialog": [{"human": "q", "assistant": "a"}]}) + "\n") * 2)
    found = find_task({"path": str(tmp_path / "a.jsonl")})
    assert found == {"task": "messages", "columns": {"messages": "dialog"}}
    (tmp_path / "b.jsonl").write_text((json.dumps({"conversation": [{"input": "q", "output": "a"}]}) + "\n") * 2)
    found = find_task({"path": str(tmp_path / "b.jsonl")})
    assert found == {"task": "messages", "columns": {"messages": "conversation"}}


@pytest.mark.parametrize("row", [{"instruction": "q", "response": "a"}, {"prompt": "q", "response": "a"}])
def test_question_and_answer_of_common_sets_are_read(row: dict[str, Any]) -> None:
    assert (read(row).prompt, read(row).target) == ("q", "a")


@pytest.mark.parametrize(("user", "model"), [("Human", "GPT"), ("USER", "Assistant")])
def test_roles_may_be_written_in_capitals(user: str, model: str) -> None:
    said = read({"conversations": [{"from": user, "value": "q"}, {"from": model, "value": "a"}]})
    assert [turn.role for turn in said.turns] == ["user", "assistant"]
    with pytest.raises(BadRow, match="from is Tool: tool calls cannot be trained on"):
        read({"conversations": [{"from": "Tool", "value": "q"}, {"from": model, "value": "a"}]})


MARKS = [
    *("<img>a.png</img>", "<image_1>", "<|image_1|>", "<Image>", "<image 2>", "<IMG_CONTEXT>", "<image_placeholder>"),
    "[IMG]",
]


@pytest.mark.parametrize("mark", MARKS)
def test_another_programs_place_of_an_image_is_refused_without_one_and_named_beside_one(mark: str) -> None:
    row = {"messages": [{"role": "user", "content": f"{mark}\nq"}, A]}
    named = mark.replace("a.png", "…")
    with pytest.raises(BadRow) as refused:
        read(row)
    assert str(refused.value).startswith(f"no image: {mark} in a text, and no image beside it: name it in `images`")
    assert read(row | {"images": ["a.png"]}).unused == (f"mark {named} in a text (it is read as letters)",)
    chart = TASKS["chartqa"].read({"image": "a.png", "query": f"{mark} q", "label": ["x"]})
    assert chart.unused == (f"mark {named} in a text (it is read as letters)",)


def test_tokens_of_a_template_in_a_text_are_letters_and_named() -> None:
    row = {"question": "<|im_start|>user\n<|image_pad|>q<|im_end|>", "answer": "a<|endoftext|>"}
    assert [name.split()[1] for name in read(row).unused] == [
        *("<|im_start|>", "<|image_pad|>", "<|im_end|>", "<|endoftext|>")
    ]


@pytest.mark.parametrize(
    "token", ["<|eot_id|>", "<|user|>", "<end_of_turn>", "[/INST]", "<<SYS>>", "</s>", "<|start_header_id|>"]
)
def test_tokens_of_other_models_templates_are_named_wherever_they_stand(token: str) -> None:
    said = read({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": f"a{token}"}]})
    assert said.unused == (f"mark {token} in a text (it is read as letters)",)
    assert said.target == f"a{token}"


MAYBE = {
    '<img src="a.png">': "<img …>",
    "![a](b/a.png)": "![…](…)",
    "![](b.png)": "![…](…)",
    **{mark: mark for mark in ("{image}", "[image]", "<region>")},
}


@pytest.mark.parametrize("mark", MAYBE)
def test_what_may_be_the_place_of_an_image_is_named_in_a_question_and_is_text_in_an_answer(mark: str) -> None:
    """Such marks are named by their kind: what stands in them is another text in each row."""
    said = read({"question": f"{mark} q", "answer": "a"})
    assert said.unused == (f"mark {MAYBE[mark]} in a text (it is read as letters)",)
    assert f"{mark} q" in said.prompt
    assert read({"question": "q", "answer": f"{mark} a"}).unused == ()


def test_a_link_to_a_picture_in_a_forums_marks_is_text() -> None:
    """Only Pixtral's `[IMG]` in capitals is the place of an image."""
    said = read({"messages": [{"role": "user", "content": "[img]http://a.b/c.png[/img] q"}, A]})
    assert said.unused == ()


@pytest.mark.parametrize(
    ("mark", "said"),
    [("<VIDEO>", "videos"), ("<|video_pad|>", "videos"), ("<video_1>", "videos"), ("<|AUDIO|>", "sound")],
)
def test_another_programs_place_of_a_video_or_of_sound_is_refused(mark: str, said: str) -> None:
    with pytest.raises(BadRow, match=f"not supported: {re.escape(mark)} in a text: {said} cannot be trained on"):
        read({"question": f"{mark} q", "answer": "a"})


@pytest.mark.parametrize(
    "text", ["a < b", "the <img> tag", "<imagery>", "x <image1 y", "a[image_1]", "f(x) <= {images}"]
)
def test_what_only_looks_like_a_mark_is_text(text: str) -> None:
    assert read({"question": text, "answer": "a"}).unused == ()


@pytest.mark.parametrize("empty", [None, [], "", "[]", "{}"])
def test_empty_tools_are_no_tools(empty: Any) -> None:
    assert read({"messages": [Q, A], "tools": empty}).unused == ("column tools",)


def test_an_answer_that_is_marked_as_a_bad_one_is_refused() -> None:
    with pytest.raises(BadRow, match="column label is false: pairs of answers cannot be trained on"):
        read({"prompt": "q", "completion": "a", "label": False})
    assert read({"prompt": "q", "completion": "a", "label": True}).unused == ("column label",)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("kto_tag", False, "column kto_tag is false: pairs of answers"),
        ("kto_tag", "false", "column kto_tag is false: pairs of answers"),
        ("loss", False, "column loss is false: remove such rows"),
        ("loss", 0, "column loss is 0: remove such rows"),
        ("weight", 0, "column weight is 0: remove such rows"),
        ("mask_history", True, "column mask_history: data.train_on: last"),
    ],
)
def test_a_row_that_says_it_is_not_to_be_learnt_is_refused(column: str, value: object, said: str) -> None:
    for row in ({"messages": [Q, A]}, {"question": "q", "answer": "a"}):
        with pytest.raises(BadRow, match=f"not supported: {said}"):
            read(row | {column: value})
        assert read(row | {column: True if column != "mask_history" else None}).unused == (f"column {column}",)


@pytest.mark.parametrize("key", ["mask", "loss_mask", "loss_scale"])
def test_other_words_for_loss_are_refused(key: str) -> None:
    with pytest.raises(BadRow, match=f"key {key} of a turn: whether an answer is trained on is said by `loss`"):
        read({"messages": [Q, {**A, key: 0.5}]})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"messages": [Q, {**A, "loss": "true"}]}, 'loss is "true": it can be 0 or 1'),
        ({"messages": [Q, {**A, "loss": []}]}, r"loss is \[\]"),
        ({"question": "q", "answer": True}, "answer is true, not a text"),
        ({"question": "q", "answer": 0}, ""),
        ({"question": "q", "answer": float("nan")}, "answer is missing"),
        ({"messages": [Q, {**A, "content": {"a": 1}}]}, "content is an object, not a text or a list"),
        ({"messages": "hello"}, "messages is a text, not a list of turns, nor one in JSON"),
    ],
)
def test_a_message_says_what_a_value_is(row: dict[str, Any], said: str) -> None:
    if said:
        with pytest.raises(BadRow, match=said):
            read(row)
    else:
        assert read(row).target == "0"
