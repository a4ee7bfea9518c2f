"""Completion: the names of presets, of their parameters, of runs and of metrics that the shell offers at Tab."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

import typer

from vlmft_console.paths import preset_folders
from vlmft_console.runs.folder import NAME
from vlmft_console.runs.registry import all_runs
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.checkpoints import complete_ones

_METRIC: Final = re.compile(r"[A-Za-z_][\w./@-]*")
"""Names that no shell takes for more than a name."""
_BATCHES: Final = 10
"""Of a log, about 2,000 records each: enough to tell its metrics, and soon read."""


def preset_names(incomplete: str) -> list[str]:
    """Presets that can be named and begin so."""
    from vlmft_core.preset import find_presets  # loads pydantic, which takes longer than `vlmft check` reads a log

    return [name for name in find_presets(preset_folders()) if name.startswith(incomplete)]


def preset_keys(incomplete: str) -> list[str]:
    """`section.key=` of every parameter of a preset that begins so."""
    from vlmft_console.presets import fields

    return [f"{path}=" for path in fields() if path.startswith(incomplete)]


def place_names(incomplete: str) -> list[str]:
    """Places of places.yaml that begin so."""
    from vlmft_console.places.places_file import load_places

    try:
        return [name for name in load_places() if name.startswith(incomplete)]
    except VlmftError:
        return []


def run_names(incomplete: str) -> list[str]:
    """Runs under the known roots that begin so, newest first.

    Only names that a run of ours can have: what is offered goes to the terminal, and a shell may evaluate it.
    """
    names = (folder.name for folder in all_runs())
    return [name for name in names if name.startswith(incomplete) and NAME.fullmatch(name)]


def checkpoint_names(incomplete: str) -> list[str]:
    """Runs that begin so; after `RUN@` its complete checkpoints, newest first."""
    name, sign, step = incomplete.partition("@")
    if not sign:
        return run_names(incomplete)
    found = [one.step for folder in all_runs() if folder.name == name for one in complete_ones(folder)]
    return [f"{name}@{at}" for at in sorted(found, reverse=True) if NAME.fullmatch(name) and str(at).startswith(step)]


def metric_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Metrics of the logs named so far in the command that begin so; of long logs those told early."""
    from vlmft_console.history.opened import open_log
    from vlmft_console.history.state import RunState
    from vlmft_console.runs.targets import locate

    found: dict[str, None] = {}
    for target in ctx.args:  # an option without its value keeps them from becoming the command's arguments
        state = RunState()
        try:
            for records in islice(open_log(locate(target)).reader.batches(), _BATCHES):
                state.apply_all(records)
        except VlmftError:
            continue
        found |= dict.fromkeys(state.by_name)
    return [name for name in found if name.startswith(incomplete) and _METRIC.fullmatch(name)]
