"""Log screen: what the live view of a log and its replay have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from vlmft_console.app.messages import Entitle, Loading, OpenAnswers, OpenEditor, OpenMetrics, Unreadable
from vlmft_console.app.tell import copy_text, tell
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.notice import Notice
from vlmft_console.app.widgets.run.run_view import RunView

if TYPE_CHECKING:
    from vlmft_console.history.opened import OpenedLog


class LogScreen(Screen[None]):
    """Shows one run or log in a `RunView`, which the screen composes and feeds.

    Args:
        target: a run folder or a log.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "m", "metrics", "metrics", show=False, tooltip="Every metric of the log, or those chosen by name or pattern"
        ),
        Binding("y", "copy", "copy", show=False, tooltip="Copy the path of the run or the log to the clipboard"),
    ]
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)  # repainting all of it takes 20 KB

    def __init__(self, target: Path) -> None:
        super().__init__()
        self._target = target
        self._log: OpenedLog | None = None
        self._advice_wanted = False

    @property
    def _view(self) -> RunView:
        return self.query_one(RunView)

    @property
    def subject(self) -> str:
        """What is shown, in a word. Foreign text."""
        return self._target.resolve().name

    def on_screen_resume(self) -> None:
        self.app.post_message(Entitle(self.subject))
        for view in self.query(RunView):  # there is none yet when the screen is opened
            view.catch_up()

    def on_loading(self, message: Loading) -> None:
        """Say how far the reading is."""
        self._view.say(str(message.progress))

    def _advise_if_wanted(self) -> None:
        """The log has been read: do what was asked for before."""
        if self._advice_wanted:
            self._advice_wanted = False
            self.action_advice()

    def on_unreadable(self, message: Unreadable) -> None:
        """There is nothing to show, or nothing more."""
        if self._log is None:
            for widget in self.children:
                widget.display = isinstance(widget, KeyBar)
            self.mount(Notice(message.reason), before=0)
        else:
            tell(self, message.reason, problem=True)

    def action_advice(self) -> None:
        """Open the preset that the selected finding advises, as a child of the run's own, in the editor."""
        finding, advice = self._view.health.selected, self._view.health.advice
        if self._log is None:
            self._advice_wanted = True  # as soon as the log has been read
        elif finding is None:
            tell(self, "There is no finding to act on.")
        elif not advice.changes:
            tell(self, f"{finding.rule}: {advice.text}")
        elif (preset := self._log.own and self._log.own.file) is None:
            tell(self, "No preset of ours stands beside this log, so there is none to change.")
        else:
            self.app.post_message(OpenEditor(str(preset), dict(advice.changes)))

    def action_metrics(self) -> None:
        """Show every metric of the log."""
        self.app.post_message(OpenMetrics(self.subject, lambda: self._view.state))

    def action_copy(self) -> None:
        copy_text(self, str(self._target.absolute()))

    def action_answers(self) -> None:
        """Show what base and adapter answer to the eval questions."""
        self._open_answers()

    def _open_answers(self, evals: frozenset[int] | None = None) -> None:
        """As `OpenAnswers` has it; a log that is a file has none."""
        if self._target.is_file():
            tell(self, "This is a log, not a run: no answers are kept with it.")
        else:
            self.app.post_message(OpenAnswers(self._log.path if self._log else self._target, evals))

    def action_back(self) -> None:
        """Take the crosshair away; show all panels again; then leave."""
        if self._view.leave_crosshair():
            return
        if self._view.is_full:
            self._view.leave_full()
        else:
            self.dismiss()
