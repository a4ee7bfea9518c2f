"""Text-only batches on one of two ranks under ZeRO-3, where every rank has to pass through every layer."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("layout", "tower"), [("packed", "frozen"), ("packed", "tower"), ("padded", "frozen")])
def test_a_rank_without_images_keeps_step_with_one_that_has_them(tmp_path: Path, layout: str, tower: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [str(Path(sys.executable).with_name("deepspeed")), "--num_accelerators=2", f"--master_port={port}"]
    line += [str(Path(__file__).with_name("text_only_rank.py")), str(tmp_path), layout, tower]
    environment = os.environ | {
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "trainer"), str(ROOT / "console")]),
    }
    # A rank that waits for the other does so for twelve hours; a minute and a half is the start and four steps.
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    losses = json.loads((tmp_path / "losses.json").read_text())
    assert len(losses) == 4
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)
