"""trackio's database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.foreign_logs import evals, notes, read_all, steps
from vlmft_console.history.importers import open_foreign
from vlmft_console.history.importers.stores import trackio
from vlmft_core.errors import VlmftError

TABLE = (
    "CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, run_name TEXT NOT NULL,"
    " step INTEGER NOT NULL, metrics TEXT NOT NULL)"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a project.db"


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(TABLE)
    yield connection
    connection.close()


def log(database: sqlite3.Connection, run: str, step: int, **metrics: Any) -> None:
    row = (f"2025-01-01T00:00:{step:02}+00:00", run, step, json.dumps(metrics))
    database.execute("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)", row)
    database.commit()


def test_the_runs_of_a_project_are_read_one_after_the_other(path: Path, database: sqlite3.Connection) -> None:
    log(database, "first", 1, loss=9.0)
    for step, loss in ((1, 2.5), (2, "NaN")):
        log(database, "second", step, **{"train/loss": loss, "train/learning_rate": 1e-4, "reward": 0.5})
    log(database, "first", 2, loss=8.0)
    log(database, "second", 2, **{"eval/loss": 2.125})
    records = read_all(path)
    assert open_foreign(path).format == "trackio"
    assert steps(records) == [(1, 9.0), (2, 8.0), (1, 2.5), (2, None)]
    assert evals(records) == [(2, 2.125)]
    assert [note for note in notes(records) if "run" in note] == ["trackio's run first", "trackio's run second"]
    assert [record["segment"] for record in records if record["event"] == "run_start"] == [1, 2]
    first = next(record for record in records if record["event"] == "step")
    assert first["t"] == 1735689601.0


def test_every_run_of_a_large_project_is_read_and_those_that_begin_meanwhile(
    path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackio, "_RUNS", 2)
    for number in range(5):
        log(database, f"run {number}", 1, loss=float(number))
    reader = open_foreign(path)
    assert steps(reader.read()) == [(1, float(number)) for number in range(5)]
    log(database, "run 5", 1, loss=5.0)
    assert steps(reader.read()) == [(1, 5.0)]


def test_a_run_that_is_being_logged_is_followed(path: Path, database: sqlite3.Connection) -> None:
    log(database, "run", 1, loss=2.5)
    reader = open_foreign(path)
    assert steps(reader.read()) == [(1, 2.5)]
    assert reader.read() == []
    log(database, "run", 2, loss=2.25)
    assert steps(reader.read()) == [(2, 2.25)]


def test_a_database_is_read_where_nothing_may_be_written(path: Path, database: sqlite3.Connection) -> None:
    log(database, "run", 1, loss=2.5)
    database.close()
    path.parent.chmod(0o500)
    assert steps(read_all(path)) == [(1, 2.5)]
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    path.parent.chmod(0o700)


def test_rows_that_are_no_metrics_are_rejected(path: Path, database: sqlite3.Connection) -> None:
    log(database, "run", 1, loss=2.5)
    database.execute("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES ('', 'run', 2, '{')")
    database.execute(
        "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES ('', 'run', 'x', '{\"loss\": 1}')"
    )
    database.commit()
    reader = open_foreign(path)
    assert steps(reader.read()) == [(1, 2.5)]
    assert reader.rejected == 2


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE other (id INTEGER)",
        "CREATE VIEW metrics AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)"
        " SELECT id, id AS timestamp, id AS run_name, id AS step, id AS metrics FROM n",
        "CREATE TABLE metrics (id INTEGER, name TEXT)",
    ],
)
def test_other_databases_are_refused(path: Path, schema: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(schema)
    with pytest.raises(VlmftError, match="SQLite database, and not one of trackio's"):
        open_foreign(path)


def test_a_damaged_database_is_refused_in_one_line(path: Path, database: sqlite3.Connection) -> None:
    for step in range(1, 60):
        log(database, "run", step, loss=2.5, text="x" * 300)
    database.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(VlmftError, match=r"cannot be read|SQLite database"):
        read_all(path)
