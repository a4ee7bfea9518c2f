"""`vlmft answers`: what base and adapter said to the same questions, at one eval of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from vlmft_console.commands.output import add_row, new_table, print_json, print_table, say
from vlmft_console.commands.parameters import Json, Run
from vlmft_console.history.answer_rows import answer_rows, right_of, said, worth
from vlmft_console.report.answers import answer_dict
from vlmft_console.runs.targets import locate
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.answers import Answer, read_answers
from vlmft_core.run_folder.layout import RunLayout


def answers(
    target: Run,
    step: Annotated[
        int | None,
        typer.Option("--step", min=0, help="The eval at this step; 0 for the base alone. The newest, if not given."),
    ] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="Only what is not answered rightly.")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="Only what the base answered in other words.")] = False,
    json_output: Json = False,
) -> None:
    """List what base and adapter answer to the same eval questions.

    A run keeps up to 50 of its eval questions with their answers at every eval; `vlmft eval` asks all of them.
    """
    kept = read_answers(RunLayout(locate(target)).answers_file)
    if not kept.by_step and kept.trouble:
        raise VlmftError(f"{target} has no answers that can be shown: {kept.trouble}")
    if not kept.by_step:
        raise VlmftError(
            f"{target} has no answers",
            "none were given yet, its preset has evaluation.answers 0, or it was trained before answers were kept",
        )
    at = kept.newest if step is None else step
    if at not in kept.by_step:
        there = ", ".join(f"{each:,}" for each in sorted(kept.by_step))
        raise VlmftError(f"--step {at}: no questions were answered there", f"answers are of step {there}")
    if kept.trouble:
        say(f"note: {kept.trouble}", err=True)
    rows = answer_rows(kept, at, wrong=wrong, changed=changed)
    if json_output:
        print_json({"step": at, "steps": sorted(kept.by_step), "questions": list(map(answer_dict, rows))}, indent=True)
        return
    table = new_table("", "question", "truth", "base", "now")
    for row in rows:
        question = row.question
        cells = (question.question, " | ".join(question.truth), _with_worth(row.base), _with_worth(row.now))
        add_row(table, worth(row.judged), *(" ".join(cell.split()) for cell in cells))
    print_table(table)
    say(right_of(answer_rows(kept, at), at))


def _with_worth(answer: Answer | None) -> str:
    return f"{said(answer)} ({worth(answer)})" if answer else "-"
