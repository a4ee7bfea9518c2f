"""Work dialog: a program at work, how far it is, and what comes of it. Closing it while it works ends the program."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from vlmft_console.app.dialogs.confirm import Answer, ConfirmScreen
from vlmft_console.app.widgets.base.cells import bar
from vlmft_console.app.widgets.base.line_view import Line, LineView
from vlmft_console.app.widgets.base.literal import literal, one_line
from vlmft_console.app.widgets.base.scrolling import SCROLLING
from vlmft_console.programs.ask import Broken, Cancel, Cancelled, ask
from vlmft_console.programs.log_file import log_file
from vlmft_console.programs.work import Work
from vlmft_core.errors import VlmftError, in_words

_BAR = 24
"""Cells of the bar."""


class Said(LineView, can_focus=True, inherit_bindings=False):
    """Notes and results, each in its role, wrapped."""

    BINDINGS: ClassVar[list[BindingType]] = SCROLLING

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[str, str]] = []

    def add(self, text: str, role: str = "") -> None:
        """Show one more, and be at it."""
        self.entries.append((text, role))
        self.lay_out()
        self.scroll_end(animate=False)

    def lay_out(self) -> None:
        lines: list[Line] = [
            ((line, role),)
            for text, role in self.entries
            for line in textwrap.wrap(one_line(text), max(8, self.room), subsequent_indent="  ") or [""]
        ]
        self.show_lines(lines)


class WorkScreen(ModalScreen[None]):
    """Runs a `Work`.

    Args:
        work: begins when the dialog is there.
    """

    CSS_PATH = "work.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close", tooltip="Close; while it works: ask whether to end it"),
    ]

    @dataclass
    class Told(Message):
        """The program said something."""

        name: str
        value: Any

    @dataclass
    class Over(Message):
        """It has ended."""

        text: str
        role: str

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._cancel = Cancel()
        self._over = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(literal(self._work.title, "bold"))
            yield Static(literal(self._work.detail), id="detail")
            yield Said()
            yield Static("starting …", id="progress", markup=False)
            yield Static("esc cancel", id="keys", markup=False)

    def on_mount(self) -> None:
        self._begin()

    def on_unmount(self) -> None:
        self._cancel()  # nobody is left to hear it; and the app would wait for its thread

    @work(thread=True, exclusive=True, group="program")
    def _begin(self) -> None:
        try:
            todo = self._work
            with log_file(todo.log) as errors:
                for name, value in ask(todo.program, todo.job, errors, todo.processes, self._cancel):
                    self.post_message(self.Told(name, value))
        except (VlmftError, OSError) as error:  # such as no room for another process
            self.post_message(self.Over(in_words(error), "stop"))
        except Broken as error:
            more = f" (see {self._work.log})" if self._work.log else ""
            self.post_message(self.Over(f"it broke: {error}{more}", "stop"))
        except (Cancelled, KeyboardInterrupt):
            kept = "; what was answered is kept" if self._work.log else ""
            self.post_message(self.Over(f"ended before it was done{kept}", "caution"))
        else:
            self.post_message(self.Over("done", "good"))

    @on(Told)
    def _hear(self, message: Told) -> None:
        name, value = message.name, message.value
        if name == "progress":
            share = value["done"] / value["total"] if value["total"] else 1.0
            what = f"{value['task']}, {value['side']}: {value['done']:,} of {value['total']:,}"
            self._say_how_far(f"{bar(share, _BAR)} {what}")
        elif name == "note":
            self.query_one(Said).add(value, "dim")
            self._say_how_far("working …")
        else:
            self._say_how_far("finishing …")
            for line in self._work.lines(name, value):
                self.query_one(Said).add(line, "strong")

    @on(Over)
    def _end(self, message: Over) -> None:
        self._over = True
        self.query_one(Said).add(message.text, message.role)
        self._say_how_far("")
        self.query_one("#keys", Static).update("esc close")

    def _say_how_far(self, text: str) -> None:
        self.query_one("#progress", Static).update(literal(text))

    def action_close(self) -> None:
        """Close; first ask whether to end what is not done yet."""
        if self._over:
            self.dismiss()
            return

        def answered(answer: str | None) -> None:
            if answer:
                self._cancel()

        kept = "What was answered until then is kept." if self._work.log else "Nothing of it is kept."
        self.app.push_screen(
            ConfirmScreen(
                f"End it? {self._work.title}", [Answer("y", "end it now", "end")], kept, careful=True, cancel="go on"
            ),
            answered,
        )
