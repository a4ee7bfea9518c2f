"""Elsewhere: why a run that has no supervisor in sight cannot be judged from here, and where it can."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from vlmft_console.figures import age
from vlmft_console.runs.process_record import ProcessRecord, folder_identity

GONE_SECONDS = 60.0
"""A machine that was heard of less than this ago is not gone: rank 0 has a heartbeat every 10 s."""


def elsewhere(path: Path, record: ProcessRecord, heard: float, *, gone: bool = False) -> str:
    """Why the run in this folder cannot be judged from here, in one line; empty if it can.

    Args:
        path: the run folder.
        record: who ran it.
        heard: when anything of it was last written down, unix time.
        gone: whether somebody who knows says that the machine which ran it is gone, and all of the run with it.
    """
    if machine := _another_machine(record, heard):
        last = age(time.time() - heard)
        if not gone:
            ago = "" if last == "now" else " ago"
            return f"it runs, or ran, on {machine}, last heard of {last}{ago}: ask there; if that is gone, use --gone"
        if time.time() - heard < GONE_SECONDS:
            return f"{machine} is not gone: it was heard of less than a minute ago"
    elif not record.is_of(path) and (alive := [identity.pid for identity in record.by_role.values() if identity.alive]):
        where = f"a copy of {record.path}, or that folder seen another way: what runs belongs to that one, so ask there"
        if folder_identity(Path(record.path)) == record.folder:
            return where
        return f"{where}; but it is gone: if it was moved here, what runs is lost, and ends by `kill {alive[0]}`"
    return ""


def _another_machine(record: ProcessRecord, heard: float) -> str:
    """The machine which ran the run, where it cannot be this one; else empty."""
    here = platform.node()
    if record.host and record.host != here and (record.of_another_boot or not record.by_role):
        return record.host
    # What ran here before this machine was started again has been silent since.
    if record.of_another_boot and heard > time.time() - time.clock_gettime(time.CLOCK_BOOTTIME):
        return f"another machine called {here}"
    return ""
