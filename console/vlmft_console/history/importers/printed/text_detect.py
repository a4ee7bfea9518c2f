"""Text detection: which of the readers of printed text tells most of a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from vlmft_console.history.importers.entries.translate import Translator
from vlmft_console.history.importers.printed.console_text import ConsoleText
from vlmft_console.history.importers.printed.line_log import LineLog
from vlmft_console.history.importers.reader import Parser

_SEARCHED: Final = 256 << 20
"""Bytes of a text in which the first dict is looked for."""
_SEARCHED_LINES: Final = 64 << 20
"""Bytes of a text in which the first line with figures is looked for."""
_COMPARED: Final = 1 << 20
"""Bytes of a text in which dicts and the lines around them are compared."""
_WEIGHED: Final = 8 << 20
"""Bytes after DeepSpeed's first step in which a dict of another trainer, printed late, may come."""
_SURE: Final = 2
"""Lines with a loss that tell a log from a text about one."""

_DICT = re.compile(rb"\{[^{}\n]{0,8192}\}")

Chunks = Callable[[], Iterable[bytes]]
"""Gives a text from its start, piece by piece."""


class Found(NamedTuple):
    """A format of text, and what makes its parser."""

    format: str
    parser: Callable[[Translator], Parser]


def text_format(chunks: Chunks) -> Found | None:
    """How a text is to be read; None where it holds no training record.

    Hugging Face's dicts count most: what stands beside them tells the same, unless it tells more. Then what single
    lines and tables tell, then DeepSpeed's own lines, which know no loss, and last lines with losses that are not a
    run's own.
    """
    dicts = _dicts(chunks())
    hugging_face = Found("hf_stdout", partial(ConsoleText, deepspeed_steps=False))
    if dicts.losses:
        return Found("text", LineLog) if _lines_tell_more(chunks()) else hugging_face
    # Where there are dicts of evals alone, only lines beside them can tell of the training.
    lines = _lines((_DICT.sub(b"", chunk) for chunk in chunks()) if dicts.dicts else chunks())
    if lines.rows:
        return Found("table", LineLog)
    if lines.placed >= _SURE:
        return Found("text", LineLog)
    if len(lines.bare_losses) > _SURE and len(set(lines.bare_losses)) > 1:
        return Found("text", partial(LineLog, bare=True))
    if dicts.dicts:
        return hugging_face
    if dicts.entries or dicts.overflows:
        return Found("deepspeed", partial(ConsoleText, deepspeed_steps=True))
    return Found("text", partial(LineLog, others=True)) if lines.other_losses > _SURE else None


def _lines_tell_more(chunks: Iterable[bytes]) -> bool:
    """Whether the lines around the dicts tell most of the losses, or all of the evals.

    Where the dicts have rates or norms, more losses in lines are those of the batches that make a step.
    """
    text = b""
    for chunk in chunks:
        text += chunk
        if len(text) >= _COMPARED:
            break
    dicts, lines = ConsoleText(Translator(""), deepspeed_steps=False), LineLog(Translator(""))
    dicts.feed(text)
    lines.feed(_DICT.sub(b"", text))
    lines.rest()
    more_losses = not dicts.rates and lines.told_losses > 2 * dicts.dicts
    return more_losses or (lines.told_evals >= _SURE and not dicts.evals)


def _dicts(chunks: Iterable[bytes]) -> ConsoleText:
    """What the text holds of Hugging Face's dicts and of DeepSpeed's lines, until it is known which counts."""
    parser = ConsoleText(Translator(""), deepspeed_steps=True)
    searched = first = 0
    for chunk in chunks:
        searched += len(chunk)
        parser.feed(chunk)
        if parser.entries:
            first = first or searched
        if parser.losses or searched >= _SEARCHED or (first and searched - first >= _WEIGHED):
            break
    return parser


def _lines(chunks: Iterable[bytes]) -> LineLog:
    """What the text holds of single lines and tables, until it is known that they tell of a training."""
    parser = LineLog(Translator(""))
    searched = 0
    for chunk in chunks:
        searched += len(chunk)
        parser.feed(chunk)
        if parser.placed >= _SURE or parser.rows or searched >= _SEARCHED_LINES:
            break
    parser.rest()
    return parser
