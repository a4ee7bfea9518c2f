"""`vlmft merge`: what is merged, and where it goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.console.trained_models import Asked, write_adapter, write_run
from tests.file_systems import mounted
from vlmft_console.cli import app

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(("note", "merging"), ("merged", {"folder": "/m", "bytes": 16_600_000_000})).put(monkeypatch)


def merge(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["merge", *arguments])


def test_a_run_is_merged_into_its_own_folder(tmp_path: Path, asked: Asked) -> None:
    run = write_run(tmp_path / "outputs")
    done = merge("mine")
    assert done.exit_code == 0
    assert done.stdout == "merged model: /m (16.6 GB)\n"
    assert (asked.job.adapter, asked.job.folder) == (str(run / "adapter"), str(run / "merged"))


def test_an_adapter_is_merged_where_it_is_told(tmp_path: Path, asked: Asked) -> None:
    write_adapter(tmp_path / "copied")
    done = merge("copied", "-o", "whole", "--json")
    assert json.loads(done.stdout)["bytes"] == 16_600_000_000
    assert asked.job.folder == str(tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo"], "nothing to merge"),
        (["mine", "-o", "taken"], "exists already"),
        (["mine", "-o", "file/merged"], "file is not a folder (choose another folder with -o)"),
        (["nobody"], "no run is called"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(tmp_path: Path, asked: Asked, arguments: list[str], said: str) -> None:
    write_run(tmp_path / "outputs")
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    done = merge(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert asked.job is None


def test_a_disk_that_takes_nothing_is_refused_before_anything_is_loaded(tmp_path: Path, asked: Asked) -> None:
    write_run(tmp_path / "outputs")
    with mounted(tmp_path / "closed", "-t", "tmpfs", "-o", "ro", "tmpfs") as closed:
        done = merge("mine", "-o", "closed/not-yet/merged")
    assert (done.exit_code, asked.job) == (2, None)
    assert done.stderr == f"vlmft: {closed} cannot be written to (choose another folder with -o)\n"
