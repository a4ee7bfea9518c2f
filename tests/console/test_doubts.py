"""What of a log is not understood: said by whatever tells the figures of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.records import record
from tests.run_folders import ended_run
from vlmft_console.cli import app
from vlmft_core.run_folder.events import VERSION


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("damaged", "1 entry of the log cannot be read"),
        (json.dumps({**record("note", message="hello"), "v": VERSION + 1}), "a newer vlmft wrote this log"),
    ],
)
@pytest.mark.parametrize(
    "command", ["status", "report --format=md", "report --format=json", "report -o one.html --force"]
)
def test_what_is_not_understood_of_a_log_is_said_beside_its_figures(
    command: str, line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ended_run(tmp_path / "outputs", "one")

    def told() -> str:
        name, *options = command.split()
        result = CliRunner().invoke(app, [name, "one", *options], env={"COLUMNS": "160"})
        assert result.exit_code == 0
        return Path("one.html").read_text() if "one.html" in options else result.stdout

    assert said not in told()
    with run.events_file().open("a") as file:
        file.write(f"{line}\n")
    assert said in told()
