"""Trainer state, Hugging Face's `trainer_state.json`: the whole history in one file, written anew at every save.

Other programs' JSON documents with a training's whole history in them are read by the same reader.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.entries.parsing import number, whole
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.reader import BATCH, REPLACED, label_of
from vlmft_console.history.importers.unpacked import Unpacked
from vlmft_core.durable import open_regular
from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import Record
from vlmft_core.run_folder.layout import checkpoint_name

LARGEST: Final = 256 << 20
"""Bytes of a file that is read as one JSON document."""


class TrainerState:
    """A `LogReader`; a file that was saved again is read again, and only what it has more is returned.

    Args:
        path: the file.
        format: what the document is.
        entries: finds the entries in the document; None where it has none.
        parse: makes a document of the file's text.

    Raises:
        VlmftError: the file is no whole JSON document of this kind.
    """

    def __init__(
        self,
        path: Path,
        format: str = "trainer_state",
        entries: Callable[[Any], list[Any] | None] | None = None,
        parse: Callable[[str], Any] | None = None,
    ) -> None:
        self.format = format
        self._parse = parse or _json
        self._entries_of = entries or _log_history
        self.path = path
        self.label = label_of(path)
        self.rejected = 0
        self._translator = Translator(self.label)
        self._history: list[Any] = []
        self._seen: tuple[int, int, int] | None = None
        self._done = 0
        self._best: dict[str, Any] | None = None
        self._start: list[Record] = [self._translator.begin()]
        if not self._load():
            raise VlmftError(f"{path} is no whole trainer_state.json: it was cut off, or is being written")

    @property
    def entries(self) -> int:
        return self._done

    @property
    def named_steps(self) -> bool:
        return self._translator.named_steps

    @property
    def contents(self) -> Contents:
        return self._translator.contents("" if self._history else "it is a trainer_state with an empty log_history")

    def judge_set(self, name: str) -> None:
        self._translator.judge_set(name)

    def read(self) -> list[Record]:
        self._load()
        records, self._start = self._start, []
        while self._done < len(self._history) and len(records) < BATCH:
            entry = self._history[self._done]
            self._done += 1
            try:
                if not isinstance(entry, Mapping):
                    raise ValueError("not an object")
                records += self._translator.take(entry, row=True)
            except ValueError:
                self.rejected += 1
        return records

    def _load(self) -> bool:
        """Whether the file could be read; one that is just being written is left for the next time."""
        try:
            document, seen = load_document(self.path, self._parse, unless=self._seen)
        except (FileNotFoundError, ValueError):
            return False
        if document is None:
            return True
        if (history := self._entries_of(document)) is None:
            return False
        self._seen = seen
        if history[: self._done] != self._history[: self._done] and repr(history[: self._done]) != repr(
            self._history[: self._done]
        ):
            self._start += [self._translator.begin(), self._translator.note(REPLACED)]
            self._done = 0
        self._history = history
        if isinstance(document, Mapping):
            self._start += self._plan(document)
        return True

    def _plan(self, document: Mapping[str, Any]) -> list[Record]:
        try:
            total, epochs = whole(document.get("max_steps")), number(document.get("num_train_epochs"))
            total = total or whole(document.get("global_step"))
        except ValueError:
            return []
        best = _best_metric(document, self._history)
        if not total or (total == self._translator.total and best == self._best):
            return []
        self._best = best
        per_epoch = max(1, round(total / epochs)) if epochs and 0 < epochs <= total else total
        return [self._translator.plan(total, per_epoch, best_metric=best)]


def _log_history(document: Any) -> list[Any] | None:
    history = document.get("log_history") if isinstance(document, Mapping) else None
    return history if isinstance(history, list) else None


def _best_metric(document: Mapping[str, Any], history: list[Any]) -> dict[str, Any] | None:
    """The metric that chose the run's best checkpoint: its value and step, and its name, which only the value tells."""
    try:
        value, step = number(document.get("best_metric")), whole(document.get("best_global_step"))
    except ValueError:
        return None
    if value is None or not math.isfinite(value):
        return None
    best = PurePath(str(document.get("best_model_checkpoint") or "")).name
    digits = best.rpartition("-")[2][:15]
    if not step and digits.isdecimal() and best == checkpoint_name(int(digits)):
        step = int(digits)
    entries = [entry for entry in history if isinstance(entry, Mapping) and (not step or entry.get("step") == step)]
    names = (name for entry in entries for name, told in entry.items() if name.startswith("eval_") and _is(told, value))
    return {"value": value, "step": step or None, "name": next(names, None)}


def _is(told: Any, value: float) -> bool:
    return type(told) in (int, float) and math.isclose(told, value, rel_tol=1e-9)


def load_json(path: Path) -> Any:
    """A JSON document that may hold `NaN` and `Infinity`.

    Raises:
        FileNotFoundError, ValueError, VlmftError: as `load_document`.
    """
    return load_document(path, _json)[0]


def load_document(
    path: Path, parse: Callable[[str], Any], *, unless: tuple[int, int, int] | None = None
) -> tuple[Any, tuple[int, int, int]]:
    """A document, and what identifies this state of its file.

    Args:
        path: the file.
        parse: makes it of a text.
        unless: the state that was read before; when the file is still the same, the document returned is None.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be parsed, or is nested too deeply, or too large.
        VlmftError: it is not a regular file, or may not be read.
    """
    descriptor = open_regular(path)
    try:
        info = os.fstat(descriptor)
        state = (info.st_ino, info.st_size, info.st_mtime_ns)
        if state == unless:
            return None, state
    finally:
        os.close(descriptor)
    content, data = Unpacked(path), bytearray()
    while more := content.chunk():
        data += more
        if len(data) > LARGEST:
            raise ValueError("too large")
    try:
        return parse(data.decode("utf-8-sig", "replace")), state
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _json(text: str) -> Any:
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """Python refuses integers of thousands of digits, and with them the whole file."""
    return int(digits) if len(digits) < 100 else float(digits)
