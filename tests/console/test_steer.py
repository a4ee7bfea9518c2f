"""`vlmft stop` and `vlmft rm` on real runs of stand-ins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import vlmft
from tests.supervised import LONG, Supervised


def test_a_live_run_is_stopped_and_then_deleted(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 2, *LONG)
    run.wait_for_ranks()
    path = str(run.folder.path)
    refused = vlmft("rm", "--yes", path)
    assert refused.returncode == 2
    assert "run is running (stop it first: vlmft stop run)" in refused.stderr
    stopped = vlmft("stop", path)
    assert (stopped.returncode, stopped.stdout) == (0, "run stopped: asked to\n")
    again = vlmft("stop", path)
    assert (again.returncode, again.stderr) == (2, "vlmft: run is not running: it is stopped\n")
    assert vlmft("rm", "--yes", path).returncode == 0
    assert not run.folder.path.exists()


@pytest.mark.parametrize("patience", ["inf", "1e300"])
def test_a_patience_without_an_end_is_refused_before_anything_is_asked(tmp_path: Path, patience: str) -> None:
    refused = vlmft("stop", str(tmp_path), "--patience", patience)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"--patience {patience}: no clock shows that" in refused.stderr


def test_a_script_is_told_in_json(tmp_path: Path) -> None:
    run = Supervised(tmp_path, 1, *LONG)
    run.wait_for_ranks()
    path = str(run.folder.path)
    live = json.loads(vlmft("status", "--json", path).stdout)
    assert live["state"] == "running"
    assert live["processes"].keys() == {"supervisor", "launcher", "rank 0"}
    stopped = json.loads(vlmft("stop", "--now", "--json", path).stdout)
    assert stopped["state"] == "stopped"
    assert stopped["processes"] == {}
