"""Images that are shared by their questions, under DeepSpeed on two ranks: the steps of separate samples.

tests/trainer/test_sharing.py shows the same on 200 random batches in one process.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.launching import deepspeed

pytestmark = [pytest.mark.train, pytest.mark.apart, pytest.mark.soak]


@pytest.mark.parametrize("stage", [2, 3])
def test_ranks_that_share_images_make_the_steps_of_separate_samples(tmp_path: Path, stage: int) -> None:
    program = str(Path(__file__).with_name("sharing_rank.py"))
    line, environment = deepspeed(2, program, str(tmp_path), str(stage))
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "steps.json").read_text())
    for every in (0, 1, 2):
        *apart, tokens = found[f"False {every}"]
        *shared, fewer = found[f"True {every}"]
        assert len(shared) == 5
        for one, other in zip(shared, apart, strict=True):
            assert one["loss"] == pytest.approx(other["loss"], rel=1e-6)
            assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-6)
        assert fewer["tokens"] < 0.8 * tokens["tokens"]
