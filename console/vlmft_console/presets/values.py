"""Field values: what a preset holds as one line of text, as a person types it, and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml

from vlmft_core.errors import PresetError
from vlmft_core.preset.dump import dump_yaml, yaml_line
from vlmft_core.preset.strict_yaml import parse

_LARGEST_WHOLE = 1e15


def written(value: Any, *, plain: bool) -> str:
    """`value` as `read` takes it.

    Args:
        value: plain data.
        plain: the field holds text, which then stands as it is. Text that does not fit one line is in quotes.
    """
    if isinstance(value, str) and plain:
        return value if value.isprintable() and not value.startswith('"') else _quoted(value)
    if isinstance(value, float):
        return _number(value)
    text = yaml_line(as_typed(value))
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def read(text: str, *, plain: bool) -> Any:
    """The value that `text` stands for.

    Args:
        text: what was typed: a value in the words of the preset files.
        plain: the field holds text, which is taken as it is unless it is in double quotes.

    Raises:
        PresetError: it is no value; the message is for a place beside the field.
    """
    if plain and not (text.startswith('"') and text.endswith('"') and len(text) > 1):
        if not text.isprintable():
            raise PresetError("holds a control character", r'write it as in "\t", with the quotes')
        return text
    if not text.strip():
        raise PresetError("is empty", "type a value")
    try:
        return parse(text, "value").data
    except PresetError as error:
        raise PresetError(_without_place(error.message), error.hint) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise PresetError("not a value") from None


def _without_place(message: str) -> str:
    """`value:1: not valid YAML: …` without its place, which is the field."""
    place, _, rest = message.partition(": ")
    return rest if place.startswith("value") else message


def _number(value: float) -> str:
    """Shortest text that reads back equal: `4e-5`, `0.06`, `6`."""
    text = repr(value)
    if 0 < abs(value) < 1e-3 and "e" not in text:
        sign, digits, exponent = Decimal(text).as_tuple()
        rest = "".join(map(str, digits[1:]))
        text = f"{'-' * sign}{digits[0]}{'.' if rest else ''}{rest}e{int(exponent) + len(rest)}"
    mantissa, e, exponent_text = text.partition("e")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent_text)}" if e else mantissa


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else _escape(c) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def as_typed(value: Any) -> Any:
    """Plain data with whole numbers as people write them: 3.0 as 3."""
    if isinstance(value, dict):
        return {key: as_typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_typed(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE else value


def as_block(text: str) -> str:
    """A value's line spread over several, as the preset files have it; text that is no value stays as it is."""
    try:
        value = read(text, plain=False)
    except PresetError:
        return text
    lines = dump_yaml(value).splitlines()
    return "\n".join("".join(c if c.isprintable() else _escape(c) for c in line) for line in lines)


def as_line(text: str) -> str:
    """The other way round."""
    try:
        return written(read(text, plain=False), plain=False)
    except PresetError:
        return text
