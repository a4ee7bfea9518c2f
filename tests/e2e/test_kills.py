"""Random kills: whoever of a run is signalled, no failure is called a success, no finished run crashed, nobody left.

pytest --soak -s tests/e2e/test_kills.py       700 runs of stand-ins and 34 real trainings, with a table of each
"""

from __future__ import annotations

import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.e2e.kills import PAUSE, VICTIMS, Round, said_at_the_end, settle, strike, told
from tests.e2e.small_run import SMALL, settings
from tests.supervised import make_run
from vlmft_console.errors import MachineError, RunBusyError
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.registry import read_run
from vlmft_console.runs.supervisor_start import start_supervisor
from vlmft_core.run_folder.stop import StopRequest

pytestmark = pytest.mark.apart

KILL = signal.SIGKILL
OTHERS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE)
SIGNALS = (KILL,) * 6 + OTHERS


def standins(root: Path, number: int) -> Round:
    """A run of stand-ins from its start to its end, with up to two signals at random moments, and maybe a stop."""
    chance = random.Random(f"kills {number}")
    steps = chance.randint(20, 80)
    options = (f"--steps={steps}", "--step-s=0.03", "--together")
    late = (f"--fork-s={chance.choice((0, 0, 0.2))}", f"--save-s={chance.choice((0, 0.5))}")
    this = Round(make_run(root, f"run{number}", chance.randint(1, 4), *options, *late))

    def attack() -> None:
        time.sleep(chance.uniform(0.0, 0.5 + 0.04 * steps))
        for role in chance.sample(VICTIMS, chance.choice((0, 1, 1, 1, 1, 1, 1, 2, 2, 2))):
            strike(this, role, PAUSE if chance.random() < 0.07 else chance.choice(SIGNALS), chance)
        if chance.random() < 0.15:
            StopRequest("a test", now=chance.random() < 0.5).write(this.folder)
            this.done.append("a stop")

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        start_supervisor(this.folder)
    except (MachineError, RunBusyError):  # its supervisor was killed before it could, or has a successor already
        this.done.append("not started")
    attacker.join()
    settle(this, adopt=chance.random() < 0.5, seconds=120)
    return this


def test_whoever_is_signalled_whenever_what_is_said_of_a_run_is_true(tmp_path: Path, rounds: int) -> None:
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda number: standins(tmp_path, number), range(max(12, 7 * rounds))))
    print(told(done))
    assert not [str(one) for one in done if one.faults]


MOMENTS = ("start",) * 7 + ("step",) * 3 + ("eval",) * 3 + ("save",) * 10 + ("end",) * 11


def reach(folder: RunFolder, moment: str, chance: random.Random) -> None:
    """Wait for a moment of a training."""
    until = time.monotonic() + 240
    step = {"start": 0, "step": 2, "eval": 6, "save": chance.choice((6, 12, 18)), "end": 18}[moment]

    def reached() -> bool:
        return folder.checkpoint(step).is_dir() if moment == "save" else read_run(folder)[0].step >= step

    while not reached() and said_at_the_end(folder) is None:
        assert time.monotonic() < until, f"{folder.name} does not come to its {moment}"
        time.sleep(0.01)
    most = {"start": 20.0, "step": 0.3, "eval": 0.3, "save": 0.1, "end": 4.0}
    time.sleep(chance.uniform(0.0, most[moment]))


def training(root: Path, number: int) -> Round:
    """A real training, and one of its processes killed at a moment of it."""
    chance = random.Random(f"training {number}")
    moment = MOMENTS[number]
    name = f"run{number}"
    vlmft("run", "demo", *settings(SMALL), f"--output-root={root}", f"--run-name={name}", "--detach", code=0)
    this = Round(RunFolder(root / name), done=[moment])
    reach(this.folder, moment, chance)
    role = ("supervisor", "runner", "launcher", "rank", "rank")[number % 5]
    struck = strike(this, role, KILL, chance, seconds=60.0 if moment == "start" else 0.0)
    settle(this, adopt=chance.random() < 0.5, seconds=300)
    how = [words for words in ("was killed by SIGKILL", "was gone before it was seen") if words in this.status.reason]
    if struck and role == "rank" and not ("rank" in this.status.reason and how):
        this.faults.append("the killed rank is not named")
    return this


@pytest.mark.train
def test_whoever_of_a_real_training_is_killed_what_is_said_of_it_is_true(tmp_path: Path, rounds: int) -> None:
    if not rounds:
        pytest.skip("34 trainings: with --soak")
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda number: training(tmp_path, number), range(len(MOMENTS))))
    print(told(done))
    assert not [str(one) for one in done if one.faults]
