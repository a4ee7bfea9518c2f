from __future__ import annotations

from pathlib import Path

import pytest
import typer

from vlmft_console.commands.run import show
from vlmft_console.errors import RunFolderError
from vlmft_console.runs import registry
from vlmft_console.runs.command import Command
from vlmft_console.runs.folder import RunFolder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and a memory of roots that is this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def make(root: Path, name: str) -> RunFolder:
    folder = RunFolder.create(root, name)
    folder.write_run(preset_name="x", preset_text="{}\n", command=Command(("/bin/true",), {}))
    registry.remember(root)
    return folder


def test_a_run_is_found_by_name_from_any_folder(here: Path) -> None:
    run = make(here / "elsewhere", "charts")
    assert registry.find("charts").path == run.path
    assert registry.find(str(run.path)).path == run.path
    assert [folder.name for folder in registry.all_runs()] == ["charts"]


def test_a_run_in_this_folder_goes_before_one_of_the_same_name_elsewhere(here: Path) -> None:
    make(here / "elsewhere", "charts")
    make(Path("outputs"), "charts")
    assert registry.find("charts").path == Path("outputs/charts")


def test_two_runs_of_one_name_elsewhere_are_told_apart_by_path(here: Path) -> None:
    make(here / "a", "charts")
    make(here / "b", "charts")
    with pytest.raises(RunFolderError, match="several runs are called charts"):
        registry.find("charts")


def test_a_misspelt_run_name_is_answered_with_the_nearest(here: Path) -> None:
    make(here / "a", "charts")
    with pytest.raises(RunFolderError, match="did you mean charts"):
        registry.find("chart")


def test_a_symbolic_link_among_the_runs_is_not_listed(here: Path) -> None:
    make(here / "a", "charts")
    (here / "a" / "link").symlink_to(here / "a" / "charts")
    assert len(registry.all_runs()) == 1


def test_a_resume_that_is_refused_never_deletes_the_run(here: Path) -> None:
    """Even when its logs are gone, so that it looks as if it had never begun."""
    run = make(here / "a", "charts")
    (run.path / "checkpoint-250").mkdir()
    (run.path / "exit.json").write_text('{"status": "failed", "reason": "another plan", "exit_code": 2}')
    with pytest.raises(typer.Exit) as ended:
        show(run, [], False, steer=True)
    assert ended.value.exit_code == 2
    assert (run.path / "checkpoint-250").is_dir()


def test_a_torn_end_of_a_run_is_no_end(here: Path) -> None:
    run = make(here / "a", "charts")
    (run.path / "exit.json").write_text('{"status": "fin')
    assert registry.read_run(run)[1].state == "crashed"
