"""`vlmft report`: everything about a run in one file."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vlmft_console.commands.output import say, waiting, write_file
from vlmft_console.commands.parameters import EvalSet, Force, Log, RunNumber, in_home
from vlmft_console.history.choice import Choice
from vlmft_console.history.loading import ReadLog, read_log
from vlmft_console.report.html import html
from vlmft_console.report.run_report import report_figures
from vlmft_console.report.text import markdown, steps_csv
from vlmft_console.runs.targets import locate
from vlmft_console.sanitize import redacted
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.answers import read_answers
from vlmft_core.run_folder.layout import RunLayout


class Format(StrEnum):
    """What a report can be."""

    HTML = "html"
    MD = "md"
    JSON = "json"
    CSV = "csv"


def report(
    target: Log,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write. Its ending chooses the format.", callback=in_home),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="html if not given and the file's ending does not say.")
    ] = None,
    force: Force = False,
    run: RunNumber = None,
    eval_set: EvalSet = None,
) -> None:
    """Write all about a run to one file that is readable anywhere.

    Charts, findings, epochs, answers with their pictures, plan, preset and environment.

    `csv` has every metric at every step, `json` what each comes to. Without --output, md, json and csv go to standard
    output.
    """
    chosen = _format(form, output)
    if output is None and chosen is Format.HTML:
        raise VlmftError("an HTML report needs a file", "pass -o report.html, or --format md")
    with waiting() as tell:
        read = read_log(locate(target), Choice(run, eval_set), tell)
    text = _written(read, chosen)
    if output is None:
        typer.echo(text, nl=False)
        return
    write_file(output, text, force=force)
    say(f"written: {output}")


def _format(form: Format | None, output: Path | None) -> Format:
    """What is to be written.

    Raises:
        VlmftError: the file's ending stands for something else.
    """
    ending = output.suffix.lstrip(".").lower() if output else ""
    named = next((each for each in Format if each.value == ending), None)
    if form is None and named is None and ending:
        raise VlmftError(f"{output}: no report ends in .{ending}", f"use .{', .'.join(Format)}, or --format, too")
    if form and named and form is not named:
        raise VlmftError(f"{output}: --format {form} is something else", f"let it end in .{form}, or leave --format")
    return form or named or Format.HTML


def _written(run: ReadLog, form: Format) -> str:
    if form is Format.CSV:
        return steps_csv(run.state)
    kept = read_answers(RunLayout(run.log.path).answers_file)
    figures = report_figures(run, kept)
    if form is Format.MD:
        return markdown(figures)
    if form is Format.JSON:
        return json.dumps(redacted(figures), indent=2) + "\n"
    return html(figures, run.state, kept)
