"""Training logs in files of their own formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.console.foreign_logs import (
    LLAMAFACTORY,
    MSSWIFT,
    TENSORBOARD,
    WANDB,
    WANDB_EXIT,
    evals,
    history,
    notes,
    read_all,
    scalar,
    steps,
    tensorboard,
    trainer_state,
    wandb,
    wandb_step,
)
from vlmft_console.history.importers import open_foreign
from vlmft_core.run_folder.events import Record


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_trainer_state_with_bare_nan_and_records_without_a_loss(log: Path) -> None:
    log.write_bytes(
        trainer_state(
            [
                {"step": 5, "epoch": 0.25, "loss_control": float("nan")},
                {"step": 5, "epoch": 0.25, "loss": 2.5, "learning_rate": 1e-4, "grad_norm": float("nan")},
                {"step": 5, "epoch": 0.25, "eval_loss": 2.0, "eval_runtime": 7.0},
                {"step": 10, "epoch": 0.5, "loss": float("nan"), "learning_rate": 5e-5, "grad_norm": float("inf")},
                {"step": 10, "epoch": 0.5, "loss": True},
                "nonsense",
            ]
        )
    )
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.format, reader.entries, reader.rejected) == ("trainer_state", 6, 2)
    assert steps(records) == [(5, 2.5), (10, None)]
    assert records[-1]["nonfinite"] == ["grad_norm", "loss"]
    assert evals(records) == [(5, 2.0)]
    plan = next(record for record in records if record["event"] == "plan")
    assert (plan["total_steps"], plan["steps_per_epoch"], plan["peak_lr"]) == (40, 20, None)


def test_a_trainer_state_saved_again_gives_only_what_is_new(log: Path) -> None:
    entries = [{"step": step, "epoch": step / 20, "loss": 3.0 / step, "grad_norm": float("nan")} for step in (1, 2, 3)]
    log.write_bytes(trainer_state(entries[:2]))
    reader = open_foreign(log)
    assert steps(reader.read()) == [(1, 3.0), (2, 1.5)]
    assert reader.read() == []
    log.write_bytes(trainer_state(entries)[:100])  # caught in the middle of a save
    assert reader.read() == []
    log.write_bytes(trainer_state(entries))
    assert steps(reader.read()) == [(3, 1.0)]


def test_a_trainer_state_of_another_run_begins_anew(log: Path) -> None:
    log.write_bytes(trainer_state([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}]))
    reader = open_foreign(log)
    reader.read()
    log.write_bytes(trainer_state([{"step": 1, "loss": 5.0}]))
    again = reader.read()
    assert again[0]["event"] == "run_start"
    assert again[0]["segment"] == 2
    assert steps(again) == [(1, 5.0)]


def test_llamafactory_tells_totals_and_a_clock(log: Path) -> None:
    log.write_bytes(LLAMAFACTORY)
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.format, reader.entries, reader.rejected) == ("llamafactory", 4, 0)
    assert steps(records) == [(10, 2.5), (30, 1.5)]
    assert evals(records) == [(20, 2.0)]
    assert [record["total_steps"] for record in records if record["event"] == "plan"] == [30]
    assert [record["mono"] for record in records if record["event"] == "step"] == [28.0, 86400 + 182.0]


def test_msswift_with_two_writers_counts_once_and_ignores_the_nested_history(log: Path) -> None:
    log.write_bytes(MSSWIFT)
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.format, reader.entries, reader.rejected) == ("msswift", 6, 0)
    assert steps(records) == [(1, 5.0), (2, None)]
    assert evals(records) == [(2, 0.5)]
    first, second = (record for record in records if record["event"] == "step")
    assert (first["mem_gib"], first["step_s"], first["token_accuracy"], first["mono"]) == (15.97, 8.0, 0.25, 6.0)
    assert (second["nonfinite"], second["step_s"], second["mono"]) == (["loss"], 4.0, 102.0)
    assert [record["event"] for record in records[-3:]] == ["metrics", "run_end", "metrics"]


def test_a_log_of_predictions_has_neither_losses_nor_complaints(log: Path) -> None:
    log.write_text('{"current_steps": 5, "total_steps": 250, "percentage": 2.0, "elapsed_time": "0:00:19"}\n')
    reader = open_foreign(log)
    assert steps(reader.read()) == []
    assert (reader.entries, reader.rejected) == (1, 0)


def test_plain_json_lines_with_a_loss_are_read(log: Path) -> None:
    log.write_text('{"note": "begins"}\n{"step": 1, "loss": 2.5, "lr": 0.1}\n{"step": 2, "loss": nan, "lr": 0.1}\n')
    reader = open_foreign(log)
    records = reader.read()
    assert reader.format == "jsonl"
    assert steps(records) == [(1, 2.5), (2, None)]
    assert records[-1]["nonfinite"] == ["loss"]


def test_a_summary_gives_its_eval_and_says_that_it_is_no_log(log: Path) -> None:
    log.write_text(json.dumps({"epoch": 38.17, "eval_loss": 0.42, "train_loss": 0.02, "train_runtime": 77350.9}))
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.format, reader.entries, steps(records)) == ("results", 1, [])
    assert [loss for _, loss in evals(records)] == [0.42]
    assert "no training points" in notes(records)[0]


def test_tensorboard_scalars_of_one_step_make_one_record(log: Path) -> None:
    log.write_bytes(TENSORBOARD)
    reader = open_foreign(log)
    records = read_all(log)
    assert (reader.format, reader.rejected) == ("tensorboard", 0)
    assert steps(records) == [(10, 2.5), (20, 1.5)]
    first = next(record for record in records if record["event"] == "step")
    assert (first["lr"], first["grad_norm"], first["epoch"], first["t"]) == (0.25, 0.5, 1.0, 1.7e9 + 10)
    assert evals(records) == [(20, 1.25)]
    assert records[-1]["metrics"] == {"eval/runtime": 7.5, "train/train_loss": 2.0, "weights/histogram_mean": 0.0}


def test_a_damaged_event_is_rejected_and_behind_a_damaged_length_nothing_is_believed(log: Path) -> None:
    events = [scalar("train/loss", 4.0 - step, step) for step in (1, 2, 3)]
    whole = tensorboard(*events)
    inside = len(tensorboard(events[0])) + 20
    log.write_bytes(whole[:inside] + bytes([whole[inside] ^ 1]) + whole[inside + 1 :])
    reader = open_foreign(log)
    assert [loss for batch in (reader.read(), reader.read()) for _, loss in steps(batch)] == [3.0, 1.0]
    assert reader.rejected == 1
    length = len(tensorboard(events[0]))
    log.write_bytes(whole[:length] + b"\xff" + whole[length + 1 :])
    records = read_all(log)
    assert steps(records) == [(1, 3.0)]
    assert any("damaged" in note for note in notes(records))


def test_wandb_history_is_read_across_blocks(log: Path) -> None:
    log.write_bytes(WANDB)
    reader = open_foreign(log)
    records = reader.read()
    assert (reader.format, reader.entries, reader.rejected) == ("wandb", 6, 0)
    assert steps(records) == [(1, 2.5), (2, 2.0), (3, 1.5), (4, 1.0)]
    assert evals(records) == [(4, 1.25)]
    assert next(record["mono"] for record in records if record["event"] == "step") == 1.7e9 + 1


def test_wandb_files_that_were_cut_off_damaged_or_hold_no_history_are_read_as_far_as_they_go(log: Path) -> None:
    log.write_bytes(WANDB[: len(WANDB) - 100])
    assert steps(read_all(log))[-1] == (4, 1.0)
    log.write_bytes(wandb())
    assert steps(read_all(log)) == []
    inside = WANDB.index(b"train/loss", 10000)  # in the first block, of which the rest is lost
    log.write_bytes(WANDB[:inside] + b"\x00" + WANDB[inside + 1 :])
    reader = open_foreign(log)
    assert steps(reader.read()) == [(1, 2.5), (3, 1.5), (4, 1.0)]
    assert reader.rejected == 1


def test_wandb_nan_is_a_gap_and_the_exit_code_is_told(log: Path) -> None:
    bad = history(**{"train/loss": "NaN", "train/global_step": 2, "_timestamp": 1.7e9})
    log.write_bytes(wandb(wandb_step(1, 2.5), bad, WANDB_EXIT))
    records = read_all(log)
    assert steps(records) == [(1, 2.5), (2, None)]
    assert (records[-1]["event"], records[-1]["status"]) == ("run_end", "failed")


def plans(records: list[Record]) -> list[Record]:
    return [record for record in records if record["event"] == "plan"]


def test_the_metric_that_chose_a_run_s_best_checkpoint_is_named_by_its_value(log: Path) -> None:
    scores = [{"step": step, "eval_loss": 2.0, "eval_wer": wer} for step, wer in ((10, 40.0), (20, 31.8), (30, 35.5))]
    log.write_bytes(trainer_state(scores, best_metric=31.8, best_model_checkpoint="./out/checkpoint-20"))
    (plan,) = plans(open_foreign(log).read())
    assert plan["best_metric"] == {"value": 31.8, "step": 20, "name": "eval_wer"}
    log.write_bytes(trainer_state(scores, best_metric=0.125, best_global_step=20))
    (plan,) = plans(open_foreign(log).read())
    assert plan["best_metric"] == {"value": 0.125, "step": 20, "name": None}


def test_a_trainer_state_saved_again_with_another_best_says_so(log: Path) -> None:
    scores = [{"step": step, "eval_loss": 3.0 - step / 10} for step in (10, 20)]
    log.write_bytes(trainer_state(scores[:1], best_metric=2.0, best_global_step=10))
    reader = open_foreign(log)
    reader.read()
    log.write_bytes(trainer_state(scores, best_metric=1.0, best_global_step=20))
    records = reader.read()
    assert [plan["best_metric"]["step"] for plan in plans(records)] == [20]
    assert evals(records) == [(20, 1.0)]


@pytest.mark.parametrize(
    "line",
    [
        {"step": 1, "train": {"loss": 2.5}, "val": {"loss": 3.0}},
        {"step": 1, "metrics": {"train_loss": 2.5, "val_loss": 3.0}},
        {"iteration": 1, "loss": 2.5, "validation/loss": 3.0},
    ],
)
def test_lines_of_nested_json_and_of_other_names_are_read(log: Path, line: dict[str, object]) -> None:
    log.write_text(json.dumps({"step": 0, "note": "begins"}) + "\n" + json.dumps(line) + "\n")
    records = read_all(log)
    assert (steps(records), evals(records)) == ([(1, 2.5)], [(1, 3.0)])


def test_lines_of_metrics_without_a_loss_are_read_as_metrics(log: Path) -> None:
    log.write_text("".join(json.dumps({"step": step, "reward": step / 10}) + "\n" for step in (1, 2)))
    reader = open_foreign(log)
    told = [record["metrics"] for record in reader.read() if record["event"] == "metrics"]
    assert (reader.format, told) == ("jsonl", [{"reward": 0.1}, {"reward": 0.2}])


def test_the_last_line_counts_without_its_newline_once_it_is_whole(log: Path) -> None:
    log.write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "lo')
    reader = open_foreign(log)
    told = steps(reader.read()) + steps(reader.read())
    assert told == [(1, 2.5)]
    with log.open("a") as file:
        file.write('ss": 2.25}')
    assert steps(reader.read()) == [(2, 2.25)]
    with log.open("a") as file:
        file.write('\n{"step": 3, "loss": 2.0}\n')
    assert steps(reader.read()) == [(3, 2.0)]
    assert (reader.entries, reader.rejected) == (3, 0)
