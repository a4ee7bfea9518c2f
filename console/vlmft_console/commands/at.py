"""`vlmft --at ssh://HOST COMMAND`: a command on another machine."""

from __future__ import annotations

from vlmft_console.app.terminal import RESET
from vlmft_console.ssh.address import Address
from vlmft_console.ssh.session import run_there


def call_there(machine: str, arguments: list[str]) -> int:
    """Call the `vlmft` of a machine with these arguments, as they are.

    Returns:
        As `run_there`.

    Raises:
        VlmftError: as `Address.parse` and `run_there`.
    """
    return run_there(Address.parse(machine), "vlmft", arguments, RESET)
