"""Shared memory: what data workers need of it is known before one is killed for want of it."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from vlmft_core.plan import shared_memory
from vlmft_core.plan.shared_memory import look_ahead, shared_bytes, shared_memory_problem
from vlmft_core.preset import Data, Evaluation, Hardware, Preset

MIB = 2**20
BEST = Preset(data=Data(workers=2))


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))


@pytest.mark.parametrize(("accumulation", "workers", "each"), [(4, 2, 3), (32, 2, 17), (1, 8, 2), (4, 0, None)])
def test_data_workers_prepare_a_whole_step_ahead(accumulation: int, workers: int, each: int | None) -> None:
    assert look_ahead(accumulation, workers) == each
    assert each is None or each * workers >= accumulation + workers


def test_the_longest_samples_that_can_wait_at_one_time_count() -> None:
    held = 2 * 3 * 4 + 32  # training's, and the next questions
    assert shared_bytes(BEST, [1000] * 200) == held * shared_bytes(BEST, [1000])
    assert shared_bytes(BEST, [1000] * 20 + [10] * 200) < shared_bytes(BEST, [1000] * 200) / 2
    assert shared_bytes(BEST) > shared_bytes(BEST, [1000] * 200)  # of unknown length: images as large as may be
    without = Preset(data=Data(workers=2), evaluation=Evaluation(answers=0))
    assert shared_bytes(without, [1000] * 200) == (2 * 3 * 4 + 2 * 2 * 4) * shared_bytes(BEST, [1000])


def test_without_workers_none_is_needed() -> None:
    assert shared_bytes(Preset(data=Data(workers=0))) == 0


def test_too_little_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 64 * MIB)
    problem = shared_memory_problem(BEST, 8, [1000] * 200)
    assert problem is not None
    message, hint = problem
    assert "/dev/shm has 0.06 GiB free" in message
    assert "8 ranks need up to 1.03" in message
    assert "--shm-size=3g" in hint
    assert "data.workers to 0" in hint
    room(monkeypatch, 2048 * MIB)
    assert shared_memory_problem(BEST, 8, [1000] * 200) is None
    assert shared_memory_problem(Preset(hardware=Hardware(gpus=16)), 16, [4000] * 20) is None  # no workers


def test_a_system_without_it_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "FOLDER", "/no/such/folder")
    assert shared_memory_problem(BEST, 8) is None
