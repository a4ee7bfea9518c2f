"""Transport line: where a replay stands, how fast it plays, and the findings to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from vlmft_console.app.widgets.base.line_view import Line, LineView, Part
from vlmft_console.app.widgets.base.readout import Readout
from vlmft_console.figures import clock
from vlmft_core.health import CAUTION

SPEEDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""How many times as fast as the log a replay can play."""


@dataclass(frozen=True)
class Place:
    """Where a replay stands.

    Attributes:
        seconds: from the start of the log to now.
        total: seconds that the log takes.
        step: optimizer steps done.
        marks: second and severity of every finding of the whole log.
    """

    seconds: float
    total: float
    step: int
    marks: Sequence[tuple[float, str]] = ()


class Transport(Horizontal):
    """One line: playing or not, speed, time, and a track with the findings on it."""

    DEFAULT_CSS = """
    Transport {
        height: 1;
        background: $boost;
        padding: 0 1;
        Readout { margin-right: 2; }
        Track { width: 1fr; height: 1; overflow: hidden hidden; scrollbar-gutter: auto; }
    }
    """

    @dataclass
    class Sought(Message):
        """The person pointed at a place of the track, 0 to 1."""

        share: float

    def compose(self) -> ComposeResult:
        yield Readout(id="playing")
        yield Readout(id="time")
        yield Track()

    def show(self, place: Place, *, playing: bool, speed: int) -> None:
        """Show where the replay stands."""
        self.query_one("#playing", Readout).show(f"{'▶ playing' if playing else '‖ paused '} ×{speed:,}", "strong")
        self.query_one("#time", Readout).show(f"{clock(place.seconds)} of {clock(place.total)}")
        self.query_one(Track).show(place)


class Track(LineView):
    """The time of the log from left to right: what has passed, where it stands, `◆` cautions and `✖` stops."""

    def __init__(self) -> None:
        super().__init__()
        self._place = Place(0.0, 0.0, 0)

    def show(self, place: Place) -> None:
        """Show a place."""
        self._place = place
        self.lay_out()

    def lay_out(self) -> None:
        self.show_lines([track(self._place, self.size.width)])

    def on_click(self, event: events.Click) -> None:
        """Go where the click was."""
        self.post_message(Transport.Sought(event.x / max(1, self.size.width - 1)))


def track(place: Place, width: int) -> Line:
    """The track as a line of `width` cells."""
    cells: list[Part] = []
    at = _cell(place.seconds, place.total, width)
    for cell in range(width):
        cells.append(("━", "primary") if cell < at else ("─", "dim"))
    for seconds, severity in place.marks:
        if cells:
            sign = ("◆", "caution") if severity == CAUTION else ("✖", "stop")
            cell = _cell(seconds, place.total, width)
            cells[cell] = sign if cells[cell][0] != "✖" else cells[cell]
    if cells:
        cells[at] = ("●", "strong")
    return tuple(_joined(cells))


def _cell(seconds: float, total: float, width: int) -> int:
    return min(width - 1, max(0, round(seconds / total * (width - 1)))) if total > 0 else 0


def _joined(cells: Sequence[Part]) -> list[Part]:
    """Neighbours of one role as one part."""
    parts: list[Part] = []
    for text, role in cells:
        if parts and parts[-1][1] == role:
            parts[-1] = parts[-1][0] + text, role
        else:
            parts.append((text, role))
    return parts
