"""Question rows: a question and its answer in columns, as Alpaca, ms-swift (`query`) and TRL (`prompt`) name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from vlmft_trainer.data.chats import conversation, holds_turns, turns_of
from vlmft_trainer.data.conversation import WRONG_SCHEMA, BadRow, Conversation, ImageRef, Role, Turn
from vlmft_trainer.data.image_refs import row_images, unpacked
from vlmft_trainer.data.marks import marked
from vlmft_trainer.data.row_keys import ROW, Keys, as_text, filled

SHAPES: Final = (
    *(("question", "answer"), ("instruction", "output"), ("query", "response"), ("prompt", "completion")),
    *(("instruction", "response"), ("prompt", "response")),
)
"""Columns of question and answer; the first pair that a row has is meant."""


def read_question(row: Mapping[str, Any]) -> Conversation:
    """A row of `SHAPES`, with `input` (more of the question), `history` (earlier questions and answers), `system` and
    images where there are any. Question or answer may also be lists of turns: of the first, no answer is trained on.

    Raises:
        BadRow: it is not so.
    """
    keys = Keys(ROW, row, [])
    images, inline = row_images(keys), list[ImageRef]()
    asking, answering = next(shape for shape in SHAPES if all(column in row for column in shape))
    asked, answer = keys.take(asking), keys.take(answering)
    more, history = keys.take("input"), keys.take("history")
    if _is_turns(asked) or _is_turns(answer):
        before = turns_of(asked, asking, keys.unused, inline) if _is_turns(asked) else [_said("user", asked, asking)]
        turns = [*(replace(turn, trained=False) for turn in before)]
        turns += (
            turns_of(answer, answering, keys.unused, inline)
            if _is_turns(answer)
            else [_said("assistant", answer, answering)]
        )
        if filled(more) or filled(history):
            raise BadRow(
                WRONG_SCHEMA, f"{asking} is a list of turns, and there is {'input' if more else 'history'} too"
            )
    else:
        question = as_text(asked, asking) + (f"\n{as_text(more, 'input')}" if filled(more) else "")
        turns = [
            *_history(history),
            Turn("user", marked(question)),
            _said("assistant", answer, answering),
        ]
    return conversation(keys, turns, images, inline)


def _history(value: Any) -> list[Turn]:
    """Earlier questions and answers, from a list of pairs."""
    pairs = unpacked(value)
    if not filled(pairs):
        return []
    if not isinstance(pairs, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs
    ):
        raise BadRow(WRONG_SCHEMA, "history is not a list of pairs, a question and its answer each")
    turns = []
    for asked, answer in pairs:
        turns.append(Turn("user", marked(as_text(asked, "history"))))
        turns.append(Turn("assistant", marked(as_text(answer, "history"))))
    return turns


def _said(role: Role, value: Any, column: str) -> Turn:
    return Turn(role, marked(as_text(value, column)))


def _is_turns(value: Any) -> bool:
    """Whether a question or an answer is a list of objects, as turns are; a text may hold them as JSON."""
    if isinstance(value, str):
        return value.startswith("[") and holds_turns(value)
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
