"""`vlmft logs`: what the ranks wrote, all of it or its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run_folders import ended_run
from vlmft_console.commands import runs
from vlmft_console.commands.runs import logs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return ended_run(tmp_path, "run").new_training_log("20260101-000000")


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("lines", [0, 1, 2, 7, 8, 9, 100])
@pytest.mark.parametrize("block", [1, 5, 1 << 15])
def test_the_last_lines_are_printed_and_all_of_them_for_0(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, end: str, lines: int, block: int
) -> None:
    monkeypatch.setattr(runs, "_BLOCK", block)
    written = ["one", "", "drei ähm", "four", "five " * 5, "", "seven", "eight"]
    log.write_bytes(("\n".join(written) + end).encode())
    logs(str(log.parents[1]), lines=lines)
    assert capsys.readouterr().out == "\n".join(written[-lines:]) + end


@pytest.mark.parametrize("block", [1, 16, 1 << 15])
def test_a_secret_is_hidden_and_a_control_character_visible_wherever_a_block_ends(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(runs, "_BLOCK", block)
    log.write_bytes(b"loss 1.5\n" * 3 + b"export WANDB_API_KEY=0123abcd\nred \x1b[31m and \xff\n")
    logs(str(log.parents[1]))
    assert capsys.readouterr().out == "loss 1.5\n" * 3 + "export WANDB_API_KEY=[redacted]\nred \\x1b[31m and \ufffd\n"


def test_an_empty_log_prints_nothing(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.touch()
    logs(str(log.parents[1]), lines=3)
    assert capsys.readouterr().out == ""
