"""Fields: every one of a preset with what a person needs to know to change it, read off the schema."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from vlmft_console.presets.values import written
from vlmft_core.preset import Preset

REASONS = "reasons"
"""The schema's section that says why each value is what it is; it is shown with the fields, not as one of them."""


@dataclass(frozen=True)
class Field:
    """One field of a preset."""

    section: str
    key: str
    kind: str
    """What it holds, in words: `number`, `whole number`, `yes or no`, `text`, `choice`, `list`, `section`."""
    meaning: str
    """The schema's text: meaning, unit, where the default comes from."""
    limits: str
    """Allowed values in words, such as `1 to 1024` or `cosine, linear, constant`; empty where anything goes."""
    choices: tuple[str, ...]
    """All values it can have, as text, where they are few; empty elsewhere."""
    default: str
    """The schema's default, as text."""
    plain: bool
    """Whether it holds text, which is typed without quotes."""

    @property
    def path(self) -> str:
        """The dotted key, such as `training.epochs`."""
        return f"{self.section}.{self.key}"

    @property
    def structured(self) -> bool:
        """Whether its value deserves more than one line to be edited on."""
        return self.kind in ("list of sections", "section")


@cache
def sections() -> dict[str, str]:
    """The meaning of each section, by name, in the schema's order."""
    return {
        name: " ".join((field.description or "").split())
        for name, field in Preset.model_fields.items()
        if name != REASONS
    }


@cache
def fields() -> dict[str, Field]:
    """Every field by its path, in the schema's order."""
    schema = Preset.model_json_schema()
    found = {}
    for section in sections():
        reference = schema["properties"][section]["$ref"]
        properties = schema["$defs"][reference.rpartition("/")[2]]["properties"]
        for key, value in properties.items():
            field = _field(section, key, value)
            found[field.path] = field
    return found


def find(text: str) -> list[str]:
    """Paths of the fields that `text` means: first those with all its words in the path, then in the meaning too."""
    words = text.casefold().split()
    if not words:
        return []
    named = [path for path in fields() if all(word in path for word in words)]
    meant = [
        path
        for path, field in fields().items()
        if path not in named and all(word in f"{path} {field.meaning}".casefold() for word in words)
    ]
    return named + meant


def _field(section: str, key: str, schema: dict[str, Any]) -> Field:
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    nullable = len(options) < len(schema.get("anyOf", [schema]))
    kind, limits, plain = "value", "", False
    choices: tuple[str, ...] = ()
    if len(options) == 1:
        kind, plain = _kind(options[0]), options[0].get("type") == "string" and not nullable
        limits = _limits(options[0])
        choices = tuple(written(value, plain=plain) for value in _choices(options[0]))
    if nullable:
        limits = f"{limits}, or null" if limits else f"a {kind}, or null"
        choices = (*choices, "null") if choices else ()
    return Field(
        section=section,
        key=key,
        kind=kind,
        meaning=" ".join(schema.get("description", "").split()),
        limits=limits,
        choices=choices,
        default=written(schema["default"], plain=plain) if "default" in schema else "",
        plain=plain,
    )


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return "choice"
    if schema.get("type") == "array":
        return "list of sections" if "$ref" in schema.get("items", {}) else "list"
    names = {"number": "number", "integer": "whole number", "boolean": "yes or no", "string": "text"}
    return names.get(schema.get("type", ""), "section")


def _choices(schema: dict[str, Any]) -> list[Any]:
    if schema.get("type") == "boolean":
        return [True, False]
    return schema.get("enum") or ([schema["const"]] if "const" in schema else [])


def _limits(schema: dict[str, Any]) -> str:
    if values := _choices(schema):
        return ", ".join(written(value, plain=isinstance(value, str)) for value in values)
    if schema.get("minLength") or schema.get("minItems"):
        return "not empty"
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{low:g} to {high:.12g}"
    floor = f"at least {low:g}" if low is not None else f"above {above:g}" if above is not None else ""
    ceiling = f"at most {high:.12g}" if high is not None else f"below {below:.12g}" if below is not None else ""
    return ", ".join(text for text in (floor, ceiling) if text)
