"""Preset errors, explained: from pydantic's to lines with file, line, key, what is wrong and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vlmft_core.preset.schema import Preset
from vlmft_core.preset.section import Section
from vlmft_core.preset.strict_yaml import NUMBER, Origin, printable, shown

_WORDS = {
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a section of `key: value` lines",
    "model_type": "must be a section of `key: value` lines",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
MOST = 100
"""Mistakes explained at once."""
_SHOW_INPUT = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "literal_error"} | set(_WORDS)


def explain(error: ValidationError, origins: Mapping[str, Origin], name: str) -> list[str]:
    """One line for each mistake, in the order of the file."""
    found = error.errors(include_url=False)
    lines = sorted((_line(detail, origins, name) for detail in found[:MOST]), key=lambda line: line[0])
    more = [f"{name}: and {len(found) - MOST:,} more mistakes"] if len(found) > MOST else []
    return [*(text for _, text in lines), *more]


def by_key(error: ValidationError) -> list[tuple[tuple[str, ...], str]]:
    """For each mistake the dotted keys concerned, such as `training.epochs`, and what is wrong with them."""
    return [_keys_and_text(detail) for detail in error.errors(include_url=False)]


def _keys_and_text(detail: ErrorDetails) -> tuple[tuple[str, ...], str]:
    if detail["type"] == "value_error":  # a check across fields: its text names the keys
        message = detail["msg"].removeprefix("Value error, ")
        words = [word.strip(",:()") for word in message.split()]
        known = {f"{name}.{key}" for name, model in _sections().items() for key in model.model_fields}
        return tuple(word for word in dict.fromkeys(words) if word in known), printable(message)
    what, hint = _what(detail)
    return (".".join(str(part) for part in detail["loc"]),), what + (f" ({hint})" if hint else "")


def _line(detail: ErrorDetails, origins: Mapping[str, Origin], name: str) -> tuple[int, str]:
    """The line number, 0 where there is none, and the text."""
    if detail["type"] == "value_error":  # a check across fields: its text begins with the key
        message = detail["msg"].removeprefix("Value error, ")
        where = _origin_of_fields(message, origins, name)
        return where.line or 0, f"{where}: {printable(message)}"
    dotted = ".".join(str(part) for part in detail["loc"])
    where, named = _origin(dotted, origins, name)
    what, hint = _what(detail)
    key = "" if named else f" {printable(dotted)}:"
    return where.line or 0, f"{where}:{key} {what}" + (f" ({hint})" if hint else "")


def _what(detail: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and how to mend it."""
    kind, loc, value = detail["type"], detail["loc"], detail["input"]
    if kind == "extra_forbidden":
        return "unknown key", _nearest(loc) or "remove it"
    if kind == "missing":
        return "missing", _help(loc)
    what = _WORDS.get(kind) or detail["msg"].replace("Input should be", "must be")
    what = what.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    what = what.replace("greater than", "above").replace("less than", "below")
    if kind in _SHOW_INPUT:
        what += f", not {_given(value)}"
    if kind in ("float_type", "int_type") and isinstance(value, str) and NUMBER.fullmatch(value):
        return what, "remove the quotes"
    if kind == "literal_error" and isinstance(value, str):
        allowed = [text.strip("'") for text in str(detail["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
        near = difflib.get_close_matches(value, allowed, n=1, cutoff=0.4)
        return what, f"did you mean {near[0]}?" if near else _help(loc)
    return what, _help(loc)


def _given(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a section"
    return "an empty list" if value == [] else shown(value)


def _origin(dotted: str, origins: Mapping[str, Origin], name: str) -> tuple[Origin, bool]:
    """The place of a key or else of what holds it, and whether that place already names the key."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        where = origins.get(".".join(parts[:length]))
        if where is not None:
            return where, where.line is None and length == len(parts)
    return Origin(name, None), False


def _origin_of_fields(message: str, origins: Mapping[str, Origin], name: str) -> Origin:
    """The place of a field that the message names: from the command line, else in the file itself, else anywhere."""
    words = [word.strip(",:()") for word in message.split()]
    words.append(words[0].partition(".")[0])
    places = [origins[word] for word in words if word in origins]
    overrides = [place for place in places if place.line is None]
    own = [place for place in places if place.file == name]
    return next(iter(overrides or own or places), Origin(name, None))


def _sections() -> dict[str, type[Section]]:
    return {
        name: field.annotation
        for name, field in Preset.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def _models(loc: tuple[int | str, ...]) -> Iterator[type[Section]]:
    """The schema classes on the way to `loc`, from the preset down."""
    model: type[Section] = Preset
    yield model
    for part in loc:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        for inner in (annotation, *get_args(annotation)):
            if isinstance(inner, type) and issubclass(inner, Section):
                model = inner
                yield model


def _nearest(loc: tuple[int | str, ...]) -> str:
    """A hint at the valid key most like the unknown one: in its own section, else the same word in another."""
    *above, key = loc
    elsewhere = {name: section for section, model in _sections().items() for name in model.model_fields}
    bare = str(key).rpartition(".")[2]
    if not above and bare in elsewhere:
        return f"write {bare} under `{elsewhere[bare]}:`"
    fields = [*list(_models(tuple(above)))[-1].model_fields, *([] if above else ["extends"])]
    initials = {"".join(word[0] for word in field.split("_")): field for field in fields if "_" in field}
    if near := [initials[key]] if key in initials else difflib.get_close_matches(str(key), fields, n=1):
        return f"did you mean {near[0]}?"
    if near := difflib.get_close_matches(bare, elsewhere, n=1):
        return f"did you mean {elsewhere[near[0]]}.{near[0]}?"
    return ""


def _help(loc: tuple[int | str, ...]) -> str:
    """The first sentence of the field's description: its meaning and range."""
    names = [part for part in loc if isinstance(part, str)]
    model = list(_models(loc[:-1]))[-1]
    for name in reversed(names):
        if name in model.model_fields:
            text = model.model_fields[name].description or ""
            return " ".join(text.split()).partition(". ")[0].rstrip(".")
    return ""
