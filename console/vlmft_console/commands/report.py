"""`vlmft report`: everything about a run in one file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlmft_console.commands.completion import run_names

if TYPE_CHECKING:
    from vlmft_console.history.loading import ReadLog


class Format(StrEnum):
    """What a report can be."""

    HTML = "html"
    MD = "md"
    JSON = "json"
    CSV = "csv"


def report(
    target: Annotated[
        str, typer.Argument(help="A run's name, a run folder, or any training log.", autocompletion=run_names)
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write. Its ending chooses the format.")
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="html if not given and the file's ending does not say.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a report: charts, findings, epochs, plan, preset and environment in one file, readable anywhere.

    `csv` has the steps only. Without --output, md, json and csv go to standard output.
    """
    from vlmft_console.commands.files import write_file
    from vlmft_console.errors import shown_once
    from vlmft_console.history.loading import read_log
    from vlmft_console.runs.targets import locate
    from vlmft_core.errors import VlmftError

    with shown_once():
        chosen = _format(form, output)
        if output is None and chosen is Format.HTML:
            raise VlmftError("an HTML report needs a file", "pass -o report.html, or --format md")
        text = _written(read_log(locate(target)), chosen)
        if output is None:
            typer.echo(text, nl=False)
            return
        write_file(output, text, force=force)
    typer.echo(f"written: {output}")


def _format(form: Format | None, output: Path | None) -> Format:
    if form is not None:
        return form
    ending = output.suffix.lstrip(".").lower() if output else ""
    return next((each for each in Format if each.value == ending), Format.HTML)


def _written(run: ReadLog, form: Format) -> str:
    from vlmft_console.report.figures import report_figures
    from vlmft_console.report.text import markdown, steps_csv

    if form is Format.CSV:
        return steps_csv(run.state)
    figures = report_figures(run)
    if form is Format.MD:
        return markdown(figures)
    if form is Format.JSON:
        import json

        from vlmft_console.sanitize import redacted

        return json.dumps(redacted(figures), indent=2) + "\n"
    from vlmft_console.report.html import html

    return html(figures, run.state)
