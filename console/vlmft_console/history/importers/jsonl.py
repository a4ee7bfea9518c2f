"""JSON Lines of metrics: LLaMA-Factory's `trainer_log.jsonl`, ms-swift's `logging.jsonl` and their like."""

from __future__ import annotations

import json
from typing import Any

import orjson

from vlmft_console.history.importers.hf_dict import metrics_in
from vlmft_console.history.importers.line_parser import LineParser
from vlmft_console.history.importers.translate import Translator
from vlmft_core.run_folder.events import Record


class JsonLines(LineParser):
    """Two writers of one file, as ms-swift's ranks can be, count as one."""

    def __init__(self, translator: Translator) -> None:
        super().__init__()
        self._translator = translator

    def line(self, line: bytes) -> list[Record]:
        try:
            return self._translator.take(json_object(line))
        except ValueError:
            if values := metrics_in(line.strip()):  # JSON but for a bare nan, say
                return self._translator.take(values)
            raise


def json_object(line: bytes) -> dict[str, Any]:
    """One line's object; NaN and Infinity are understood.

    Raises:
        ValueError: the line is no object.
    """
    try:
        values = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        try:
            values = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("no object")
    return values
