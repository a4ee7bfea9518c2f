"""Completion: the names of presets, of their parameters and of runs that the shell offers at Tab."""

from __future__ import annotations

from vlmft_console.paths import preset_folders
from vlmft_console.runs.folder import NAME
from vlmft_console.runs.registry import all_runs


def preset_names(incomplete: str) -> list[str]:
    """Presets that can be named and begin so."""
    from vlmft_core.preset import find_presets  # loads pydantic, which takes longer than `vlmft check` reads a log

    return [name for name in find_presets(preset_folders()) if name.startswith(incomplete)]


def preset_keys(incomplete: str) -> list[str]:
    """`section.key=` of every parameter of a preset that begins so."""
    from vlmft_console.presets import fields

    return [f"{path}=" for path in fields() if path.startswith(incomplete)]


def run_names(incomplete: str) -> list[str]:
    """Runs under the known roots that begin so, newest first.

    Only names that a run of ours can have: what is offered goes to the terminal, and a shell may evaluate it.
    """
    names = (folder.name for folder in all_runs())
    return [name for name in names if name.startswith(incomplete) and NAME.fullmatch(name)]
