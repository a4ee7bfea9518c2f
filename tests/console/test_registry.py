from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tests.records import plan, run_start, step, write_log
from vlmft_console.commands.runs import runs
from vlmft_console.commands.show import show
from vlmft_console.errors import RunFolderError
from vlmft_console.history.loading import read_log
from vlmft_console.runs import registry
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.overview import RunIndex
from vlmft_console.runs.targets import locate
from vlmft_core.durable import delete
from vlmft_core.errors import VlmftError
from vlmft_core.preset import Preset, dump_preset


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder around the empty one to work in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def make(root: Path, name: str) -> RunFolder:
    folder = RunFolder.create(root, name)
    folder.write_run(preset_name="x", preset_text="{}\n", command=Command(("/bin/true",), {}))
    registry.remember(root)
    return folder


def test_a_run_is_found_by_name_from_any_folder(around: Path) -> None:
    run = make(around / "elsewhere", "charts")
    assert registry.find("charts").path == run.path
    assert registry.find(str(run.path)).path == run.path
    assert [folder.name for folder in registry.all_runs()] == ["charts"]


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero"), Path.touch])
def test_what_is_no_file_among_the_remembered_folders_is_passed_over(around: Path, put: Callable[[Path], None]) -> None:
    run = make(around / "elsewhere", "charts")
    stray = Path(os.environ["XDG_STATE_HOME"]) / "vlmft" / "roots" / "stray"
    put(stray)
    assert registry.find("charts").path == run.path
    delete(stray)
    stray.write_bytes(b"\0/proc")
    assert registry.find("charts").path == run.path


def test_a_run_in_this_folder_goes_before_one_of_the_same_name_elsewhere(around: Path) -> None:
    make(around / "elsewhere", "charts")
    make(Path("outputs"), "charts")
    assert registry.find("charts").path == Path("outputs/charts")


def test_two_runs_of_one_name_elsewhere_are_told_apart_by_path(around: Path) -> None:
    make(around / "a", "charts")
    make(around / "b", "charts")
    with pytest.raises(RunFolderError, match="several runs are called charts"):
        registry.find("charts")


def test_a_misspelt_run_name_is_answered_with_the_nearest(around: Path) -> None:
    make(around / "a", "charts")
    with pytest.raises(RunFolderError, match="did you mean charts"):
        registry.find("chart")


def test_a_symbolic_link_among_the_runs_is_not_listed(around: Path) -> None:
    make(around / "a", "charts")
    (around / "a" / "link").symlink_to(around / "a" / "charts")
    assert len(registry.all_runs()) == 1


def test_a_resume_that_is_refused_never_deletes_the_run(around: Path) -> None:
    """Even when its logs are gone, so that it looks as if it had never begun."""
    run = make(around / "a", "charts")
    (run.path / "checkpoint-250").mkdir()
    (run.path / "exit.json").write_text('{"status": "failed", "reason": "another plan", "exit_code": 2}')
    with pytest.raises(typer.Exit) as ended:
        show(run, [], False, steer=True)
    assert ended.value.exit_code == 2
    assert (run.path / "checkpoint-250").is_dir()


def test_a_torn_end_of_a_run_is_no_end(around: Path) -> None:
    run = make(around / "a", "charts")
    (run.path / "exit.json").write_text('{"status": "fin')
    assert registry.read_run(run)[1].state == "crashed"


def test_a_run_folder_that_is_closed_to_us_hides_no_other(around: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = make(around / "shared", "of-another-person").path
    make(around / "shared", "charts")
    close(closed, monkeypatch)
    assert [folder.name for folder in registry.all_runs()] == ["charts"]
    runs, _ = RunIndex(recorded=list).look()
    assert [run.folder.name for run in runs] == ["charts"]
    with pytest.raises(VlmftError, match="cannot be read: Permission denied"):
        read_log(locate(str(closed)))


def test_a_run_folder_that_is_closed_to_us_is_named_as_such(
    around: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = make(around / "shared", "of-another-person").path
    runs()
    assert "closed" not in capsys.readouterr().out
    close(closed, monkeypatch)
    for other in (False, True):
        if other:
            make(around / "shared", "charts")
        runs()
        assert f"closed to you, so not looked into: {closed}" in "".join(capsys.readouterr())
    runs(["of-another"])
    assert f"closed to you, so not looked into: {closed}" in "".join(capsys.readouterr())
    runs(json_output=True)
    printed = capsys.readouterr()
    assert [run["run"] for run in json.loads(printed.out)] == ["charts"]
    assert f"closed to you, so not looked into: {closed}" in printed.err
    for name in ("of-another-person", str(closed)):
        with pytest.raises(RunFolderError, match="of-another-person is closed to you"):
            registry.find(name)


def test_a_run_whose_log_cannot_be_read_is_listed_and_hides_no_other(
    around: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(around / "shared", "broken").events_file().mkdir()
    make(around / "shared", "charts")
    runs()
    listed = capsys.readouterr().out
    assert "unreadable" in listed
    assert "crashed" in listed


def test_no_name_means_no_run_and_not_this_folder(around: Path) -> None:
    with pytest.raises(VlmftError, match="no run is called ''"):
        locate("")


def test_what_is_plainly_a_file_is_told_as_one_and_found_by_its_home(
    around: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(around))
    Path("train.log").touch()
    make(around / "shared", "charts.v2")
    for target, message in (
        ("nothing.json", "there is no file 'nothing.json', and no run is called so (`vlmft runs` lists them)"),
        ("charts.v3", "there is no file 'charts.v3', and no run is called so (did you mean charts.v2?)"),
        ("eval-0.2", "no run is called 'eval-0.2' (`vlmft runs` lists them)"),
        ("logs/nothing.json", "logs/nothing.json does not exist"),
        ("~/nothing.json", "~/nothing.json does not exist"),
    ):
        with pytest.raises(VlmftError) as told:
            locate(target)
        assert str(told.value) == message
    assert locate("~/here/train.log") == around / "here" / "train.log"
    assert registry.find("~/shared/charts.v2").path == around / "shared" / "charts.v2"
    with pytest.raises(VlmftError, match=r"^train.log is a file and no run \(`vlmft check train.log` reads a log"):
        registry.find("train.log")


@pytest.mark.parametrize(("deviation", "found"), [(0.01, True), (0.9, False)])
def test_a_run_that_is_looked_at_again_is_judged_by_its_own_thresholds(
    around: Path, capsys: pytest.CaptureFixture[str], deviation: float, found: bool
) -> None:
    run = make(around / "shared", "charts")
    own = Preset.model_validate({"monitor": {"lr_deviation": deviation}})
    run.preset_file.write_text(dump_preset(own))
    write_log(run.events_file(), [{**run_start(1), "preset": own.model_dump(mode="json")}, plan(), step(1, lr=3e-5)])
    with pytest.raises(typer.Exit):
        show(run, [], json_output=False, steer=False)
    assert ("where the plan has" in capsys.readouterr().out) == found


def close(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system refuse to look into a folder, as it does for those of other people, also where root runs this."""
    look = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if folder in path.absolute().parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
