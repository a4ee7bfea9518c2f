"""`vlmft checkpoints` and `vlmft adapter`: what a run has saved, and which of it counts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len

from vlmft_console.commands.completion import checkpoint_names
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say, waiting
from vlmft_console.commands.parameters import Json, Run, in_home
from vlmft_console.errors import RunFolderError
from vlmft_console.report.checkpoints import (
    EPOCH,
    SIZE,
    TOKEN_ACCURACY,
    CheckpointTable,
    change_words,
    checkpoint_cells,
    checkpoint_dict,
    checkpoint_headings,
    checkpoint_table,
    look,
)
from vlmft_console.runs.checkpoint_adapter import (
    adapter_step,
    check_replaceable,
    checkpoint_at,
    chosen_by_hand,
    take_adapter,
)
from vlmft_console.runs.registry import find, read_run
from vlmft_console.runs.targets import at_step
from vlmft_console.sanitize import sanitize
from vlmft_core.run_folder.events import EARLY_STOPPED, FINISHED


def checkpoints(name: Run, json_output: Json = False) -> None:
    """List a run's checkpoints, and what becomes of each.

    What each measured and how large it is stands beside. `goes next`: the next checkpoint takes its place. `goes if
    beaten`: only one that is better does. `RUN@STEP` names one for `vlmft eval`, `predict`, `merge` and `adapter`.
    """
    folder = find(name)
    with waiting() as tell:
        state, status = read_run(folder, tell)
    table = checkpoint_table(folder, look(folder), state, over=status.state in (FINISHED, EARLY_STOPPED))
    by_hand = chosen_by_hand(folder)
    if json_output:
        print_json(
            {
                "run": folder.name,
                "metric": table.metric,
                "limit": table.limit,
                "checkpoints": list(map(checkpoint_dict, table.rows)),
                "deleted": list(table.deleted),
                "adapter": {"folder": str(folder.adapter) if folder.adapter.is_dir() else None, "changes": by_hand},
            },
            indent=True,
        )
        return
    if not table.rows:
        say(f"{folder.name} has no checkpoints" + (f" any more; {table.rule}" if table.deleted else ""))
        return
    _print_rows(table)
    if table.unlike:
        say(table.unlike)
    say(f"{table.rule[0].upper()}{table.rule[1:]}. They lie in {folder.path}")
    if folder.adapter.is_dir() and not any(row.adapter for row in table.rows):
        say(f"{folder.adapter} has the weights of none of them")
    for change in by_hand[-3:]:
        say(change_words(change))


def _print_rows(table: CheckpointTable) -> None:
    """The rows, without the columns that matter least where there is no room."""
    cells = [checkpoint_headings(table.tasks), *(checkpoint_cells(row, table.tasks) for row in table.rows)]
    shown = list(range(len(cells[0])))
    for spared in (TOKEN_ACCURACY, EPOCH, SIZE):
        widths = [max(cell_len(line[column]) for line in cells) + 2 for column in shown]
        if sum(widths) > shutil.get_terminal_size().columns:
            shown.remove(spared % len(cells[0]))
    printed = new_table(*(cells[0][column] for column in shown))
    for column in printed.columns[:-1]:
        column.no_wrap = True
    for row, line in zip(table.rows, cells[1:], strict=True):
        add_row(printed, *(line[column] for column in shown), style="" if row.complete else "dim")
    print_table(printed)


def adapter(
    target: Annotated[
        str, typer.Argument(metavar="RUN@STEP", help="A checkpoint of a run.", autocompletion=checkpoint_names)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Copy it to this new folder; the run stays as it is.", callback=in_home),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the run's adapter is replaced.")] = False,
    json_output: Json = False,
) -> None:
    """Make a checkpoint's adapter the run's own, or copy it.

    What `vlmft eval RUN`, `predict` and `merge` use is then that one. The run's folder keeps a record of it, and the
    checkpoint stays. Asks before it replaces the adapter that is there; a live run's is not replaced, as it writes its
    own in the end.
    """
    name, step = at_step(target)
    if step is None:
        raise RunFolderError(f"{target} names no checkpoint", "RUN@STEP does; `vlmft checkpoints RUN` lists them")
    run = find(name)
    if output is None:
        checkpoint_at(run, step)
        check_replaceable(run)
        before = adapter_step(run)
        if run.adapter.exists() and before != step and not yes:
            which = "that of no checkpoint which is still there" if before is None else f"that of step {before:,}"
            if not typer.confirm(sanitize(f"the run has an adapter, {which}: replace {run.adapter}?")):
                raise typer.Exit(1)
    folder = take_adapter(run, step, "vlmft adapter", output)
    if json_output:
        print_json({"run": run.name, "step": step, "adapter": str(folder)})
    else:
        say(f"{folder}: the adapter of step {step:,}")
