"""`vlmft runs`, `status`, `attach`, `logs`: look at runs and leave them alone."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say, waiting
from vlmft_console.commands.parameters import Json, Run
from vlmft_console.commands.show import show
from vlmft_console.figures import age, clock
from vlmft_console.history.log_ends import UNJUDGED, figures_at_ends
from vlmft_console.history.log_figures import LogFigures
from vlmft_console.history.state import RunState
from vlmft_console.runs.facts import ORDERS, RunFacts, facts, in_order
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.known_figures import KnownFigures, log_files
from vlmft_console.runs.labels import Labels
from vlmft_console.runs.overview import created, preset_name
from vlmft_console.runs.registry import all_runs, closed_folders, find, read_run
from vlmft_console.runs.run_filter import parse_filter
from vlmft_console.runs.status import LIVE, UNREADABLE, RunStatus, status_of
from vlmft_console.sanitize import sanitize
from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.figures import counted, figure

_FIGURES = 8
"""Columns of which the lines are not broken; one more where the preset is named."""
_WIDE, _NAME = 100, 12
"""Columns from which on the preset is named, and those that a run's name gets at least."""
_SECONDS = 0.25
"""Of a processor, in which a list reads logs that nobody has read before."""
_BLOCK = 1 << 15
"""Characters of a log that are read and printed at once; to the end of the line where they end."""
_NAMED = 3
"""Folders that are closed to us which are named."""


def runs(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="FILTER", help="Only runs of which all of this holds.")
    ] = None,
    sort: Annotated[str, typer.Option("--sort", metavar="KEY", help=f"By {', '.join(ORDERS)}.")] = "age",
    json_output: Json = False,
) -> None:
    """List every run on this machine, newest first.

    A filter is a word of what the list says; a figure, such as 'eval<0.1', 'step>=100', 'done<50%', 'age<3h'; or a
    text: name, state, preset, health, tag or note, such as state:live, preset:best, tag:sweep*. Quote < and >.
    """
    is_wanted = parse_filter(" ".join(wanted or []))
    if sort not in ORDERS:
        raise VlmftError(f"runs cannot be sorted by {sort!r}", f"use one of {', '.join(ORDERS)}")
    # A script, and who asks for some runs or an order, gets an answer from whole logs.
    there = _all_figures(_SECONDS if not wanted and sort == "age" and not json_output else math.inf)
    found = in_order((figures for figures in there if is_wanted(_facts(figures))), sort, _facts)
    if json_output:
        print_json(found)
        _say_closed(err=True)
        return
    if there and not found:
        typer.echo(f"none of {len(there):,} runs is one of those")
        _say_closed()
        return
    if not found:
        typer.echo("no runs yet: `vlmft run demo` makes one")
        _say_closed()
        return
    wide = shutil.get_terminal_size().columns >= _WIDE
    labelled = wide and any(figures["tags"] or figures["note"] for figures in found)
    more = [*(["preset"] if wide else []), "age", *(["tags, note"] if labelled else [])]
    table = new_table("run", "state", "step", "left", "train", "eval", "health", *more)
    for number, column in enumerate(table.columns):
        column.no_wrap = 0 < number < _FIGURES + wide  # a run may go by its whole path
    table.columns[0].min_width = _NAME
    names = Counter(figures["run"] for figures in found)
    for figures in found:
        add_row(
            table,
            figures["run"] if names[figures["run"]] == 1 else figures["folder"],
            figures["state"],
            f"{figures['step']:,}/{figures['total_steps'] or '?'}",
            figures["left"],
            figure(figures["loss"], ""),
            figure(figures["eval_loss"], ""),
            figures["health"].partition(" ")[0],
            *([figures["preset"]] if wide else []),
            figures["age"],
            *([str(Labels(tuple(figures["tags"]), figures["note"]))] if labelled else []),
        )
    print_table(table)
    if unjudged := sum(figures["health"] == UNJUDGED for figures in found):
        logs_of = f"the logs of {counted(unjudged, 'run')}"
        say(f"{UNJUDGED}: {logs_of} have not been read for it yet; the next list goes on, `--sort name` reads all")
    _say_closed()


def _say_closed(*, err: bool = False) -> None:
    if closed := closed_folders():
        more = f" and {len(closed) - _NAMED:,} more" if len(closed) > _NAMED else ""
        say(f"closed to you, so not looked into: {', '.join(map(str, closed[:_NAMED]))}{more}", err=err)


def _facts(figures: dict[str, Any]) -> RunFacts:
    return facts(
        name=figures["run"],
        state=figures["state"],
        live=figures["state"] in LIVE,
        preset=figures["preset"],
        health=figures["health"],
        labels=Labels(tuple(figures["tags"]), figures["note"]),
        step=figures["step"],
        total_steps=figures["total_steps"],
        train=figures["loss"],
        last_eval=figures["eval_loss"],
        best_eval=figures["best_eval_loss"],
        age_seconds=time.time() - figures["created"],
    )


def _all_figures(seconds: float) -> list[dict[str, Any]]:
    """The figures of every run, newest first; one that cannot be read hides no other.

    Args:
        seconds: of this process, for which logs are read for the first time; after that, of runs that ended only the
            ends are.
    """
    known, began, folders = KnownFigures(), time.process_time(), all_runs()
    with waiting() as tell:
        found = []
        for number, folder in enumerate(folders):
            tell(f"reading logs: {number:,} of {len(folders):,} runs")
            found.append(_at_a_glance(folder, known, whole=time.process_time() - began < seconds))
    known.keep()
    return found


def _at_a_glance(folder: RunFolder, known: KnownFigures, *, whole: bool) -> dict[str, Any]:
    """The figures of a run. The log of one that lives is always read, that of another if it is to be read whole."""
    try:
        status = status_of(folder)
        figures = None if status.live else known.of(folder)
        if figures is None and not status.live and not whole:
            figures = figures_at_ends(folder.segments)
        if figures is not None:
            return _row(folder, figures, status)
        files = log_files(folder)
        run, status = read_run(folder)
        if not status.live:
            known.add(folder, files, LogFigures.of(run))
        return overview(folder, run, status)
    except OSError as error:
        return overview(folder, RunState(), RunStatus(UNREADABLE, f"{folder.path} cannot be read: {error.strerror}"))
    except VlmftError as error:
        return overview(folder, RunState(), RunStatus(UNREADABLE, str(error)))


def status(name: Run, json_output: Json = False) -> None:
    """Show the state of a run, how far it is and who runs it."""
    folder = find(name)
    with waiting() as tell:
        run, state = read_run(folder, tell)
    figures = overview(folder, run, state)
    if json_output:
        print_json(figures)
        return
    table = new_table()
    for label in ("run", "state", "reason"):
        if figures[label]:
            add_row(table, label, str(figures[label]))
    for label in ("folder", "log"):
        if figures[label]:
            add_row(table, label, Path(figures[label]))
    add_row(table, "step", f"{figures['step']:,} of {figures['total_steps'] or '?'}")
    for label, text in (
        ("left", figures["left"]),
        ("train loss", figure(figures["loss"], "")),
        ("eval loss", figure(figures["eval_loss"], "")),
        ("best eval loss", figure(figures["best_eval_loss"], "")),
        ("health", figures["health"]),
        ("checkpoints", ", ".join(map(str, figures["checkpoints"]))),
        ("tags", " ".join(figures["tags"])),
        ("note", figures["note"]),
        ("processes", ", ".join(f"{role} {pid}" for role, pid in figures["processes"].items())),
    ):
        if text:
            add_row(table, label, text)
    for note in (*run.doubts, *run.notes[-5:]):
        add_row(table, "note", note)
    print_table(table)


def attach(name: Run, json_output: Json = False) -> None:
    """Show a run as `vlmft run` does. Ctrl-C stops looking; the run goes on.

    Exit status: that of the run when it ended, else 0.
    """
    folder = find(name)
    show(folder, [], json_output, steer=False)


def logs(
    name: Run,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines; 0 for all.")] = 0,
) -> None:
    """Print what the ranks of a run wrote. Control characters are made visible."""
    folder = find(name)
    try:
        descriptor = open_regular(folder.training_log or folder.batch_log)
    except FileNotFoundError:  # or it is a link to nothing
        typer.echo("no log yet", err=True)
        return
    if lines:
        os.lseek(descriptor, _begin_of_last(descriptor, lines), os.SEEK_SET)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace", newline="\n") as file:
        try:
            while True:
                # Before the read: what came until the end is then printed. Whether a run lives, no event need tell.
                live = follow and status_of(folder).live
                while text := file.read(_BLOCK) + file.readline():
                    typer.echo(sanitize(text), nl=False)
                if not live:
                    break
                time.sleep(0.5)
        except KeyboardInterrupt:
            return


def _begin_of_last(descriptor: int, lines: int) -> int:
    """Where the last lines of a file begin; it is read from its end. What no newline ends is a line, too."""
    place = end = os.fstat(descriptor).st_size
    newlines = 0
    while place > 0:
        start = max(0, place - _BLOCK)
        block = os.pread(descriptor, place - start, start)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            newlines += start + at + 1 < end  # the one at the very end begins no line
            if newlines == lines:
                return start + at + 1
        place = start
    return 0


def overview(folder: RunFolder, run: RunState, status: RunStatus) -> dict[str, Any]:
    """The figures of one run, JSON-able; null or empty where there are none yet."""
    return _row(folder, LogFigures.of(run), status, run.eta_seconds if status.live else None)


def _row(folder: RunFolder, figures: LogFigures, status: RunStatus, eta: float | None = None) -> dict[str, Any]:
    log, labels, began = folder.training_log, Labels.of(folder), created(folder)
    return {
        "run": folder.name,
        "state": status.state,
        "reason": status.reason,
        "folder": str(folder.path.absolute()),
        "log": str(log.absolute()) if log else None,
        "step": figures.step,
        "total_steps": figures.total_steps,
        "left": clock(eta) if eta is not None else "",
        "eta_seconds": eta,
        "loss": figures.loss,
        "eval_loss": figures.eval_loss,
        "best_eval_loss": figures.best_eval_loss,
        "best_step": figures.best_step,
        "health": figures.health,
        "preset": preset_name(folder),
        "created": began,
        "age": age(time.time() - began),
        "tags": list(labels.tags),
        "note": labels.note or labels.problem,
        "checkpoints": figures.checkpoints,
        "processes": {role: who.pid for role, who in folder.processes().items() if who.alive},
    }
