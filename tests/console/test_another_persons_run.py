"""Another person's run: it can be looked at, but nothing is loaded from it unless that is meant."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.command_line import vlmft
from tests.console.trained_models import Asked, write_run
from tests.run_folders import ended_run
from vlmft_console.cli import app
from vlmft_console.runs.processes import look
from vlmft_console.runs.status import status_of
from vlmft_core.run_folder.checkpoints import seal

SOMEBODY = 54321

pytestmark = pytest.mark.usefixtures("here")


def give_away(path: Path, way: str) -> None:
    """Make what is there another person's, or open to others where there is no other person."""
    if way == "writable":
        path.chmod(0o777)
    elif os.geteuid() == 0:
        os.chown(path, SOMEBODY, SOMEBODY)
    else:
        pytest.skip("needs another user")


@pytest.mark.parametrize("way", ["owned", "writable"])
@pytest.mark.parametrize("name", [".", "preset.yaml", "adapter", "adapter/adapter_model.safetensors"])
def test_nothing_of_it_is_merged_asked_or_evaluated(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, way: str
) -> None:
    asked = Asked().put(monkeypatch)
    give_away(write_run(here / "outputs") / name, way)
    for command in (["merge", "mine"], ["eval", "mine"], ["predict", "mine", "what?"]):
        refused = CliRunner().invoke(app, command)
        assert (refused.exit_code, refused.stderr.count("\n"), asked.job) == (2, 1, None)
        assert "--trust takes it all the same" in refused.stderr
    CliRunner().invoke(app, ["merge", "mine", "--trust"])
    assert asked.job.adapter == str(here / "outputs" / "mine" / "adapter")


@pytest.mark.parametrize("way", ["owned", "writable"])
@pytest.mark.parametrize("name", [".", "run.json", "logs", "checkpoint-5", "checkpoint-5/optimizer.pt"])
def test_it_is_not_resumed(here: Path, name: str, way: str) -> None:
    run = ended_run(here, "run", status="stopped")
    (run.path / "checkpoint-5").mkdir()
    (run.path / "checkpoint-5" / "optimizer.pt").touch()
    seal(run.path / "checkpoint-5", 5, None, None, {})
    give_away(run.path / name, way)
    before = run.run_file.read_bytes()
    refused = CliRunner().invoke(app, ["resume", str(run.path)])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "--trust takes it all the same" in refused.stderr
    assert (run.run_file.read_bytes(), run.exit_file.exists()) == (before, True)
    assert vlmft("status", str(run.path), code=0).stdout


@pytest.mark.parametrize("way", ["owned", "writable"])
def test_a_process_of_ours_that_it_names_is_not_ended(here: Path, way: str) -> None:
    run = ended_run(here, "run")
    run.exit_file.unlink()
    ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        seen = look(ours.pid)
        assert seen is not None
        run.write_processes(seen.identity, {0: seen.identity}, 1)
        give_away(run.path, way)
        assert status_of(run).state == "unsupervised"
        for command in (["resume"], ["stop", "--now"], ["stop"], ["rm", "-y"]):
            assert CliRunner().invoke(app, [*command, str(run.path)]).exit_code == 2
        assert ours.poll() is None
    finally:
        ours.kill()
        ours.wait()
