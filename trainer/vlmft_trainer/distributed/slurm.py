"""Slurm's variables: the ranks of a job step, told to torch in its own words. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vlmft_core.errors import VlmftError
from vlmft_core.slurm_port import port_of_job

STEP = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_STEP_TASKS_PER_NODE", "SLURM_STEP_NODELIST")
"""What `srun` tells each task of a step, besides `SLURM_STEP_NUM_TASKS` (`man srun`, OUTPUT ENVIRONMENT VARIABLES). A
batch script itself, which is no task of a step, has `SLURM_PROCID` too, but neither number nor nodes of a step."""


def ranks_of_step(environment: Mapping[str, str]) -> dict[str, str]:
    """What a launcher of torch's would have told this process, had it been started by one instead of by `srun`.

    Returns:
        `RANK`, `LOCAL_RANK`, `WORLD_SIZE`, `LOCAL_WORLD_SIZE`, `GROUP_RANK` (the number of the host), `MASTER_ADDR` and
        `MASTER_PORT`; the last two as they are where the environment has them. Nothing for a process that a launcher
        did tell, or that is not one of several tasks.

    Raises:
        VlmftError: one of several tasks that cannot know its rank, or that has a launcher, or would have a world, of
            its own: each would train by itself in the same folder.
    """
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "")
    if not tasks.isdecimal() or int(tasks) < 2:
        return {}
    if "RANK" in environment:
        if _number(environment, "WORLD_SIZE") < int(tasks):
            raise VlmftError(
                f"srun started {tasks} tasks, and each has a launcher of its own",
                "let srun start the training program itself, or only one task a host",
            )
        return {}
    if missing := [name for name in STEP if name not in environment]:
        raise VlmftError(f"one of {tasks} tasks of srun, without {', '.join(missing)}", "pass Slurm's variables on")
    rank, host = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_NODEID")
    first = first_host(environment["SLURM_STEP_NODELIST"])
    here = environment.get("SLURMD_NODENAME", first)
    if rank == 0 and here != first and "MASTER_ADDR" not in environment:
        raise VlmftError(f"task 0 is on {here}, not on the step's first host {first}", f"set MASTER_ADDR to {here}")
    counts = tasks_by_host(environment["SLURM_STEP_TASKS_PER_NODE"])
    if host >= len(counts):
        raise VlmftError(f"SLURM_STEP_TASKS_PER_NODE={environment['SLURM_STEP_TASKS_PER_NODE']}: no host {host}")
    port = port_of_job(str(_number(environment, "SLURM_JOB_ID")))
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(_number(environment, "SLURM_LOCALID")),
        "WORLD_SIZE": tasks,
        "LOCAL_WORLD_SIZE": str(counts[host]),
        "GROUP_RANK": str(host),
        "MASTER_ADDR": environment.get("MASTER_ADDR", first),
        "MASTER_PORT": environment.get("MASTER_PORT", str(port)),
    }


def first_host(nodes: str) -> str:
    """The first name of Slurm's short notation: `n003` of `n[003-010,020],m1`.

    Raises:
        VlmftError: it is not that notation.
    """
    found = re.match(r"(?:[^\s,\[\]]|\[[\d,-]+\])+", nodes)
    if found is None or nodes[found.end() : found.end() + 1] not in ("", ","):
        raise VlmftError(f"SLURM_STEP_NODELIST={nodes}: no list of hosts")
    return re.sub(r"\[(\d+)[\d,-]*\]", r"\1", found[0])


def tasks_by_host(counts: str) -> list[int]:
    """How many tasks each host has: 2, 2, 2, 1 of `2(x3),1`.

    Raises:
        VlmftError: it is not that notation.
    """
    if not re.fullmatch(r"\d{1,6}(\(x\d{1,6}\))?(,\d{1,6}(\(x\d{1,6}\))?)*", counts):
        raise VlmftError(f"SLURM_STEP_TASKS_PER_NODE={counts}: no counts of tasks")
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", counts)
    return [int(count) for count, times in found for _ in range(int(times or 1))]


def _number(environment: Mapping[str, str], name: str) -> int:
    value = environment.get(name, "")
    if not value.isdecimal():
        raise VlmftError(f"{name}={value}: no number")
    return int(value)
