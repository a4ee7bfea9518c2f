"""`vlmft --at ssh://HOST COMMAND`: a command on another machine."""

from __future__ import annotations

from vlmft_console.app.terminal import RESET
from vlmft_console.ssh.address import Address
from vlmft_console.ssh.session import run_there
from vlmft_core.errors import VlmftError


def call_there(machine: str, arguments: list[str]) -> int:
    """Call the `vlmft` of a machine with these arguments, as they are.

    Returns:
        As `run_there`.

    Raises:
        VlmftError: as `Address.parse` and `run_there`, or there is no command.
    """
    address = Address.parse(machine)
    if arguments == [""]:
        raise VlmftError(f"--at {machine}: no command follows", f"its console is vlmft-console {machine}")
    return run_there(address, "vlmft", arguments, RESET)
