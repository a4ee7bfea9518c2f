"""A live run seen another way: from another machine, through another mount, as a copy, under another name.

pytest --soak tests/e2e/test_other_views.py     20 times `vlmft rm`, supervised and not: refused 20 times
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.e2e.machines import Machine, sshfs
from tests.file_systems import mounted, overlay
from tests.supervised import LONG, Supervised
from vlmft_console.runs.folder import RunFolder
from vlmft_core.run_folder.stop import StopRequest

pytestmark = pytest.mark.apart

Answer = subprocess.CompletedProcess[str]
Ask = Callable[..., Answer]


@contextmanager
def through_sshfs(run: Supervised, root: Path) -> Iterator[tuple[Ask, Path]]:
    with sshfs(run.folder.path.parent, root / "view") as view:
        yield Machine("n2", root).vlmft, view / run.folder.name


@contextmanager
def shared_by_another_machine(run: Supervised, root: Path) -> Iterator[tuple[Ask, Path]]:
    with mounted(root / "view", "--bind", str(run.folder.path.parent)) as view:
        yield Machine("n2", root).vlmft, view / run.folder.name


@contextmanager
def through_an_overlay(run: Supervised, root: Path) -> Iterator[tuple[Ask, Path]]:
    with overlay(run.folder.path.parent, root / "view") as view:
        yield vlmft, view / run.folder.name


@contextmanager
def a_copy(run: Supervised, root: Path) -> Iterator[tuple[Ask, Path]]:
    yield vlmft, shutil.copytree(run.folder.path, root / "copy")


@contextmanager
def renamed(run: Supervised, root: Path) -> Iterator[tuple[Ask, Path]]:
    new = run.folder.path.rename(run.folder.path.with_name("new"))
    run.folder = RunFolder(new)
    yield vlmft, new


VIEWS = (through_sshfs, shared_by_another_machine, through_an_overlay, a_copy, renamed)


@contextmanager
def live_run(root: Path, *, supervised: bool = True) -> Iterator[Supervised]:
    """A run, until the end of the test. Its folder is not below those of the views."""
    (root / "outputs").mkdir()
    run = Supervised(root / "outputs", 2, *LONG)
    run.wait_for_ranks()
    if not supervised:
        run.who("supervisor").send(signal.SIGKILL)
        run.wait(lambda: run.status().state == "unsupervised")
    try:
        yield run
    finally:
        StopRequest("the test is over", now=True).write(run.folder)
        run.wait(lambda: not run.status().live)


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if not path.name.startswith(".")}


@pytest.mark.parametrize("view", VIEWS)
def test_a_live_run_is_not_deleted_however_it_is_seen(
    tmp_path: Path, rounds: int, view: Callable[..., Iterator[tuple[Ask, Path]]]
) -> None:
    for number in range(4 if rounds else 1):
        root = tmp_path / str(number)
        root.mkdir()
        with live_run(root, supervised=number % 2 == 0) as run, view(run, root) as (ask, path):
            before, size = files(run.folder.path), run.folder.events_file().stat().st_size
            refused = ask("rm", "-y", str(path))
            assert refused.returncode == 2, refused.stdout + refused.stderr
            assert refused.stderr.count("\n") == 1
            assert files(run.folder.path) >= before
            assert path.is_dir()
            run.wait(lambda run=run, size=size: run.folder.events_file().stat().st_size > size)


@pytest.mark.parametrize("command", [["stop"], ["stop", "--now"], ["resume"]])
def test_a_run_of_another_machine_whose_locks_are_not_seen_is_not_steered_from_here(
    tmp_path: Path, command: list[str]
) -> None:
    with live_run(tmp_path) as run, through_sshfs(run, tmp_path) as (ask, path):
        host = run.folder.process_record().host
        refused = ask(*command, str(path))
        assert refused.returncode == (75 if command == ["resume"] else 2)
        assert re.search(f"it runs, or ran, on {host}, last heard of (now|.* ago): ask there", refused.stderr)
        assert refused.stderr.count("\n") == 1
        assert not run.folder.stop_file.exists()


def test_a_run_in_a_folder_that_machines_share_with_its_locks_is_stopped_from_any(tmp_path: Path) -> None:
    with live_run(tmp_path) as run, shared_by_another_machine(run, tmp_path) as (ask, path):
        assert "running" in ask("status", str(path)).stdout
        stopped = ask("stop", str(path))
        assert (stopped.returncode, stopped.stdout.strip()) == (0, "run stopped: asked to")
        assert run.wait_for_end()["status"] == "stopped"
