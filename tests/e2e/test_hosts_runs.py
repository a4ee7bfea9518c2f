"""Runs over two hosts by DeepSpeed's pdsh launcher, with a real sshd on each, started on a third machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.slurm import Cluster, cluster
from tests.e2e.slurm_run import with_standin
from tests.e2e.test_slurm import PRESET
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.processes import of_run, rank_info
from vlmft_core.run_folder.checkpoints import complete_ones
from vlmft_core.run_folder.tail import RunTail

HOSTFILE = "# the two\nn1 slots=1\nn2 slots=1\n"


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    missing = [
        name for name in ("pdsh", "ssh-keygen", "sshd") if shutil.which(name, path=f"{os.defpath}:/usr/sbin") is None
    ]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt install pdsh openssh-server openssh-client)")
    with tempfile.TemporaryDirectory(prefix="vlmft-") as folder, cluster(Path(folder) / "cluster") as made:
        os.environ["PDSH_SSH_ARGS_APPEND"] = made.sshd("n1", "n2")
        yield made
        del os.environ["PDSH_SSH_ARGS_APPEND"]


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Stand-ins in place of the training, making that many steps."""
    monkeypatch.setenv("PYTHONPATH", with_standin())
    return lambda steps: (tmp_path / "standin").write_text(f"{steps} 0.05") and None


def start(hosts: Cluster, root: Path, preset: str = "demo", name: str = "run") -> RunFolder:
    (root / "hostfile").write_text(HOSTFILE)
    hosts.vlmft(
        "run", preset, "--detach", f"--hosts={root / 'hostfile'}", f"--run-name={name}", f"--output-root={root}"
    )
    return RunFolder(root / name)


def events(folder: RunFolder, kind: str) -> list[dict[str, Any]]:
    return [record for record in RunTail(folder.logs).read() if record["event"] == kind]


def wait(condition: Callable[[], Any], folder: RunFolder, seconds: float = 400.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "\n".join(log.read_text() for log in sorted(folder.logs.glob("*.log")))
        time.sleep(0.05)


def status(hosts: Cluster, folder: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hosts.vlmft("status", str(folder.path), "--json"))
    return found


def rank(folder: RunFolder, number: int) -> int:
    """Process id, on this machine, of a rank."""
    return next(seen.identity.pid for seen in of_run(folder.run_id) if rank_info(seen.identity.pid).rank == number)


def wait_for_end(folder: RunFolder) -> dict[str, Any]:
    wait(folder.exit_file.exists, folder)
    ended: dict[str, Any] = json.loads(folder.exit_file.read_text())
    return ended


def test_a_run_over_two_hosts_is_stopped_with_a_checkpoint_and_resumed(
    hosts: Cluster, standin: Callable[[int], None], tmp_path: Path
) -> None:
    standin(100_000)
    folder = start(hosts, tmp_path)
    wait(lambda: len(events(folder, "step")) > 2, folder)
    assert "run stopped: stopped by stop.json" in hosts.vlmft("stop", str(folder.path))
    saved = complete_ones(folder)[-1]
    assert saved.ranks == 2
    standin(saved.step + 10)
    assert f"run goes on from step {saved.step:,}" in hosts.vlmft("resume", str(folder.path), "--detach")
    assert wait_for_end(folder)["status"] == "finished"
    assert [step["step"] for step in events(folder, "step")] == list(range(1, saved.step + 11))
    assert not of_run(folder.run_id)


def without_supervisor(hosts: Cluster, standin: Callable[[int], None], root: Path) -> RunFolder:
    """A run some steps on, whose supervisor was killed."""
    standin(100_000)
    folder = start(hosts, root)
    wait(lambda: len(events(folder, "step")) > 2, folder)
    os.kill(_outside(b"vlmft_console.runs.supervisor", folder), signal.SIGKILL)
    return folder


def test_a_run_whose_supervisor_was_killed_is_unsupervised_and_gets_one_again(
    hosts: Cluster, standin: Callable[[int], None], tmp_path: Path
) -> None:
    folder = without_supervisor(hosts, standin, tmp_path)
    told = status(hosts, folder)
    assert told["state"] == "unsupervised"
    assert told["reason"] == "its supervisor is gone but ranks live: on n1, n2; vlmft resume gives it one"
    assert "its supervisor is gone but ranks live: on n1, n2" in hosts.vlmft("attach", str(folder.path), code=None)
    assert "run is unsupervised" in hosts.vlmft("rm", "--yes", str(folder.path), code=2)
    assert "run has a supervisor again" in hosts.vlmft("resume", str(folder.path), "--detach")
    assert status(hosts, folder)["state"] == "running"
    assert "run stopped: adopted after" in hosts.vlmft("stop", str(folder.path))
    saved = complete_ones(folder)[-1].step
    assert saved == events(folder, "step")[-1]["step"]
    assert len(events(folder, "run_start")) == 1
    assert not of_run(folder.run_id)


@pytest.mark.soak
def test_ranks_that_lost_supervisor_and_runner_are_never_called_crashed_and_obey_an_adopter(
    hosts: Cluster, standin: Callable[[int], None], tmp_path: Path
) -> None:
    folder = without_supervisor(hosts, standin, tmp_path)
    os.kill(_outside(b"bin/deepspeed", folder), signal.SIGKILL)
    assert status(hosts, folder)["state"] == "unsupervised"
    assert "run has a supervisor again" in hosts.vlmft("resume", str(folder.path), "--detach")
    assert "they were asked" not in hosts.vlmft("stop", str(folder.path))
    assert wait_for_end(folder)["status"] == "stopped"
    assert not of_run(folder.run_id)


@pytest.mark.soak
def test_a_rank_killed_under_an_adopter_is_named_with_its_host(
    hosts: Cluster, standin: Callable[[int], None], tmp_path: Path
) -> None:
    folder = without_supervisor(hosts, standin, tmp_path)
    hosts.vlmft("resume", str(folder.path), "--detach")
    os.kill(rank(folder, 1), signal.SIGKILL)
    ended = wait_for_end(folder)
    assert ended["status"] == "failed"
    assert "rank 1 on n2 was killed by SIGKILL" in ended["reason"]
    wait(lambda: not of_run(folder.run_id), folder, 60)


@pytest.mark.soak
def test_stop_ends_ranks_that_have_no_supervisor(
    hosts: Cluster, standin: Callable[[int], None], tmp_path: Path
) -> None:
    folder = without_supervisor(hosts, standin, tmp_path)
    assert "they were asked to save a checkpoint" in hosts.vlmft("stop", str(folder.path), code=2)
    wait(lambda: status(hosts, folder)["state"] == "stopped", folder)
    saved = complete_ones(folder)[-1].step
    assert saved == events(folder, "step")[-1]["step"]
    standin(saved + 5)
    assert f"run goes on from step {saved:,}" in hosts.vlmft("resume", str(folder.path), "--detach")
    assert wait_for_end(folder)["status"] == "finished"
    assert [step["step"] for step in events(folder, "step")] == list(range(1, saved + 6))


@pytest.mark.soak
@pytest.mark.train
@pytest.mark.timeout(1500)
def test_a_real_training_over_two_hosts_is_stopped_and_resumed(hosts: Cluster, tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text(PRESET)
    folder = start(hosts, tmp_path, str(preset))
    wait(lambda: events(folder, "step"), folder)
    hosts.vlmft("stop", str(folder.path))
    saved = complete_ones(folder)[-1]
    assert events(folder, "run_end")[-1]["stopped_by"] == "stop.json"
    hosts.vlmft("resume", str(folder.path), "--detach")
    assert wait_for_end(folder)["status"] == "finished"
    assert events(folder, "run_start")[-1]["resumed_from"] == saved.step
    assert [step["step"] for step in events(folder, "step")] == list(range(1, 7))


@pytest.mark.soak
def test_a_killed_rank_is_named_with_its_host(hosts: Cluster, standin: Callable[[int], None], tmp_path: Path) -> None:
    standin(100_000)
    folder = start(hosts, tmp_path)
    wait(lambda: len(events(folder, "step")) > 2, folder)
    os.kill(rank(folder, 1), signal.SIGKILL)
    ended = wait_for_end(folder)
    assert ended["status"] == "failed"
    assert ended["reason"].startswith("rank 1 on n2 was killed by SIGKILL")


@pytest.mark.soak
def test_no_rank_outlives_a_runner_that_was_killed(
    hosts: Cluster, standin: Callable[[int], None], tmp_path: Path
) -> None:
    standin(100_000)
    folder = start(hosts, tmp_path)
    wait(lambda: len(events(folder, "step")) > 2, folder)
    os.kill(_outside(b"bin/deepspeed", folder), signal.SIGKILL)
    assert wait_for_end(folder)["status"] == "failed"
    wait(lambda: not of_run(folder.run_id), folder)


def _outside(word: bytes, folder: RunFolder) -> int:
    """Process id, on this machine, of the runner or the supervisor."""
    ours = {b"--hostfile=%s" % os.fsencode(folder.hosts_file), os.fsencode(folder.path)}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if not ours.isdisjoint(words) and any(one.endswith(word) for one in words):
            return int(entry.name)
    raise AssertionError(f"no {word.decode()}")


@pytest.mark.soak
def test_a_host_that_is_not_there_is_one_line_and_nothing_is_left(hosts: Cluster, here: Path) -> None:
    said = hosts.vlmft("run", "demo", "--hosts=n1:1,n9:1", code=2)
    assert "1 of 2 hosts answered: " in said
    assert "Could not resolve hostname n9" in said
    assert said.count("\n") == 1
    assert not list((here / "outputs").glob("*"))
