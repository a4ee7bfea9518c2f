"""What commands print: lines, JSON, tables, and the line that changes."""

from __future__ import annotations

import io
import json

import pytest

from vlmft_console.commands import output
from vlmft_console.commands.output import StatusLine, print_json, waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_status_line_changes_in_place_and_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("COLUMNS", "12")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    line = StatusLine()
    line.show("read \x1b[31m of many")
    line.clear()
    assert screen.getvalue() == "\rread \\x1b[3\x1b[K\r\x1b[K"


@pytest.mark.parametrize(("screen", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb")])
def test_where_nobody_watches_the_status_line_is_silent(
    screen: io.StringIO, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", term)
    line = StatusLine()
    line.show("read")
    line.clear()
    assert (line.watched, screen.getvalue()) == (False, "")


def test_what_is_waited_for_is_said_after_a_while_and_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with waiting() as tell:
        tell("half")
    assert screen.getvalue() == ""
    monkeypatch.setattr(output, "_PATIENCE_SECONDS", 0.0)
    with waiting() as tell:
        tell("half")
        assert "half" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_json_is_utf_8_without_secrets(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"name": "Müller", "token": "hf_abcdefghijklmnopqrstuvwx", "loss": float("nan")})
    print_json([1], indent=True)
    first, *rest = capfdbinary.readouterr().out.splitlines()
    assert "Müller".encode() in first
    assert json.loads(first) == {"name": "Müller", "token": "[redacted]", "loss": None}
    assert rest == [b"[", b"  1", b"]"]
