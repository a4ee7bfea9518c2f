"""Formats of numbers: one module of figures has them, so that one number reads the same in every place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vlmft_console

ROOT = Path(vlmft_console.__file__).parent
ELSEWHERE = {
    "figures.py": "they are made here",
    "charts/ticks.py": "the labels of an axis have as many digits as its step needs",
    "report/svg.py": "places in a picture",
    "report/chart_file.py": "places in a picture",
    "history/importers/printed/yolo_bars.py": "it is read by the program",
    "presets/fields.py": "the bounds of a field are told to the last digit",
}
NUMBER = re.compile(r"(?!.*%[A-Za-z]).*(\.\d|[efgnEFG%]$)")
"""A format that rounds, or chooses digits: not those of counts (`,`), of widths and of dates."""
FOR_FORMAT = re.compile(r"\{\w*:([+,]*[.\d]*[efgn%])\}")


def formats(source: str) -> Iterator[str]:
    """The formats of numbers in a module, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "0" for part in node.format_spec.values)
            found = ["".join(map(str, parts))]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = FOR_FORMAT.findall(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("format", "round"):
            second = node.args[1:2]
            found = [f".{ast.unparse(each)}f" for each in second]  # `round(x, 2)`, `format(x, spec)`
        else:
            continue
        yield from (f"{node.lineno}: {form}" for form in found if NUMBER.match(form))


@pytest.mark.parametrize(
    "source",
    ['f"{x:.2f}"', 'f"{x:.0%}"', 'f"{x:g}"', 'f"{x:+,.1f}"', 'f"{x:.{n}f}"', '"{:.3g} s".format(x)', "round(x, 2)"],
)
def test_a_format_of_its_own_is_noticed(source: str) -> None:
    assert list(formats(source))


@pytest.mark.parametrize("source", ['f"{n:,}"', 'f"{n:>8,}"', 'f"{n:02d}"', 'f"{t:%H:%M}"', 'f"{s:<{n}}"', "round(x)"])
def test_counts_widths_and_dates_are_none(source: str) -> None:
    assert not list(formats(source))


def test_no_place_has_a_format_of_its_own() -> None:
    modules = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}
    found = {name: there for name, source in modules.items() if (there := list(formats(source)))}
    assert not {name: there for name, there in found.items() if name not in ELSEWHERE}
    assert not ELSEWHERE.keys() - found.keys()
