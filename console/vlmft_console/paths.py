"""Paths: where vlmft looks for things on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vlmft_core.run_folder.layout import RunLayout

OUTPUTS: Final = Path("outputs")
"""Where run folders are made unless something else is said."""

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]


def preset_folders() -> list[Path]:
    """Folders with presets; the first that has a name wins.

    `presets/` here, then the user's own (`~/.config/vlmft/presets` on Linux), then the shipped ones.
    """
    import platformdirs

    user = Path(platformdirs.user_config_dir("vlmft")) / "presets"
    folders: list[Path] = []
    for folder in (Path("presets"), user, shipped_presets()):
        if folder.resolve() not in [known.resolve() for known in folders]:
            folders.append(folder)
    return folders


def shipped_presets() -> Path:
    """The folder of the presets that come with vlmft: the checkout's when running from one, else the package's."""
    checkout = _CHECKOUT / "presets"
    from_checkout = (_CHECKOUT / "pyproject.toml").is_file() and (checkout / "best.yaml").is_file()
    return checkout if from_checkout else _PACKAGE / "shipped" / "presets"


def own_presets() -> Path:
    """Where a person's new presets go: `presets/` here if there is one, else the folder in the user's configuration,
    which is made."""
    import platformdirs

    here = Path("presets")
    if here.is_dir():
        return here
    folder = Path(platformdirs.user_config_dir("vlmft")) / "presets"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def recorded_runs() -> list[Path]:
    """The recorded runs that come with vlmft: the checkout's `logs/` when running from one, else the package's."""
    checkout = _CHECKOUT / "logs"
    from_checkout = (_CHECKOUT / "pyproject.toml").is_file() and checkout.is_dir()
    folder = checkout if from_checkout else _PACKAGE / "shipped" / "logs"
    return sorted(path for path in folder.glob("*") if RunLayout(path).events_file().is_file())


def nearest_folder(path: Path) -> Path:
    """The path, or what there is of it."""
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))


def obstacle(folder: Path) -> str:
    """Why nothing can be made in this folder, which may not be there yet; empty where something can."""
    if blocking := next((part for part in (folder, *folder.parents) if part.is_file()), None):
        return f"{blocking} is not a folder"
    there = nearest_folder(folder)
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written to"
