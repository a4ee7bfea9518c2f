"""Chat data: a row's turns as a conversation, LLaVA's, ShareGPT's `conversations` or OpenAI's `messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from vlmft_core.figures import counted
from vlmft_trainer.data.conversation import (
    NO_ANSWER,
    UNSUPPORTED,
    WRONG_SCHEMA,
    BadRow,
    Conversation,
    ImageRef,
    Part,
    Role,
    Slot,
    Turn,
)
from vlmft_trainer.data.grounding import fill_in, joined
from vlmft_trainer.data.image_refs import image_ref, own_size, refuse_hidden_images, row_images, sized, unpacked
from vlmft_trainer.data.marks import MARK, marked, name_other_marks
from vlmft_trainer.data.row_keys import PART, ROLES, ROW, TURN, Keys, filled, kind, quoted, refuse_untrained

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "human": "user",
    "user": "user",
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model"), "assistant"),
}

_NAMED_BY_ROLE: Final[Mapping[str, Role]] = {
    **{name: _ROLES[name] for name in ("system", "human", "user", "assistant", "gpt")},
    "input": "user",
    "output": "assistant",
}
"""Keys of a turn without a role that hold what was said, and who said it; in the order in which it is said."""

_HOLDERS: Final = ("bytes", "base64", "image", "image_url", "path", "url")
"""Keys of a part that say where its image is."""


def read_llava(row: Mapping[str, Any]) -> Conversation:
    """`conversations`: turns, mostly with `from` and `value`; images in `image` or `images`, marked `<image>`.

    Raises:
        BadRow: it is not so.
    """
    return _read_chat(row, "conversations")


def read_messages(row: Mapping[str, Any]) -> Conversation:
    """`messages`: turns, mostly with `role` and `content`; images in `image` or `images`, or in parts of the content.

    Raises:
        BadRow: it is not so.
    """
    return _read_chat(row, "messages")


def _read_chat(row: Mapping[str, Any], column: str) -> Conversation:
    keys = Keys(ROW, row, [])
    images, inline = row_images(keys), list[ImageRef]()
    return conversation(keys, turns_of(keys.take(column), column, keys.unused, inline), images, inline)


def turns_of(value: Any, column: str, unused: list[str], inline: list[ImageRef]) -> list[Turn]:
    """The turns in a column: `role` and `content`, or `from` and `value`, whichever are there.

    A content is a text, or a list of parts: `{"type": "text", "text": …}`, `{"type": "image", "image": PATH}` or
    `{"type": "image_url", "image_url": {"url": PATH}}`. The place of an image that stands beside the turns is a part
    without a path, or `<image>` in a text. `loss` (true, false) or `weight` (1, 0) says whether an answer carries loss.

    Args:
        unused: gets the name of each key that is not used.
        inline: gets the images that parts name.

    Raises:
        BadRow: it is not so.
    """
    turns = unpacked(value)
    if not isinstance(turns, list | tuple) or not turns:
        raise BadRow(
            WRONG_SCHEMA,
            f"{column} is {kind(turns)}, not a list of turns{', nor one in JSON' if isinstance(turns, str) else ''}",
        )
    return [found for turn in turns for found in _turns(turn, column, unused, inline)]


def holds_turns(value: Any, keys: Sequence[str] = ("role", "from")) -> bool:
    """Whether a column of any name looks like one of turns, which have one of `keys` each."""
    turns = unpacked(value)
    return (
        isinstance(turns, list | tuple)
        and bool(turns)
        and all(isinstance(turn, Mapping) and any(key in turn for key in keys) for turn in turns)
    )


def _turns(turn: Any, column: str, unused: list[str], inline: list[ImageRef]) -> list[Turn]:
    """One turn; or those of an object like `{"human": …, "assistant": …}`."""
    if not isinstance(turn, Mapping) or "role" in turn or "from" in turn or _NAMED_BY_ROLE.keys().isdisjoint(turn):
        return [_turn(turn, column, unused, inline)]
    keys = Keys(TURN, turn, unused)
    said = [(name, role, keys.take(name)) for name, role in _NAMED_BY_ROLE.items()]
    said = [(name, role, content) for name, role, content in said if content is not None]
    if len({role for _, role, _ in said}) < len(said):
        raise BadRow(WRONG_SCHEMA, f"a turn has {' and '.join(name for name, _, _ in said)}: keep one of each side")
    trained = _trained(keys, "assistant")
    keys.close()
    return [
        Turn(role, _content(content, name, unused, inline), trained)
        for name, role, content in said
        if role != "system" or filled(content)
    ]


def _turn(turn: Any, column: str, unused: list[str], inline: list[ImageRef]) -> Turn:
    if not isinstance(turn, Mapping):
        needed = "from and value" if column == "conversations" else "role and content"
        raise BadRow(WRONG_SCHEMA, f"a turn is {kind(turn)}, not an object with {needed}")
    keys = Keys(TURN, turn, unused)
    who = "from" if "from" in turn and turn.get("role") is None else "role"
    said = "value" if turn.get("content") is None and ("value" in turn or who == "from") else "content"
    role, content = _role(keys.take(who), who), keys.take(said)
    trained = _trained(keys, role)
    keys.close()
    return Turn(role, _content(content, said, unused, inline), trained)


def _content(content: Any, said: str, unused: list[str], inline: list[ImageRef]) -> tuple[Part, ...]:
    """What is said in a turn, under a key named `said`."""
    if isinstance(content, str):
        return marked(content)
    if isinstance(content, list | tuple):
        return tuple(part for one in content for part in _part(one, unused, inline))
    todo = ": remove such rows, or give it a text" if content is None else ", not a text or a list of parts"
    raise BadRow(WRONG_SCHEMA, f"{said} is {kind(content)}{todo}")


def _role(said: Any, key: str) -> Role:
    name = said.lower() if isinstance(said, str) else ""
    if name in _ROLES:
        return _ROLES[name]
    if name in ROLES:
        raise BadRow(UNSUPPORTED, f"{key} is {said}: {ROLES[name]}")
    raise BadRow(WRONG_SCHEMA, f"{key} is {said if isinstance(said, str) else kind(said)!s:.40}: no known role")


def _trained(keys: Keys, role: Role) -> bool:
    """Whether a turn carries loss, were it an answer."""
    said = {key: value for key in ("loss", "weight") if (value := keys.take(key)) is not None}
    for key, value in said.items():
        if value not in (0, 1):  # False and True are among them
            raise BadRow(WRONG_SCHEMA, f"{key} is {quoted(value)}: it can be 0 or 1, true or false")
        if value and role != "assistant":
            keys.unused.append(f"{keys.named(key)} of the {role} (only answers carry loss)")
    if len(set(map(bool, said.values()))) > 1:
        raise BadRow(WRONG_SCHEMA, f"loss is {said['loss']} and weight is {said['weight']}: keep one")
    return all(said.values())


def _part(part: Any, unused: list[str], inline: list[ImageRef]) -> tuple[Part, ...]:
    """One part of a content; an image that it names goes to `inline`."""
    if not isinstance(part, Mapping):
        raise BadRow(WRONG_SCHEMA, f"a part is {kind(part)}, not an object with a type")
    keys = Keys(PART, part, unused)
    holders = [key for key in _HOLDERS if filled(part.get(key))]
    if (what := keys.take("type")) is None:  # as Qwen's own template takes it
        what = "text" if "text" in part and not holders else "image" if holders else None
    if holders and filled(part.get("text")):
        raise BadRow(WRONG_SCHEMA, f"a part has both text and {holders[0]}: make two parts of it")
    if what == "text":
        text = keys.take("text")
        if not isinstance(text, str):
            raise BadRow(WRONG_SCHEMA, f"text is {kind(text)}, not a text")
        keys.close()
        return marked(text)
    if what not in ("image", "image_url"):
        named = "a part without a type" if what is None else f"a part of type {what!s:.40}"
        raise BadRow(WRONG_SCHEMA, f"{named}: text, image and image_url can be trained on")
    image = {key: value for key in _HOLDERS if filled(value := keys.take(key))}
    size = own_size(keys)
    keys.close()
    if image:
        inline.append(sized(image_ref(next(iter(image.values())) if len(image) == 1 else image, unused), size))
    elif size:
        raise BadRow(WRONG_SCHEMA, f"{next(iter(size))} of a part without its image: put the path into the part")
    return (Slot.IMAGE,)


def conversation(row: Keys, turns: list[Turn], images: Sequence[ImageRef], inline: Sequence[ImageRef]) -> Conversation:
    """A row as a conversation, once its turns and images fit together; takes its `system` and `objects` and closes it.

    Args:
        images: those beside the turns.
        inline: those within them.

    Raises:
        BadRow: they do not.
    """
    if images and inline:
        raise BadRow(WRONG_SCHEMA, "images both in the messages and beside them")
    turns = [*_system(row.take("system"), turns), *turns]
    objects = row.take("objects")
    images = images or inline
    if not images:
        refuse_hidden_images(row)
    refuse_untrained(row.values)
    row.close()
    name_other_marks(turns, images, row.unused)
    asked = turns[1:] if turns and turns[0].role == "system" else turns
    for number, turn in enumerate(asked):
        if turn.role != ("user", "assistant")[number % 2]:
            raise BadRow(WRONG_SCHEMA, f"turn {number + 1} is the {turn.role}'s: user and assistant take turns")
    if not asked or len(asked) % 2:
        raise BadRow(WRONG_SCHEMA, "the last turn is not the assistant's")
    if any(part is Slot.IMAGE for turn in turns if turn.role != "user" for part in turn.parts):
        raise BadRow(WRONG_SCHEMA, f"an image, or the mark {MARK}, outside a user's turn")
    places = sum(part is Slot.IMAGE for turn in asked for part in turn.parts)
    if images and not places:
        # Images that no text mentions stand before the first question, where the other tasks have theirs.
        first = turns.index(asked[0])
        turns[first] = replace(asked[0], parts=(*[Slot.IMAGE] * len(images), *asked[0].parts))
    elif places != len(images):
        todo = f"mark each by {MARK}, or none" if images else f"name them in `images`, or take {MARK} out"
        raise BadRow(
            WRONG_SCHEMA, f"{counted(places, 'place')} for images, but {counted(len(images), 'image')}: {todo}"
        )
    turns = fill_in(turns, objects, len(images), row.unused)
    return _up_to_the_last_trained(turns, images, row.unused)


def _system(said: Any, turns: Sequence[Turn]) -> list[Turn]:
    """The turn that a row's `system` column makes; none where it is empty, or the turns have the same."""
    if not filled(said):
        return []
    if not isinstance(said, str):
        raise BadRow(WRONG_SCHEMA, f"system is {kind(said)}, not a text")
    turn = Turn("system", marked(said))
    if turns and turns[0].role == "system":
        if turns[0].text != said:
            raise BadRow(WRONG_SCHEMA, "a `system` column and another system turn: keep one")
        return []
    return [turn]


def _up_to_the_last_trained(turns: list[Turn], images: Sequence[ImageRef], unused: list[str]) -> Conversation:
    """A conversation without what follows the last answer that is trained on: nothing is learnt from it, and that
    answer is the one to ask for."""
    before = len(turns)
    while turns[-1].role == "assistant" and not turns[-1].trained:
        if len(turns) < 4:
            raise BadRow(NO_ANSWER, "no answer is trained on: all say loss false or weight 0")
        del turns[-2:]
        unused.append("what follows the last answer with loss")
    if len(turns) < before:
        images = images[: sum(part is Slot.IMAGE for turn in turns for part in turn.parts)]
    turns = [  # most answers are one text already
        replace(turn, parts=joined(turn.parts)) if turn.role == "assistant" and len(turn.parts) != 1 else turn
        for turn in turns
    ]
    return Conversation(tuple(turns), (turns[-1].text,), images=tuple(images), unused=tuple(dict.fromkeys(unused)))
