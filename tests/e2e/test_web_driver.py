"""The console as textual-serve starts it: its output is packets for a browser, and nothing else may be between them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from tests.in_terminal import CONSOLE
from tests.sample_run import make_sample

pytestmark = pytest.mark.apart


class Served:
    """A console that draws into packets, read as strictly as textual-serve does."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        driver = {"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver", "COLUMNS": "120", "ROWS": "40"}
        self.process = subprocess.Popen(
            [CONSOLE, *arguments],
            cwd=folder,
            env={**os.environ, **driver, "TEXTUAL_COLOR_SYSTEM": "truecolor"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._read = b""
        self._begun = False
        self._screen = pyte.Screen(120, 40)
        self._stream = pyte.ByteStream(self._screen)
        self.metas: list[object] = []

    def take(self) -> bool:
        """Take in what is there within a moment; False at the end."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], 0.1)[0]:
            return True
        if not (chunk := os.read(self.process.stdout.fileno(), 65536)):
            assert self._read == b"", "the last packet is cut"
            return False
        self._read += chunk
        prelude = b"__GANGLION__\n"
        if not self._begun and len(self._read) >= len(prelude):
            assert self._read.startswith(prelude)
            self._read, self._begun = self._read.removeprefix(prelude), True
        while self._begun and len(self._read) >= 5:
            kind, size = self._read[:1], int.from_bytes(self._read[1:5], "big")
            assert kind in (b"D", b"M"), self._read[:200]
            assert size < 1_000_000, self._read[:200]
            if len(self._read) < 5 + size:
                break
            payload, self._read = self._read[5 : 5 + size], self._read[5 + size :]
            if kind == b"D":
                self._stream.feed(payload.replace(b"\x1b[?2026$p", b""))
            else:
                self.metas.append(json.loads(payload))
        return True

    def wait_until_shown(self, text: str, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in "\n".join(self._screen.display):
            assert self.take(), self.process.stderr and self.process.stderr.read()
            assert time.monotonic() < deadline, "\n".join(self._screen.display)

    def send(self, kind: bytes, payload: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(kind + len(payload).to_bytes(4, "big") + payload)
        self.process.stdin.flush()

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self._screen.reset()
        self.send(b"M", json.dumps({"type": "resize", "width": columns, "height": rows}).encode())

    def end(self) -> tuple[int, str]:
        """Its exit status, and what it said of errors."""
        while self.take():
            pass
        assert self.process.stderr is not None
        return self.process.wait(120), self.process.stderr.read().decode()


@contextlib.contextmanager
def served(folder: Path, *arguments: str) -> Iterator[Served]:
    console = Served(folder, *arguments)
    try:
        yield console
    finally:
        console.process.kill()
        console.process.communicate()


def test_a_run_is_shown_and_keys_and_sizes_arrive(tmp_path: Path) -> None:
    run = make_sample(tmp_path / "outputs")
    with served(tmp_path, str(run.path)) as console:
        console.wait_until_shown("━ EMA(")
        console.send(b"D", b"?")
        console.wait_until_shown("This screen")
        console.send(b"D", b"qq")
        console.wait_until_shown("5 runs")
        console.resize(60, 20)
        console.wait_until_shown("? help")
        console.send(b"M", json.dumps({"type": "quit"}).encode())
        assert console.end() == (0, "")
        assert console.metas == [{"type": "exit"}]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it(tmp_path: Path, sent: signal.Signals) -> None:
    with served(tmp_path) as console:
        console.wait_until_shown("? help")
        console.process.send_signal(sent)
        status, said = console.end()
        assert status in (0, 128 + sent)
        assert said == ""


def test_it_ends_when_whoever_shows_it_is_gone(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        console.wait_until_shown("? help")
        assert console.process.stdin is not None
        assert console.process.stdout is not None
        console.process.stdin.close()
        console.process.stdout.close()
        console.process.stdin = console.process.stdout = None
        console.process.wait(120)


def test_what_needs_a_terminal_says_that_there_is_none(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        console.wait_until_shown("? help")
        console.send(b"D", b"\x1a")
        console.wait_until_shown("there is no shell behind this screen")
        console.send(b"D", b"n")
        console.wait_until_shown("ultimate")
        console.send(b"D", b"e")
        console.wait_until_shown("nothing changed")
        console.send(b"D", b"\x0f")
        console.wait_until_shown("this terminal cannot be lent to another program")
        console.send(b"M", json.dumps({"type": "quit"}).encode())
        assert console.end() == (0, "")


def test_a_mistake_is_one_line_of_errors_and_no_output(tmp_path: Path) -> None:
    with served(tmp_path, "none") as console:
        status, said = console.end()
        assert status == 2
        assert said.count("\n") == 1
        assert "no run is called 'none'" in said
