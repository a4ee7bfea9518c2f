"""Answer detail: one question in full, with its picture as far as the terminal can draw it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.console import Console
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from vlmft_console.app.kitty_images import KittyImages
from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.app.widgets.base.literal import one_line
from vlmft_console.app.widgets.base.scrolling import SCROLLING
from vlmft_console.app.widgets.run.answer_list import role
from vlmft_console.app.widgets.run.picture_view import PictureView
from vlmft_console.charts.styles import speaks_unicode
from vlmft_console.history.answer_rows import AnswerRow, said, worth
from vlmft_core.figures import counted
from vlmft_core.run_folder.answers import Answer

_LABEL = 10
"""Cells of the labels beside the texts."""
_LEAST_TEXT = 30
"""Cells that the text needs beside a picture."""


class AnswerDetail(Horizontal):
    """Shows one question: the picture at the left, the texts at the right.

    Args:
        images: the pictures that the terminal keeps; None where it draws none.
        unwanted: whether pictures shall not be drawn.
    """

    def __init__(self, images: KittyImages | None = None, *, unwanted: bool = False) -> None:
        super().__init__()
        self._images = images
        self._unwanted = unwanted
        self._row: AnswerRow | None = None

    def compose(self) -> ComposeResult:
        yield PictureView(self._images)
        yield AnswerText()

    def show(self, row: AnswerRow | None) -> None:
        """Show this question; None for none."""
        self._row = row
        self._fit()
        self.query_one(AnswerText).show(row, self._unseen())

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        picture = self._row.question.picture if self._row else None
        columns = min(self.size.width // 2, self.size.width - _LEAST_TEXT)
        drawn = picture is not None and not self._unseen() and columns > 0 and self.size.height > 0
        self.query_one(PictureView).show(picture if drawn else None, columns, self.size.height)

    def _unseen(self) -> str:
        """Why pictures cannot be drawn; empty where they can."""
        if self._unwanted:
            return "not drawn: console.yaml has pictures: none"
        if not speaks_unicode():
            return "not drawn: the locale is not UTF-8"
        if self.app.no_color or self.app.console.color_system == "standard":
            return "not drawn: that takes 256 colours"
        return ""


class AnswerText(LineView, can_focus=True, inherit_bindings=False):
    """The texts of one question, each beside its label: text that goes on below it stays there, whatever is in it."""

    BINDINGS: ClassVar[list[BindingType]] = SCROLLING
    DEFAULT_CSS = """
    AnswerText { width: 1fr; height: 1fr; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._row: AnswerRow | None = None
        self._unseen = ""

    def show(self, row: AnswerRow | None, unseen: str) -> None:
        """Show the texts of this question, from the first line.

        Args:
            unseen: why its picture is not drawn.
        """
        if row and self._row and row.question.key != self._row.question.key:
            self.scroll_home(animate=False)
        self._row, self._unseen = row, unseen
        self.lay_out()

    def lay_out(self) -> None:
        width = max(8, self.room - _LABEL)
        lines: list[Line] = []
        for label, text, style in _texts(self._row, self._unseen) if self._row else ():
            for number, line in enumerate(_wrapped(text, width)):
                lines.append(((("" if number else label).ljust(_LABEL), "dim"), (line, style)))
        self.show_lines(lines)


def _texts(row: AnswerRow, unseen: str) -> Iterator[tuple[str, str, str]]:
    """Label, text and role of all that is known."""
    question = row.question
    yield "question", question.question, "strong"
    yield "truth", " | ".join(question.truth), ""
    yield "base", _answered(row.base), role(row.base)
    yield "now", _answered(row.now), role(row.now)
    yield "from", ", ".join(filter(None, (question.task, question.where, question.image))), "dim"
    if question.images > 1:
        yield "picture", f"the first of {counted(question.images, 'image')}", "dim"
    if question.damaged:
        yield "picture", "damaged in the run's folder", "caution"
    elif question.images and (unseen or question.picture is None):
        yield "picture", unseen or "none is kept", "dim"


def _answered(answer: Answer | None) -> str:
    return f"{said(answer)}  ({worth(answer)})" if answer else "-"


def _wrapped(text: str, width: int) -> Iterator[str]:
    """The text, made safe, in lines of at most so many cells."""
    console = Console(width=width)
    for line in text.split("\n"):
        for part in Text(one_line(line)).wrap(console, width):
            yield part.plain
