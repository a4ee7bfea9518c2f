"""Tables and JSON documents with a whole training in them."""
# ruff: noqa: E501

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.console.foreign_logs import evals, notes, read_all, steps
from vlmft_console.history.importers import NothingYet, open_foreign

STEPS = [(10, 2.5), (20, 2.25)]
EVALS = [(10, 2.125), (20, 2.0)]

TABLES = {
    "Lightning's CSV, sparse": (
        "epoch,step,train_loss_step,train_loss_epoch,val_loss\n0,10,2.5,,\n0,10,,,2.125\n0,10,,2.4,\n1,20,2.25,,\n1,20,,,2.0\n",
        STEPS,
        EVALS,
    ),
    "Keras's CSV": (
        "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,2.5,0.5,2.125\n1,0.6,2.25,0.6,2.000",
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "W&B's export": (
        '"Step","run-1 - train/loss","run-1 - train/loss__MIN","run-1 - train/loss__MAX","run-1 - eval/loss"\n'
        '"10","2.5","2.5","2.5","2.125"\n"20","2.25","2.25","2.25","2.0"\n',
        STEPS,
        EVALS,
    ),
    "units": ("step [#],train loss [nats],val loss (nats),time [s]\n10,2.5,2.125,1\n20,2.25,2.0,1\n", STEPS, EVALS),
    "quotes and blanks": (
        '"Step", "Train Loss", "Validation Loss", "Note"\n10, 2.5, 2.125, "good, so far"\n20, 2.25, 2.0, ""\n',
        STEPS,
        EVALS,
    ),
    "names with what holds them": (
        "step,train_metrics/loss,metrics/val_loss\n10,2.5,2.125\n20,2.25,2.0\n",
        STEPS,
        EVALS,
    ),
    "YOLO's losses, which have no sum": (
        "step,train/box_loss,train/cls_loss,val/box_loss,val/cls_loss,lr/pg0\n10,2.5,0.5,2.125,0.5,0.1\n20,2.25,0.5,2.0,0.5,0.1\n",
        STEPS,
        EVALS,
    ),
    "MATLAB's, with a header of two lines": (
        "|=====|\n| Epoch | Iteration | Time Elapsed | Mini-batch | Mini-batch | Validation | Base Learning |\n"
        "|       |           |  (hh:mm:ss)  |  Accuracy  |    Loss    |    Loss    |     Rate      |\n|=====|\n"
        "|     1 |        10 |     00:00:10 |     61.10% |     2.5000 |     2.1250 |        0.0010 |\n"
        "|     1 |        20 |     00:00:12 |     61.10% |     2.2500 |     2.0000 |        0.0010 |\n|=====|\n",
        STEPS,
        EVALS,
    ),
    "names with colons": ("step,train:loss,val:loss\n10,2.5,2.125\n20,2.25,2.0\n", STEPS, EVALS),
    "short names": ("step,trn_loss,vld_loss\n10,2.5,2.125\n20,2.25,2.0\n", STEPS, EVALS),
    "chainer": (
        "epoch       iteration   main/loss   validation/main/loss  elapsed_time\n\x1b[J1           10          2.5         2.125"
        "                 1.2\n\x1b[J2           20          2.25        2.0                   2.4\n",
        STEPS,
        EVALS,
    ),
    "pandas": (
        ",step,loss,eval_loss,epoch\n0,10,2.5,,0.1\n1,10,,2.125,0.1\n2,20,2.25,,0.2\n3,20,,2.0,0.2\n",
        STEPS,
        EVALS,
    ),
    "pandas, printed": ("   step  loss  eval_loss\n0    10  2.50      2.125\n1    20  2.25      2.000\n", STEPS, EVALS),
    "TSV with Windows ends": ("step\tloss\tval_loss\r\n10\t2.5\t2.125\r\n20\t2.25\t2.0\r\n", STEPS, EVALS),
    "semicolons": ("step;loss;val_loss\n10;2.5;2.125\n20;2.25;2.0\n", STEPS, EVALS),
    "semicolons and decimal commas": ("step;loss;val_loss\n10;2,5;2,125\n20;2,25;2,0\n", STEPS, EVALS),
    "YOLO's CSV": (
        "      epoch,   train/loss,   val/loss,   lr/pg0\n          10,   2.5,   2.125,   0.01\n   20,  2.25,  2.0,  0.01\n",
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "a notebook": (
        "[20/20 01:40, Epoch 2/2]\nStep\tTraining Loss\tValidation Loss\n10\t2.500000\t2.125000\n20\t2.250000\t2.000000\n",
        STEPS,
        EVALS,
    ),
    "a notebook's progress before its table": (
        " [20/20 03:20, Epoch 0/1]\nStep\tTraining Loss\n10\t2.500000\n20\t2.250000\n",
        STEPS,
        [],
    ),
    "a notebook without losses at first": (
        "Epoch  Training Loss  Validation Loss  Accuracy\n1      No log         2.125000         0.5\n2      2.250000       2.000000         0.6\n",
        [(2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "a table of rich": (
        "┏━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━┓\n┃ Step ┃ Train Loss ┃ Val Loss ┃\n┡━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━┩\n"
        "│   10 │     2.5000 │   2.1250 │\n│   20 │     2.2500 │   2.0000 │\n└──────┴────────────┴──────────┘\n",
        STEPS,
        EVALS,
    ),
    "a model card": (
        "# A model\n\n### Training results\n\n| Training Loss | Epoch | Step | Validation Loss | Wer |\n|:---:|:---:|:---:|:---:|:---:|\n"
        "| 2.5           | 0.1   | 10   | 2.125           | 30.5 |\n| 2.25 | 0.2 | 20 | 2.0 | 29.5 |\n\n### Framework versions\n",
        STEPS,
        EVALS,
    ),
    "fastai": (
        "epoch     train_loss  valid_loss  accuracy  time    \n0         2.500000    2.125000    0.500000  00:10     \n"
        "1         2.250000    2.000000    0.600000  00:10     \n",
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_becomes_steps_and_evals(tmp_path: Path, name: str) -> None:
    text, points, measured = TABLES[name]
    (tmp_path / "log").write_bytes(text.encode())
    records = read_all(tmp_path / "log")
    assert steps(records) == points
    assert evals(records) == measured
    assert open_foreign(tmp_path / "log").format == "table"


def test_of_an_export_of_several_runs_the_last_is_read_and_the_others_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Step,one - train/loss,two - train/loss\n10,9.0,2.5\n20,9.0,2.25\n")
    records = read_all(tmp_path / "log")
    assert steps(records) == STEPS
    assert [note for note in notes(records) if "other runs, not read: one" in note]


@pytest.mark.parametrize(
    "text",
    [
        "name,price,loss adjusters\nA,1,2\nB,3,4\n",
        "step,question,answer\n1,what is the loss?,2.5\n",
        "loss\n2.5\n",
        "The loss of the step, the epoch and the val loss\nare in a table below\n",
        ",".join(f"c{number}" for number in range(200_000)) + ",loss,step\n" + "1," * 200_000 + "\n",
    ],
)
def test_other_tables_are_no_trainings(tmp_path: Path, text: str) -> None:
    (tmp_path / "log").write_text(text)
    with pytest.raises(NothingYet):
        open_foreign(tmp_path / "log")


DOCUMENTS: dict[str, Any] = {
    "Keras's history": {"loss": [2.5, 2.25], "accuracy": [0.5, 0.6], "val_loss": [2.125, 2.0]},
    "inside": {
        "args": {"lr": 1e-4, "layers": [1, 2]},
        "history": {"train_losses": [2.5, 2.25], "val_losses": [2.125, 2.0]},
    },
    "phases": {"train": {"loss": [2.5, 2.25]}, "val": {"loss": [2.125, 2.0]}},
    "entries": [{"epoch": 1, "train_loss": 2.5, "val_loss": 2.125}, {"epoch": 2, "train_loss": 2.25, "val_loss": 2.0}],
    "nested entries": {
        "log": [
            {"epoch": epoch, "train": {"loss": a}, "val": {"loss": b}}
            for epoch, a, b in ((1, 2.5, 2.125), (2, 2.25, 2.0))
        ]
    },
    "by epoch": {"1": {"train_loss": 2.5, "val_loss": 2.125}, "2": {"train_loss": 2.25, "val_loss": 2.0}},
    "steps and values": {"loss": [[1, 2.5], [2, 2.25]], "val_loss": [[1, 2.125], [2, 2.0]]},
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_json_document_with_a_history_is_read(tmp_path: Path, name: str, indent: int | None) -> None:
    (tmp_path / "log").write_text(json.dumps(DOCUMENTS[name], indent=indent))
    records = read_all(tmp_path / "log")
    assert steps(records) == [(1, 2.5), (2, 2.25)]
    assert evals(records) == [(1, 2.125), (2, 2.0)]


def test_evals_fewer_than_the_train_losses_are_spread_over_them(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(json.dumps({"train_loss": [3.0, 2.0, 1.0, 0.5], "val_loss": [2.5, 2.0]}))
    assert evals(read_all(tmp_path / "log")) == [(2, 2.5), (4, 2.0)]


@pytest.mark.parametrize(
    ("name", "count", "last"),
    [("10b_lightning__metrics.csv", 10, (499, 1.7)), ("10j_jupyter_table.txt", 14, (140, 1.55))],
)
def test_the_small_cases_are_read_as_they_stand(shared: Path, name: str, count: int, last: tuple[int, float]) -> None:
    records = read_all(shared / "cases" / "logs" / name)
    assert (len(steps(records)), len(evals(records)), evals(records)[-1]) == (count, count, last)


def test_a_notebook_tells_the_table_of_its_cells(tmp_path: Path) -> None:
    rows = "".join(
        f"<tr>\n<td>{step}</td>\n<td>{loss}</td>\n<td>{val}</td>\n</tr>"
        for step, loss, val in ((10, 2.5, 2.125), (20, 2.25, 2.0))
    )
    table = f'<div>[20/20 01:40]</div><table border="1" class="dataframe"><thead><tr style="x"><th>Step</th><th>Training Loss</th><th>Validation Loss</th></tr></thead><tbody>{rows}</tbody></table><p>'
    cells = [
        {
            "cell_type": "code",
            "source": ["loss = 1.0\n"],
            "outputs": [{"output_type": "stream", "text": ["step 1 of 3\n"]}],
        },
        {
            "cell_type": "code",
            "source": [],
            "outputs": [{"data": {"text/html": table.splitlines(True), "text/plain": ["<IPython>"]}}],
        },
    ]
    (tmp_path / "log").write_text(
        json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}, indent=1)
    )
    records = read_all(tmp_path / "log")
    assert (steps(records), evals(records)) == (STEPS, EVALS)
    assert open_foreign(tmp_path / "log").format == "notebook"


def test_a_notebook_tells_what_its_cells_printed(tmp_path: Path) -> None:
    printed = ["{'loss': 2.5, 'step': 10}\n", "{'eval_loss': 2.125, 'step': 10}\n", "{'loss': 2.25, 'step': 20}\n"]
    cells = [{"cell_type": "code", "outputs": [{"output_type": "stream", "name": "stdout", "text": printed}]}]
    (tmp_path / "log").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert steps(read_all(tmp_path / "log")) == STEPS


def test_a_notebook_without_a_training_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        json.dumps({"cells": [{"cell_type": "markdown", "source": "step 1 loss 2"}], "nbformat": 4})
    )
    with pytest.raises(NothingYet):
        open_foreign(tmp_path / "log")


def test_a_loss_that_is_not_finite_in_a_table_set_apart_by_spaces_is_no_empty_cell(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(
        "epoch     train_loss  valid_loss  time\n0         2.5         2.125       00:12\n1         nan         nan    00:12\n"
    )
    records = read_all(log)
    assert (steps(records), evals(records)) == ([(1, 2.5), (2, None)], [(1, 2.125), (2, None)])


NOISE = ("UserWarning: odd\n", "  warnings.warn(\n", "2025-01-01 00:00:00 saving checkpoint-10\n", "\n")


@pytest.mark.parametrize(
    "name", ["fastai", "semicolons", "a table of rich", "chainer", "a notebook", "TSV with Windows ends"]
)
def test_other_lines_between_the_rows_of_a_table_leave_it_whole(tmp_path: Path, name: str) -> None:
    text, points, measured = TABLES[name]
    for noise in NOISE:
        (tmp_path / "log").write_text("".join(line + noise for line in text.splitlines(True)))
        records = read_all(tmp_path / "log")
        assert (steps(records), evals(records)) == (points, measured)


@pytest.mark.parametrize(
    "other",
    [
        "| class | f1 |\n|---|---|\n| 10 | 0.5 |\n| 40 | 0.7 |\n",
        "evaluated:\n| 40 | 7 |\n",
    ],
)
def test_another_table_after_one_of_losses_is_none_of_its_rows(tmp_path: Path, other: str) -> None:
    (tmp_path / "log").write_text("| step | loss |\n|---|---|\n| 10 | 2.5 |\n| 20 | 2.25 |\n\n" + other)
    assert steps(read_all(tmp_path / "log")) == [(10, 2.5), (20, 2.25)]


def test_a_report_of_classes_between_the_rows_of_a_table_is_none_of_them(tmp_path: Path) -> None:
    report = "       precision recall f1-score support\n    2      0.95   0.97     0.96     100\n"
    rows = (f"    {epoch}    {loss}    {loss}    0.9    0.001\n{report}" for epoch, loss in ((1, 2.5), (2, 2.25)))
    (tmp_path / "log").write_text("epoch  loss  val_loss  acc  lr\n" + "".join(rows))
    assert [loss for _, loss in steps(read_all(tmp_path / "log"))] == [2.5, 2.25]


def test_a_table_that_two_ranks_print_counts_once(tmp_path: Path) -> None:
    lines = TABLES["fastai"][0].splitlines(True)
    (tmp_path / "log").write_text("".join(f"[rank{rank}]: {line}" for line in lines for rank in (0, 1)))
    records = read_all(tmp_path / "log")
    assert (steps(records), evals(records)) == (TABLES["fastai"][1], TABLES["fastai"][2])


def test_cells_that_pandas_fills_with_nan_are_empty(tmp_path: Path) -> None:
    rows = [(10, 2.5, "nan", 0.1), (10, "nan", 2.125, "nan"), (20, 2.25, "nan", 0.1), (20, "nan", 2.0, "nan")]
    table, lines = tmp_path / "log.csv", tmp_path / "log.jsonl"
    table.write_text("step,loss,val_loss,lr\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    names = ("step", "loss", "val_loss", "lr")
    objects = ({name: float(value) for name, value in zip(names, row, strict=True)} for row in rows)
    lines.write_text("".join(json.dumps(each) + "\n" for each in objects))
    for log in (table, lines):
        records = read_all(log)
        assert (steps(records), evals(records)) == (STEPS, EVALS)
        assert [record["lr"] for record in records if record["event"] == "step"] == [0.1, 0.1]


def test_losses_that_become_nan_in_every_column_are_no_empty_cells(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,loss,val_loss\n10,2.5,2.125\n20,nan,nan\n30,nan,nan\n")
    records = read_all(log)
    assert (steps(records), evals(records)) == (
        [(10, 2.5), (20, None), (30, None)],
        [(10, 2.125), (20, None), (30, None)],
    )


def test_a_loss_that_was_told_alone_and_is_nan_beside_an_eval_is_no_empty_cell(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step":10,"loss":2.5}\n{"step":20,"loss":NaN,"eval_loss":2.125}\n')
    records = read_all(log)
    assert (steps(records), evals(records)) == ([(10, 2.5), (20, None)], [(20, 2.125)])


def test_rows_without_any_loss_after_many_that_had_one_are_told_of(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = [f"{step},2.5,nan\n{step},nan,2.25\n" for step in (10, 20, 30)]
    log.write_text("step,loss,val_loss\n" + "".join(rows))
    assert not notes(read_all(log))
    with log.open("a") as file:
        file.write("40,nan,nan\n50,nan,nan\n60,nan,nan\n")
    (said,) = notes(read_all(log))
    assert said.startswith("all losses are NaN in rows from step 40 on")


def test_an_eval_loss_that_is_nan_from_the_beginning_is_told_of(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss,val_loss\n" + "".join(f"{at},2.5,nan\n" for at in range(12)))
    (said,) = (note for note in notes(read_all(log)) if "NaN" in note)
    assert said.startswith("val_loss is NaN in the first 10 rows")
