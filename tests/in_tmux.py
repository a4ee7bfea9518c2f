"""A shell in tmux, used as a person does: keys go in, and what stands on the screen is read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROMPT = "ready> "


class Tmux:
    """A server of its own with one window that runs a shell in `folder`."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self._socket = folder / "tmux"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        home = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
        self._environment = {**os.environ, **home, "PATH": path, "LC_ALL": "C.UTF-8"}
        columns, rows = map(str, size)
        profile = folder / "profile"
        profile.write_text(f"PS1={PROMPT!r}\n")
        self._tmux(
            "new-session",
            "-d",
            "-x",
            columns,
            "-y",
            rows,
            "-c",
            str(folder),
            f"bash --rcfile {shlex.quote(str(profile))} -i",
        )
        self.wait_for_prompt()

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=self._environment).stdout

    def screen(self) -> str:
        """What stands there now."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Press keys by their tmux names: `Enter`, `C-s`, `j`."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-l", text)

    def run(self, *command: str) -> None:
        """Type a command at the shell's prompt."""
        self.type(shlex.join(command))
        self.press("Enter")

    def wait_for(self, *texts: str, seconds: float = 120.0) -> None:
        """Until all of the texts stand on the screen."""
        self.wait(lambda screen: all(text in screen for text in texts), seconds)

    def wait(self, condition: Callable[[str], object], seconds: float = 120.0) -> None:
        """Until what stands on the screen meets a condition."""
        deadline = time.monotonic() + seconds
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, f"waited in vain; the screen shows\n{screen}"
            time.sleep(0.05)

    def wait_for_prompt(self) -> None:
        """Until the shell has the screen again."""
        self.wait(lambda screen: screen.rstrip().endswith(PROMPT.rstrip()))

    def end(self) -> None:
        """End the server and what runs in it."""
        self._tmux("kill-server")


@contextmanager
def tmux(folder: Path, size: tuple[int, int] = (120, 40)) -> Iterator[Tmux]:
    """A shell in tmux; the test is skipped where there is no tmux."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux")
    shell = Tmux(folder, size)
    try:
        yield shell
    finally:
        shell.end()
