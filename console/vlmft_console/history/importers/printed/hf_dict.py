"""Hugging Face dicts, as its trainer prints them: `{'loss': 0.3, 'grad_norm': nan, 'epoch': 0.5}`.

They are matched and never evaluated: nothing nested, nothing longer than `LONGEST`, in one pass over the text.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from vlmft_console.history.importers.entries.metric_names import tells_training
from vlmft_console.history.importers.entries.parsing import is_measured

LONGEST: Final = 8192
"""Bytes of a dict; what is longer is not metrics."""

# Possessive quantifiers: a match takes time in proportion to the text, whatever the text is.
_ITEM = re.compile(
    r"""(?:'([^'\n]{1,200}+)'|"([^"\n]{1,200}+)")\s*+:\s*+"""
    r"""(?:'([^'\n]{0,200}+)'|"([^"\n]{0,200}+)"|([\w.]{0,32}+\([^()\n]{0,100}+\)|[-+\w.]{1,64}+)|\[[^][{}]{0,2000}+\])""",
    re.ASCII,
)
_FLAT = re.compile(
    rb"""\{\s*+(?:(?:'[^'\n]{1,200}+'|"[^"\n]{1,200}+")\s*+:\s*+"""
    rb"""(?:'[^'\n]{0,200}+'|"[^"\n]{0,200}+"|[\w.]{0,32}+\([^()\n]{0,100}+\)|[-+\w.]{1,64}+|\[[^][{}]{0,2000}+\])"""
    rb"""\s*+(?:,\s*+|(?=\})))++\}"""
)
_TELLING: Final = frozenset(("loss", "eval_loss", "train_runtime"))
"""Keys of which most metrics have one."""
_METRICS = re.compile(
    rb"""['"](?:(?:eval|val|valid|test|train)[_/](?:[\w-]{1,40}_)?)?loss['"]\s*:|['"]train_runtime['"]\s*:"""
)


def metrics_in(text: bytes) -> Mapping[str, Any] | None:
    """The items of a dict, its values as numbers or as they were spelled; None when it holds no metrics of a trainer.

    A dict that a terminal wrapped is put together again, wherever it was cut.

    Args:
        text: from a brace to the next closing brace.

    Raises:
        ValueError: it holds metrics and is torn, nested or otherwise no flat dict.
    """
    values: Any = None
    # Most are JSON but for the quotes, and that is read ten times faster. With both kinds of quotes in it, a text could
    # pass for a key.
    if not (b"'" in text and b'"' in text):
        with contextlib.suppress(orjson.JSONDecodeError):
            values = orjson.loads(text.replace(b"'", b'"'))
    if values is None and (flat := _flat(text)):
        values = _items(flat)
    if values is None and resembles_metrics(text):
        raise ValueError("no flat dict")
    return values if isinstance(values, dict) and values and _tells(values) else None


def _tells(values: dict[str, Any]) -> bool:
    """Whether a dict was printed by a trainer. The Hugging Face trainer's are numbers, and the epoch comes last."""
    if not _TELLING.isdisjoint(values) or tells_training(values):
        return True
    return len(values) > 1 and next(reversed(values)) == "epoch" and all(map(is_measured, values.values()))


def _flat(text: bytes) -> bytes | None:
    """The text if it is a flat dict, perhaps after its lines were joined."""
    if _FLAT.fullmatch(text):
        return text
    joined = b"".join(line.strip() for line in text.split(b"\n"))
    return joined if _FLAT.fullmatch(joined) else None


def _items(text: bytes) -> dict[str, str]:
    return {
        one or other: quoted or double or bare
        for one, other, quoted, double, bare in _ITEM.findall(text.decode("utf-8", "replace"))
    }


def resembles_metrics(text: bytes) -> bool:
    """Whether a piece of text, perhaps torn, was meant as metrics."""
    return _METRICS.search(text) is not None
