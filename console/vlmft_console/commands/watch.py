"""`vlmft watch`: follow the log of any training, whoever started it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from vlmft_console.commands.parameters import EvalSet
from vlmft_console.commands.progress import Display
from vlmft_console.commands.show import display_for, show
from vlmft_console.history.importers import NothingYet
from vlmft_console.history.opened import OpenedLog, open_log
from vlmft_console.history.state import RunState
from vlmft_console.history.trainings import Trainings
from vlmft_console.report.diagnosis import health_lines
from vlmft_console.runs.folder import RunFolder
from vlmft_core.errors import EXIT_STOP_FOUND
from vlmft_core.health import STOP, Finding, Health
from vlmft_core.health.rules import RULES
from vlmft_core.run_folder.events import HEALTH, Record

POLL_SECONDS: Final = 0.5
PATIENCE_POLLS: Final = 4
"""Quiet looks after the training has ended before the log is taken to be whole."""


def watch(
    path: Annotated[
        Path, typer.Argument(metavar="LOG", help="A log of any known format, which may not exist yet, or a folder.")
    ],
    json_output: Annotated[bool, typer.Option("--json", help="Print every event as JSON.")] = False,
    eval_set: EvalSet = None,
) -> None:
    """Follow a training log while it grows, and judge it. Ctrl-C stops looking.

    Exit status: 0, or 3 when a finding asks for a stop, or 2 when the log cannot be read.
    """
    display = display_for(json_output)
    try:
        log = _wait_for(path, display, eval_set)
        if log.folder is None:
            health = _follow(log, display, whole=json_output)
            for line in health_lines(health):
                display.say(line)
    except KeyboardInterrupt:
        return
    finally:
        display.close()
    if log.folder is not None:
        show(RunFolder(log.folder.path), [], json_output, steer=False)
    elif any(finding.severity == STOP for finding in health.active):
        raise typer.Exit(EXIT_STOP_FOUND)


def _wait_for(path: Path, display: Display, eval_set: str | None) -> OpenedLog:
    """Open the log as soon as it holds a training record."""
    waiting = False
    while True:
        try:
            return open_log(path, eval_set)
        except NothingYet as nothing:
            if not waiting:
                display.say(f"{nothing}: waiting for the first one")
            waiting = True
            time.sleep(POLL_SECONDS)


def _follow(log: OpenedLog, display: Display, *, whole: bool) -> Health:
    """Show what comes until the training has ended; returns the rules with what they have found.

    A finding is said as it is judged here; what our own log says of the same rule is shown only with `whole`.
    """
    state, trainings = RunState(log.monitor), Trainings()
    display.say(f"{log.path} ({log.format})")
    shown: dict[int, tuple[str, bool]] = {}
    quiet = 0
    while quiet <= PATIENCE_POLLS:
        quiet = quiet + 1 if state.end else 0
        for part in trainings.of(log.reader.batches()):
            quiet = 0
            if part.begins:
                display.say(f"training {trainings.judged} begins")
                state, shown = RunState(log.monitor), {}
            state.apply_all(part.records)
            display.tell([record for record in part.records if whole or not _judged_here(record)])
        for finding in state.findings:
            if shown.get(finding.number) != (now := (finding.severity, finding.active)):
                shown[finding.number] = now
                display.say(_told(finding))
        display.update(state)
        time.sleep(POLL_SECONDS)
    return state.health


def _judged_here(record: Record) -> bool:
    return record["event"] == HEALTH and record["rule"] in {rule.name for rule in RULES}


def _told(finding: Finding) -> str:
    if not finding.active:
        return f"resolved: {finding.rule}"
    return f"{finding.severity}: {finding.rule}: {finding.message}. {finding.advice.text}"
