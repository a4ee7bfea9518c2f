"""Ranks wait long for each other until the first step is done, and not for long afterwards."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vlmft_core.preset import Preset
from vlmft_trainer.distributed import ranks
from vlmft_trainer.training.callbacks.patience import Patience

RANK = Path(__file__).with_name("patience_rank.py")


def rank(number: int, folder: Path, rounds: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, str(RANK), str(number), str(folder / "meeting"), str(rounds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_rank_that_hangs_ends_the_others_wait_in_every_group(tmp_path: Path) -> None:
    with rank(0, tmp_path) as waiting, rank(1, tmp_path) as hanging:
        output, _ = waiting.communicate()  # it would wait for 12 hours
        assert output.splitlines() == ["RuntimeError True"] * 2
        assert hanging.poll() is None
        hanging.communicate("")


@pytest.mark.soak
def test_an_eval_that_takes_longer_in_all_ends_no_wait(tmp_path: Path) -> None:
    with rank(0, tmp_path, rounds=6) as waiting, rank(1, tmp_path, rounds=6) as working:
        assert [process.communicate("")[0] for process in (waiting, working)] == ["6\n", "6\n"]


def test_patience_is_shortened_once_after_the_first_step_to_what_the_preset_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[timedelta] = []
    monkeypatch.setattr(ranks, "set_patience", waits.append)
    patience = Patience(Preset().hardware.timeout_minutes)
    nothing: Any = SimpleNamespace()
    assert waits == []
    for _ in range(3):
        patience.on_step_end(nothing, nothing, nothing)
    assert waits == [timedelta(minutes=30)]


def test_one_process_alone_has_nobody_to_wait_for() -> None:
    ranks.set_patience(timedelta(minutes=1))
