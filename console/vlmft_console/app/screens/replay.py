"""Replay screen: a log played again, the screen as it was at any moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input
from textual.worker import get_current_worker

from vlmft_console.app.messages import Loading, Unreadable
from vlmft_console.app.screens.log_screen import LogScreen
from vlmft_console.app.tell import tell
from vlmft_console.app.widgets.base.key_bar import KeyBar
from vlmft_console.app.widgets.base.notice import Notice
from vlmft_console.app.widgets.run.run_view import RunView
from vlmft_console.app.widgets.run.transport import SPEEDS, Place, Transport
from vlmft_console.history.choice import LAST, Choice
from vlmft_console.history.loading import LOADING_SECONDS, Progress
from vlmft_console.history.opened import OpenedLog, open_log
from vlmft_console.history.replay import Replay
from vlmft_console.history.trainings import Trainings
from vlmft_console.runs.headline import Headline
from vlmft_console.runs.status import RUNNING
from vlmft_core.errors import VlmftError
from vlmft_core.health import Finding
from vlmft_core.run_folder.events import Record

FRAME_SECONDS = 0.25
"""Between two pictures while it plays."""
_WHOLE_SECONDS = 60.0
"""The first speed is the slowest at which the whole log takes no longer than this."""
_NO_LOG = "The plain log has no times, so it is not replayed; the live view of the run shows it."
seconds = time.monotonic


@dataclass
class Ready(Message):
    """The log has been read."""

    log: OpenedLog
    replay: Replay


class ReplayScreen(LogScreen):
    """Plays a log. It stands at the end at first; to play begins at the start.

    Args:
        target: a run folder or a log.
        choice: what of the log.
    """

    CSS_PATH = "replay.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "play", tooltip="Play, or hold"),
        Binding("greater_than_sign", "speed(1)", "faster", key_display=">", tooltip="Up to 10,000 times as fast"),
        Binding("less_than_sign", "speed(-1)", "slower", key_display="<", show=False),
        Binding("n", "finding(1)", "finding", tooltip="Go to the next health finding"),
        Binding("N", "finding(-1)", "finding before", show=False),
        Binding("e", "eval(1)", "eval", tooltip="Go to the next eval"),
        Binding("E", "eval(-1)", "eval before", show=False),
        Binding("a", "advice", "advice", show=False, tooltip="Make the preset that the selected finding advises"),
        Binding("v", "answers", "answers", show=False, tooltip="What base and adapter answer to eval questions"),
        Binding("t", "ask", "go to", tooltip="Go to a step (1250), a share (40%) or a time (1:20:00)"),
        Binding("full_stop", "record(1)", "event", key_display=".", show=False, tooltip="One event on"),
        Binding("comma", "record(-1)", "event before", key_display=",", show=False),
        Binding("right_parenthesis", "share(0.05)", "forward", key_display=")", show=False, tooltip="A twentieth on"),
        Binding("left_parenthesis", "share(-0.05)", "back", key_display="(", show=False),
        Binding("0", "to_end(False)", "start", show=False),
        Binding("dollar_sign", "to_end(True)", "end", key_display="$", show=False),
        Binding("escape,q", "back", "leave", key_display="q"),
    ]

    def __init__(self, target: Path, choice: Choice = LAST) -> None:
        super().__init__(target)
        self._choice = choice
        self._replay: Replay | None = None
        self._marks: list[tuple[float, str]] = []
        self._speed = 1
        self._player: Timer | None = None
        self._playing = False
        self._shown_at = 0.0

    def compose(self) -> ComposeResult:
        yield RunView()
        yield Transport()
        yield Input(placeholder="step 1250, 40% or 1:20:00", id="place", compact=True)
        yield KeyBar(screen_first=True)

    def on_mount(self) -> None:
        self.query_one("#place", Input).cursor_blink = False
        self._player = self.set_interval(FRAME_SECONDS, self._frame, pause=True)
        self._read()

    @property
    def getting_ready(self) -> bool:
        """While the log is read."""
        return self._replay is None and not self.query(Notice)

    @work(thread=True, exclusive=True, group="read")
    def _read(self) -> None:
        worker = get_current_worker()
        try:
            log = open_log(self._target, self._choice.eval_set)

            def batches() -> Iterator[list[Record]]:
                step, said = 0, seconds()
                for records in log.reader.batches():
                    if worker.is_cancelled:
                        return
                    step = next((record["step"] for record in reversed(records) if "step" in record), step)
                    if seconds() - said >= LOADING_SECONDS:
                        said = seconds()
                        self.post_message(Loading(Progress(log.name, log.reader.progress, step)))
                    yield records

            replay, trainings = Replay((), log.monitor), Trainings(self._choice.run)
            for part in trainings.of(batches()):
                if part.begins:
                    replay = Replay((), log.monitor)
                replay.load(part.records)
            log.require_read()
            trainings.require(log)
        except (VlmftError, OSError) as error:
            self.post_message(Unreadable(str(error)))
            return
        self.post_message(Ready(log, replay))

    def on_ready(self, message: Ready) -> None:
        """The log can be played."""
        self._log, self._replay = message.log, message.replay
        message.replay.seek(message.replay.length)
        self._marks = [(at, finding.severity) for at, finding in message.replay.all_findings]
        self._speed = next((speed for speed in SPEEDS if message.replay.seconds / speed <= _WHOLE_SECONDS), SPEEDS[-1])
        self._view.log_pane.add([_NO_LOG])
        self._show()
        self._view.focus_panel()
        self._advise_if_wanted()

    def _frame(self) -> None:
        """Let the time pass that has passed."""
        now = seconds()
        passed, self._shown_at = now - self._shown_at, now
        if self._replay is not None and not self._replay.advance(passed, self._speed):
            self._hold()
        self._show()

    def _show(self) -> None:
        log, replay = self._log, self._replay
        if log is None or replay is None:
            return
        state = replay.state
        state.rejected = log.rejected
        self._view.show(state, _headline(log.name, state.end, state.pulse.last_seen))
        place = Place(replay.now, replay.seconds, state.step, self._marks)
        self.query_one(Transport).show(place, playing=self._playing, speed=self._speed)

    def _hold(self) -> None:
        self._playing = False
        if self._player is not None:
            self._player.pause()

    def action_play(self) -> None:
        """Play, or hold; at the end, play from the start."""
        if self._replay is None or self._player is None:
            return
        if self._playing:
            self._hold()
        else:
            if self._replay.position == self._replay.length:
                self._replay.seek(0)
            self._playing, self._shown_at = True, seconds()
            self._player.resume()
        self._show()

    def action_speed(self, change: int) -> None:
        """Play faster, or slower."""
        self._speed = SPEEDS[max(0, min(len(SPEEDS) - 1, SPEEDS.index(self._speed) + change))]
        self._show()

    def action_finding(self, direction: int) -> None:
        """Go to where the next finding is raised, or the one before."""
        if self._replay is None:
            return
        found = self._replay.next_finding() if direction > 0 else self._replay.previous_finding()
        self._moved(found, "finding", direction)
        if found is not None:
            self._view.health.select(found)

    def action_eval(self, direction: int) -> None:
        """Go to the next eval, or the one before."""
        if self._replay is None:
            return
        found = self._replay.next_eval() if direction > 0 else self._replay.previous_eval()
        self._moved(found, "eval", direction)

    def _moved(self, found: Finding | Record | None, what: str, direction: int) -> None:
        if found is None:
            tell(self, f"There is no {what} {'after' if direction > 0 else 'before'} this moment.")
        else:
            self._hold()
            self._show()

    def action_answers(self) -> None:
        """Show the answers of the evals up to this moment."""
        if self._replay is None:
            return
        self._hold()
        self._show()
        self._open_answers(frozenset(record["step"] for record in self._replay.state.evals))

    def action_advice(self) -> None:
        """Open the preset that the selected finding advises, as a child of the run's own, in the editor."""
        self._hold()
        self._show()
        super().action_advice()

    def action_record(self, distance: int) -> None:
        """One event on, or back."""
        if self._replay is not None:
            self._hold()
            self._replay.seek(self._replay.position + distance)
            self._show()

    def action_share(self, share: float) -> None:
        """Part of the whole time on, or back."""
        if self._replay is not None:
            self._replay.seek_time(self._replay.now + share * self._replay.seconds)
            self._show()

    def action_to_end(self, end: bool) -> None:
        """To the end, or the start."""
        if self._replay is not None:
            self._replay.seek(self._replay.length if end else 0)
            self._show()

    def action_ask(self) -> None:
        """Ask where to go."""
        box = self.query_one("#place", Input)
        box.display = True
        box.value = ""
        box.focus()

    @on(Input.Submitted, "#place")
    def _asked(self, event: Input.Submitted) -> None:
        if self._replay is not None and event.value.strip():
            try:
                self._replay.seek_text(event.value)
            except VlmftError as error:
                tell(self, str(error), problem=True)
                return
        self._leave_box()
        self._show()

    @on(Transport.Sought)
    def _sought(self, message: Transport.Sought) -> None:
        if self._replay is not None:
            self._replay.seek_time(message.share * self._replay.seconds)
            self._show()

    def _leave_box(self) -> None:
        self.query_one("#place", Input).display = False
        self._view.focus_panel()

    def action_back(self) -> None:
        """Close what is open, the innermost first."""
        if self.query_one("#place", Input).display:
            self._leave_box()
        else:
            super().action_back()


def _headline(name: str, end: Record | None, last_seen: float | None) -> Headline:
    """A replay shows the run as it was: running until the log says how it ended."""
    if end is not None:
        return Headline(end["status"], name, str(end.get("reason") or ""))
    return Headline(RUNNING, name, now=last_seen or 0.0)
