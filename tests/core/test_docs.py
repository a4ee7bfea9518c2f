"""Every file and folder that the documents for contributors name is there, and the map is as they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["CONTRIBUTING.md", "docs/ARCHITECTURE.md"]
_NAME = r"[\w.-]*\w"
_PATH = re.compile(rf"(?:{_NAME}/)+(?:{_NAME})?|{_NAME}\.(?:md|py|tcss|toml|txt|yaml)\b")
_QUOTED = re.compile(r"`([^`]+)`|\]\((?!http)([^)]+)\)")
_ROW = re.compile(rf"^(?P<indent> {{4,}})(?P<names>(?:(?:(?:{_NAME}/)+|{_NAME}\.\w+)(?: +|$))+)(?P<about>.*)$")


def named(text: str, folder: Path) -> Iterator[tuple[str, bool]]:
    """Every path that a document names, and whether it exists.

    In a tree of files, a row is below the row above it that is indented less; what a row says of itself names its
    children or its neighbours. Everywhere else paths are told from the root, in links from the document's `folder`.
    """
    above: list[tuple[int, Path]] = []
    for line in text.splitlines():
        row = _ROW.match(line)
        if row is None:
            above = above if line.startswith("    ") else []
            code = line.partition(" # ")[0] if line.startswith("    ") else ""
            for quoted, link in [*_QUOTED.findall(line), (code, "")]:
                yield from ((path, (ROOT / path).exists()) for path in _PATH.findall(quoted) if path[:6] != ".venv/")
                yield from ((path, (folder / path).exists()) for path in _PATH.findall(link))
            continue
        while above and above[-1][0] >= len(row["indent"]):
            above.pop()
        parent = above[-1][1] if above else ROOT
        names = row["names"].split()
        yield from ((str(parent / name), (parent / name).exists()) for name in names)
        around = [parent / names[-1], parent]
        yield from ((path, any((one / path).exists() for one in around)) for path in _PATH.findall(row["about"]))
        above.append((len(row["indent"]), parent / names[-1]))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_is_named_exists(document: str) -> None:
    found = dict(named((ROOT / document).read_text(), (ROOT / document).parent))
    assert len(found) > 30
    assert [path for path, exists in found.items() if not exists] == []


@pytest.mark.parametrize("package", ["console/vlmft_console", "trainer/vlmft_core", "trainer/vlmft_trainer"])
def test_the_root_of_a_package_holds_few_modules(package: str) -> None:
    assert len(list((ROOT / package).glob("*.py"))) <= 8


def test_a_missing_path_is_found_wherever_it_is_named() -> None:
    text = """
Read `tests/no.py`, `make test`, or [this](gone.md).

    .venv/bin/pytest tests/nowhere/test_it.py   # one/two

    trainer/
      vlmft_core/       the core
        preset/  lost/  schema.py, and away/ in it
      other/            what is not there
"""
    missing = [path for path, exists in named(text, ROOT / "docs") if not exists]
    below = ROOT / "trainer"
    assert missing == [
        "tests/no.py",
        "gone.md",
        "tests/nowhere/test_it.py",
        str(below / "vlmft_core" / "lost"),
        "schema.py",
        "away/",
        str(below / "other"),
    ]
