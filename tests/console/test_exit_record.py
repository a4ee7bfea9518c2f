"""Exit record: written whatever stands in its place, and never through a link."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vlmft_console.runs.exit_record import ExitFile
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.status import RunStatus, status_of
from vlmft_console.runs.verdict import Verdict


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def a_link(path: Path) -> None:
    path.symlink_to(path.parent / "target")


PUT: list[Callable[[Path], None]] = [a_folder, a_link, os.mkfifo]


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("name", [".exit.reserve", "exit.json"])
def test_how_a_run_ended_is_said_whatever_stands_there(
    tmp_path: Path, put: Callable[[Path], None], when: str, name: str
) -> None:
    folder = RunFolder.create(tmp_path, "run")
    (folder.path / "target").write_text("mine\n")
    if when == "before":
        put(folder.path / name)
    file = ExitFile(folder)
    if when == "meanwhile":
        (folder.path / name).unlink(missing_ok=True)
        put(folder.path / name)
    file.write(Verdict("finished", "", 0), [])
    assert status_of(folder) == RunStatus("finished", "", 0)
    assert not folder.exit_file.is_symlink()
    assert (folder.path / "target").read_text() == "mine\n"


def test_how_a_run_ended_is_said_without_the_space_kept_for_it(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    file = ExitFile(folder)
    folder.exit_reserve.unlink()
    file.write(Verdict("finished", "", 0), [])
    assert status_of(folder) == RunStatus("finished", "", 0)
