from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vlmft_console.errors import RunFolderError
from vlmft_console.runs.folder import Command, RunFolder, check_name, default_name


@pytest.mark.parametrize("name", ["", ".", "..", "...", "-rf", ".hidden", "a/b", "a b", "[red]", "x" * 65, "é", "a\n"])
def test_a_name_that_could_escape_its_folder_is_refused(name: str) -> None:
    with pytest.raises(RunFolderError, match="cannot name a run"):
        check_name(name)


@pytest.mark.parametrize(("preset", "begins"), [("best", "best"), ("my preset [x]" * 20, "my-preset--x-" * 3 + "m")])
def test_the_default_name_is_the_presets_and_the_time_and_always_a_valid_one(preset: str, begins: str) -> None:
    name = default_name(preset)
    assert re.fullmatch(rf"{begins}-\d{{8}}-\d{{6}}", name)
    check_name(name)


def test_a_new_run_folder_is_private_and_says_what_it_is(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "outputs", "first")
    run_id = folder.write_run(
        preset_name="best", preset_text="about: {}\n", command=Command(("/bin/true", "x"), {"A": "1"})
    )
    assert folder.path.stat().st_mode & 0o777 == 0o700
    run = json.loads((folder.path / "run.json").read_text())
    assert run["run_id"] == run_id
    assert run["preset"]["name"] == "best"
    assert "torch" in run["versions"]
    assert folder.command() == Command(("/bin/true", "x"), {"A": "1", "VLMFT_RUN_ID": run_id})
    assert folder.preset_file.read_text() == "about: {}\n"
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]


def test_a_taken_name_is_refused_and_left_alone(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "first")
    with pytest.raises(RunFolderError, match="exists already"):
        RunFolder.create(tmp_path, "first")


def test_a_symbolic_link_is_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFolderError, match="symbolic link"):
        RunFolder.create(tmp_path, "link")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_output_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("")
    with pytest.raises(RunFolderError):
        RunFolder.create(tmp_path / "outputs", "first")
