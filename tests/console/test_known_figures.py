"""What `vlmft runs` keeps in mind: a list of many runs reads no log twice, and is never wrong for it."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.run_folders import ended_run
from vlmft_console.commands import runs as commands
from vlmft_console.commands.runs import runs
from vlmft_console.runs import known_figures
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import acquire
from vlmft_core.durable import as_json, write_whole

Listed = dict[str, dict[str, Any]]


@pytest.fixture
def made(here: Path) -> list[RunFolder]:
    return [ended_run(here / "outputs", f"run-{number}", steps=10 * number, total=100) for number in range(1, 5)]


@pytest.fixture
def listed(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], Listed]:
    """What `vlmft runs --json` says now, by run."""

    def ask() -> Listed:
        capsys.readouterr()
        runs(json_output=True)
        return {row["run"]: row for row in json.loads(capsys.readouterr().out)}

    return ask


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose logs were read, in order."""
    names: list[str] = []
    really = commands.read_run

    def noted(folder: RunFolder) -> Any:
        names.append(folder.name)
        return really(folder)

    monkeypatch.setattr(commands, "read_run", noted)
    return names


def kept() -> Path:
    return Path(os.environ["XDG_STATE_HOME"]) / "vlmft" / "figures.json"


def test_no_log_is_read_twice_and_the_list_stays_the_same(
    made: list[RunFolder], listed: Callable[[], Listed], read: list[str]
) -> None:
    first = listed()
    assert sorted(read) == [run.name for run in made]
    assert (first["run-3"]["step"], first["run-3"]["total_steps"], first["run-3"]["best_step"]) == (30, 100, 30)
    read.clear()
    assert listed() == first
    assert read == []
    assert kept().stat().st_mode & 0o777 == 0o600


def grown(log: Path) -> None:
    with log.open("a") as file:
        file.write('{"v":1,"seq":9,"t":1.0,"event":"step","step":77,"epoch":1,"loss":0.5,"lr":0.1,"grad_norm":1}\n')


def edited(log: Path) -> None:
    text, before = log.read_text(), log.stat()
    with log.open("r+") as file:
        file.write(text.replace('"step":30', '"step":77'))
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def replaced(log: Path) -> None:
    before = log.stat()
    other = log.with_name("other")
    other.write_text(log.read_text().replace('"step":30', '"step":77'))
    other.replace(log)
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [grown, edited, replaced])
def test_a_log_that_changed_is_read_again(
    made: list[RunFolder], listed: Callable[[], Listed], read: list[str], change: Callable[[Path], None]
) -> None:
    listed()
    read.clear()
    change(made[2].events_file())
    assert listed()["run-3"]["step"] == 77
    assert read == ["run-3"]


def test_whether_and_how_a_run_ended_is_asked_anew(
    made: list[RunFolder], listed: Callable[[], Listed], read: list[str]
) -> None:
    assert {row["state"] for row in listed().values()} == {"finished"}
    write_whole(made[0].exit_file, as_json({"status": "stopped", "reason": "asked to"}))
    made[1].exit_file.unlink()
    made[2].exit_file.unlink()
    lock = acquire(made[2].lock)
    assert lock is not None
    read.clear()
    states = {name: row["state"] for name, row in listed().items()}
    assert states == {"run-1": "stopped", "run-2": "crashed", "run-3": "running", "run-4": "finished"}
    assert read == ["run-3"]
    os.close(lock)


def test_a_damaged_file_is_made_anew(made: list[RunFolder], listed: Callable[[], Listed]) -> None:
    first, dice = listed(), random.Random(2)
    good = kept().read_bytes()
    for _ in range(40):
        bad = bytearray(good)
        bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
        del bad[dice.choice((len(bad), dice.randrange(len(bad)))) :]
        kept().write_bytes(bad)
        assert listed() == first
    for text in ("", "\n", "[]", "\xff" * 100, "0" * 64 + '\n{"programs": 1, "runs": 2}'):
        kept().write_text(text)
        assert listed() == first
    assert kept().read_bytes() == good


def test_a_file_that_another_user_wrote_is_not_believed(
    made: list[RunFolder], listed: Callable[[], Listed], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, mine = listed(), kept()
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(mine.parents[1] / "other"))
        other.setattr(commands.LogFigures, "of", lambda run: commands.LogFigures(step=99))
        assert listed()["run-3"]["step"] == listed()["run-3"]["step"] == 99
        theirs = kept().read_bytes()
    mine.write_bytes(theirs)
    assert listed() == first


def test_figures_of_other_programs_are_not_believed(
    made: list[RunFolder], listed: Callable[[], Listed], read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed()
    read.clear()
    monkeypatch.setattr(known_figures, "programs", lambda: "newer")
    listed()
    assert len(read) == len(made)


def test_no_link_is_followed(made: list[RunFolder], listed: Callable[[], Listed], read: list[str]) -> None:
    listed()
    good = kept().read_bytes()
    kept().rename(kept().with_name("elsewhere"))
    kept().symlink_to("elsewhere")
    read.clear()
    listed()
    assert len(read) == len(made)
    assert not kept().is_symlink()
    assert kept().with_name("elsewhere").read_bytes() == good


@pytest.mark.parametrize("stands_there", [Path.mkdir, os.mkfifo])
def test_runs_are_listed_where_nothing_can_be_kept(
    made: list[RunFolder], listed: Callable[[], Listed], stands_there: Callable[[Path], None]
) -> None:
    first = listed()
    kept().unlink()
    stands_there(kept())
    assert listed() == first
    assert listed() == first
    assert [path.name for path in kept().parent.iterdir() if path.name.startswith(".")] == []


def _list_again_and_again() -> None:
    for _ in range(5):
        kept().unlink(missing_ok=True)
        runs(json_output=True)


def test_several_processes_may_keep_figures_at_once(made: list[RunFolder], listed: Callable[[], Listed]) -> None:
    first = listed()
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_list_again_and_again) for _ in range(3)]
    for other in others:
        other.start()
    for _ in range(5):
        assert listed() == first
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert listed() == first
    assert [path.name for path in kept().parent.iterdir()] in (["figures.json", "key"], ["key", "figures.json"])


def test_a_list_for_people_waits_for_no_long_reading_and_goes_on_with_it_next_time(
    made: list[RunFolder], read: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "_SECONDS", 0.0)
    runs()
    quick = capsys.readouterr().out
    assert read == []
    assert "?: the logs of 4 runs" in quick
    monkeypatch.setattr(commands, "_SECONDS", 60.0)
    runs()
    whole = capsys.readouterr().out
    assert len(read) == len(made)
    for before, after in zip(quick.splitlines()[1:5], whole.splitlines()[1:5], strict=True):
        assert [word for word in before.split() if word != "?"] == [
            word for word in after.split() if word not in ("ok", "caution", "stop")
        ]
    assert "?" not in whole


@pytest.mark.parametrize("asked", [{"wanted": ["ok"]}, {"sort": "best"}, {"json_output": True}])
def test_who_asks_for_more_than_the_list_gets_what_whole_logs_say(
    made: list[RunFolder], read: list[str], monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    monkeypatch.setattr(commands, "_SECONDS", 0.0)
    runs(**asked)
    assert len(read) == len(made)
