"""One run, or any log, while it grows: charts, health, epochs, log; and the keys that steer it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from vlmft_console.app.live_reader import Batch, LiveReader, Loading, Opened, Unreadable
from vlmft_console.app.messages import ActionDone
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.notice import Notice
from vlmft_console.app.widgets.run.run_view import RunView
from vlmft_console.runs.headline import Headline, headline
from vlmft_console.runs.status import UNSUPERVISED
from vlmft_core.health import STOP
from vlmft_core.run_folder.events import EARLY_STOPPED, FINISHED, Record

if TYPE_CHECKING:
    from vlmft_console.app.app import VlmftConsole
    from vlmft_console.history.loading import ReadAhead
    from vlmft_console.history.opened import OpenedLog
    from vlmft_console.runs.status import RunStatus

now = time.time


class LiveScreen(Screen[None]):
    """Shows a run as it is and goes on. Leaving it leaves the run alone.

    Args:
        target: a run folder or a log.
        ahead: reads it already.
    """

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)  # repainting all of it takes 20 KB
    CSS_PATH = "live.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop", tooltip="Stop the run, with or without a checkpoint"),
        Binding("r", "resume", "resume", tooltip="Go on from the newest checkpoint, or supervise the run again"),
        Binding("a", "advice", "advice", tooltip="Make the preset that the selected finding advises"),
        Binding("p", "replay", "replay", tooltip="Play the run again from its log"),
        Binding("escape,q", "back", "leave", key_display="q", tooltip="Leave. The run goes on"),
    ]

    def __init__(self, target: Path, ahead: ReadAhead | None = None) -> None:
        super().__init__()
        self._target = target
        self._reader = LiveReader(target, self.post_message, ahead)
        self._log: OpenedLog | None = None
        self._batch = Batch()
        self._rung: set[int] = set()
        self._idle: tuple[str, ...] = ()
        self._clock: Timer | None = None

    def compose(self) -> ComposeResult:
        yield RunView()
        yield KeyBar()

    def on_mount(self) -> None:
        self._clock = self.set_interval(1.0, self._tick, pause=True)
        self._reader.start()

    def on_unmount(self) -> None:
        self._reader.stop()

    @property
    def idle_actions(self) -> tuple[str, ...]:
        """What cannot be done in the run's present state: only a run of this machine is stopped, and resumed after."""
        if self._log is None or self._log.folder is None or self._batch.status is None:
            return ("stop", "resume")
        status = self._batch.status
        if status.live:
            return () if status.state == UNSUPERVISED else ("resume",)
        return ("stop", "resume") if status.state in (FINISHED, EARLY_STOPPED) else ("stop",)

    @property
    def _view(self) -> RunView:
        return self.query_one(RunView)

    @property
    def _shell(self) -> VlmftConsole:
        return cast("VlmftConsole", self.app)

    def on_loading(self, message: Loading) -> None:
        """Say how far the reading is."""
        self._view.say(str(message.progress))

    def on_opened(self, message: Opened) -> None:
        """Everything that the log held until now is in `message.state`."""
        self._log, state = message.log, message.state
        self._batch = batch = self._reader.take()  # what came, and was looked at, since that state was made
        state.apply_all(batch.records)
        self._rung = {finding.number for finding in state.health.active if finding.severity == STOP}
        self._view.log_pane.add(batch.lines, batch.pending)
        self._view.show(state, self._headline(state.end))
        self._wind()
        if not self.focused:
            self._view.focus_panel()

    def on_news(self) -> None:
        """Take in what was added."""
        state, before = self._view.state, self._batch.status
        if state is None:
            return
        self._batch = batch = self._reader.take()
        state.apply_all(batch.records)
        self._view.log_pane.add(batch.lines, batch.pending)
        if batch.records:
            self._view.show(state, self._headline(state.end))
            self._ring_for_findings()
        else:
            self._view.show_headline(self._headline(state.end))
        self._ring_at_the_end(before, batch.status)
        self._wind()

    def on_unreadable(self, message: Unreadable) -> None:
        """There is nothing to show, or nothing more."""
        if self._log is None:
            self.mount(Notice(message.reason))
        else:
            self._shell.tell(message.reason, problem=True)

    def on_run_view_log_wanted(self, message: RunView.LogWanted) -> None:
        self._reader.wants_lines = message.wanted

    def on_action_done(self, message: ActionDone) -> None:
        self._shell.tell(message.text, problem=message.problem)

    def _headline(self, end: Record | None) -> Headline:
        assert self._log is not None
        batch, folder = self._batch, self._log.folder
        ended = batch.status is not None and not batch.status.live
        adapter = str(folder.adapter) if folder and ended and folder.adapter.is_dir() else ""
        return headline(
            self._log.name, batch.status, end, now(), asked=batch.asked, growing=batch.growing, adapter=adapter
        )

    def _wind(self) -> None:
        """The clock runs while the run does, and the footer offers what can be done."""
        if self._idle != self.idle_actions:
            self._idle = self.idle_actions
            self.refresh_bindings()
        if self._clock is not None:
            live = self._batch.status is not None and self._batch.status.live
            self._clock.resume() if live else self._clock.pause()

    def _tick(self) -> None:
        state = self._view.state
        if state is None or not self.is_current:
            return
        if self._batch.asked is not None:
            self._view.show_headline(self._headline(state.end))
        else:
            self._view.tick(now())

    def _ring_for_findings(self) -> None:
        state = self._view.state
        assert state is not None
        assert self._log is not None
        for finding in state.health.active:
            if finding.severity == STOP and finding.number not in self._rung:
                self._rung.add(finding.number)
                self._notify(f"{self._log.name}: {finding.rule}", finding.message)

    def _ring_at_the_end(self, before: RunStatus | None, after: RunStatus | None) -> None:
        assert self._log is not None
        if before is not None and after is not None and before.live and not after.live:
            self._notify(f"{self._log.name} {after.state.replace('_', ' ')}", after.reason)

    def _notify(self, title: str, body: str) -> None:
        from vlmft_console.app.terminal import notify_terminal

        notify_terminal(self._shell, title, body)

    def action_back(self) -> None:
        """Show all panels again; then leave."""
        if self._view.is_full:
            self._view.leave_full()
            return
        if self._batch.status is not None and self._batch.status.live and self._log is not None:
            self._shell.tell(f"{self._log.name} goes on; `vlmft attach {self._log.name}` shows it again")
        self.app.pop_screen()

    def action_stop(self) -> None:
        """Ask how to stop the run, and do it."""
        if self._log is None or self._log.folder is None:
            self._shell.tell("This is a log, not a run of this machine: there is nothing to stop.")
        elif self._batch.status is None or not self._batch.status.live:
            self._shell.tell(f"{self._log.name} is not running")
        else:
            from vlmft_console.app.screens.steer import ask_to_stop

            ask_to_stop(self, self._log.folder)

    def action_resume(self) -> None:
        """Go on with a run that stopped."""
        if self._log is None or self._log.folder is None:
            self._shell.tell("This is a log, not a run of this machine: there is nothing to resume.")
            return
        from vlmft_console.app.screens.steer import resume

        resume(self, self._log.folder)

    def action_advice(self) -> None:
        """Open the preset that the selected finding advises, as a child of the run's own, in the editor."""
        from vlmft_console.app.screens.advice import follow_advice

        follow_advice(self, self._log, self._view.health.selected)

    def action_replay(self) -> None:
        """Play the log from its start."""
        from vlmft_console.app.screens.replay import ReplayScreen

        self.app.push_screen(ReplayScreen(self._target))
