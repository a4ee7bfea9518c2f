"""Answers screen: what base and adapter say to the same eval questions, eval by eval, with their pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from vlmft_console.app.kitty_images import KittyImages
from vlmft_console.app.messages import Entitle
from vlmft_console.app.screens.watching_screen import RUN_GONE, WatchingScreen
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.base.name_line import NameLine
from vlmft_console.app.widgets.run.answer_detail import AnswerDetail
from vlmft_console.app.widgets.run.answer_list import AnswerList
from vlmft_console.app.widgets.run.picture_view import PictureView
from vlmft_console.history.answer_rows import AnswerRow, answer_rows, right_of
from vlmft_core.figures import counted
from vlmft_core.run_folder.answers import Answers, read_answers
from vlmft_core.run_folder.layout import RunLayout

FOLLOW_SECONDS = 3.0
"""Between two looks at the file."""
_NONE = (
    "No answers are kept: none were given yet, the preset has evaluation.answers 0, or the run was trained before"
    " answers were kept."
)
_NONE_YET = "No eval up to this moment of the replay asked questions"
_FILTERED = "Every answer is hidden: w shows right ones too, c unchanged ones."


class AnswersScreen(WatchingScreen):
    """A row for each question, and all about the one under the cursor below. It stays at the newest eval until another
    one is chosen, and there until the newest is chosen again.

    Args:
        run: the run folder.
        evals: steps of those that are shown, as at a moment of a replay; None for all, those to come too.
        images: the pictures that the terminal keeps; None where it draws none.
        unwanted: whether pictures shall not be drawn.
    """

    AUTO_FOCUS = "AnswerList"
    CSS_PATH = "answers.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "eval(-1)", "eval before", key_display="←", tooltip="The eval before; the first: the base's"),
        Binding("right,l", "eval(1)", "next eval", key_display="→", tooltip="The next eval; the newest is followed"),
        Binding("w", "filter('wrong')", "wrong", tooltip="Only what is not answered rightly, or all"),
        Binding("c", "filter('changed')", "changed", tooltip="Only what the base answered in other words, or all"),
        Binding("tab", "app.focus_next", "detail", show=False),
        Binding("escape,q", "back", "leave", key_display="q"),
    ]

    @dataclass
    class Read(Message):
        """The file as it is now."""

        kept: Answers

    def __init__(
        self,
        run: Path,
        evals: frozenset[int] | None = None,
        *,
        images: KittyImages | None = None,
        unwanted: bool = False,
    ) -> None:
        super().__init__()
        self._detail = AnswerDetail(images, unwanted=unwanted)
        self._evals = evals
        self._later = 0
        self._run = run
        self._kept = Answers()
        self._step: int | None = None
        self._only: set[str] = set()
        self._rows: dict[str, AnswerRow] = {}

    def compose(self) -> ComposeResult:
        yield NameLine(id="title")
        yield Static("reading …", id="told", markup=False)
        with Vertical(id="both"):
            yield AnswerList()
            yield self._detail
        yield KeyBar(screen_first=True)

    def on_mount(self) -> None:
        self._entitle()
        self._follow()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._tell_picture(False)
        self.app.post_message(Entitle(f"{self._run.resolve().name} answers"))

    def on_screen_suspend(self) -> None:
        super().on_screen_suspend()
        self._tell_picture(True)

    def _tell_picture(self, covered: bool) -> None:
        for view in self.query(PictureView):
            view.set_covered(covered)

    @work(thread=True, exclusive=True)
    def _follow(self) -> None:
        file, before = RunLayout(self._run).answers_file, None
        while not self._left:
            try:
                found: os.stat_result | None = file.stat()
            except OSError:
                found = None
            now = found and (found.st_ino, found.st_size, found.st_mtime_ns)
            if before is None or now != before:
                self.post_message(self.Read(read_answers(file)))
            before = now or ()
            self._wait(FOLLOW_SECONDS)

    @property
    def _at(self) -> int:
        """The step whose answers are shown."""
        return self._kept.newest if self._step is None else self._step

    @on(Read)
    def _take(self, message: Read) -> None:
        self._kept = kept = message.kept
        self.getting_ready = False
        if self._evals is not None:
            shown = {step: answers for step, answers in kept.by_step.items() if step in self._evals}
            self._kept, self._later = replace(kept, by_step=shown), len(kept.by_step) - len(shown)
        if self._step not in self._kept.by_step:
            self._step = None
        self._show()

    def _show(self) -> None:
        kept, at = self._kept, self._at
        rows = answer_rows(kept, at, wrong="wrong" in self._only, changed="changed" in self._only)
        self._rows = {row.question.key: row for row in rows}
        none = _NONE_YET if self._later else "" if kept.trouble else _NONE
        told = right_of(answer_rows(kept, at), at) if kept.by_step else none
        if kept.by_step and not rows:
            told = f"{told}. {_FILTERED}"
        elif rows and self._only:
            told += f"; {len(rows)} shown, only {' and '.join(sorted(self._only, reverse=True))}"
        if not self._run.exists():
            told = RUN_GONE
        if self._later:
            told += f". {counted(self._later, 'eval')} after this moment of the replay not shown"
        if kept.trouble:
            told = ". ".join(filter(None, (told, f"{kept.trouble[0].upper()}{kept.trouble[1:]}")))
        self.query_one("#told", Static).update(literal(told))
        self._entitle()
        self.query_one(AnswerList).show_answers(rows)
        self._show_detail()

    def _entitle(self) -> None:
        steps, at = self._steps, self._at
        where = ("base alone" if not at else f"step {at:,}") if self._kept.by_step else ""
        if at in steps:
            where += f" ({steps.index(at) + 1} of {len(steps)}{', newest' if at == self._kept.newest else ''})"
        self.query_one(NameLine).show("vlmft  answers of ", self._run.resolve().name, f"  {where}")

    @property
    def _steps(self) -> list[int]:
        """All evals, the base's first."""
        return sorted(self._kept.by_step)

    def _show_detail(self) -> None:
        self._detail.show(self._rows.get(self.query_one(AnswerList).cursor))

    @on(CursorList.Moved)
    def _moved(self) -> None:
        self._show_detail()

    def action_eval(self, by: int) -> None:
        """Go to an eval beside this one."""
        steps = self._steps
        if not steps:
            return
        place = max(0, min(len(steps) - 1, steps.index(self._at) + by))
        self._step = None if steps[place] == self._kept.newest else steps[place]
        self._show()

    def action_filter(self, which: str) -> None:
        """Show only some of the questions, or all again."""
        self._only ^= {which}
        self._show()

    def action_back(self) -> None:
        """Leave."""
        self.dismiss()
