"""`vlmft data step`: the rows that one step of a run trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from vlmft_console.commands.asking import answers
from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say
from vlmft_console.commands.parameters import Json, Run
from vlmft_console.history.answer_rows import first_words
from vlmft_console.history.odd_rows import texts
from vlmft_console.history.pulse import resumed_from
from vlmft_console.paths import preset_folders
from vlmft_console.programs.ask import STEP_ROWS
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.preflight import check_libraries
from vlmft_console.runs.registry import find
from vlmft_core.errors import DataError
from vlmft_core.figures import counted
from vlmft_core.jobs import StepJob
from vlmft_core.plan.base_files import check_base
from vlmft_core.preset import load_preset
from vlmft_core.run_folder.events import PLAN, ROWS, RUN_START, STEP, Record
from vlmft_core.run_folder.segments import records


def step(
    name: Run,
    number: Annotated[int, typer.Argument(metavar="STEP", min=1, help="The step, counted from 1.")],
    json_output: Json = False,
) -> None:
    """List the rows that one step of a run trained on, over all its GPUs.

    The order of the data is the seed's: it is worked out anew, so the data must be what it was. Rows of one part, a
    micro-batch, were computed together. `>` marks those of the micro-batches that an odd loss came from, where the
    run's log names them.

    Exit status: 0, 2 for a mistake or other data than the run's, 1 when it broke, 130 interrupted.
    """
    folder = find(name)
    plan, odd = _of_step(folder, number)
    preset = load_preset(folder.preset_file, preset_folders()).preset
    check_libraries()
    check_base(preset.model.base)
    job = StepJob(preset=preset, step=number, shared=bool(plan.get("share_images")))
    found: Mapping[str, Any] = {}
    for said, value in answers(STEP_ROWS, job):
        if said == "rows":
            found = value
    if plan.get("train_data") not in (None, "", found["data"]):
        raise DataError(
            f"the training data is not what step {number:,} of {folder.name} was trained on: rows, or names or sizes of"
            " images, differ",
            "put back what it began with",
        )
    suspects = set(texts(odd.get("suspects"))) if odd else set[str]()
    rows = [{**row, "suspect": row["where"] in suspects} for row in found["rows"]]
    if json_output:
        why = odd["why"] if odd else None
        print_json({"run": folder.name, "step": number, "epoch": found["epoch"], "odd": why, "rows": rows}, indent=True)
        return
    if odd:
        say(f"step {number:,}: {odd['why']}")
    table = new_table("  row", "part", "tokens", "question", "truth")
    for row in rows:
        where = f"{'>' if row['suspect'] else ' '} {row['where']}"
        truth = " ".join(" | ".join(row["truth"]).split())
        add_row(table, where, f"{row['micro_batch'] + 1}", f"{row['tokens']:,}", first_words(row["question"]), truth)
    print_table(table)
    say(f"{counted(len(rows), 'row')} of step {number:,}, epoch {found['epoch']}")


def _of_step(folder: RunFolder, number: int) -> tuple[Record, Record | None]:
    """The plan under which a step was made, the last time it was, and what the log says of its rows.

    Raises:
        DataError: the run has no plan, or has not come to that step.
    """
    plan: Record | None = None
    under: Record | None = None
    odd: Record | None = None
    last = 0
    for record in records(folder.segments):
        event = record["event"]
        if event == PLAN:
            plan = record
        elif event == RUN_START:
            last = min(last, resumed_from(record))
        elif event == ROWS and record["step"] == number:
            odd = record
        elif event == STEP:
            last = max(last, record["step"])
            if record["step"] == number:
                under = plan
    plan = under or plan
    if plan is None or number > last:
        raise DataError(f"{folder.name} has not come to step {number:,}", f"it has made {last:,}")
    return plan, odd
