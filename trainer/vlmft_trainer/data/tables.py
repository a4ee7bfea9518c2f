"""Tables: what `datasets` opens, from the hub, a folder or a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import datasets

from vlmft_core.errors import DataError, first_line
from vlmft_core.plan.row_count import JSON
from vlmft_core.preset.data_schema import Source
from vlmft_trainer.data.rows import TABLES

T = TypeVar("T")


@dataclass(frozen=True)
class TableRows:
    """A `datasets.Dataset`, its images not decoded."""

    path: str
    split: str
    table: Any

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        values: Mapping[str, Any] = self.table[row]
        return values

    def where(self, row: int) -> str:
        return f"{self.path}, split {self.split}, row {row}"


def open_table(source: Source, path: str, name: str) -> TableRows:
    """One split of a source that lies at `path`.

    Raises:
        DataError: there is none, or it cannot be read.
    """

    def opened() -> TableRows:
        folder = Path(path)
        if folder.is_file():
            if name != "train":
                raise ValueError(f"a single file has no split {name}: leave eval_split out to hold a share out")
            if folder.suffix not in TABLES:
                raise ValueError(f"not a {', '.join((*JSON, *TABLES))} file")
            table = datasets.load_dataset(TABLES[folder.suffix], data_files=path, split="train")
        elif _was_saved(folder):
            tables = _tables(path)
            if name not in tables:
                raise ValueError(f"no split {name}: there are {', '.join(tables)}")
            table = tables[name]
        else:
            table = datasets.load_dataset(path, split=name)
        return TableRows(source.path, name, _undecoded(table))

    return _ask(source, name, opened)


def table_names(source: Source, path: str) -> list[str]:
    """The splits that a folder, or a data set on the hub, has.

    Raises:
        DataError: it cannot be opened.
    """
    return _ask(source, "", lambda: list(_tables(path)))


def _tables(path: str) -> Any:
    """All splits of a folder or of a data set on the hub, by name."""
    if not _was_saved(Path(path)):
        return datasets.load_dataset(path)
    saved = datasets.load_from_disk(path)
    return {"train": saved} if isinstance(saved, datasets.Dataset) else saved


def _was_saved(folder: Path) -> bool:
    """Whether `save_to_disk` of `datasets` wrote a folder."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _undecoded(table: Any) -> Any:
    """The table with its images as files."""
    raw = datasets.Image(decode=False)
    for column, feature in table.features.items():
        if isinstance(feature, datasets.Image) or column == "image":
            table = table.cast_column(column, raw)
        elif isinstance(getattr(feature, "feature", None), datasets.Image):
            table = table.cast_column(column, datasets.List(raw))
    return table


def _ask(source: Source, split: str, ask: Callable[[], T]) -> T:
    """What `datasets` answers; its complaints as one line."""
    datasets.disable_progress_bars()
    try:
        return ask()
    except (OSError, ValueError, TypeError, datasets.exceptions.DatasetsError) as error:
        # What `datasets` raises for a missing set, split or file, for unreadable files and for a failed cast; what
        # is wrong with a file stands in the cause.
        where = f", split {split}" if split else ""
        raise DataError(f"data source {source.path}{where}: {first_line(error.__cause__ or error)}") from error
