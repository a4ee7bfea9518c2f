"""Tables: what `datasets` opens, from the hub, a folder or a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import datasets
import pyarrow.parquet

from vlmft_core.errors import DataError, first_line
from vlmft_core.plan.data_files import ROW_FILES, TABLES, kind, plain_name
from vlmft_core.preset.data_schema import Source

T = TypeVar("T")


@dataclass(frozen=True)
class TableRows:
    """A `datasets.Dataset`, its images not decoded, its classes by their names.

    Attributes:
        classes: the names of the classes in columns of numbers that stand for classes.
    """

    path: str
    split: str
    table: Any
    classes: Mapping[str, Sequence[str]]

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        values: dict[str, Any] = self.table[row]
        for column, names in self.classes.items():
            number = values[column]
            values[column] = names[number] if isinstance(number, int) and number >= 0 else None
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
            if folder.suffix.lower() not in TABLES:
                raise ValueError(f"not a {', '.join((*ROW_FILES, *TABLES))} file, nor one of these gzipped")
            if folder.suffix.lower() == ".parquet" and not pyarrow.parquet.read_metadata(path).num_rows:
                raise ValueError("no rows")  # which `datasets` has no words for
            table = datasets.load_dataset(TABLES[folder.suffix.lower()], data_files=path, split="train")
        elif _was_saved(folder):
            tables = _tables(path)
            if name not in tables:
                raise ValueError(f"no split {name}: there are {', '.join(tables)}")
            table = tables[name]
        else:
            table = datasets.load_dataset(path, split=name)
            if folder.is_dir() and table.info.builder_name == "imagefolder" and (other := _rows_beside(folder)):
                raise ValueError(
                    f"it has pictures, and rows in {other.name}: name that file as the source, or rename it to"
                    f" {name}{other.suffix}"
                )
        features = table.features.items()
        classes = {column: feature.names for column, feature in features if isinstance(feature, datasets.ClassLabel)}
        return TableRows(source.path, name, _undecoded(table), classes)

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


def _rows_beside(folder: Path) -> Path | None:
    """A file of rows that `datasets` passes over in a folder of pictures: it reads `metadata` alone."""
    rows = (file for file in sorted(folder.iterdir()) if kind(file) in ROW_FILES and file.is_file())
    return next((file for file in rows if Path(plain_name(file)).stem != "metadata"), None)


def _was_saved(folder: Path) -> bool:
    """Whether `save_to_disk` of `datasets` wrote a folder."""
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _undecoded(table: Any) -> Any:
    """The table with its images as files.

    Raises:
        ValueError: a column holds sound, video or another kind of file.
    """
    for column, feature in table.features.items():
        raw = _raw(feature, column)
        if raw != feature:
            table = table.cast_column(column, raw)
    return table


def _raw(feature: Any, column: str) -> Any:
    """A feature with all images in it as files."""
    if isinstance(feature, datasets.Image):
        return datasets.Image(decode=False)
    if hasattr(feature, "decode"):
        raise ValueError(f"column {column} holds {type(feature).__name__} files, which cannot be trained on: remove it")
    if isinstance(feature, dict):
        return {key: _raw(inner, column) for key, inner in feature.items()}
    if isinstance(feature, datasets.List):
        return datasets.List(_raw(feature.feature, column), length=feature.length)
    if isinstance(feature, datasets.LargeList):
        return datasets.LargeList(_raw(feature.feature, column))
    return feature


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
