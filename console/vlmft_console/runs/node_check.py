"""Node check: every host of a run is asked before each start what it finds, and each difference is a line."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vlmft_console.errors import MachineError, UnansweredError
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.node_look import CALLED_OFF, MEET_SECONDS, Question
from vlmft_core.durable import as_json, delete, write_whole
from vlmft_core.figures import counted, short
from vlmft_core.preset import Preset

CLOCK_SECONDS = 2.0
"""Clocks that are further apart make times in the log wrong, and with them what is called stalled."""
_ANSWER_SECONDS = 120.0
_LOOK_SECONDS = 0.5
"""Between two looks at what was said so far."""
_FAILED = re.compile(r"^pdsh@\S+: (\S+): ssh exited with exit code \d+$", re.MULTILINE)
"""What pdsh says of a host that will not answer."""
_MOST_NAMED = 4
"""How many hosts that did not answer are named with the reason."""
_ABOUT_ONE = re.compile(r"(?:srun|slurmstepd(?:-\S+)?|pdsh@\S+): error: |pdsh@\S+: ")
_NOT_TELLING = ("Terminating StepId", "forcing job", 'Try "srun', "ssh exited with exit code")
_TOLD = {"host", "versions", "sees_folder", "sees_lock", "missing", "ranks", "gpus", "gpu_names"}
"""What an answer has at least; other JSON may be what a profile prints."""
Answer = Mapping[str, Any]


def ask(
    folder: RunFolder,
    preset: Preset,
    started: Callable[[Sequence[str]], Sequence[str]],
    *,
    first: str,
    port: int,
    ranks: Mapping[str, int],
    env: Mapping[str, str] | None = None,
) -> list[str]:
    """Have every host look, through whatever starts a Python on each.

    The caller holds the lock of the run folder.

    Args:
        folder: the run folder, whose path is looked for.
        preset: the resolved preset.
        started: the command line by which a Python with these arguments is started on each host.
        first: the host that rank 0 will be on.
        port: where it will listen.
        ranks: how many each host will have, by its name; by any other name, where that is not known.
        env: what is added to its environment.

    Returns:
        What does not keep the run from starting, a line each.

    Raises:
        UnansweredError: not every host answered.
        MachineError: what else does; a line each, with `; ` between.
    """
    token = secrets.token_hex(8)
    path = folder.path.resolve()
    inside = RunFolder(path)
    question = Question(
        str(inside.token_file),
        token,
        str(inside.lock),
        inside.run_id,
        _paths(preset),
        preset.hardware.device == "cuda",
        first,
        port,
        len(ranks),
    )
    command = started(["-m", "vlmft_console.runs.node_look", question.as_text()])

    def call_off() -> None:
        with suppress(OSError):  # they wait in vain, then
            write_whole(folder.token_file, as_json({"token": token, CALLED_OFF: True}))

    write_whole(folder.token_file, as_json({"token": token}))
    try:
        output, errors = _heard(command, env or {}, call_off)
    except OSError as error:
        raise MachineError(f"{command[0]}: {error.strerror}") from None
    finally:
        delete(folder.token_file)
    found = _answers(output)
    stops, notes = differences(found, first, path, ranks if question.gpus else {})
    if len(found) < len(ranks):
        silent = f"{len(found)} of {counted(len(ranks), 'host')} answered: {_said(errors)}"
        if not stops:
            raise UnansweredError(silent)
        stops.append(silent)
    if stops:
        raise MachineError("; ".join(stops))
    return notes


def _heard(command: Sequence[str], env: Mapping[str, str], call_off: Callable[[], None]) -> tuple[str, str]:
    """What a command says: output and errors.

    Args:
        call_off: called once if a host is said to have failed, or to meet nobody: no other need wait for it.

    Raises:
        OSError: it cannot be started.
    """
    deadline = time.monotonic() + _ANSWER_SECONDS + MEET_SECONDS
    quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, env={**os.environ, **env}, stdin=quiet, stdout=pipe, stderr=pipe) as asked:
        called_off = False
        try:
            while True:
                try:
                    return _texts(*asked.communicate(timeout=_LOOK_SECONDS))
                except subprocess.TimeoutExpired as so_far:
                    output, errors = _texts(so_far.stdout, so_far.stderr)
                if time.monotonic() > deadline:
                    return output, "some hosts did not answer in time"
                if not called_off and (_FAILED.search(errors) or any("problem" in one for one in _answers(output))):
                    called_off = True
                    call_off()
        finally:
            asked.kill()


def _texts(output: bytes | None, errors: bytes | None) -> tuple[str, str]:
    return (output or b"").decode(errors="replace"), (errors or b"").decode(errors="replace")


def _paths(preset: Preset) -> tuple[str, ...]:
    """Files and folders of this machine that the preset reads."""
    named = [preset.model.base, preset.lora.start_from or ""]
    named += [path for source in preset.data.sources for path in (source.path, source.images)]
    return tuple(sorted({path for path in named if Path(path).is_absolute()}))


def _answers(output: str) -> list[Answer]:
    """What hosts said, in whatever way their lines were labelled."""
    found = []
    for line in output.splitlines():
        begin = line.find("{")
        try:
            answer = json.loads(line[begin:]) if begin >= 0 else None
        except ValueError:
            continue
        if isinstance(answer, dict) and isinstance(answer.get("host"), str) and answer.keys() >= _TOLD:
            found.append(answer)
    return sorted(found, key=lambda answer: (answer.get("offset") != 0.0, answer["host"]))


def _said(errors: str) -> str:
    """The last thing that was complained of, or the last of each host that ssh says it of."""
    lines = [_ABOUT_ONE.sub("", line).strip() for line in errors.splitlines()]
    telling = [line for line in lines if line and not any(word in line for word in _NOT_TELLING)]
    by_host = {host: [line for line in telling if line.startswith(f"{host}: ")] for host in _FAILED.findall(errors)}
    if by_host:
        last = [(said or [f"{host}: ssh does not say why"])[-1] for host, said in by_host.items()]
        more = [f"and {counted(len(last) - _MOST_NAMED, 'more host')}"] if len(last) > _MOST_NAMED else []
        return "; ".join([*last[:_MOST_NAMED], *more])
    named = [line for line in telling if "No such file" in line or "denied" in line or "resolve" in line]
    return (named or telling or ["nobody said why"])[-1]


def differences(
    answers: Sequence[Answer], first: str, folder: Path, gpus: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """What keeps a run from starting, and what is only to be known; a line each.

    Args:
        answers: of all hosts, that of the first one first.
        first: what it is called.
        folder: where the run folder is.
        gpus: how many each is to have, by its name.
    """
    stops: list[str] = []
    notes: list[str] = []
    reference = answers[0] if answers else {}
    machines = Counter(map(_machine, answers))
    for answer in answers:
        host = answer["host"]
        for name in sorted({*answer["versions"], *reference["versions"]}):
            here, there = (one["versions"].get(name, "is missing") for one in (answer, reference))
            if here != there:
                stops.append(f"{host}: {name} {here}, {reference['host']}: {there}")
        if not answer["sees_folder"]:
            stops.append(f"{host} does not see the run folder {folder}: it has to be on a file system that all share")
        elif not answer["sees_lock"]:
            notes.append(f"{host} does not see locks of others in {folder}: whether a run lives is told less surely")
        stops += [f"{host}: {path}: no such file or folder" for path in answer["missing"]]
        if pids := " ".join(map(str, answer["ranks"])):
            stops.append(f"{host}: ranks of an earlier start live: end them there by `kill {pids}`")
        if answer["gpus"] < (wanted := gpus.get(host, min(gpus.values(), default=0))):
            stops.append(f"{host}: {counted(answer['gpus'], 'GPU')}, {wanted} wanted")
        if answer["gpu_names"] != reference["gpu_names"]:
            names = " and ".join(answer["gpu_names"]), " and ".join(reference["gpu_names"])
            notes.append(f"{host}: {names[0]}, {reference['host']}: {names[1]}")
        if "problem" in answer and machines[_machine(answer)] > 1:
            stops.append(f"{host} answered more than once: it is named more than once")
        elif "problem" in answer:
            stops.append(
                f"{host} cannot reach {answer['problem']}" if host != first else f"{host}: {answer['problem']}"
            )
        elif abs(offset := answer.get("offset", 0.0)) > CLOCK_SECONDS:
            way = "ahead of" if offset > 0 else "behind"
            stops.append(f"{host}: its clock is {short(abs(offset))} s {way} that of {reference['host']}")
    return stops, notes


def _machine(answer: Answer) -> tuple[object, object]:
    """What no two machines have in common."""
    return answer["host"], answer.get("boot_id")
