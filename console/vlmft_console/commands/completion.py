"""Completion: the names of presets and of runs that the shell offers at Tab."""

from __future__ import annotations

from vlmft_console.paths import preset_folders
from vlmft_console.runs.registry import all_runs


def preset_names(incomplete: str) -> list[str]:
    """Presets that can be named and begin so."""
    from vlmft_core.preset import find_presets  # loads pydantic, which takes longer than `vlmft check` reads a log

    return [name for name in find_presets(preset_folders()) if name.startswith(incomplete)]


def run_names(incomplete: str) -> list[str]:
    """Runs under the known roots that begin so, newest first."""

    return [folder.name for folder in all_runs() if folder.name.startswith(incomplete)]
