"""Results, Hugging Face's `all_results.json` and its like: how a run ended, in one object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmft_console.history.importers.reader import label_of
from vlmft_console.history.importers.translate import Translator
from vlmft_core.run_folder.events import Record


def is_results(document: Any) -> bool:
    """Whether a JSON document is one of them."""
    return isinstance(document, Mapping) and ("eval_loss" in document or "train_runtime" in document)


class Results:
    """A `LogReader`: the final eval, if any, and no training points. `train_loss` is the mean over the run, not one.

    Raises:
        ValueError: the object's figures are no numbers.
    """

    format = "results"
    rejected = 0
    entries = 1
    named_steps = False

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self.path = path
        self.label = label_of(path)
        translator = Translator(self.label)
        self._records = [
            translator.begin(),
            translator.note("this is a run's summary, not its log: it holds no training points"),
            # The summary names no step, and step 0 would be the base's eval.
            *translator.take({**document, "step": 1}),
        ]

    def read(self) -> list[Record]:
        records, self._records = self._records, []
        return records
