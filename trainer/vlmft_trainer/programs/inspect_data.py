"""Data inspection: sources read as the trainer reads them, without a model.

Says `base`, `progress`, then `report`, or `sample` once for each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from pydantic import ValidationError

from vlmft_core.errors import DataError
from vlmft_core.jobs import InspectJob
from vlmft_core.plan.base_folder import resolve_base
from vlmft_core.preset.data_schema import COLUMNS, Data, Source
from vlmft_trainer.data.chats import holds_turns
from vlmft_trainer.data.conversation import BadRow
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.preview import preview
from vlmft_trainer.data.row_keys import CONTENTS
from vlmft_trainer.data.run_data import open_source
from vlmft_trainer.data.samples import evenly
from vlmft_trainer.data.sources import first_rows, open_rows, open_split, renamed
from vlmft_trainer.data.survey import Survey
from vlmft_trainer.data.tasks import TASKS
from vlmft_trainer.model.load import load_encoder
from vlmft_trainer.programs import Say

PROGRESS_S = 0.2
"""Seconds between two reports of progress."""

_OTHER_NAMES = "columns of other names: --columns question=ITS, or columns: {question: ITS} in a preset's source"


def inspect_data(job: InspectJob, say: Say) -> None:
    """Judge all of the data, or show samples of it.

    Raises:
        VlmftError: the data or the base's tokenizer cannot be read.
    """
    data = with_source(job.data, job.source)
    encoder, base, note = find_encoder(job.base, job.chosen, data.max_pixels, data.min_pixels)
    say("base", {"name": base, "note": note})
    if job.mode == "show":
        for sample in samples(data, job, encoder):
            say("sample", sample)
    else:
        say("report", check(data, encoder, say, deep=job.deep))


def find_encoder(base: str, chosen: bool, max_pixels: int, min_pixels: int | None = None) -> tuple[Encoder, str, str]:
    """The encoder that tokens are counted with, its base's name, and what to know about it.

    Args:
        base: a model's name, a folder or `demo`.
        chosen: load it wherever it is; otherwise only where that needs no network.

    Raises:
        ModelError: it cannot be loaded.
    """
    place, note = resolve_base(base), ""
    if not chosen and not Path(place).is_dir() and not isinstance(try_to_load_from_cache(place, "vocab.json"), str):
        note = f"{base} is not on this machine: text is counted with the demo's tokenizer, which needs more tokens"
        base, place = "demo", resolve_base("demo")
    return load_encoder(place, max_pixels, min_pixels), base, note


def with_source(data: Data, asked: dict[str, Any] | None) -> Data:
    """The data section with the source that was asked for, if one was.

    Raises:
        DataError: it is none, or its task cannot be told.
    """
    if asked is None:
        return data
    try:
        told = {} if asked["task"] else find_task(asked)
        return data.model_copy(update={"sources": [Source.model_validate(asked | told)]})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise DataError(f"data source: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from error


def find_task(asked: dict[str, Any]) -> dict[str, Any]:
    """The task whose columns the source has, once renamed, and `columns` where its turns stand in one of another name.

    Raises:
        DataError: none, or it cannot be opened, or no row can be read.
    """
    columns = asked.get("columns", {})
    source = Source.model_validate(asked | {"task": next(iter(TASKS)), "columns": {}})
    rows, _ = open_rows(source, source.train_split)
    readable = [renamed(row, columns) for row in first_rows(rows)]
    for row in readable:
        for task, schema in TASKS.items():
            if not schema.lacks(row) and columns.keys() <= set(COLUMNS[task]):
                return {"task": task}
        for keys in (("role", "from"), ("human", "user", "input")):
            if column := next((name for name in row if name not in CONTENTS and holds_turns(row[name], keys)), None):
                return {"task": "messages", "columns": columns | {"messages": column}}
    if not readable:
        try:
            rows[0]
        except BadRow as error:
            raise DataError(f"data source {rows.where(0)}: {error}") from error
    refused = [f"{name}: {CONTENTS[name]}" for name in readable[0] if name in CONTENTS][:1]
    there = ", ".join(map(str, readable[0]))[:200] or "there are none"
    raise DataError(
        f"data source {asked['path']}: it has the columns of no task: {there}",
        "; ".join([*refused, *(f"{task}: {schema.needs}" for task, schema in TASKS.items()), _OTHER_NAMES]),
    )


def check(data: Data, encoder: Encoder, say: Say, *, deep: bool = False) -> dict[str, Any]:
    """Read all that the sources hold, whatever the preset's limits pick of it.

    Args:
        deep: as `Survey`.

    Raises:
        DataError: a source cannot be opened.
    """
    found = []
    totals: dict[str, list[int]] = {"training": [0, 0], "eval": [0, 0]}
    for source in data.sources:
        opened = open_source(source, data.train_on)
        training = Survey("training", opened.train, opened.train_rows, deep=deep)
        held = Survey("eval", opened.eval, opened.eval_rows, deep=True)
        for survey in (training, held):
            survey.read(encoder, data.max_length, _Progress(say, source.path, survey))
            totals[survey.kind][0] += survey.unusable
            totals[survey.kind][1] += len(survey.rows)
        found.append(
            {
                "path": source.path,
                "task": source.task,
                "columns": source.columns,
                "notes": list(dict.fromkeys([*opened.notes, *training.notes(), *held.notes()])),
                "splits": [training.to_dict(), held.to_dict()],
                "leaks": held.leaks_into(training).to_dict(),
                "shared_images": len(held.images & training.images),
            }
        )
    return {
        "sources": found,
        "max_length": data.max_length,
        "max_pixels": encoder.image_processor.size["longest_edge"],
        "min_pixels": encoder.image_processor.size["shortest_edge"],
        "max_bad": data.max_bad,
        "starts": all(bad < there and bad <= data.max_bad * there for bad, there in totals.values()),
    }


def samples(data: Data, job: InspectJob, encoder: Encoder) -> Iterator[dict[str, Any]]:
    """The samples to show, evenly spaced over each source."""
    for source in data.sources:
        if job.split:
            split = open_split(source, job.split, data.train_on)
            rows = list(range(len(split)))
        else:
            opened = open_source(source, data.train_on)
            split, rows = opened.train, opened.train_rows
        for index in evenly(len(rows), job.limit):
            yield preview(split, rows[index], encoder, data.max_length, job.columns, job.rows)


class _Progress:
    """Says now and then how far one split is read."""

    def __init__(self, say: Say, path: str, survey: Survey) -> None:
        self._say = say
        self._of = {"task": path, "side": survey.kind}
        self._total = len(survey.rows)
        self._said = 0.0

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._said >= PROGRESS_S or done == self._total:
            self._said = now
            self._say("progress", {**self._of, "done": done, "total": self._total})
