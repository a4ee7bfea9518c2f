"""Stop requests: what is asked for in the run folder is what ranks and supervisor read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import PATIENCE_SECONDS, StopRequest


def test_a_request_is_read_as_it_was_made(tmp_path: Path) -> None:
    run, before = RunLayout(tmp_path), time.time()
    assert StopRequest.read(run) is None
    asked = StopRequest("Ctrl-C", now=True, patience=5.0)
    asked.write(run)
    read = StopRequest.read(run)
    assert read == asked
    assert read is not None
    assert before <= read.t == asked.t <= time.time()


def test_a_request_of_an_earlier_version_says_when_it_was_made(tmp_path: Path) -> None:
    run = RunLayout(tmp_path)
    run.stop_file.write_text(json.dumps({"reason": "vlmft stop", "now": False, "patience": 30, "t": 1000}))
    read = StopRequest.read(run)
    assert read == StopRequest("vlmft stop", patience=30.0)
    assert read is not None
    assert read.t == 1000.0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"reason": null, "now": "yes", "patience": "long", "t": "now"}'])
def test_a_request_that_cannot_be_read_still_asks_for_a_checkpoint_and_the_end(tmp_path: Path, text: str) -> None:
    run = RunLayout(tmp_path)
    run.stop_file.write_text(text)
    read = StopRequest.read(run)
    assert read is not None
    assert (read.now, read.patience, read.t) == (False, PATIENCE_SECONDS, 0.0)
