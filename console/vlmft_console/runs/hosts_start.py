"""Hosts start: what a run over several hosts needs before its supervisor is started here."""

from __future__ import annotations

import os

from vlmft_console.errors import RunBusyError
from vlmft_console.places import pdsh
from vlmft_console.places.hostfile import hostfile
from vlmft_console.places.place import Hosts
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import acquire
from vlmft_console.runs.node_check import ask
from vlmft_console.runs.processes import RUN_ID
from vlmft_core.durable import write_whole
from vlmft_core.preset import Preset


def check_hosts_here(folder: RunFolder) -> None:
    """Refuse what keeps a run in that folder from starting over several hosts from here.

    Raises:
        VlmftError: no run in that folder can be started over several hosts from this machine.
    """
    pdsh.check_commands()
    pdsh.check_path(folder.path.absolute())


def prepare_hosts(place: Hosts, folder: RunFolder, preset: Preset, port: int) -> list[str]:
    """Write what DeepSpeed's launcher reads, and ask every host whether all is well there.

    Returns:
        What does not keep the run from starting, a line each.

    Raises:
        VlmftError: what does, or the run has a supervisor.
        OSError: the folder cannot be written.
    """
    write_whole(folder.hosts_file, hostfile(place.slots))
    variables = pdsh.passed() | {RUN_ID: folder.run_id}
    if preset.hardware.device == "cpu":
        variables["DS_ACCELERATOR"] = "cpu"
    write_whole(folder.hosts_environment, "".join(f"{name}={value}\n" for name, value in variables.items()))
    lock = acquire(folder.lock)
    if lock is None:
        raise RunBusyError(f"{folder.name} has a supervisor: {folder.owner()}")
    try:
        return ask(
            folder,
            preset,
            lambda arguments: pdsh.python_on(place.slots, arguments),
            first=next(iter(place.slots)),
            port=port,
            ranks=place.slots,
            env=pdsh.environment(),
        )
    finally:
        os.close(lock)
