"""Runs screen, the first one: every run on this machine, live ones first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from vlmft_console.app.messages import Entitle, OpenComparison, OpenOverlay, OpenPresets, OpenReplay, OpenRun, RunAction
from vlmft_console.app.screens.watching_screen import WatchingScreen
from vlmft_console.app.settings import USUAL_ORDER, keep, usable_settings
from vlmft_console.app.tell import copy_text, tell
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.literal import literal
from vlmft_console.app.widgets.run.run_about import RunAbout
from vlmft_console.app.widgets.run.run_list import RunList
from vlmft_console.report import COMPARED
from vlmft_console.runs.facts import NUMBERS, ORDERS, in_order
from vlmft_core.errors import VlmftError
from vlmft_core.figures import counted

if TYPE_CHECKING:
    from vlmft_console.runs.overview import Overview

LOOK_SECONDS = 2.0
"""Between two looks at the run folders."""
_OTHER_ROWS = 17
"""Rows of the preview and of all else that is not the list."""
_FEWEST, _LIST_ROWS = 15, 36
"""Rows that a list has beside a preview, however short it is; rows that are enough for any."""
NEXT = "No runs of your own yet.\nPress n to choose a preset and start one; demo needs no GPU and takes minutes."
NONE = "No run matches. Esc shows all again."
now = time.time


@dataclass
class RunsSeen(Message):
    """The list of runs as it is now."""

    runs: list[Overview]

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunsSeen)


class RunsScreen(WatchingScreen):
    """Lists runs; opens, steers, compares and deletes them."""

    AUTO_FOCUS = "RunList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,l,right", "open", "open", key_display="enter", tooltip="Watch the run under the cursor"),
        Binding("n", "new", "new", tooltip="Choose a preset for a new run"),
        Binding("x", "stop", "stop", tooltip="Stop a live run, with or without a checkpoint"),
        Binding("r", "resume", "resume", tooltip="Go on from the newest checkpoint, or supervise the run again"),
        Binding("space", "mark", "mark", tooltip="Mark a run, to watch it beside others or to compare it"),
        Binding("o", "overlay", "overlay", tooltip="Watch the marked runs on the same axes, up to eight, one pinned"),
        Binding("c", "compare", "compare", tooltip="Compare the marked runs, two to eight: figures, presets, outcome"),
        Binding("p", "replay", "replay", tooltip="Play the run again from its log"),
        Binding(
            "slash",
            "filter",
            "filter",
            key_display="/",
            tooltip="Only runs of which all of this holds: words, eval<0.1, age<3h, state:live, preset:best, tag:sweep",
        ),
        Binding("s", "sort", "sort", tooltip=f"Sort by {', '.join(ORDERS)} in turn, then as usual: live ones first"),
        Binding("b", "group", "by preset", tooltip="Runs of one preset together, or not"),
        Binding("y", "copy", "copy", show=False, tooltip="Copy the path of the run's folder to the clipboard"),
        Binding("d", "delete", "delete", tooltip="Delete a run with its checkpoints and its adapter; asks first"),
        Binding("escape", "clear", "clear", tooltip="Show all runs again, and take the marks away"),
    ]

    def __init__(self) -> None:
        super().__init__()
        kept = usable_settings()
        self._order = kept.sort
        self._grouped = kept.group
        self._runs: list[Overview] = []
        self._marked: set[str] = set()
        self._wanted: frozenset[Path] = frozenset()
        self._sought: Path | None = None
        self._sought_from = ""
        self._stood_on = ""

    def compose(self) -> ComposeResult:
        yield Static("vlmft", id="title", markup=False)
        yield Input(placeholder="filter", id="filter", select_on_focus=False, compact=True)
        yield Static(NEXT, id="next", markup=False)
        yield Static(NONE, id="none", markup=False)
        yield RunList()
        yield RunAbout()
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one("#filter", Input).cursor_blink = False
        self.call_after_refresh(self._watch)  # its imports wait for the first paint

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.app.post_message(Entitle(""))

    def select(self, folder: Path) -> None:
        """Put the cursor on this run, as soon as it is seen; until then the person may put it elsewhere."""
        self._sought = folder.resolve()
        if self.is_mounted:  # the app may be opened on a run before there is a list
            self._sought_from = self._list.cursor
            self._go_to_sought()

    @property
    def _list(self) -> RunList:
        return self.query_one(RunList)

    @work(thread=True, exclusive=True, group="watch")
    def _watch(self) -> None:
        """Look at the run folders again and again, and say what changed."""
        while self._paused and not self._left:  # the app was opened on a run: nobody looks at the list yet
            self._wait(LOOK_SECONDS)
        from vlmft_console.runs.overview import RunIndex

        index = RunIndex()
        shown: tuple[list[Overview], int] | None = None
        while not self._left:
            runs, more = index.look(self._wanted)
            minute = int(now() // 60)  # ages are shown in minutes
            if shown != (runs, minute):
                shown = (runs, minute)
                self.post_message(RunsSeen(runs))
            if not more or runs == []:
                self._wait(LOOK_SECONDS)

    @property
    def idle_actions(self) -> tuple[str, ...]:
        """What is done to marked runs is not named before one is marked."""
        return () if self._marked else ("overlay", "compare")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "clear" or bool(self._marked) or self.has_class("-filtering")

    def on_runs_seen(self, message: RunsSeen) -> None:
        self._runs = message.runs
        self.getting_ready = False
        self._marked &= {str(run.folder.path) for run in message.runs}
        self._show()

    def on_row_list_scrolled(self) -> None:
        wanted = frozenset(map(Path, self._list.visible_keys()))
        if self.query_one("#filter", Input).value or self._order in NUMBERS:  # any run may be the one looked for
            wanted |= {run.folder.path for run in self._runs}
        if not wanted <= self._wanted:
            self._wanted = wanted
            self.look_now()

    def on_cursor_list_moved(self) -> None:
        self._show_about()

    def on_cursor_list_chosen(self) -> None:
        self.action_open()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show()
        if event.input.has_focus:  # what half a word found is not what is looked for
            keys, runs = self._list.keys, {str(run.folder.path) for run in self._runs}
            first = next((place for place, key in enumerate(keys) if key in runs), 0)
            self._list.move_to(keys.index(self._stood_on) if self._stood_on in keys else first)

    def on_input_submitted(self) -> None:
        self._list.focus()

    def _show(self) -> None:
        self.set_class(all(run.recorded for run in self._runs), "-new")
        sought, at = self.query_one("#filter", Input).value.strip(), now()
        runs, problem = self._chosen(sought, at)
        self.query_one("#none", Static).update(literal(problem or NONE))
        self.set_class(bool(problem) or (bool(sought) and not runs), "-none")
        self._list.show_runs(runs, self._marked, at, grouped=self._grouped)
        self._go_to_sought()
        live = sum(run.status.live for run in self._runs)
        parts = [f"vlmft  {counted(len(self._runs), 'run')}, {live} live"]
        if sought and not problem:
            parts.append(f"{len(runs)} match")
        if self._order != USUAL_ORDER:
            parts.append(f"by {self._order}")
        if self._grouped:
            parts.append("grouped")
        if self._marked:
            parts.append(f"{len(self._marked)} marked")
        self.query_one("#title", Static).update(", ".join(parts))
        self._show_about()
        self.refresh_bindings()
        self.call_after_refresh(self.on_row_list_scrolled)

    def _chosen(self, sought: str, at: float) -> tuple[list[Overview], str]:
        """The runs that match, sorted, and what is wrong with the filter; then all of them."""
        from vlmft_console.runs.overview import facts_of  # by now the thread has loaded it
        from vlmft_console.runs.run_filter import parse_filter

        runs, problem = self._runs, ""
        try:
            wanted = parse_filter(sought)
        except VlmftError as error:  # half typed, it may be
            problem = str(error)
        else:
            runs = [run for run in runs if wanted(facts_of(run, at))]
        if self._order != USUAL_ORDER:
            runs = in_order(runs, self._order, lambda run: facts_of(run, at))
        return runs, problem

    def _go_to_sought(self) -> None:
        if self._sought_from and self._list.cursor != self._sought_from:
            self._sought = None
        if self._sought is None:
            return
        for place, key in enumerate(self._list.keys):
            if Path(key).resolve() == self._sought:
                self._sought = None
                self._list.move_to(place)
                return

    def _show_about(self) -> None:
        run = self._current()
        self.query_one(RunAbout).show_run(run, named=run is not None and self._list.cuts_name(run))
        if self._runs:  # the charts are loaded after the first paint
            self._show_preview(run)

    def _show_preview(self, run: Overview | None) -> None:
        """Show the losses of a run where the list leaves room for it."""
        from vlmft_console.app.widgets.run.run_preview import RunPreview

        found = list(self.query(RunPreview))
        list_rows = max(_FEWEST, min(_LIST_ROWS, len(self._list.keys) + 1))
        roomy = self.app.size.height - _OTHER_ROWS >= list_rows
        if not found and roomy:
            found = [RunPreview()]
            self.mount(*found, before="#about")
        for preview in found:
            preview.display = roomy
            preview.show_run(run)

    def on_resize(self) -> None:
        if self._runs:  # before, there is nothing on the screen yet
            self._show_about()

    def _current(self) -> Overview | None:
        key = self._list.cursor
        return next((run for run in self._runs if str(run.folder.path) == key), None)

    def _meant(self) -> Overview | None:
        """The run that a key is meant for; says so where the cursor is on no run."""
        run = self._current()
        if run is None and self._list.keys:
            tell(self, "This line is a preset's: choose one of its runs below.")
        return run

    def action_open(self) -> None:
        if run := self._meant():
            self.app.post_message(OpenRun(run.folder.path))

    def action_new(self) -> None:
        self.app.post_message(OpenPresets())

    def action_mark(self) -> None:
        if run := self._meant():
            self._marked ^= {str(run.folder.path)}
            self._show()
            self._list.action_move(1)

    def action_overlay(self) -> None:
        if len(self._marked) not in COMPARED:
            tell(self, "Mark two to eight runs with the space bar, then press o.")
        else:
            self.app.post_message(OpenOverlay(self._marked_paths))

    def action_compare(self) -> None:
        if len(self._marked) not in COMPARED:
            tell(self, "Mark two to eight runs with the space bar, then press c.")
        else:
            self.app.post_message(OpenComparison(self._marked_paths))

    @property
    def _marked_paths(self) -> list[Path]:
        return [run.folder.path for run in self._runs if str(run.folder.path) in self._marked]

    def action_replay(self) -> None:
        if run := self._meant():
            self.app.post_message(OpenReplay(run.folder.path))

    def action_filter(self) -> None:
        self._stood_on = self._list.cursor
        self.add_class("-filtering")
        self.refresh_bindings()
        focus_now(self.query_one("#filter", Input))

    def action_sort(self) -> None:
        orders = (USUAL_ORDER, *ORDERS)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        keep(self, "sort", self._order or "usual")
        self._show()

    def action_group(self) -> None:
        self._grouped = not self._grouped
        keep(self, "group", "true" if self._grouped else "false")
        self._show()

    def action_clear(self) -> None:
        self.remove_class("-filtering")
        self._marked.clear()
        self.query_one("#filter", Input).value = ""
        focus_now(self._list)
        self._show()

    def action_stop(self) -> None:
        run = self._meant()
        if run is None:
            return
        if run.status.live:
            self.app.post_message(RunAction(run.folder, "stop"))
        else:
            tell(self, f"{run.folder.name} is not running: it is {run.status.state}")

    def action_resume(self) -> None:
        if run := self._meant():
            self.app.post_message(RunAction(run.folder, "resume"))

    def action_delete(self) -> None:
        run = self._meant()
        if run is None:
            return
        if run.recorded:
            tell(self, f"{run.folder.name} is a sample that comes with vlmft; it stays")
        else:
            self.app.post_message(RunAction(run.folder, "delete"))

    def action_copy(self) -> None:
        if run := self._meant():
            copy_text(self, str(run.folder.path.absolute()))
