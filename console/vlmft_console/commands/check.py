"""`vlmft check`: what a log holds, and what the health rules say about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import typer
from rich.table import Table

from vlmft_console.commands.output import add_row, new_table, print_json, print_table
from vlmft_console.commands.parameters import EvalSet, Json, Log, RunNumber
from vlmft_console.figures import percent
from vlmft_console.history.choice import LAST, Choice
from vlmft_console.history.importers.entries.contents import listed
from vlmft_console.history.importers.entries.metric_names import EVAL_LOSS
from vlmft_console.history.metrics import Measured
from vlmft_console.history.opened import OpenedLog, open_log
from vlmft_console.history.schedule_fit import Schedule
from vlmft_console.history.tally import Tally
from vlmft_console.history.trainings import Trainings
from vlmft_console.report.diagnosis import diagnosis_dict, numbered, unjudged_notes
from vlmft_console.report.summary import finding_dict, odd_lines, odd_step_dict
from vlmft_console.runs.targets import locate
from vlmft_core.errors import EXIT_STOP_FOUND, VlmftError
from vlmft_core.figures import figure, short
from vlmft_core.health import STOP, Diagnosis, Finding, Health

_LISTED: Final = 12
"""Trainings, and metrics, that are told of one by one."""


def check(
    target: Log,
    json_output: Json = False,
    run: RunNumber = None,
    eval_set: EvalSet = None,
) -> None:
    """Judge a training log: ours, or another tool's.

    Exit status: 0, or 3 when a finding asks for a stop, or 2 when the log cannot be read or holds nothing to judge.
    """
    judged = judge(locate(target), Choice(run, eval_set), everything=json_output)
    judged.log.require_read()
    if json_output:
        print_json(as_json(judged))
    else:
        _print(judged)
    if judged.nothing_to_judge:
        raise VlmftError(f"{judged.log.path} {judged.nothing_to_judge}")
    if judged.stop:
        raise typer.Exit(EXIT_STOP_FOUND)


@dataclass(frozen=True)
class Judgement:
    """A log read to its end."""

    log: OpenedLog
    records: int
    """Entries with metrics, as the log counts them; of our own log, all its records."""
    trainings: Trainings
    """All that the log holds; what follows is of the judged one."""
    tally: Tally
    schedule: Schedule
    findings: list[Finding]
    """Those that hold at the end; what was resolved before is left out."""
    diagnoses: list[Diagnosis]
    """What these come to, the gravest first."""
    notes: list[str]
    """What the health rules have to say beside findings."""

    @property
    def named_steps(self) -> bool:
        """Whether the log tells steps, or steps only count its training records."""
        return self.log.named_steps

    @property
    def nothing_to_judge(self) -> str:
        """Why there is no verdict, as the rest of a sentence about the log; empty where there is one."""
        if self.log.foreign:
            return self.log.foreign.contents.nothing_to_judge()
        told = self.findings or self.tally.loss.points or self.tally.eval_loss.points
        return "" if told else "holds no train loss and no eval loss yet"

    @property
    def eval_sets(self) -> list[str]:
        """The sets that evals of the log are of, by the names that `--eval-set` takes."""
        if self.log.foreign:
            return [name or EVAL_LOSS for name in self.log.foreign.contents.eval_sets]
        return [EVAL_LOSS] if self.tally.eval_loss.points else []

    @property
    def eval_set(self) -> str | None:
        """The one of them that is judged."""
        if self.log.foreign:
            judged = self.log.foreign.contents.judged_set
            return None if judged is None else judged or EVAL_LOSS
        return EVAL_LOSS if self.eval_sets else None

    @property
    def stop(self) -> bool:
        """Whether a finding asks for a stop."""
        return any(finding.severity == STOP for finding in self.findings)


def judge(path: Path, choice: Choice = LAST, *, everything: bool = False) -> Judgement:
    """Read a whole log, in bounded memory.

    Args:
        path: a run or a log.
        choice: what of it.
        everything: whether figures are counted, too, that no rule judges by and no table shows.

    Raises:
        VlmftError: it cannot be read, or does not hold the training chosen.
    """
    log, trainings, count = open_log(path, choice.eval_set), Trainings(choice.run), 0
    tally, health = Tally(everything), Health(log.monitor)
    for records in log.reader.batches():
        count += len(records)
        for part in trainings.parts(records):
            if part.begins:
                tally, health = Tally(everything, notes=tally.notes), Health(log.monitor)
            tally.add(part.records)
            health.feed_all(part.records)
    trainings.require(log)
    entries = log.foreign.entries if log.foreign else count
    notes = unjudged_notes(health)
    return Judgement(log, entries, trainings, tally, tally.schedule(), health.active, health.diagnoses, notes)


def as_json(judged: Judgement) -> dict[str, Any]:
    """The whole judgement, JSON-able. Steps are null where the log names none."""
    named, tally, schedule = judged.named_steps, judged.tally, judged.schedule
    best = tally.best_eval
    told = [diagnosis_dict(each, named_steps=named) for each in judged.diagnoses]
    return {
        "format": judged.log.format,
        "records": judged.records,
        "train_points": tally.loss.points,
        "eval_points": tally.eval_loss.points,
        "lr_points": tally.lr.points,
        "grad_norm_points": tally.grad_norm.points,
        "nonfinite": tally.nonfinite,
        "rejected": judged.log.rejected,
        "first_loss": tally.loss.first,
        "last_loss": tally.loss.last,
        "best_eval": best
        and {"step": best["step"] if named else None, "epoch": best["epoch"], "eval_loss": best["eval_loss"]},
        "last_eval_loss": tally.eval_loss.last,
        "schedule": {
            "kind": schedule.kind,
            "warmup_steps": schedule.warmup_steps if named else None,
            "max_deviation": schedule.max_deviation,
        },
        "diagnosis": next(iter(told), None),
        "other_diagnoses": told[1:],
        "findings": [finding_dict(finding, named_steps=named) for finding in judged.findings],
        "odd_steps": [odd_step_dict(record) for record in tally.odd_steps],
        "notes": [*tally.notes, *judged.notes],
        "metrics": {name: asdict(measured) for name, measured in tally.by_name().items()},
        "runs": [
            asdict(each)
            | ({} if named else {"first_step": None, "last_step": None})
            | {"judged": each.number == judged.trainings.judged}
            for each in judged.trainings.found
        ],
        "eval_set": judged.eval_set,
        "eval_sets": judged.eval_sets,
    }


def _print(judged: Judgement) -> None:
    log, tally = judged.log, judged.tally
    table = new_table()
    rejected = f", {log.rejected:,} rejected" if log.rejected else ""
    nonfinite = f", {tally.nonfinite:,} with a value that is not finite" if tally.nonfinite else ""
    add_row(table, "log", f"{log.path} ({log.format})")
    add_row(table, "records", f"{judged.records:,}{rejected}{nonfinite}")
    _print_trainings(table, judged)
    if judged.nothing_to_judge:
        for name, measured in list(tally.metrics.items())[:_LISTED]:
            add_row(table, name, _figures(measured))
    else:
        _print_figures(table, judged)
    if others := list(tally.metrics)[_LISTED if judged.nothing_to_judge else 0 :]:
        add_row(table, "metrics", f"{listed(others)} (vlmft plot --list has their figures)")
    if tally.end:
        add_row(table, "ended", f"{tally.end['status']} {tally.end.get('reason') or ''}")
    for note in [*tally.notes, *judged.notes]:
        add_row(table, "note", note)
    if judged.nothing_to_judge:
        add_row(table, "health", "nothing here can be judged")
    elif not judged.findings:
        add_row(table, "health", "no findings")
    for told in (diagnosis_dict(each, named_steps=judged.named_steps) for each in judged.diagnoses):
        add_row(table, told["severity"], told["sentence"])
        for line in numbered(told):
            add_row(table, "", line)
        add_row(table, "", f"advice: {told['advice']}")
    for line in odd_lines([odd_step_dict(record) for record in tally.odd_steps]):
        add_row(table, "odd", line)
    print_table(table)


def _print_trainings(table: Table, judged: Judgement) -> None:
    """The trainings of a log that holds several, the latest ones."""
    found = judged.trainings.found
    for training in list(found)[-_LISTED:] if len(found) > 1 else []:
        is_judged = training.number == judged.trainings.judged
        ended = f", {training.ended.replace('_', ' ')}" if training.ended else ""
        add_row(
            table,
            "training",
            f"{training.told(judged.named_steps)}{ended}{' (judged; --run chooses another)' if is_judged else ''}",
        )


def _print_figures(table: Table, judged: Judgement) -> None:
    tally, named = judged.tally, judged.named_steps
    add_row(table, "train loss", _figures(tally.loss))
    add_row(table, "eval loss", _figures(tally.eval_loss))
    if len(judged.eval_sets) > 1:
        add_row(table, "eval set", f"{judged.eval_set}, of {listed(judged.eval_sets)} (--eval-set chooses another)")
    if best := tally.best_eval:
        add_row(table, "best eval", f"{figure(best['eval_loss'])} at {_place(named, best['step'], best['epoch'])}")
    add_row(table, "grad norm", _figures(tally.grad_norm))
    add_row(table, "lr", _figures(tally.lr))
    add_row(table, "schedule", _schedule(named, judged.schedule))


def _figures(measured: Measured) -> str:
    if measured.first is None:
        return f"{measured.points:,} points" if measured.points else "none"
    figures = (
        f"{name} {figure(value)}"
        for name, value in (
            ("first", measured.first),
            ("last", measured.last),
            ("lowest", measured.lowest),
            ("highest", measured.highest),
        )
    )
    return f"{measured.points:,} points: {', '.join(figures)}"


def _place(named_steps: bool, step: int, epoch: float | None) -> str:
    epochs = "" if epoch is None else f"epoch {short(epoch)}"
    if named_steps:
        return f"step {step:,}" + (f" ({epochs})" if epochs else "")
    return epochs or f"record {step:,}"


def _schedule(named_steps: bool, schedule: Schedule) -> str:
    if schedule.max_deviation is None:
        return schedule.kind
    unit = "steps" if named_steps else "records"
    warmup = f" after {schedule.warmup_steps:,} {unit} of warm-up" if schedule.warmup_steps else ""
    return f"{schedule.kind}{warmup}, at most {percent(schedule.max_deviation)} of the peak apart"
