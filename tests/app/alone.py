"""An app with one widget in it."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widget import Widget

from tests.sample_run import BEGAN, sample_records
from vlmft_console.app.themes import DARK
from vlmft_console.history.state import RunState
from vlmft_console.runs.headline import Headline


class Alone(App[None]):
    """Shows `widget` and nothing else."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.animation_level = "none"
        self._widget = widget
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield self._widget


def sample_state(**options: int) -> RunState:
    """What the sample run adds up to."""
    state = RunState()
    state.apply_all(list(sample_records(**options)))
    return state


RUNNING = Headline("running", "best-sample", now=BEGAN + 4000.0)
