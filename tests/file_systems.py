"""File systems for tests: of a few bytes, or showing a folder another way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(at: Path, *mount: str) -> Iterator[Path]:
    """What `mount` mounts with these arguments, at a new folder; skips the test where nothing can be mounted."""
    at.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", *mount, str(at)], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


@contextmanager
def small_file_system(at: Path, size: str) -> Iterator[Path]:
    """A file system at a new folder, of a size as `mount` takes it."""
    with mounted(at, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield at


@contextmanager
def overlay(source: Path, at: Path) -> Iterator[Path]:
    """A folder seen through a file system of this machine that does not know its locks."""
    rest = at.with_name(f"{at.name}.rest")
    for folder in (rest / "upper", rest / "work"):
        folder.mkdir(parents=True)
    layers = f"lowerdir={source},upperdir={rest}/upper,workdir={rest}/work"
    with mounted(at, "-t", "overlay", "overlay", "-o", layers):
        yield at
