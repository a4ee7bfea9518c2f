"""Live screen: one run, or any log, while it grows: charts, health, epochs, log; and the keys that steer it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from vlmft_console.app.live_reader import Batch, LiveReader, LogOpened
from vlmft_console.app.messages import Alert, Loading, OpenCheckpoints, OpenReplay, RunAction
from vlmft_console.app.screens.log_screen import LogScreen
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.run.run_view import RunView
from vlmft_console.figures import done
from vlmft_console.history.state import RunState
from vlmft_console.history.trainings import Trainings
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.headline import READING, Headline, headline
from vlmft_console.runs.overview import created
from vlmft_console.runs.status import ELSEWHERE, UNREADABLE, UNSUPERVISED
from vlmft_core.health import STOP
from vlmft_core.run_folder.events import EARLY_STOPPED, FINISHED, Record

if TYPE_CHECKING:
    from vlmft_console.history.loading import ReadAhead
    from vlmft_console.runs.status import RunStatus

now = time.time


class LiveScreen(LogScreen):
    """Shows a run as it is and goes on. Leaving it leaves the run alone.

    Args:
        target: a run folder or a log.
        ahead: reads it already.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop", tooltip="Stop the run, with or without a checkpoint"),
        Binding("r", "resume", "resume", tooltip="Go on from the newest checkpoint, or supervise the run again"),
        Binding("a", "advice", "advice", tooltip="Make the preset that the selected finding advises"),
        Binding("p", "replay", "replay", tooltip="Play the run again from its log"),
        Binding("v", "answers", "answers", tooltip="What base and adapter answer to eval questions, with pictures"),
        Binding("C", "checkpoints", "checkpoints", tooltip="The checkpoints: use, evaluate, ask, merge one"),
        Binding("escape,q", "back", "leave", key_display="q", tooltip="Leave. The run goes on"),
    ]

    def __init__(self, target: Path, ahead: ReadAhead | None = None) -> None:
        super().__init__(target)
        self._reader = LiveReader(target, self.post_message, ahead)
        self._batch = Batch()
        self._trainings = Trainings()
        self._one_of_several = False
        self._rung: set[int] = set()
        self._idle: tuple[str, ...] = ()
        self._clock: Timer | None = None
        self._due: Timer | None = None

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
        if status.state in (ELSEWHERE, UNREADABLE):
            return ("stop", "resume")
        if status.live:
            return () if status.state == UNSUPERVISED else ("resume",)
        return ("stop", "resume") if status.state in (FINISHED, EARLY_STOPPED) else ("stop",)

    def on_loading(self, message: Loading) -> None:
        """Say how far the reading is, and show what there is by now."""
        progress = message.progress
        super().on_loading(message)
        if progress.glimpse is not None:
            remark = f"{done(progress.share)} read" if progress.share is not None else ""
            self._view.show(
                progress.glimpse.value(), Headline(READING, progress.name, remark, sign=("○ reading", "dim"))
            )

    def on_log_opened(self, message: LogOpened) -> None:
        """Everything that the log held until now is in `message.state`."""
        self._log, state, self._one_of_several = message.log, message.state, message.one_of_several
        self._batch = batch = self._reader.take()  # what came, and was looked at, since that state was made
        self._trainings = Trainings(under_way=state)
        state = self._with(state, batch.records)
        self._rung = {finding.number for finding in state.health.active if finding.severity == STOP}
        self._view.log_pane.add(batch.lines, batch.pending)
        self._view.show(state, self._headline(state.end))
        self._wind()
        if not self.focused:
            self._view.focus_panel()
        self._advise_if_wanted()

    def on_news(self) -> None:
        """Take in what was added, once the view has rested: until then the reader keeps it, so that nothing on the
        screen is newer than the rest. What presses does not wait."""
        if self._reader.pressing:
            if self._due is not None:
                self._due.stop()
            self._take_in()
        elif self._due is None:
            self._due = self.set_timer(max(0.001, self._view.rested_at - time.monotonic()), self._take_in)

    def _take_in(self) -> None:
        self._due = None
        state, before = self._view.state, self._batch.status
        if state is None:
            return
        self._batch = batch = self._reader.take()
        state = self._with(state, batch.records)
        self._view.log_pane.add(batch.lines, batch.pending)
        if batch.records:
            self._view.show(state, self._headline(state.end))
            self._ring_for_findings()
        else:
            self._view.show_headline(self._headline(state.end))
        self._ring_at_the_end(before, batch.status)
        self._wind()

    def _with(self, state: RunState, records: list[Record]) -> RunState:
        """The state with what came; a new one where another training begins in the log, as when it is read anew."""
        assert self._log is not None
        for part in self._trainings.parts(records):
            if part.begins:
                weight, state = state.smooth_loss.weight, RunState(self._log.monitor)
                state.smooth_loss.weight = weight
                self._rung, self._one_of_several = set(), True
                tell(self.app, "Another training begins in this log: it is shown from here on.")
            state.apply_all(part.records)
        state.rejected = self._log.rejected
        return state

    def on_run_view_log_wanted(self, message: RunView.LogWanted) -> None:
        self._reader.wants_lines = message.wanted

    def _headline(self, end: Record | None) -> Headline:
        assert self._log is not None
        batch, folder = self._batch, self._log.folder
        ended = batch.status is not None and not batch.status.live
        adapter = str(folder.adapter) if folder and ended and folder.adapter.is_dir() else ""
        return headline(
            self._log.name,
            batch.status,
            end,
            now(),
            asked=batch.asked,
            growing=batch.growing,
            one_of_several=self._one_of_several,
            adapter=adapter,
            launched=created(RunFolder(folder.path)) if folder and not ended else None,
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
                self.app.post_message(Alert(f"{self._log.name}: {finding.rule}", finding.message))

    def _ring_at_the_end(self, before: RunStatus | None, after: RunStatus | None) -> None:
        assert self._log is not None
        if before is not None and after is not None and before.live and not after.live:
            self.app.post_message(Alert(f"{self._log.name} {after.state.replace('_', ' ')}", after.reason))

    def action_back(self) -> None:
        """As any log screen; on leaving say that the run goes on."""
        live = self._batch.status is not None and self._batch.status.live
        super().action_back()
        if live and self._log is not None and not self.is_current:
            tell(self.app, f"{self._log.name} goes on; `vlmft attach {self._log.name}` shows it again")

    def action_stop(self) -> None:
        """Ask how to stop the run, and do it."""
        if self._log is None or self._log.folder is None:
            tell(self, "This is a log, not a run of this machine: there is nothing to stop.")
        elif self._batch.status is None or not self._batch.status.live:
            tell(self, f"{self._log.name} is not running")
        else:
            self.app.post_message(RunAction(self._log.folder, "stop"))

    def action_resume(self) -> None:
        """Go on with a run that stopped."""
        if self._log is None or self._log.folder is None:
            tell(self, "This is a log, not a run of this machine: there is nothing to resume.")
        else:
            self.app.post_message(RunAction(self._log.folder, "resume"))

    def action_replay(self) -> None:
        """Play the log from its start."""
        self.app.post_message(OpenReplay(self._target))

    def action_checkpoints(self) -> None:
        """Show what the run has saved."""
        if self._log is None or self._log.folder is None:
            tell(self, "This is a log, not a run of this machine: it has no checkpoints.")
        else:
            self.app.post_message(OpenCheckpoints(self._log.folder, lambda: self._view.state))
