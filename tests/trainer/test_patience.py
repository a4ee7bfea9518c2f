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


def test_a_rank_that_hangs_ends_the_others_wait_in_every_group(tmp_path: Path) -> None:
    def rank(number: int) -> subprocess.Popen[str]:
        command = [sys.executable, str(RANK), str(number), str(tmp_path / "meeting")]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with rank(0) as waiting, rank(1) as hanging:
        output, _ = waiting.communicate()  # it would wait for 12 hours
        assert output.splitlines() == ["RuntimeError True"] * 2
        assert hanging.poll() is None
        hanging.communicate("")


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
