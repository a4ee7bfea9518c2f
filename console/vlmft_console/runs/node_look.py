"""Node look: what one host finds of what a run needs, printed as a line of JSON. Loads nothing heavy.

Started on every host of a run before it, as `python -m vlmft_console.runs.node_look QUESTION`. The one that rank 0
will be on listens where rank 0 will, tells the others its time, and so shows whether they can reach it.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlmft_console.runs.locks import held
from vlmft_console.runs.machine_gpus import count_gpus, visible_gpus
from vlmft_console.runs.processes import of_run, rank_info
from vlmft_core.durable import read_json
from vlmft_core.run_folder.events import boot_id
from vlmft_core.run_folder.versions import installed_versions

MEET_SECONDS = 20.0
"""How long hosts wait for each other."""
_LOOK_SECONDS = 0.5
"""Between two looks whether the meeting was called off."""
CALLED_OFF = "called_off"
"""What the token file says of a meeting to which a host is known not to come."""
_TIME = struct.Struct("!d")


@dataclass(frozen=True)
class Question:
    """What every host is asked."""

    token_file: str
    """In the run folder; holds `token`."""
    token: str
    lock: str
    """A file that the asking process holds a lock of."""
    run_id: str
    """What processes of the run have in their environment."""
    paths: tuple[str, ...]
    """What the preset reads from disk."""
    gpus: bool
    """Whether ranks need some."""
    first: str
    """The host that rank 0 will be on."""
    port: int
    """Where it will listen."""
    hosts: int
    """How many there are."""

    def as_text(self) -> str:
        """As `look` takes it."""
        return json.dumps(asdict(self))


def look(question: Question) -> dict[str, Any]:
    """This host's answer, JSON-able."""
    token = (read_json(Path(question.token_file)) or {}).get("token")
    return {
        "host": platform.node(),
        "boot_id": boot_id(),
        "versions": installed_versions(),
        "sees_folder": token == question.token,
        "sees_lock": held(Path(question.lock)),
        "missing": [path for path in question.paths if not Path(path).exists()],
        "ranks": [pid for seen in of_run(question.run_id) if rank_info(pid := seen.identity.pid).rank is not None],
        "gpus": count_gpus() if question.gpus else 0,
        "gpu_names": sorted({gpu.name for gpu in visible_gpus()}) if question.gpus else [],
        **(_meet(question) if question.hosts > 1 else {}),
    }


def _meet(question: Question) -> dict[str, Any]:
    """`offset`: seconds that this host's clock is ahead of the first's; or `problem`: why that cannot be reached.
    Neither where the meeting was called off before they met."""
    try:
        if _is_here(question.first):
            _receive(question)
            return {"offset": 0.0}
        return {"offset": _ask(question)}
    except OSError as error:
        if _called_off(question):
            return {}
        # Of an address that cannot be found the number is not the system's; where it is, its words are the shortest.
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        return {"problem": f"{question.first}:{question.port}: {why}"}


def _called_off(question: Question) -> bool:
    """Whether it is known that a host will not come, so that the others need not wait for it."""
    return (read_json(Path(question.token_file)) or {}).get(CALLED_OFF) is True


def _is_here(host: str) -> bool:
    """Whether a name is this machine's: only its own addresses can be listened at."""
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except socket.gaierror:
            raise
        except OSError:
            return False
    return True


def _receive(question: Question) -> None:
    """Tell every other host the time.

    Raises:
        OSError: the port is taken.
    """
    deadline = time.monotonic() + MEET_SECONDS
    met = 0
    with socket.create_server(("", question.port)) as server:
        server.settimeout(_LOOK_SECONDS)
        # Whoever does not come says why.
        while met < question.hosts - 1 and time.monotonic() < deadline and not _called_off(question):
            try:
                link, _ = server.accept()
            except TimeoutError:
                continue
            with link:
                link.sendall(_TIME.pack(time.time()))
            met += 1


def _ask(question: Question) -> float:
    """Seconds that this host's clock is ahead of the first one's.

    Raises:
        OSError: the first host cannot be reached.
    """
    deadline = time.monotonic() + MEET_SECONDS
    while True:
        try:
            with socket.create_connection((question.first, question.port), timeout=MEET_SECONDS) as link:
                began = time.time()
                told: float = _TIME.unpack(link.recv(_TIME.size, socket.MSG_WAITALL))[0]
                return (began + time.time()) / 2 - told
        except (OSError, struct.error) as error:
            if time.monotonic() > deadline or _called_off(question):
                raise error if isinstance(error, OSError) else ConnectionError(str(error)) from None
            time.sleep(0.2)


if __name__ == "__main__":
    print(json.dumps(look(Question(**json.loads(sys.argv[1])))), flush=True)
