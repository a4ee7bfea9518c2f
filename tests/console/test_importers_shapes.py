"""Shapes of logs that hold no entry a line: one metric an entry, one metric a file, documents, cards of two columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.console.foreign_logs import evals, read_all, steps
from vlmft_console.commands.check import judge
from vlmft_console.history.importers import open_foreign
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.jsonl import JsonLines
from vlmft_console.history.importers.printed.line_log import LineLog
from vlmft_console.history.importers.printed.series import Series
from vlmft_console.history.opened import open_log

LOSSES = [(10, 2.5), (20, 2.25), (30, 2.0)]
EVALS = [(10, 2.75), (20, 2.5), (30, 2.25)]
ROWS = [
    (step, name, value)
    for (step, loss), (_, val) in zip(LOSSES, EVALS, strict=True)
    for name, value in (("train_loss", loss), ("val_loss", val))
]
ENTRIES = [{"step": step, "loss": loss, "eval_loss": val} for (step, loss), (_, val) in zip(LOSSES, EVALS, strict=True)]


def _yaml(entries: list[dict[str, float]]) -> str:
    return "".join("- " + "\n  ".join(f"{name}: {value}" for name, value in entry.items()) + "\n" for entry in entries)


SHAPES = {
    "long.jsonl": "".join(
        json.dumps({"name": name, "value": value, "step": step}) + "\n" for step, name, value in ROWS
    ),
    "comet.csv": "metricName,metricValue,timestamp,step\n"
    + "".join(f"{name},{value},1741944413,{step}\n" for step, name, value in ROWS),
    "mlflow.json": json.dumps(
        {
            "metrics": [
                {"key": name, "value": value, "step": step}
                for name in ("train_loss", "val_loss")
                for step, each, value in ROWS
                if each == name
            ]
        }
    ),
    "pandas.json": json.dumps(
        {name: {str(at): entry[name] for at, entry in enumerate(ENTRIES)} for name in ("step", "loss", "eval_loss")}
    ),
    "clearml.json": json.dumps(
        {
            "loss": {
                series: {"name": series, "x": [each["step"] for each in ENTRIES], "y": [each[name] for each in ENTRIES]}
                for series, name in (("train", "loss"), ("validation", "eval_loss"))
            },
            "lr": {"train": {"name": "train", "x": [10, 20], "y": [1e-4, 1e-4]}},
        }
    ),
    "points.json": json.dumps(
        {
            name: [{"step": each["step"], "value": each[ours]} for each in ENTRIES]
            for name, ours in (("train_loss", "loss"), ("val_loss", "eval_loss"))
        }
    ),
    "split.json": json.dumps({"columns": list(ENTRIES[0]), "data": [list(entry.values()) for entry in ENTRIES]}),
    "sacred.json": json.dumps(
        {
            f"{part}.loss": {"steps": [each["step"] for each in ENTRIES], "values": [each[name] for each in ENTRIES]}
            for part, name in (("train", "loss"), ("val", "eval_loss"))
        }
    ),
    "commented.tsv": "#step\ttrain_loss\tdev_loss\n"
    + "".join(f"{each['step']}\t{each['loss']}\t{each['eval_loss']}\n" for each in ENTRIES),
    "split.csv": "step,split,loss\n" + "".join(f"{step},{name[:-5]},{value}\n" for step, name, value in ROWS),
    "aim.csv": "metric,context.subset,step,value\n"
    + "".join(f"loss,{name[:-5]},{step},{value}\n" for step, name, value in ROWS),
    "clearml.csv": "title,series,iteration,value\n"
    + "".join(f"loss,{name[:-5]},{step},{value}\n" for step, name, value in ROWS),
    "lists.yaml": "".join(
        f"{name}:\n" + "".join(f"- {each[name]}\n" for each in ENTRIES) for name in ("step", "loss", "eval_loss")
    ),
    "camel.jsonl": "".join(
        json.dumps({"globalStep": each["step"], "trainLoss": each["loss"], "validationLoss": each["eval_loss"]}) + "\n"
        for each in ENTRIES
    ),
    "typed.jsonl": "".join(
        json.dumps({"type": kind, "step": each["step"], "loss": each[name]}) + "\n"
        for each in ENTRIES
        for kind, name in (("train", "loss"), ("valid", "eval_loss"))
    ),
    "events.jsonl": "".join(
        json.dumps({"event": kind, "step": each["step"], "loss": each[name]}) + "\n"
        for each in ENTRIES
        for kind, name in (("train_step", "loss"), ("validation_end", "eval_loss"))
    ),
    "messages.jsonl": "".join(
        json.dumps({"msg": name[:-5], "step": step, "loss": value}) + "\n" for step, name, value in ROWS
    ),
    "flags.jsonl": "".join(
        json.dumps({"is_train": name == "train_loss", "step": step, "loss": value}) + "\n" for step, name, value in ROWS
    ),
    "flags.csv": "step,is_training,loss\n"
    + "".join(f"{step},{name == 'train_loss'},{value}\n" for step, name, value in ROWS),
    "numbers.csv": "step,is_train,loss\n"
    + "".join(f"{step},{int(name == 'train_loss')},{value}\n" for step, name, value in ROWS),
    "numbers.jsonl": "".join(
        json.dumps({"is_train": int(name == "train_loss"), "step": step, "loss": value}) + "\n"
        for step, name, value in ROWS
    ),
    "tags.jsonl": "".join(
        json.dumps({"tag": name[:-5], "step": step, "loss": value}) + "\n" for step, name, value in ROWS
    ),
    "by_step.json": json.dumps(
        {str(each["step"]): {"loss": each["loss"], "eval_loss": each["eval_loss"]} for each in ENTRIES}
    ),
    "parts.json": json.dumps(
        {
            "train": [{"step": each["step"], "loss": each["loss"]} for each in ENTRIES],
            "val": [{"step": each["step"], "loss": each["eval_loss"]} for each in ENTRIES],
        }
    ),
    "history.yaml": _yaml(ENTRIES),
    "history.toml": "".join(
        "[[history]]\n" + "".join(f"{name} = {value}\n" for name, value in entry.items()) for entry in ENTRIES
    ),
    "printed.txt": str({name: [entry[name] for entry in ENTRIES] for name in ENTRIES[0]}),
    "cards.txt": "".join(
        f"+-----+\n| train/ |      |\n|    loss | {each['loss']} |\n| eval/  |      |\n"
        f"|    loss | {each['eval_loss']} |\n| time/  |      |\n|    total_timesteps | {each['step']} |\n+-----+\n\n"
        for each in ENTRIES
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_of_log_tells_its_steps_and_evals(tmp_path: Path, name: str) -> None:
    log = tmp_path / name
    log.write_text(SHAPES[name])
    records = read_all(log)
    assert (steps(records), evals(records)) == (LOSSES, EVALS)
    assert open_foreign(log).rejected == 0


SETTINGS: list[dict[str, object]] = [
    {"tag": "test", "lr": 1e-4},
    {"label": "test"},
    {"eval_split": "validation"},
    {"eval_dataset": "test"},
    {"test_set": "dev"},
    {"eval": True},
    {"validation": True},
    {"training": False},
]
"""What every entry of a run may say of the run."""


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_what_every_entry_of_a_training_says_makes_none_of_them_an_eval(
    tmp_path: Path, setting: dict[str, object]
) -> None:
    lines, table = tmp_path / "log.jsonl", tmp_path / "log.csv"
    lines.write_text("".join(json.dumps({**setting, "step": step, "loss": loss}) + "\n" for step, loss in LOSSES))
    cells = ",".join(map(str, setting.values()))
    table.write_text(f"{','.join(setting)},step,loss\n" + "".join(f"{cells},{step},{loss}\n" for step, loss in LOSSES))
    for log in (lines, table):
        records = read_all(log)
        assert (steps(records), evals(records)) == (LOSSES, [])


SERIES = {
    "run-7-tag-train_loss.csv": "Wall time,Step,Value\n"
    + "".join(f"1741944413.5,{step},{loss}\n" for step, loss in LOSSES),
    "train_loss.csv": ",step,value,timestamp\n"
    + "".join(f"{at},{step}.0,{loss},2025-03-14 09:26:53\n" for at, (step, loss) in enumerate(LOSSES)),
    "train_loss.tsv": "value\titeration\n" + "".join(f"{loss}\t{step}\n" for step, loss in LOSSES),
    "run-7-tag-train_loss.json": json.dumps([[1741944413.5, step, loss] for step, loss in LOSSES]),
}


@pytest.mark.parametrize("name", SERIES)
def test_a_download_from_tensorboard_is_called_by_its_files_name(tmp_path: Path, name: str) -> None:
    log = tmp_path / name
    log.write_text(SERIES[name])
    assert steps(read_all(log)) == LOSSES
    other = tmp_path / name.replace("train_loss", "fps")
    other.write_text(SERIES[name])
    judged = judge(other)
    assert judged.nothing_to_judge == "holds no train loss and no eval loss: its metrics are fps"


def test_a_series_in_a_folder_of_held_out_data_is_evals(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "loss.csv").write_text("step,value\n" + "".join(f"{step},{val}\n" for step, val in EVALS))
    records = read_all(tmp_path / "val" / "loss.csv")
    assert (steps(records), evals(records)) == ([], EVALS)


def test_a_loss_among_hundreds_of_curves_is_found(tmp_path: Path) -> None:
    curve = {"x": [10, 20], "y": [2.5, 2.25]}
    others = {f"layer {number}": {"min": curve, "max": curve} for number in range(600)}
    (tmp_path / "scalars.json").write_text(json.dumps({**others, "loss": {"train": curve}}))
    assert steps(read_all(tmp_path / "scalars.json")) == [(10, 2.5), (20, 2.25)]


def test_a_row_of_a_download_with_a_cell_too_many_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "train_loss.csv").write_text('step,value\n10,2.5\n20,"1,000.5"\n')
    reader = open_foreign(tmp_path / "train_loss.csv")
    assert steps([record for read in iter(reader.read, []) for record in read]) == [(10, 2.5)]
    assert reader.rejected == 1


def test_a_rate_that_clearml_calls_a_trainings_is_the_rate(tmp_path: Path) -> None:
    log = tmp_path / "scalars.csv"
    log.write_text(
        "title,series,iteration,value\n"
        + "".join(f"loss,train,{step},{loss}\nlr,train,{step},0.0001\n" for step, loss in LOSSES)
    )
    judged = judge(log)
    assert (judged.tally.loss.points, judged.tally.lr.points, list(judged.tally.metrics)) == (3, 3, [])


def test_values_that_are_null_in_a_document_of_single_metrics_are_rejected(tmp_path: Path) -> None:
    log = tmp_path / "history.json"
    entries = [{"key": "loss", "value": loss, "step": step} for step, loss in [*LOSSES, (40, None)]]
    log.write_text(json.dumps({"metrics": entries}))
    reader = open_foreign(log)
    assert steps(reader.read()) == LOSSES
    assert reader.rejected == 1


def test_losses_that_become_null_are_told_as_such_and_rare_ones_are_not(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"

    def notes(losses: list[float | None]) -> list[str]:
        entries = enumerate(losses, 1)
        log.write_text("".join(json.dumps({"step": at, "loss": loss, "lr": 1e-4}) + "\n" for at, loss in entries))
        return [record["message"] for record in read_all(log) if record["event"] == "note"]

    (note,) = notes([2.5, 2.25, 2.0, 1.75, None, None, None, None])
    assert note.startswith("the loss is null in entries from step 5 on")
    assert notes([2.5, None, None, None, None] * 5) == []


@pytest.mark.parametrize("target", [".", "mlruns/0/run", "mlruns/0/run/metrics/val/loss"])
def test_a_run_of_mlflows_is_read_whole_from_its_folder(tmp_path: Path, target: str) -> None:
    metrics = tmp_path / "mlruns" / "0" / "run" / "metrics"
    (metrics / "val").mkdir(parents=True)
    (metrics.parent / "meta.yaml").touch()
    for name, points in (("train_loss", LOSSES), ("val/loss", EVALS)):
        (metrics / name).write_text("".join(f"1741944413000 {value} {step}\n" for step, value in points))
    log = open_log(tmp_path / target)
    records = log.reader.read()
    assert (log.format, steps(records), evals(records)) == ("mlflow", LOSSES, EVALS)
    with (metrics / "train_loss").open("a") as file:
        file.write("1741944414000 1.5 40\n")
    assert steps(log.reader.read()) == [(40, 1.5)]


def test_what_a_logger_and_the_trainer_both_tell_counts_once_with_all_figures(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    lines = [
        f"[INFO|2025-03-14 09:26:53] llamafactory.train.callbacks:143 >> {{'loss': {loss}, 'learning_rate': 1e-4, "
        f"'epoch': {step / 10}, 'throughput': 100.5}}\n{{'loss': {loss}, 'grad_norm': 0.5, 'learning_rate': 1e-4, "
        f"'epoch': {step / 10}}}\n"
        for step, loss in LOSSES
    ]
    log.write_text("".join(lines) + lines[0].partition("\n")[0].replace(" 1.0", " 4.0") + "\n")
    records = [record for record in read_all(log) if record["event"] == "step"]
    assert [(record["loss"], record["grad_norm"]) for record in records] == [
        (2.5, 0.5),
        (2.25, 0.5),
        (2.0, 0.5),
        (2.5, None),
    ]
    assert records[0]["metrics"] == {"throughput": 100.5}


STREAMS = {name: SHAPES[name] for name in ("long.jsonl", "comet.csv", "typed.jsonl", "cards.txt")} | SERIES


@pytest.mark.parametrize("name", STREAMS)
def test_a_shape_that_comes_in_pieces_gives_the_same_records(tmp_path: Path, name: str) -> None:
    text = STREAMS[name].encode()
    log = tmp_path / name
    log.write_bytes(text)
    make = {"jsonl": JsonLines, "series": lambda translator: Series(translator, "train_loss")}
    parser = make.get(open_foreign(log).format, LineLog)(Translator("run"))
    records = [record for at in range(len(text)) for record in parser.feed(text[at : at + 1])] + parser.rest()
    assert (steps(records), evals(records)) == (steps(read_all(log)), evals(read_all(log)))


def test_evals_that_stand_only_in_lines_beside_the_trainers_dicts_are_judged(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text(
        "".join(
            f"{{'loss': {2.5 - at / 10}, 'learning_rate': 1e-4, 'epoch': {at}.0}}\n***** eval metrics *****\n"
            f"  eval_loss               =     {1.0 + at / 10}\n  eval_runtime            = 0:00:12.12\n"
            for at in range(1, 11)
        )
    )
    judged = judge(log)
    assert (judged.tally.loss.points, judged.tally.eval_loss.points, judged.stop) == (10, 10, True)


def test_dicts_with_rates_count_before_the_lines_of_the_batches_between_them(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text(
        "".join(
            "".join(f"step {5 * at + batch} loss: 2.95\n" for batch in range(5))
            + f"{{'loss': {loss}, 'grad_norm': 0.5, 'learning_rate': 1e-4, 'epoch': {at / 10}}}\n"
            for at, (_, loss) in enumerate(LOSSES)
        )
    )
    told = [(each["loss"], each["lr"], each["grad_norm"]) for each in read_all(log) if each["event"] == "step"]
    assert told == [(loss, 1e-4, 0.5) for _, loss in LOSSES]


FRAMED = {
    "step": "".join(f"| step {step} loss {loss} |\n" for step, loss in LOSSES),
    "panel": "".join(
        f"╭──────╮\n│ Epoch {at}/3 - loss: {loss} - val_loss: {val} │\n╰──────╯\n"
        for at, ((_, loss), (_, val)) in enumerate(zip(LOSSES, EVALS, strict=True), 1)
    ),
    "cells": "".join(f"| Epoch {at} |\n| Train loss: {loss} |\n" for at, (_, loss) in enumerate(LOSSES, 1)),
}


@pytest.mark.parametrize("name", FRAMED)
def test_lines_with_a_frame_around_them_are_no_headings_of_a_card(tmp_path: Path, name: str) -> None:
    log = tmp_path / "train.log"
    log.write_text(FRAMED[name])
    records = read_all(log)
    assert [loss for _, loss in steps(records)] == [2.5, 2.25, 2.0]
    assert [loss for _, loss in evals(records)] == ([2.75, 2.5, 2.25] if name == "panel" else [])


def test_evals_in_a_frame_below_a_heading_in_one_are_read(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text(
        "".join(
            f"step {step} loss {loss}\n| Evaluating |\n| loss {val} |\n"
            for (step, loss), (_, val) in zip(LOSSES, EVALS, strict=True)
        )
    )
    records = read_all(log)
    assert (steps(records), evals(records)) == (LOSSES, EVALS)


def test_values_that_mlflow_keeps_of_one_and_the_same_step_are_all_read(tmp_path: Path) -> None:
    metrics = tmp_path / "run" / "metrics"
    metrics.mkdir(parents=True)
    (metrics.parent / "tags").mkdir()
    values = [2.5, 2.25, 2.0, 1.75, 1.5, 1.25]
    (metrics / "train_loss").write_text("".join(f"1741944413000 {value} 0\n" for value in values))
    assert steps(read_all(metrics / "train_loss")) == [(0, value) for value in values]


def test_a_folder_that_happens_to_be_called_metrics_is_no_run_of_mlflows(tmp_path: Path) -> None:
    run = tmp_path / "metrics" / "exp" / "run"
    run.mkdir(parents=True)
    (run / "train_loss").write_text("".join(f"1741944413000 {loss} {step}\n" for step, loss in LOSSES))
    reader = open_foreign(run / "train_loss")
    assert (reader.format, reader.label, steps(reader.read())) == ("series", "run/train_loss", LOSSES)


def test_the_last_row_of_a_series_is_read_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "run-7-tag-train_loss.csv"
    log.write_text("Wall time,Step,Value\n1741944413.5,10,2.50\n1741944413.5,20,2.")
    reader = open_foreign(log)
    assert steps([record for read in iter(reader.read, []) for record in read]) == LOSSES[:1]
    assert reader.rejected == 1
    with log.open("a") as file:
        file.write("25\n1741944413.5,30,2.00")
    assert steps([record for read in iter(reader.read, []) for record in read]) == [(20, 2.25), (30, 2.0)]
    assert reader.rejected == 0
    with log.open("a") as file:
        file.write("\n")
    assert reader.read() == []
    assert reader.rejected == 0
