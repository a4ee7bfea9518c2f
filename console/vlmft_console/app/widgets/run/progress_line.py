"""Progress line: a run's state, steps, time left and speed. Two lines of readouts, each redrawn on its own."""

from __future__ import annotations

import math

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from vlmft_console.app.widgets.base.cells import bar
from vlmft_console.app.widgets.base.line_view import LineView
from vlmft_console.app.widgets.base.name_line import NameLine
from vlmft_console.app.widgets.base.readout import Readout
from vlmft_console.app.widgets.run.run_list import state_words
from vlmft_console.figures import clock, done, epochs_passed, percent
from vlmft_console.history.state import RunState
from vlmft_console.runs.headline import Headline
from vlmft_console.runs.status import STARTING
from vlmft_core.figures import figure, short

_RECENT = 20
"""Steps whose median speed a live run shows."""
_MFU_FROM = 100
"""Cells from which on there is room for the share of the GPUs' peak."""


class ProgressLine(Vertical):
    """State and name, epoch and speed; below them the steps as figures and as a bar, the time left and elapsed."""

    DEFAULT_CSS = """
    ProgressLine {
        height: 2;
        background: $panel;
        padding: 0 1;
        Horizontal { height: 1; }
        Readout { margin-right: 2; }
        Readout.-last { margin-right: 0; }
        &.-narrow #mfu { display: none; }
        NameLine, Bar { width: 1fr; height: 1; margin-right: 2; overflow: hidden hidden; }
    }
    """

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Readout(id="word")
            yield NameLine()
            yield Readout(id="epoch", classes="-wide")
            yield Readout(id="mfu")
            yield Readout(id="speed", classes="-wide -last")
        with Horizontal():
            yield Readout(id="steps")
            yield Bar()
            yield Readout(id="percent", classes="-wide")
            yield Readout(id="left")
            yield Readout(id="elapsed", classes="-wide -last")

    def on_resize(self) -> None:
        self.set_class(self.size.width < _MFU_FROM, "-narrow")

    def on_mount(self) -> None:
        self._shown: tuple[RunState, Headline] | None = None

    def show(self, state: RunState, headline: Headline) -> None:
        """Show figures and state; the clock stands at `headline.now`."""
        self._shown = state, headline
        words, role = headline.sign or state_words(headline.word)
        self._readout("word").show(words, role or "strong")
        self._title(headline, role)
        self._steps(state, speed_of(state, live=headline.now is not None))
        self.tick(headline.now)

    def say(self, text: str) -> None:
        """Show a line in place of state and name."""
        self.query_one(NameLine).show(text, "")

    def tick(self, now: float | None) -> None:
        """Let the clock stand at `now`; only a text that changed is drawn again."""
        if self._shown is None:
            return
        state, headline = self._shown
        waited = 0.0
        resuming = headline.word == STARTING and state.step  # the latest event may be from before the pause
        if now is not None and state.pulse.last_seen is not None and not resuming:
            waited = max(0.0, now - state.pulse.last_seen)
        eta = state.eta_seconds
        live = headline.now is not None and now is not None
        self._readout("left").show(f"ETA {clock(max(0.0, eta - waited))}" if live and eta is not None else "")
        elapsed = state.seconds + waited
        text = f"elapsed {clock(elapsed)}" if elapsed else ""
        if headline.launched is not None and now is not None:  # the log of a run begins when its program is loaded
            text = f"launched {clock(max(0.0, now - headline.launched))} ago"
        self._readout("elapsed").show(text)

    def _title(self, headline: Headline, role: str) -> None:
        remark = f"  {headline.remark}" if headline.remark else ""
        self.query_one(NameLine).show("", headline.name, remark, role="strong", after_role=role)

    def _steps(self, state: RunState, speed: float | None) -> None:
        total = state.total_steps
        self._readout("steps").show(f"{state.health.unit} {state.step:,}" + (f"/{total:,}" if total else ""))
        share = state.step / total if total else None
        self._readout("percent").show(done(share))
        self.query_one(Bar).show(share)
        record = state.last_step or {}
        at, mfu = (record.get(key) for key in ("epoch", "mfu"))
        epochs = (state.plan or {}).get("epochs")
        of = f"/{short(epochs)}" if isinstance(epochs, int | float) else ""
        self._readout("epoch").show(f"epoch {epochs_passed(at)}{of}" if isinstance(at, int | float) else "")
        self._readout("mfu").show(f"MFU {percent(mfu)}" if isinstance(mfu, int | float) else "")
        self._readout("speed").show("" if speed is None else f"median {figure(speed)} samples/s")

    def _readout(self, name: str) -> Readout:
        return self.query_one(f"#{name}", Readout)


def speed_of(state: RunState, *, live: bool) -> float | None:
    """Median of the samples a second: while it goes on over the last steps, then over all."""
    speed = state.samples_per_s
    first = speed[max(0, len(speed) - _RECENT)][0] if live and speed else -math.inf
    found = speed.quantiles(first, math.inf, 0.5, 0.5) if speed else None
    return found[0] if found else None


class Bar(LineView):
    """A share as a bar, as wide as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self._share: float | None = None

    def show(self, share: float | None) -> None:
        """Show a share, 0 to 1, or nothing."""
        self._share = share
        self.lay_out()

    def lay_out(self) -> None:
        self.show_lines((((bar(self._share, self.size.width), "primary"),),) if self._share is not None else ())
