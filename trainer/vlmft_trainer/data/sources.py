"""Data sources: a preset's source and one of its splits, opened through `datasets`, from the hub or a folder."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmft_trainer.data.tasks import TASKS, Question, Task
from vlmft_trainer.errors import DataError
from vlmft_trainer.preset.schema import Source

if TYPE_CHECKING:
    from PIL.Image import Image

DEMO = "demo"
"""`path` of a source that is generated on this machine."""


@dataclass(frozen=True)
class Split:
    """One split of one source.

    Attributes:
        task_name: `chartqa` or `textvqa`.
        path: the hub's name or the folder it came from.
        name: the split's name.
        rows: a `datasets.Dataset`, its images not decoded.
    """

    task_name: str
    path: str
    name: str
    rows: Any

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def task(self) -> Task:
        return TASKS[self.task_name]

    def where(self, row: int) -> str:
        """How a message names a row (0 is the first)."""
        return f"{self.path}, split {self.name}, row {row}"

    def read(self, row: int) -> tuple[Question, bytes | None]:
        """A row's question and its image file; None where there is none."""
        values = self.rows[row]
        image = values["image"] or {}
        content: bytes | None = image.get("bytes")
        if content is None and image.get("path"):
            file = Path(image["path"])
            content = file.read_bytes() if file.is_file() else None
        return self.task.read(values), content

    def sample(self, row: int) -> tuple[Question, Image]:
        """A row's question and its decoded image.

        Raises:
            OSError: the image is missing or cannot be decoded (Pillow's errors are OSErrors).
        """
        from PIL import Image

        question, content = self.read(row)
        if content is None:
            raise OSError(f"{self.where(row)}: no image")
        return question, Image.open(io.BytesIO(content)).convert("RGB")


def find(source: Source) -> str:
    """Where `datasets` finds a source: a hub name as it is, a folder's full path, generated data made on the spot.

    Raises:
        DataError: a path that can only be a folder, and is none.
    """
    if source.path == DEMO:
        from vlmft_trainer.demo.dataset import ensure

        return str(ensure(source.task))
    folder = Path(source.path).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if source.path.count("/") > 1 or source.path.startswith((".", "~", "/")):
        raise DataError(f"data source {source.path}: no such folder", "check data.sources in the preset")
    return source.path


def open_split(source: Source, name: str) -> Split:
    """Open one split of a source.

    Raises:
        DataError: no such data set, no such split, or a column of the task's schema is missing.
    """
    import datasets

    datasets.disable_progress_bars()
    path = find(source)
    try:
        rows = datasets.load_dataset(path, split=name)
        if missing := [column for column in TASKS[source.task].columns if column not in rows.column_names]:
            raise DataError(
                f"data source {source.path}, split {name}: no column {', '.join(missing)}",
                f"{source.task} needs {', '.join(TASKS[source.task].columns)};"
                f" there are {', '.join(rows.column_names)}",
            )
        rows = rows.cast_column("image", datasets.Image(decode=False))
    except (OSError, ValueError, TypeError, datasets.exceptions.DatasetsError) as error:
        # What `datasets` raises for a missing set, split or file, for unreadable files and for a failed cast; what
        # is wrong with a file stands in the cause.
        cause = error.__cause__ or error
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise DataError(f"data source {source.path}, split {name}: {reason}") from error
    if not len(rows):
        raise DataError(f"data source {source.path}, split {name}: no rows")
    return Split(source.task, source.path, name, rows)
