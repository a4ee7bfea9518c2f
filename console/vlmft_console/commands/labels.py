"""`vlmft tag`, `note`: say of a run what its log cannot."""

from __future__ import annotations

from typing import Annotated

import typer

from vlmft_console.commands.output import print_json, say
from vlmft_console.commands.parameters import Json, Run
from vlmft_console.errors import RunFolderError
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.labels import Labels, change_note, change_tags, understood_labels
from vlmft_console.runs.registry import find


def tag(
    name: Run,
    tags: Annotated[list[str] | None, typer.Argument(metavar="TAG", help="Words of your own.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take these tags away.")] = False,
    json_output: Json = False,
) -> None:
    """Give a run tags to find it again by, or show them.

    They are kept in the run's folder and go with it. `vlmft runs tag:WORD` lists the runs that have one.
    """
    folder = find(name)
    if remove and not tags:
        raise RunFolderError("--remove: no tags are named", "name those to take away")
    labels = change_tags(folder, tags, remove=remove) if tags else _read(folder, json_output)
    _show(labels, " ".join(labels.tags), json_output)


def note(
    name: Run,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help='One line; "" takes it away.')] = None,
    json_output: Json = False,
) -> None:
    """Give a run a note, or show it.

    It takes the place of the one before. It is kept in the run's folder and goes with it.
    """
    folder = find(name)
    labels = _read(folder, json_output) if text is None else change_note(folder, text)
    _show(labels, labels.note, json_output)


def _read(folder: RunFolder, json_output: bool) -> Labels:
    """What a run has; JSON has a place for what is wrong with it."""
    return Labels.of(folder) if json_output else understood_labels(folder)


def _show(labels: Labels, text: str, json_output: bool) -> None:
    if json_output:
        print_json({"tags": list(labels.tags), "note": labels.note, "problem": labels.problem})
    elif text:
        say(text)
