"""Slurm: the ranks of a step know who they are, or refuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vlmft_core.errors import VlmftError
from vlmft_trainer.distributed.environment import on_first_host, ranks_here
from vlmft_trainer.distributed.slurm import first_host, ranks_of_step, tasks_by_host
from vlmft_trainer.train_vlm_sft import main

TASK = {
    "SLURM_JOB_ID": "1234567",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURM_STEP_NODELIST": "gpu[08-10]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURMD_NODENAME": "gpu09",
}
"""The fourth of five tasks, on the second of three hosts."""


def test_a_task_of_a_step_learns_its_rank_and_where_rank_0_is() -> None:
    assert ranks_of_step(TASK) == {
        "RANK": "3",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "5",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "1",
        "MASTER_ADDR": "gpu08",
        "MASTER_PORT": "24567",
    }


def test_where_rank_0_listens_may_be_said_by_hand() -> None:
    told = ranks_of_step(TASK | {"MASTER_ADDR": "10.0.0.8", "MASTER_PORT": "4000"})
    assert (told["MASTER_ADDR"], told["MASTER_PORT"]) == ("10.0.0.8", "4000")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "4"},  # a batch script
        TASK | {"SLURM_STEP_NUM_TASKS": "1"},
        TASK | {"RANK": "3", "WORLD_SIZE": "8"},  # torchrun, one task a host
    ],
    ids=["no slurm", "batch script", "one task", "another launcher"],
)
def test_other_processes_are_left_as_they_are(environment: dict[str, str]) -> None:
    assert ranks_of_step(environment) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SLURM_PROCID": None}, "one of 5 tasks of srun, without SLURM_PROCID"),
        ({"SLURM_PROCID": "x"}, "SLURM_PROCID=x: no number"),
        ({"SLURM_STEP_NODELIST": "gpu[08"}, "SLURM_STEP_NODELIST=gpu[08: no list of hosts"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x"}, "SLURM_STEP_TASKS_PER_NODE=2(x: no counts of tasks"),
        ({"SLURM_STEP_TASKS_PER_NODE": "5"}, "SLURM_STEP_TASKS_PER_NODE=5: no host 1"),
        ({"RANK": "0", "WORLD_SIZE": "1"}, "srun started 5 tasks, and each has a launcher of its own"),
        ({"SLURM_PROCID": "0"}, "task 0 is on gpu09, not on the step's first host gpu08"),
    ],
)
def test_tasks_that_would_not_be_one_training_are_refused(changes: dict[str, str | None], said: str) -> None:
    with pytest.raises(VlmftError) as refused:
        ranks_of_step({name: value for name, value in (TASK | changes).items() if value is not None})
    assert said in str(refused.value)


@pytest.mark.parametrize("task", [0, 1])
def test_such_tasks_all_exit_2_and_the_first_says_why(
    task: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": str(task)})
    assert main([f"--sft_config={tmp_path / 'none.yaml'}", f"--output_dir={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 - task
    assert task == 1 or said.startswith("error: one of 2 tasks of srun, without SLURM_LOCALID, ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("n1", "n1"),
        ("n[1-2]", "n1"),
        ("gpu[003-010,020],login", "gpu003"),
        ("a[1-2]b[07,09-11]-ib,c", "a1b07-ib"),
        ("login,n[1-2]", "login"),
    ],
)
def test_the_first_host_of_a_list_is_found(nodes: str, first: str) -> None:
    assert first_host(nodes) == first


@pytest.mark.parametrize("nodes", ["", "n[", "n[1-2", "n]1", "n[a]", "[]", "n 1"])
def test_what_is_no_list_of_hosts_is_refused(nodes: str) -> None:
    with pytest.raises(VlmftError, match="no list of hosts"):
        first_host(nodes)


def test_tasks_are_counted_by_host() -> None:
    assert tasks_by_host("2(x3),1") == [2, 2, 2, 1]


def test_a_rank_knows_its_host_from_any_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, expected in (
        ({"LOCAL_SIZE": "2", "CROSS_RANK": "0", "WORLD_SIZE": "4"}, (2, True)),
        ({"LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "1", "WORLD_SIZE": "4"}, (2, False)),
        ({"WORLD_SIZE": "4"}, (4, True)),
        ({}, (1, True)),
    ):
        monkeypatch.setattr(os, "environ", told)
        assert (ranks_here(), on_first_host()) == expected


def test_a_rank_of_another_host_speaks_for_its_own_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # it is told torch's variables
    monkeypatch.setattr("socket.gethostname", lambda: "gpu09")
    code = main([f"--sft_config={tmp_path / 'none.yaml'}", f"--output_dir={tmp_path / 'out'}"])
    assert code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: gpu09: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
