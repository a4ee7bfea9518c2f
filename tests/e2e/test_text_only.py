"""Text-only batches on one of two ranks under ZeRO-3, where every rank has to pass through every layer."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest

from tests.e2e.launching import deepspeed

pytestmark = [pytest.mark.train, pytest.mark.apart]


LAYOUTS = [("packed", "frozen"), ("packed", "tower"), ("padded", "frozen")]


def test_a_rank_without_images_keeps_step_with_one_that_has_them(tmp_path: Path) -> None:
    program = str(Path(__file__).with_name("text_only_rank.py"))
    line, environment = deepspeed(2, program, str(tmp_path), *("-".join(layout) for layout in LAYOUTS))
    # A rank that waits for the other does so for hours; this is the start and four steps of each layout.
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for layout in LAYOUTS:
        losses = json.loads((tmp_path / "-".join(layout) / "losses.json").read_text())
        assert len(losses) == 4
        assert all(math.isfinite(loss) and loss > 0 for loss in losses)
