"""Logs of one metric an entry: exports sorted by metric, entries without a value, entries that only look like it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.console.foreign_logs import evals, read_all, steps
from vlmft_console.history.importers import open_foreign

LOSSES = [(10, 2.5), (20, 2.25), (30, 2.0)]
EVALS = [(10, 2.75), (20, 2.5), (30, 2.25)]


@pytest.mark.parametrize("field", ["value", "metric_value"])
@pytest.mark.parametrize("value", [0.5, "good"])
def test_an_entry_with_a_name_and_a_value_beside_its_figures_keeps_them(
    tmp_path: Path, field: str, value: object
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        "".join(
            json.dumps({"name": "exp", field: value, "step": step, "train_loss": loss, "lr": 1e-4}) + "\n"
            for step, loss in LOSSES
        )
    )
    records = read_all(log)
    assert steps(records) == LOSSES
    assert [record["lr"] for record in records if record["event"] == "step"] == [1e-4] * 3
    log.write_text(json.dumps({"name": "exp", field: value, "step": 10, "accuracy": 0.75}) + "\n" + log.read_text())
    assert next(each for each in read_all(log) if each["event"] == "metrics")["metrics"]["accuracy"] == 0.75


def test_a_document_of_one_metric_an_entry_keeps_repeats_and_entries_of_another_kind(tmp_path: Path) -> None:
    log = tmp_path / "metrics.json"
    entries: list[dict[str, object]] = [{"key": "train_loss", "value": value, "step": 0} for value in (2.5, 2.25)]
    log.write_text(json.dumps([*entries, {"step": 10, "loss": 2.0, "eval_loss": 2.75}]))
    records = read_all(log)
    assert [loss for _, loss in steps(records)] == [2.5, 2.25]
    assert evals(records) == [(10, 2.75)]


@pytest.mark.parametrize("value", ["abc", "None", ""])
def test_a_row_of_a_long_table_without_a_number_is_rejected(tmp_path: Path, value: str) -> None:
    log = tmp_path / "log.csv"
    rows = "".join(f"train_loss,{loss},{step}\n" for step, loss in LOSSES)
    log.write_text(f"name,value,step\n{rows}train_loss,{value},40\ntrain_loss,1.5,50\n")
    reader = open_foreign(log)
    records = [record for read in iter(reader.read, []) for record in read]
    assert steps(records) == [*LOSSES, (50, 1.5)]
    assert reader.rejected == 1


def test_an_entry_with_null_for_its_metrics_value_is_rejected(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        "".join(json.dumps({"name": "train_loss", "value": loss, "step": step}) + "\n" for step, loss in LOSSES)
        + '{"name": "train_loss", "value": null, "step": 40}\n'
        '{"name": "train_loss", "value": 1.5, "step": 50}\n'
    )
    reader = open_foreign(log)
    records = [record for read in iter(reader.read, []) for record in read]
    assert steps(records) == [*LOSSES, (50, 1.5)]
    assert reader.rejected == 1


BY_METRIC = [
    ("lr", [(10, 1e-4), (20, 2e-4), (30, 3e-4)]),
    ("train_loss", LOSSES),
    ("val_loss", EVALS),
]


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_an_export_sorted_by_metric_has_its_steps_put_together(tmp_path: Path, name: str) -> None:
    log = tmp_path / name
    rows = [(metric, value, step) for metric, points in BY_METRIC for step, value in points]
    if name == "log.csv":
        log.write_text("name,value,step\n" + "".join(f"{metric},{value},{step}\n" for metric, value, step in rows))
    else:
        log.write_text(
            "".join(json.dumps(dict(zip(("name", "value", "step"), row, strict=True))) + "\n" for row in rows)
        )
    records = read_all(log)
    assert (steps(records), evals(records)) == (LOSSES, EVALS)
    assert [record["lr"] for record in records if record["event"] == "step"] == [1e-4, 2e-4, 3e-4]


def test_a_rate_that_was_told_of_another_step_is_not_the_losses(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rows = [("lr", 3e-4, 5), ("train_loss", 2.5, 10), ("lr", 2e-4, 15), ("train_loss", 2.25, 20)]
    log.write_text("".join(json.dumps(dict(zip(("name", "value", "step"), row, strict=True))) + "\n" for row in rows))
    records = read_all(log)
    assert steps(records) == LOSSES[:2]
    assert [record["lr"] for record in records if record["event"] == "step"] == [None, None]
    assert [record["metrics"] for record in records if record["event"] == "metrics"] == [{"lr": 3e-4}, {"lr": 2e-4}]


def test_a_step_that_is_no_number_is_rejected_and_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rows: list[tuple[str, float, object]] = [("train_loss", 2.5, 10), ("train_loss", 9.0, [20]), ("val_loss", 2.75, 10)]
    log.write_text("".join(json.dumps(dict(zip(("name", "value", "step"), row, strict=True))) + "\n" for row in rows))
    reader = open_foreign(log)
    records = [record for read in iter(reader.read, []) for record in read]
    assert (steps(records), evals(records), reader.rejected) == (LOSSES[:1], EVALS[:1], 1)
