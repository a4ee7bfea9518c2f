"""Damage to a real checkpoint: every kind to every file of it is noticed, and the one before it is taken instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.checkpoints import newest_intact
from vlmft_core.run_folder.layout import RunLayout

pytestmark = [pytest.mark.train, pytest.mark.xdist_group("the short run")]


def flipped(file: Path, content: bytes) -> None:
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def cut(file: Path, content: bytes) -> None:
    file.write_bytes(content[:-1])


def zeroed(file: Path, content: bytes) -> None:
    half = len(content) // 2
    file.write_bytes(content[:half] + bytes(len(content) - half))


def missing(file: Path, content: bytes) -> None:
    file.unlink()


def empty(file: Path, content: bytes) -> None:
    file.write_bytes(b"")


def longer(file: Path, content: bytes) -> None:
    file.write_bytes(content + b"\0")


def a_folder(file: Path, content: bytes) -> None:
    file.unlink()
    file.mkdir()


DAMAGES = (flipped, cut, zeroed, missing, empty, longer, a_folder)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_of_a_checkpoint_makes_the_one_before_it_the_newest(
    tmp_path: Path, short_run: RunFolder, damage: Callable[[Path, bytes], None]
) -> None:
    run = RunLayout(tmp_path)
    for step in (12, 18):
        shutil.copytree(short_run.checkpoint(step), run.checkpoint(step))
    files = [path for path in sorted(run.checkpoint(18).rglob("*")) if path.is_file()]
    assert len(files) >= 13
    for file in files:
        content = file.read_bytes()
        damage(file, content)
        found = newest_intact(run)
        assert found is not None
        assert found.step == 12, file
        if file.is_dir():
            file.rmdir()
        file.write_bytes(content)
        found = newest_intact(run)
        assert found is not None
        assert found.step == 18
