"""Versions of what a run depends on, as its folder and its event log tell them."""

from __future__ import annotations

import contextlib
import platform
from typing import Final

_PACKAGES: Final = ("vlmft", "torch", "transformers", "peft", "deepspeed", "accelerate", "datasets", "flash-attn")


def installed_versions() -> dict[str, str]:
    """By name, Python's first; what is not installed is left out."""
    from importlib.metadata import PackageNotFoundError, version  # slow to load, and only a start needs it

    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
