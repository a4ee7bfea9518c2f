"""Data sources: a preset's source and its splits, from the hub, a folder or a file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL.Image import Image

from vlmft_core.errors import DataError
from vlmft_core.home import expanded
from vlmft_core.plan.data_files import DELIMITERS, GZIP, ROW_FILES, TABLES, kind, plain_name, row_files
from vlmft_core.preset.data_schema import EVAL_SPLITS, Source
from vlmft_trainer.data.conversation import WRONG_SCHEMA, BadRow, Conversation
from vlmft_trainer.data.csv_rows import open_csv
from vlmft_trainer.data.grounding import declared
from vlmft_trainer.data.image_files import decode_image, read_image
from vlmft_trainer.data.rows import JsonRows, Rows, open_json
from vlmft_trainer.data.tasks import TASKS
from vlmft_trainer.data.unpack import unpacked

FIRST_ROWS: Final = 20
"""Rows that are looked at to tell what a data set is."""

DEMO: Final = "demo"
"""`path` of a source that is generated on this machine."""


@dataclass(frozen=True)
class Split:
    """One split of one source. Pickles for data workers.

    Attributes:
        task_name: what `TASKS` calls the schema.
        rows: what is in it.
        images: folder that relative image paths start from; None for the working directory.
        columns: the rows' names for columns of the schema, by the schema's.
        last_only: whether only the last answer of a conversation is trained on.
        boxes: what boxes count, as in the preset; None where texts have none.
        box_style: how `objects` are written, as in the preset.
    """

    task_name: str
    rows: Rows
    images: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    last_only: bool = False
    boxes: str | None = None
    box_style: str = "tokens"

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, row: int) -> str:
        """How a message names a row (0 is the first)."""
        return self.rows.where(row)

    def conversation(self, row: int) -> Conversation:
        """A row's conversation, without looking at its images.

        Raises:
            BadRow: it has another schema, or cannot be read.
        """
        values, task = renamed(self.rows[row], self.columns), TASKS[self.task_name]
        if missing := task.lacks(values):
            raise BadRow(WRONG_SCHEMA, f"no {', '.join(missing)}; there is {', '.join(map(str, values))[:200]}")
        conversation = declared(task.read(values), self.boxes, self.box_style)
        return conversation.last_only() if self.last_only else conversation

    def contents(self, conversation: Conversation) -> list[bytes]:
        """The image files of a row's conversation.

        Raises:
            BadRow: one is missing.
        """
        return [read_image(ref, self.images) for ref in conversation.images]

    def sample(self, row: int) -> tuple[Conversation, list[Image]]:
        """A row's conversation and its decoded images.

        Raises:
            BadRow: it cannot be used.
        """
        conversation = self.conversation(row)
        files = zip(conversation.images, self.contents(conversation), strict=True)
        return conversation, [decode_image(ref, content) for ref, content in files]


def renamed(row: Mapping[str, Any], columns: Mapping[str, str]) -> Mapping[str, Any]:
    """A row with the schema's names; a column whose name `columns` gives to another is set aside under a longer one."""
    if not columns:
        return row
    ours = {its: our for our, its in columns.items()}
    return {ours.get(name, f"{name} (of the data)" if name in columns else name): value for name, value in row.items()}


def find(source: Source) -> str:
    """Where a source is: a hub name as it is, a file's or folder's full path, generated data made on the spot.

    Raises:
        DataError: a path that can only be local, and is not there.
    """
    if source.path == DEMO:
        from vlmft_trainer.demo.dataset import ensure  # loads `datasets`, too

        return str(ensure("chartqa" if source.task == "chartqa" else "textvqa"))
    path = expanded(source.path)
    if path.is_dir() or path.is_file():
        return str(path.resolve())
    if "://" in source.path:
        raise DataError(
            f"data source {source.path}: a web address: nothing is fetched from there",
            "download it, or name a data set of the hub as OWNER/NAME",
        )
    suffix = kind(path) in (*ROW_FILES, *TABLES)
    if source.path.count("/") > 1 or source.path.startswith((".", "~", "/")) or suffix:
        missing = "file" if suffix else "folder"
        raise DataError(f"data source {source.path}: no such {missing}", "check data.sources in the preset")
    return source.path


def open_split(source: Source, name: str, train_on: str = "all") -> Split:
    """Open one split of a source.

    Args:
        train_on: as in the preset.

    Raises:
        DataError: no such data set, no such split, or a column of the task's schema is missing.
    """
    rows, images = open_rows(source, name)
    _check_columns(source, name, rows)
    return Split(source.task, rows, images, source.columns, train_on == "last", source.boxes, source.box_style)


def open_rows(source: Source, name: str) -> tuple[Rows, Path | None]:
    """The rows of one split, whatever they hold, and the folder that their images' paths start from.

    Raises:
        DataError: no such data set, or no such split.
    """
    path = find(source)
    images = expanded(source.images) if source.images else None
    if images is not None and not images.is_dir():
        raise DataError(f"data source {source.path}: images {source.images}: no such folder")
    files = row_files(Path(path), name)
    if len(files) > 1:
        raise DataError(f"data source {source.path}: both {' and '.join(file.name for file in files)}: keep one")
    if files:
        rows = _open_file(files[0])
        images = images or files[0].parent
    else:
        from vlmft_trainer.data.tables import open_table  # seconds, which files of rows do without

        packed = Path(path).is_file() and kind(Path(path)) in TABLES and path.lower().endswith(GZIP)
        rows = open_table(source, str(unpacked(Path(path))) if packed else path, name)
        images = images or (Path(path) if Path(path).is_dir() else Path(path).parent if Path(path).is_file() else None)
    if not len(rows):
        raise DataError(f"data source {source.path}, split {name}: no rows")
    return rows, images


def _open_file(file: Path) -> Rows:
    """The rows of a JSON or CSV file, gzipped or not.

    Raises:
        DataError: it is broken.
    """
    plain = unpacked(file) if file.suffix.lower() == GZIP else file
    if delimiter := DELIMITERS.get(kind(file)):
        return open_csv(plain, delimiter, file)
    return open_json(plain, file)


def _check_columns(source: Source, name: str, rows: Rows) -> None:
    """Refuse a table without what the task needs, and any data without the columns that the source names.

    Raises:
        DataError: it is so. JSON rows differ: each is judged by itself.
    """
    there = dict.fromkeys(column for row in first_rows(rows) for column in row)
    missing = [its for its in source.columns.values() if its not in there]
    if not missing and there and not isinstance(rows, JsonRows):
        missing = TASKS[source.task].lacks(renamed(there, source.columns))
    if there and missing:
        raise DataError(
            f"data source {source.path}, split {name}: no column {', '.join(missing)}",
            f"{source.task} needs {TASKS[source.task].needs}; there are {', '.join(there)}",
        )


def first_rows(rows: Rows) -> list[Mapping[str, Any]]:
    """Those of the first rows that can be read."""
    found = []
    for row in range(min(len(rows), FIRST_ROWS)):
        with suppress(BadRow):
            found.append(rows[row])
    return found


def eval_split(source: Source) -> str | None:
    """The split evaluated on; None where a share of the training split has to be held out.

    Raises:
        DataError: the source cannot be opened.
    """
    if source.eval_split is not None:
        return source.eval_split
    there = split_names(source)
    return next((name for name in EVAL_SPLITS if name in there), None)


def split_names(source: Source) -> list[str]:
    """The splits that a source has; a file has only `train`.

    Raises:
        DataError: it cannot be opened.
    """
    path = find(source)
    folder = Path(path)
    if folder.is_file():
        return ["train"]
    if row_files(folder, source.train_split):  # other files of rows may stand beside tables
        return sorted({Path(plain_name(file)).stem for file in folder.iterdir() if kind(file) in ROW_FILES})
    from vlmft_trainer.data.tables import table_names  # seconds, which files of rows do without

    return table_names(source, path)
