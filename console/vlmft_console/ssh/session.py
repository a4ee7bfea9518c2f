"""Session: `ssh` with the terminal lent to it, which is given back as it was, however the connection ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from threading import Thread
from types import FrameType
from typing import Any, BinaryIO, Final

from vlmft_console.sanitize import sanitize
from vlmft_console.ssh.address import Address
from vlmft_console.ssh.there import ssh_command
from vlmft_core.errors import VlmftError

EXIT_NO_CONNECTION: Final = 255
"""There was no connection, or it was lost; as ssh itself has it."""
_LOOK_SECONDS: Final = 0.05
"""Between two looks whether the session has begun."""
_LAST_WORDS_SECONDS: Final = 0.3
_FAREWELL: Final = re.compile(rb"(?:Shared c|C)onnection to \S+ closed\.\r?\n")
"""What ssh says at the end of every session that had a terminal."""


def run_there(address: Address, program: str, arguments: Sequence[str], reset: str) -> int:
    """Call a program of vlmft on another machine; at a terminal it gets one there, else its streams are pipes.

    Args:
        address: where.
        program: `vlmft` or `vlmft-console`.
        arguments: its own, as they are.
        reset: what undoes everything that a full screen there switches on in the terminal.

    Returns:
        The exit status of the program there; 255 if there was no connection or it was lost; 128 plus a signal's number
        if that ended ssh, or this.

    Raises:
        VlmftError: there is no ssh here.
    """
    terminal = all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__))
    command = ssh_command(address, program, arguments, terminal=terminal)
    if terminal:
        return _Session(command, f"{program}: {address.host}", reset).run()
    try:
        os.execvp(command[0], command)  # there is nothing to give back
    except OSError as error:
        raise _no_ssh(error) from None


class _Session:
    """One call of `ssh` in this terminal.

    Args:
        command: what to call.
        where: what the machine is called, for messages.
        reset: what undoes everything that a full screen there switched on in the terminal.
    """

    def __init__(self, command: Sequence[str], where: str, reset: str) -> None:
        self._command = command
        self._where = where
        self._reset = reset
        self._attributes: list[Any] = termios.tcgetattr(0)
        self._begun = False
        self._held = b""
        self._ended_by = 0
        self._ssh: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Until it has ended; returns and raises as `run_there`."""
        # Ctrl-C is for ssh, which has the same terminal; it gets its own default handlers back as it is started.
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        try:
            self._ssh = subprocess.Popen(self._command, stderr=subprocess.PIPE)
            if self._ended_by:  # meanwhile
                self._ssh.send_signal(self._ended_by)
        except OSError as error:
            raise _no_ssh(error) from None
        assert self._ssh.stderr is not None
        # A connection that ssh shares with later calls may keep its errors open: nobody waits for their end.
        listener = Thread(target=self._listen, args=(self._ssh.stderr,), daemon=True)
        listener.start()
        code = self._wait(self._ssh.pid)
        self._ssh.returncode = code  # it was waited for
        listener.join(_LAST_WORDS_SECONDS)
        lost = code < 0 or code == EXIT_NO_CONNECTION
        if lost:
            self._restore()
        _write(_FAREWELL.sub(b"", self._held))
        if lost and self._begun:
            told = f"{self._where}: the connection was lost, or the program there was killed; runs go on"
            _write(sanitize(told).encode() + b"\n")
        if self._ended_by:
            return 128 + self._ended_by
        return 128 - code if code < 0 else code

    def _wait(self, pid: int) -> int:
        """Until ssh has ended; while it is suspended (`~^Z`), so is this. Its exit status, below 0 for a signal."""
        while True:
            found, status = os.waitpid(pid, os.WUNTRACED if self._begun else os.WUNTRACED | os.WNOHANG)
            if not found:
                time.sleep(_LOOK_SECONDS)
                self._begun = _is_raw()
            elif os.WIFSTOPPED(status):
                os.kill(os.getpid(), signal.SIGSTOP)  # until the shell lets both go on
            else:
                return os.waitstatus_to_exitcode(status)

    def _listen(self, errors: BinaryIO) -> None:
        """Show what ssh says before the session, such as a warning of the host; keep what it says in it."""
        while said := os.read(errors.fileno(), 4096):
            if self._begun or _is_raw():
                self._held += said
            else:
                _write(said)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._ended_by = number
        if self._ssh is not None:
            self._ssh.send_signal(number)

    def _restore(self) -> None:
        with contextlib.suppress(termios.error):
            # What was typed, or told by the mouse, was meant for the screen that is gone: it is dropped.
            termios.tcsetattr(0, termios.TCSAFLUSH, self._attributes)
        if self._begun:
            # Where no full screen was open, leaving it brings the cursor to where it was kept last: here.
            _write(b"\x1b7" + self._reset.encode())


def _is_raw() -> bool:
    """Whether ssh has handed the terminal to the other side: not while it asks for a password."""
    try:
        return not termios.tcgetattr(0)[3] & termios.ICANON
    except termios.error:  # it has hung up
        return False


def _write(text: bytes) -> None:
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(2, text) :]


def _no_ssh(error: OSError) -> VlmftError:
    return VlmftError(f"ssh cannot be started: {error.strerror}", "it comes with the package openssh-client")
