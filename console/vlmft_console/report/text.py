"""Text report: a run as Markdown, and its steps as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from vlmft_console.figures import accuracy, percent, signed, took
from vlmft_console.history.state import RunState
from vlmft_console.presets.table import value_text
from vlmft_console.report.diagnosis import numbered
from vlmft_console.report.summary import questions_of, told_apart
from vlmft_console.runs.status import LIVE
from vlmft_console.sanitize import sanitize
from vlmft_core.figures import counted, figure, filesize, short

COLUMNS = ("step", "epoch", "train_loss", "lr", "grad_norm", "samples_per_s", "eval_loss", "token_accuracy")
"""First columns of the CSV, which has one line for each step with a figure."""


def markdown(figures: Mapping[str, Any]) -> str:
    """The report as Markdown: figures, diagnoses, findings, epochs, plan and preset. Foreign text is escaped.

    Args:
        figures: from `report_figures`.
    """
    lines = [f"# {_plain(figures['run'])}", "", *(f"- {name}: {value}" for name, value in headlines(figures, _plain))]
    for told in figures["diagnoses"]:
        lines += ["", f"## {_plain(told['severity'].capitalize())}: {_plain(told['sentence'])}", ""]
        lines += [f"- {_plain(line)}" for line in numbered(told)]
        lines += ["", f"Advice: {_plain(told['advice'])}"] if told["advice"] else []
    if figures["findings"]:
        lines += ["", "## Findings", ""]
        for each in figures["findings"]:
            held = f", resolved at {figures['unit']} {each['resolved']:,}" if each["resolved"] is not None else ""
            lines.append(f"- **{each['severity']}** {each['rule']} at {figures['unit']} {each['step']:,}{held}: ")
            lines[-1] += _plain(each["message"])
    if figures["odd_steps"]:
        lines += ["", "## Odd steps", "", *(f"- {_plain(each['says'])}" for each in figures["odd_steps"])]
    if figures["tasks"]:
        lines += ["", "## Accuracy", "", *_table(("task", "metric", "base", "tuned", "questions"), _tasks(figures))]
    if figures["answers"]:
        lines += ["", "## Answers", "", _plain(figures["answers"]["right"]), ""]
        lines += _table(("question", "truth", "base", "now"), _answers(figures["answers"]))
    if figures["epochs"]:
        lines += ["", "## Epochs", "", *_table(EPOCH_HEADINGS, epoch_cells(figures))]
    if figures["notes"]:
        lines += ["", "## Notes", "", *(f"- {_plain(note)}" for note in figures["notes"])]
    for title, values in (("Plan", figures["plan"]), ("Versions", figures["versions"])):
        if values:
            lines += ["", f"## {title}", "", *_table(("", ""), spelled_out(values))]
    if figures["preset"]:
        rows = ((key, value_text(value)) for key, value in preset_values(figures["preset"]))
        lines += ["", "## Preset", "", *_table(("parameter", "value"), rows)]
    return "\n".join([*lines, ""])


EPOCH_HEADINGS = ("epoch", "step", "train loss", "eval loss", "gap", "token acc.", "LR", "grad norm")


def headlines(figures: Mapping[str, Any], plain: Callable[[str], str]) -> list[tuple[str, str]]:
    """The few facts that a reader wants first, as label and text.

    Args:
        figures: from `report_figures`.
        plain: makes text from elsewhere harmless where it is going to stand.
    """
    loss, best = figures["train_loss"], figures["best_eval"]
    total = f" of {figures['total_steps']:,}" if figures["total_steps"] else ""
    found = [("log", plain(figures["format"])), ("steps", f"{figures['steps']:,}{total}")]
    if figures["status"]:
        reason = f": {plain(figures['reason'])}" if figures["reason"] else ""
        label = "state" if figures["status"] in LIVE else "ended"
        found.append((label, f"{plain(figures['status'].replace('_', ' '))}{reason}"))
    if figures["tags"]:
        found.append(("tags", plain(" ".join(figures["tags"]))))
    if figures["note"]:
        found.append(("note", plain(figures["note"])))
    if isinstance(figures["started"], int | float):
        found.append(("started", f"{datetime.fromtimestamp(figures['started'], UTC):%Y-%m-%d %H:%M} UTC"))
    if figures["seconds"]:
        found.append(("took", took(figures["seconds"])))
    if loss["first"] is not None:
        found.append(("train loss", f"{figure(loss['first'])} to {figure(loss['last'])} (first and last tenth)"))
    if best:
        found.append(("best eval loss", f"{figure(best['eval_loss'])} at {figures['unit']} {best['step']:,}"))
    if figures["last_eval_loss"] is not None:
        found.append(("last eval loss", figure(figures["last_eval_loss"])))
    for task, score in figures["tasks"].items():
        if score["tuned"] is not None:
            base = "" if score["base"] is None else f"{accuracy(score['base'], score['base_questions'])} to "
            more = f"{score['metric'].replace('_', ' ')}{told_apart(score) if base else ''}"
            found.append((plain(task), f"{base}{accuracy(score['tuned'], score['questions'])} ({more})"))
    if figures["lr_deviation"] is not None:
        found.append(("learning rate", f"at most {percent(figures['lr_deviation'])} of the peak apart from the plan"))
    if figures["nonfinite_steps"]:
        found.append(("not finite", counted(figures["nonfinite_steps"], "step")))
    return found


def epoch_cells(figures: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row of texts for each epoch; the one with the best eval is marked with a star."""
    for row in figures["epochs"]:
        losses, rest = (figure(row[key], "-") for key in ("train_loss", "eval_loss")), (row["lr"], row["grad_norm"])
        star = " ★" if row["best"] else ""
        yield (
            f"{row['epoch']}{star}",
            f"{row['last_step']:,}",
            *losses,
            signed(row["gap"], "-"),
            percent(row["accuracy"], "-"),
            *(figure(value, "-") for value in rest),
        )


def preset_values(preset: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`section.key` and value of every parameter; what a person reads before choosing is left out."""
    for section, values in preset.items():
        if section not in ("about", "reasons"):
            for key, value in values.items():
                yield f"{section}.{key}", value


def spelled_out(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of figures in words, and the figures with their units; what is not known is left out."""
    for key, value in values.items():
        if value is None:
            continue
        name, unit = key, ""
        for ending, word in _UNITS.items():
            if key.endswith(ending):
                name, unit = key.removesuffix(ending), word
        label = " ".join(_WORDS.get(word, word) for word in name.split("_"))
        if unit == "bytes" and isinstance(value, int | float):
            yield label, filesize(round(value))
        else:
            text = short(value) if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
            yield label, f"{text} {unit}".rstrip()


_UNITS = {"_bytes": "bytes", "_gib": "GiB", "_mib": "MiB", "_s": "s", "_w": "W"}
_WORDS = {"lr": "learning rate", "params": "parameters", "gpu": "GPU", "gpus": "GPUs"}


def steps_csv(state: RunState) -> str:
    """The curves of a run as CSV; steps that a resume superseded are left out, unknown values are empty.

    `COLUMNS` come first, then every other metric by its name.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    evals = {record["step"]: record for record in state.current_evals}
    curves = {name: dict(series) for name, series in state.by_name.items()}
    known = [curves.pop(name, {}) for name in ("epoch", "loss", "lr", "grad_norm", "samples_per_s", "eval_loss")]
    accuracies = {step: record.get("token_accuracy") for step, record in evals.items()}
    writer.writerow([*COLUMNS, *map(sanitize, curves)])
    columns = [*known, accuracies, *curves.values()]
    for step in sorted({*(step for column in columns for step in column), *evals}):
        cells = (column.get(step) for column in columns)
        writer.writerow([int(step), *("" if value is None else value for value in cells)])
    return out.getvalue()


def _tasks(figures: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for task, score in figures["tasks"].items():
        sides = ((score["base"], score["base_questions"]), (score["tuned"], score["questions"]))
        shares = (accuracy(share, questions, "-") for share, questions in sides)
        yield _plain(task), score["metric"].replace("_", " "), *shares, questions_of(score) or "-"


def _answers(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for each in found["questions"]:
        sides = (f"{said['answer']} ({said['worth']})" if (said := each[name]) else "-" for name in ("base", "now"))
        yield each["question"], " or ".join(each["truth"]), *sides


def _table(headings: tuple[str, ...], rows: Any) -> list[str]:
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    return lines + [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]


def _plain(text: Any) -> str:
    """Text that Markdown shows as it is, on one line."""
    return "".join(f"\\{each}" if each in "\\`*[]<>#|!" else each for each in " ".join(sanitize(str(text)).split()))
