"""Checkpoints screen: what a run has saved, and what can be done with one: use, evaluate, ask, merge, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from vlmft_console.app.messages import CheckpointAction, Entitle
from vlmft_console.app.screens.watching_screen import RUN_GONE, WatchingScreen
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.cursor_list import CursorList
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.base.name_line import NameLine
from vlmft_console.app.widgets.run.checkpoint_list import CheckpointDetail, CheckpointList
from vlmft_console.history.state import RunState
from vlmft_console.report.checkpoints import CheckpointRow, Saved, checkpoint_table, look
from vlmft_console.runs.checkpoint_adapter import chosen_by_hand
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import status_of
from vlmft_core.run_folder.events import EARLY_STOPPED, FINISHED
from vlmft_core.run_folder.layout import RunLayout

FOLLOW_SECONDS = 3.0
"""Between two looks at the folder."""
_NONE = "No checkpoints yet: the first one comes with the first eval."


class CheckpointsScreen(WatchingScreen):
    """A row for each checkpoint, and all about the one under the cursor below.

    Args:
        run: the run folder.
        state: gives the run as it is now; None before its log has been read.
    """

    AUTO_FOCUS = "CheckpointList"
    CSS_PATH = "checkpoints.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "act('adapter')", "adapter", tooltip="Make this one's adapter the run's; asks first"),
        Binding("e", "act('eval')", "eval", tooltip="Let base and this adapter answer the eval questions; asks first"),
        Binding("p", "act('predict')", "predict", tooltip="Ask this one a question about a picture"),
        Binding("w", "act('worst')", "worst", tooltip="Name the training samples it gets most wrong; asks first"),
        Binding("m", "act('merge')", "merge", tooltip="Make a model of base and adapter; asks first"),
        Binding("o", "act('report')", "report", tooltip="Write report.html of the run into its folder"),
        Binding("tab", "app.focus_next", "detail", show=False),
        Binding("escape,q", "back", "leave", key_display="q"),
    ]

    @dataclass
    class Looked(Message):
        """The folder as it is now."""

        saved: Saved
        changes: list[dict[str, Any]]
        over: bool

    def __init__(self, run: RunLayout, state: Callable[[], RunState | None]) -> None:
        super().__init__()
        self._run = run
        self._state = state
        self._rows: dict[str, CheckpointRow] = {}
        self._changes: list[dict[str, Any]] = []

    def compose(self) -> ComposeResult:
        yield NameLine(id="title")
        yield Static("reading …", id="told", markup=False)
        with Vertical(id="both"):
            yield CheckpointList()
            yield CheckpointDetail()
        yield KeyBar(screen_first=True)

    def on_mount(self) -> None:
        self.query_one(NameLine).show("vlmft  checkpoints of ", self._run.name)
        self._follow()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.app.post_message(Entitle(f"{self._run.name} checkpoints"))

    @work(thread=True, exclusive=True)
    def _follow(self) -> None:
        folder = RunFolder(self._run.path)
        while not self._left:
            over = status_of(folder).state in (FINISHED, EARLY_STOPPED)
            self.post_message(self.Looked(look(folder), chosen_by_hand(folder), over))
            self._wait(FOLLOW_SECONDS)

    @on(Looked)
    def _show(self, message: Looked) -> None:
        state = self._state() or RunState()
        self.getting_ready = False
        table = checkpoint_table(self._run, message.saved, state, over=message.over)
        self._changes = message.changes
        self._rows = {str(row.folder): row for row in table.rows}
        told = f"{table.rule[0].upper()}{table.rule[1:]}." if table.rows or table.deleted else _NONE
        if table.unlike:
            told += f" {table.unlike}"
        if not self._run.path.exists():
            told = RUN_GONE
        self.query_one("#told", Static).update(literal(told))
        self.query_one(CheckpointList).show_table(table)
        self._show_detail()

    @property
    def _row(self) -> CheckpointRow | None:
        """The one under the cursor."""
        return self._rows.get(self.query_one(CheckpointList).cursor)

    def _show_detail(self) -> None:
        self.query_one(CheckpointDetail).show(self._row, self._changes)

    @on(CursorList.Moved)
    def _moved(self) -> None:
        self._show_detail()

    def action_act(self, what: str) -> None:
        """Do something with the checkpoint under the cursor."""
        row = self._row
        if row is None and what != "report":
            tell(self, "There is no checkpoint to do that with.")
        elif row is not None and not row.complete and what != "report":
            tell(self, f"{row.folder.name} is not complete: nothing can use it")
        else:
            action = cast("Literal['adapter', 'eval', 'predict', 'worst', 'merge', 'report']", what)
            self.app.post_message(CheckpointAction(self._run, row.step if row else 0, action))

    def action_back(self) -> None:
        """Leave."""
        self.dismiss()
