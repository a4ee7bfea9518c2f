"""Displays of a run while it goes: a progress bar on a terminal, plain lines elsewhere, events as JSON."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from vlmft_console.commands.output import as_json
from vlmft_console.figures import accuracy as accuracy_text
from vlmft_console.figures import clock, percent
from vlmft_console.history.state import RunState, tasks_of
from vlmft_console.report.summary import score_of
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import counted, figure, short
from vlmft_core.health import CAUTION, STOP
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import Record

PLAIN_SECONDS = 10.0
"""Plain output prints a step line this often at most."""


class Display(Protocol):
    """Shows what is new; called a few times a second."""

    def tell(self, new: list[Record]) -> None:
        """Show the events that are worth a line of their own."""

    def update(self, state: RunState) -> None:
        """Show how far the run is."""

    def say(self, text: str) -> None:
        """Show one line from the command line itself."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class BarDisplay:
    """One live line with progress, loss, learning rate and time left; evals and notes scroll above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),  # all in one: what is too narrow for it cuts its end
            BarColumn(bar_width=None),
            console=console,
            refresh_per_second=2,
            transient=True,
        )
        self._words = EventWords()
        self._task = self._progress.add_task("starting", total=None)
        self._progress.start()

    def tell(self, new: list[Record]) -> None:
        for record in new:
            if line := self._words.of(record):
                self.say(line)

    def update(self, state: RunState) -> None:
        phase = str(state.end["status"]) if state.end else "training" if state.last_step else "starting"
        self._progress.update(
            self._task,
            description=sanitize(f"{phase} {state.step}/{state.total_steps or '?'}  {_figures(state)}"),
            completed=state.step,
            total=state.total_steps,
        )

    def say(self, text: str) -> None:
        self._console.print(Text(sanitize(text)), highlight=False)

    def close(self) -> None:
        self._progress.stop()


class PlainDisplay:
    """A line for each eval, checkpoint and note, and one for the step every `PLAIN_SECONDS`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._words = EventWords()
        self._shown = -PLAIN_SECONDS
        self._step = 0

    def tell(self, new: list[Record]) -> None:
        for record in new:
            if line := self._words.of(record):
                self.say(line)

    def update(self, state: RunState) -> None:
        now = time.monotonic()
        if state.step != self._step and (now - self._shown >= PLAIN_SECONDS or state.step == state.total_steps):
            self._shown, self._step = now, state.step
            self.say(f"{state.health.unit} {state.step}/{state.total_steps or '?'}  {_figures(state)}")

    def say(self, text: str) -> None:
        print(sanitize(text), file=self._out, flush=True)

    def close(self) -> None:
        pass


class JsonDisplay:
    """Every event as one line of JSON on standard output; everything said in words goes to standard error."""

    def tell(self, new: list[Record]) -> None:
        for record in new:
            print(as_json(record), flush=True)

    def update(self, state: RunState) -> None:
        pass

    def say(self, text: str) -> None:
        print(sanitize(text), file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class EventWords:
    """`event_line` of one event after another: of a log that names no steps, records are counted."""

    def __init__(self) -> None:
        self._unit = "step"

    def of(self, record: Record) -> str:
        if record["event"] == events.NOTE and record.get("counted") == "records":
            self._unit = "record"
        return event_line(record, self._unit)


def event_line(record: Record, unit: str = "step") -> str:
    """One line for an event worth a line of its own, else an empty string.

    Args:
        record: the event.
        unit: what its step counts.
    """
    event = record["event"]
    if event == events.PLAN:
        peak = record["peak_lr"]
        return (
            f"plan: {counted(record['total_steps'], 'step')}, {record['steps_per_epoch']:,} an epoch"
            # Another program's log promises steps and tells no schedule.
            + (f", {record['warmup_steps']:,} of warm-up, peak learning rate {short(peak)}" if peak else "")
        )
    if event == events.EVAL:
        parts = []
        if record["eval_loss"] is not None or "eval_loss" in record.get("nonfinite", ()):
            parts.append(f"loss {figure(record['eval_loss'])}")
        accuracy = record.get("token_accuracy")
        if isinstance(accuracy, float):
            parts.append(f"token accuracy {percent(accuracy)}")
        for task, metrics in tasks_of(record).items():
            if score := score_of(metrics, task):
                parts.append(f"{task} {accuracy_text(*score)}")
        return f"eval at {unit} {record['step']:,}: {', '.join(parts)}"
    if event == events.CHECKPOINT:
        return f"checkpoint at step {record['step']:,}"
    if event == events.HEALTH:
        return _health_line(record)
    if event == events.NOTE:
        return f"note: {record['message']}"
    return ""


def _health_line(record: Record) -> str:
    """A finding as the training program told it when it was raised, became worse or better, or ended."""
    if record["severity"] not in (CAUTION, STOP):
        return f"health: {record['rule']} is over at step {record['step']:,}"
    advice = record.get("advice")
    told = f"health: {record['severity']}: {record['rule']}: {record['message']}"
    return f"{told}. {advice}" if isinstance(advice, str) and advice else told


def _figures(state: RunState) -> str:
    last = state.last_step
    if last is None:
        return ""
    bad = last.get("nonfinite", ())
    parts = [
        f"{label} {figure(last[key])}"
        for label, key in (("loss", "loss"), ("lr", "lr"), ("grad", "grad_norm"))
        if last[key] is not None or key in bad  # another program's log may lack one
    ]
    if state.eta_seconds is not None and not state.end:
        parts.append(f"{clock(state.eta_seconds)} left")
    return "  ".join(parts)
