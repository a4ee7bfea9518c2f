"""Two users of one machine: nothing of one is executed, read or ended by the other.

pytest --soak tests/e2e/test_two_users.py       both ways, and with every command
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.people import Person
from tests.supervised import make_run
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.processes import look
from vlmft_console.runs.status import status_of
from vlmft_core.run_folder.checkpoints import seal

pytestmark = [pytest.mark.apart, pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")]

SECRET = "a-secret-of-the-owner"
START = """
import sys
from pathlib import Path
from tests.supervised import LONG, make_run
from vlmft_console.runs.supervisor_start import start_supervisor
start_supervisor(make_run(Path(sys.argv[1]), "run", 2, *LONG))
"""
LOOKS = (["status"], ["logs"], ["check"], ["attach"], ["report", "-o", "report.html"], ["plot"])
STEPS = (["stop"], ["stop", "--now"], ["resume"], ["rm", "-y"], ["rm", "-y", "--gone"], ["resume", "--gone"])
LOADS = (["merge"], ["eval"], ["predict"])


@pytest.fixture
def everywhere(tmp_path: Path) -> Iterator[Path]:
    """A folder that all users can look into, as `tmp_path` is not."""
    folder = Path(tempfile.mkdtemp(prefix="two-users-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=[(54321, 54322), (54322, 54321)], ids=["one way", "the other way"])
def people(everywhere: Path, request: pytest.FixtureRequest, rounds: int) -> tuple[Person, Person]:
    """The owner of a run, and somebody else."""
    owner, other = request.param
    if owner > other and not rounds:
        pytest.skip("the other way: with --soak")
    return Person(owner, everywhere), Person(other, everywhere)


@pytest.fixture
def live(people: tuple[Person, Person]) -> Iterator[RunFolder]:
    """A live run of the first; its folder is closed to the second."""
    owner, _ = people
    started = owner.run(sys.executable, "-P", "-c", START, str(owner.home / "outputs"))
    assert started.returncode == 0, started.stderr
    folder = RunFolder(owner.home / "outputs" / "run")
    until = time.monotonic() + 120
    while not (folder.events_file().exists() and len(folder.processes()) == 4):
        assert time.monotonic() < until
        time.sleep(0.02)
    (folder.logs / "training_20990101T000000Z.log").write_text(f"{SECRET}\n")
    with folder.events_file().open("a") as log:
        log.write(json.dumps({"v": 1, "seq": 0, "t": 0, "mono": 0, "event": "note", "message": SECRET}) + "\n")
    yield folder
    end(folder)


def end(run: RunFolder) -> None:
    """Kill what runs, which writes nothing into the folder from then on."""
    everybody = run.processes().values()
    while any(who.alive for who in everybody):
        for who in everybody:
            who.send(signal.SIGKILL)


def ask(person: Person, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    more = {"predict": ["what?"], "merge": [], "eval": []}.get(command[0], [])
    asked = person.vlmft(*command, str(folder), *more)
    assert "Traceback" not in asked.stderr, asked.stderr
    return asked


def alive(folder: RunFolder) -> bool:
    return all(who.alive for who in folder.processes().values()) and not folder.stop_file.exists()


def test_nothing_of_a_closed_run_is_read_or_ended(people: tuple[Person, Person], live: RunFolder, rounds: int) -> None:
    _, other = people
    for command in (*LOOKS, *STEPS, *LOADS) if rounds else (LOOKS[1], STEPS[0], STEPS[-1], LOADS[0]):
        asked = ask(other, command, live.path)
        assert asked.returncode == 2, (command, asked.stdout, asked.stderr)
        assert asked.stderr.count("\n") == 1, (command, asked.stderr)
        assert SECRET not in asked.stdout + asked.stderr
        assert alive(live), command
    assert status_of(live).live


def test_of_a_run_whose_locks_are_closed_nothing_is_said_that_cannot_be_known(
    people: tuple[Person, Person], live: RunFolder
) -> None:
    _, other = people
    live.path.chmod(0o755)
    for file in (live.logs, live.events_file(), live.run_file):
        file.chmod(0o755)
    told = ask(other, ["status"], live.path)
    assert (told.returncode, "elsewhere" in told.stdout) == (0, True), (told.stdout, told.stderr)
    for command in (["stop"], ["rm", "-y", "--gone"], ["resume", "--gone"]):
        asked = ask(other, command, live.path)
        assert (asked.returncode in (2, 75), asked.stderr.count("\n")) == (True, 1), (command, asked.stderr)
        assert alive(live), command


def test_a_run_that_its_owner_opened_is_looked_at_and_no_more(
    people: tuple[Person, Person], live: RunFolder, rounds: int
) -> None:
    _, other = people
    subprocess.run(["chmod", "-R", "go+rX", str(live.path)], check=True)
    told = ask(other, ["status"], live.path)
    assert (told.returncode, "running" in told.stdout) == (0, True), (told.stdout, told.stderr)
    for command in (*STEPS, *LOADS) if rounds else (*STEPS[1:4], LOADS[1]):
        asked = ask(other, command, live.path)
        assert asked.returncode in (2, 75), (command, asked.stdout, asked.stderr)
        assert asked.stderr.count("\n") == 1, (command, asked.stderr)
        assert alive(live), command
    assert status_of(live).live


TRAP = """
import os, pathlib
pathlib.Path({folder!r}, f"executed-by-{{os.getuid()}}").touch()
"""
MODULES = ("datasets", "pydantic", "typer", "torch", "yaml", "vlmft_core", "sitecustomize", "numpy", "PIL")


class Program:
    """Runs when it is loaded as a pickle."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.mark,)


def lay_traps(owner: Person, victim: Person, theirs: RunFolder, process: int) -> Path:
    """A folder of the owner's that hurts who works in it, if anything can."""
    import torch

    folder = owner.home / "traps"
    folder.mkdir()
    for module in MODULES:
        (folder / f"{module}.py").write_text(TRAP.format(folder=str(folder)))
    run = make_run(folder / "outputs", "trap", 1)
    (run.path / "checkpoint-5" / "global_step5").mkdir(parents=True)
    torch.save(Program(f"{folder}/executed-by-pickle"), run.path / "checkpoint-5" / "global_step5" / "rank_0_states.pt")
    seal(run.path / "checkpoint-5", 5, None, None, {})
    seen = look(process)
    assert seen is not None
    run.write_processes(seen.identity, {0: seen.identity}, 1)
    run.exit_reserve.symlink_to(victim.home / "precious")
    (run.logs / "supervisor.log").symlink_to(victim.home / "precious")
    (folder / "outputs" / "linked").symlink_to(theirs.path)
    for name in ("-rf", "$(touch executed-by-shell)", "\x1b]0;EVIL\x07"):
        shutil.copytree(run.path, folder / "outputs" / name, symlinks=True)
    (folder / "data.json").write_text('[{"image": "/etc/shadow", "question": "q", "answer": "a"}]')
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.number, owner.number, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o777)
    return folder


def test_nothing_that_another_user_laid_out_is_executed_or_ends_or_changes_anything(
    people: tuple[Person, Person], rounds: int
) -> None:
    owner, victim = people
    made = victim.run(sys.executable, "-P", "-c", START, str(victim.home / "outputs"))
    assert made.returncode == 0, made.stderr
    theirs = RunFolder(victim.home / "outputs" / "run")
    (victim.home / "precious").write_text("precious")
    os.chown(victim.home / "precious", victim.number, victim.number)
    process = subprocess.Popen(victim.command("sleep", "infinity"))
    try:
        while b"sleep" not in Path(f"/proc/{process.pid}/comm").read_bytes():
            assert process.poll() is None
        folder = lay_traps(owner, victim, theirs, process.pid)
        commands = [["runs"], ["data", "check", "."], ["run", "demo", "--dry-run"], ["rm", "-y", "outputs/linked"]]
        commands += [[*command, "outputs/trap"] for command in (["stop", "--now"], ["resume"], ["merge"], ["rm", "-y"])]
        if rounds:
            commands += [["presets", "list"], ["data", "show", "data.json"], ["plan", "demo"]]
            commands += [[*command, "outputs/trap"] for command in (*LOOKS, *STEPS, *LOADS)]
        commands += [["rm", "-y", "--", f"outputs/{name}"] for name in ("-rf", "$(touch executed-by-shell)")]
        for command in commands:
            done = victim.vlmft(*command, *(["what?"] if command[0] == "predict" else []), folder=folder)
            assert "Traceback" not in done.stderr, (command, done.stderr)
            assert "\x1b]0" not in done.stdout + done.stderr, command
            assert process.poll() is None, command
            assert alive(theirs), command
            assert not list(folder.glob("executed-by-*")), command
        assert (victim.home / "precious").read_text() == "precious"
        assert (theirs.path / "run.json").exists()
    finally:
        process.kill()
        process.wait()
        end(theirs)
