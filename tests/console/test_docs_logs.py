"""Every command of docs/logs.md prints what stands below it there.

`python -m tests.console.test_docs_logs` writes anew what stands there.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from contextlib import chdir
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vlmft_console.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"
_BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)


def run_anew(page: str) -> str:
    """The page with what its commands print now; called in an empty folder."""
    lines = _BLOCK.findall(page)[0].splitlines()
    Path("log.jsonl").write_text("".join(f"{line.strip()}\n" for line in lines))
    return _BLOCK.sub(lambda block: _anew(block[0]), page)


def _anew(block: str) -> str:
    commands = [line.strip() for line in block.splitlines() if line.startswith("    $ ")]
    if not commands:
        return block
    told = []
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command)[2:], env={"COLUMNS": "100"})
        told += [command, *(line.rstrip() for line in (result.stderr + result.stdout).splitlines())]
    return "".join(f"    {line}\n" for line in told)


def test_every_command_prints_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text()
    assert page.count("    $ vlmft") >= 4
    assert run_anew(page) == page


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        written = run_anew(PAGE.read_text())
    PAGE.write_text(written)
