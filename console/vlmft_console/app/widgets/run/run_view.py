"""Run view: everything about one run on one screen, with progress, charts, health, epochs and the log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.widget import Widget

from vlmft_console.app.settings import keep, usable_settings
from vlmft_console.app.widgets.base.chart import Chart
from vlmft_console.app.widgets.base.focusing import focus_now
from vlmft_console.app.widgets.run.epoch_table import EpochTable
from vlmft_console.app.widgets.run.gpu_table import GpuTable
from vlmft_console.app.widgets.run.health_list import HealthList
from vlmft_console.app.widgets.run.log_pane import LogPane
from vlmft_console.app.widgets.run.memory_panel import MemoryPanel
from vlmft_console.app.widgets.run.panel_layout import EXPLAINED, LOWER, PANELS, UPPER, size_class, visible
from vlmft_console.app.widgets.run.progress_line import ProgressLine
from vlmft_console.charts.run_charts import CHARTS
from vlmft_console.charts.smoothing import smooth
from vlmft_console.history.state import RunState
from vlmft_console.runs.headline import Headline

_TITLES: Final = {"gpus": "GPUs", "health": "Health", "epochs": "Epochs", "log": "Log"}
"""Charts draw their own."""
_RESOURCES: Final = ("throughput", "machine", "gpus", "memory-disk", "accuracy")
"""What the fourth panel switches between."""
_SHARE: Final = 0.025
"""Of a core, that drawing what has grown takes at most, …"""
_LONGEST_REST: Final = 4.0
"""… but the screen is never older than that, in seconds: a first drawing also loads what draws."""


class RunView(Vertical):
    """Shows one `RunState`. It has no clock and reads no file: who owns the state calls `show`."""

    @dataclass
    class LogWanted(Message):
        """The plain log has come into view, or gone out of it."""

        wanted: bool

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(key), f"choose('{name}')", name, show=False, tooltip=EXPLAINED[name])
            for key, name in enumerate(PANELS, 1)
        ),
        Binding("tab", "next_panel(1)", "panels", tooltip="The next panel; 1 to 7 choose one"),
        Binding("shift+tab", "next_panel(-1)", "panel before", show=False),
        Binding("enter,f", "full", "full", tooltip="The chosen panel over the whole screen, and back"),
    ]
    DEFAULT_CSS = """
    RunView {
        #panels { layout: grid; grid-size: 6; height: 1fr; }
        Chart, #usage { column-span: 3; }
        #usage > * { height: 1fr; }
        #memory { height: 1fr; }
        HealthList, EpochTable, LogPane, GpuTable {
            border-top: blank $background;
            border-title-color: $foreground;
            border-title-background: $background;
            border-title-style: bold;
            &:focus, &:focus-within { border-title-color: $primary; }
        }
        &.-small #panels { grid-rows: 3fr 3fr 2fr; }
        &.-small .lower { column-span: 6; }
        &.-medium #panels { grid-rows: 1fr 1fr 1fr; }
        &.-medium .lower { column-span: 3; }
        &.-large #panels { grid-rows: 1fr 1fr 1fr; }
        &.-large .lower { column-span: 2; }
        &.-one #panels { grid-size: 1; grid-rows: 1fr; }
        &.-one #panels > * { column-span: 1; }
        &.-tiny .-wide { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._state: RunState | None = None
        self._headline: Headline | None = None
        self._selected = "loss"
        self._lower = "health"
        self._resource = "throughput"
        self._full = False
        self._smoothing = usable_settings().smoothing
        self._visible: set[str] = set()
        self._behind = False
        self.rested_at = 0.0
        """When to show again what has grown, by the monotonic clock: a large terminal takes longer to draw."""

    def compose(self) -> ComposeResult:
        yield ProgressLine()
        with Container(id="panels"):
            for name in UPPER[:3]:
                yield Chart(id=name)
            with Container(id="usage"):
                yield Chart(id="throughput")
                with Vertical(id="machine"):
                    for name in ("load", "host_memory", "disk"):
                        yield Chart(id=name)
                yield GpuTable(id="gpus")
                with Vertical(id="memory-disk"):
                    yield Chart(id="memory")
                    yield MemoryPanel()
                yield Chart(id="accuracy")
            yield HealthList(id="health")
            yield EpochTable(id="epochs")
            yield LogPane(id="log")

    def on_mount(self) -> None:
        self._mark_focus()
        for name in LOWER:
            self.query_one(f"#{name}").add_class("lower")
        self._arrange()

    def on_descendant_focus(self) -> None:
        self._mark_focus()

    def on_descendant_blur(self) -> None:
        self._mark_focus()

    def _mark_focus(self) -> None:
        """A sign beside the title: colour alone would not do."""
        for name, title in _TITLES.items():
            panel = self.query_one(f"#{name}")
            panel.border_title = f"▸ {title}" if panel.has_focus or panel.has_focus_within else title

    def on_resize(self) -> None:
        self._arrange()

    @property
    def health(self) -> HealthList:
        """The health panel; it knows which finding is selected."""
        return self.query_one(HealthList)

    @property
    def log_pane(self) -> LogPane:
        """The log panel."""
        return self.query_one(LogPane)

    @property
    def state(self) -> RunState | None:
        """What was shown last."""
        return self._state

    @property
    def is_full(self) -> bool:
        """Whether one panel has all the room because the reader wanted it."""
        return self._full

    def show(self, state: RunState, headline: Headline) -> None:
        """Show the figures of `state` as they are now: header, charts and tables together, so that all that stands on
        the screen is of one moment. Below another screen nothing is drawn before `catch_up`."""
        self._state = state
        if not self.screen.is_current:
            self._headline, self._behind = headline, True
            return
        began = time.thread_time()
        self._smooth()
        for name in self._visible:
            self._update(name)
        self.show_headline(headline)
        self.rested_at = time.monotonic() + min((time.thread_time() - began) / _SHARE, _LONGEST_REST)

    def catch_up(self) -> None:
        """Draw what came while another screen was looked at."""
        if self._behind and self._state is not None and self._headline is not None:
            self._behind = False
            self.show(self._state, self._headline)

    def show_headline(self, headline: Headline) -> None:
        """Show another state word or remark; figures stay."""
        self._headline = headline
        if not self.screen.is_current:
            self._behind = True
        elif self._state is not None:
            self.query_one(ProgressLine).show(self._state, headline)
            self.health.show_end(headline)

    def say(self, text: str) -> None:
        """Show one line at the top while there are no figures; it may hold a name from anywhere."""
        if self._state is None:
            self.query_one(ProgressLine).say(text)

    def tick(self, now: float) -> None:
        """Let the clocks of the progress line stand at `now` (unix time)."""
        self.query_one(ProgressLine).tick(now)

    def action_choose(self, name: str) -> None:
        """Go to a panel. The fourth one, chosen again, shows its next content."""
        if name == "usage" == self._selected and (self._focused_panel() == "usage" or self._alone):
            self._resource = _RESOURCES[(_RESOURCES.index(self._resource) + 1) % len(_RESOURCES)]
        self._choose(name)

    def action_next_panel(self, distance: int) -> None:
        """Go to the panel after this one, or before it."""
        self._choose(PANELS[(PANELS.index(self._selected) + distance) % len(PANELS)])

    def action_full(self) -> None:
        """Give the chosen panel all the room, or take it back."""
        self._full = not self._full
        self._selected = self._focused_panel() or self._selected
        self._arrange()

    def on_chart_full_screen_requested(self, message: Chart.FullScreenRequested) -> None:
        message.stop()
        self.action_full()

    def on_chart_smoothing_requested(self, message: Chart.SmoothingRequested) -> None:
        """Smooth the train loss more or less."""
        message.stop()
        self._smoothing = message.applied_to(self._smoothing)
        keep(self, "smoothing", self._smoothing)
        self._smooth()
        self._update("loss")

    def on_chart_looked(self, message: Chart.Looked) -> None:
        """All charts show the same steps, and the crosshair at the same one."""
        message.stop()
        for chart in self.query(Chart):
            if chart is not message.chart:
                chart.look_like(message.chart.view)
        self._smooth()
        if "loss" in self._visible:
            self._update("loss")

    def leave_crosshair(self) -> bool:
        """Take the crosshair away; whether there was one."""
        return self.query_one("#loss", Chart).leave_crosshair()

    def _smooth(self) -> None:
        """Average the train loss over a share of the steps that are seen."""
        if self._state is not None:
            smooth(self._state, self._smoothing, self.query_one("#loss", Chart).view.span)

    def leave_full(self) -> None:
        """Show the other panels again."""
        self._full = False
        self._arrange()

    def focus_panel(self) -> None:
        """Give the keys back to the chosen panel."""
        focus_now(self._inner(self._selected))

    @property
    def _alone(self) -> bool:
        return len(self._visible) == 1

    def _choose(self, name: str) -> None:
        self._selected = name
        if name in LOWER:
            self._lower = name
        self._arrange()
        focus_now(self._inner(name))

    def _focused_panel(self) -> str | None:
        focused = self.screen.focused
        return next(
            (name for name in PANELS if focused and self.query_one(f"#{name}") in focused.ancestors_with_self), None
        )

    def _inner(self, name: str) -> Widget:
        """The widget of a panel that takes the keys."""
        if name == "usage":
            first = {"memory-disk": "memory", "machine": "load"}
            return self.query_one(f"#{first.get(self._resource, self._resource)}")
        return self.log_pane.log_lines if name == "log" else self.query_one(f"#{name}")

    def _arrange(self) -> None:
        """Show the panels that fit, each with figures of now."""
        size = size_class(*self.app.size)
        for known in ("tiny", "small", "medium", "large"):
            self.set_class(known == size, f"-{known}")
        before, self._visible = self._visible, visible(size, self._selected, self._lower, full=self._full)
        self.set_class(self._alone, "-one")
        for name in PANELS:
            self.query_one(f"#{name}").display = name in self._visible
        for name in _RESOURCES:
            self.query_one(f"#{name}").display = name == self._resource
        for name in self._visible:
            self._update(name)
        if ("log" in before) != ("log" in self._visible):
            self.post_message(self.LogWanted("log" in self._visible))

    def _update(self, name: str) -> None:
        if self._state is None:
            return
        panel = self.query_one(f"#{self._resource if name == 'usage' else name}")
        for widget in panel.walk_children(with_self=True):
            if isinstance(widget, Chart):
                widget.show(CHARTS[widget.id or ""].of(self._state))
            elif isinstance(widget, HealthList | EpochTable | GpuTable | MemoryPanel):
                widget.show(self._state)
