"""Results, Hugging Face's `all_results.json` and its like: how a run ended, in one object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vlmft_console.history.importers.entries.contents import Contents
from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.reader import label_of
from vlmft_core.run_folder.events import Record


def is_results(document: Any) -> bool:
    """Whether a JSON document is one of them."""
    found = document.get("eval_loss", document.get("train_runtime")) if isinstance(document, Mapping) else None
    return isinstance(found, int | float | str)


SUMMARY: Final = "this is a run's summary, not its log: it holds no training points"


class Results:
    """A `LogReader`: the final eval, if any, and no training points. `train_loss` is the mean over the run, not one."""

    format = "results"
    entries = 1
    named_steps = False

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self.path = path
        self.label = label_of(path)
        self.rejected = 0
        self._translator = Translator(self.label)
        self._document: Mapping[str, Any] | None = document

    @property
    def contents(self) -> Contents:
        return self._translator.contents("it is a run's summary, not its log")

    def judge_set(self, name: str) -> None:
        self._translator.judge_set(name)

    def read(self) -> list[Record]:
        document, self._document = self._document, None
        if document is None:
            return []
        translator = self._translator
        start = [translator.begin(), translator.note(SUMMARY)]
        try:
            # The summary names no step, and step 0 would be the base's eval. As the end of a run its loss is the mean.
            return start + translator.take({"train_runtime": None, **document, "step": 1})
        except ValueError:
            self.rejected = 1
            return start
