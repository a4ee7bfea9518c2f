"""Slurm options: sbatch's own long options, passed on as they are, but for those that vlmft sets or cannot use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from vlmft_core.errors import VlmftError

Options = Mapping[str, str]
"""By name, without `--`; an empty value is an option that takes none."""

_BARE = frozenset(
    {"consolidate-segments", "contiguous", "exclusive", "get-user-env", "hold", "ignore-pbs", "nice", "no-kill"}
    | {"oom-kill-step", "overcommit", "oversubscribe", "propagate", "reboot", "resv-ports", "spread-job"}
    | {"spread-segments", "stepmgr", "use-min-nodes", "x11"}
)
"""Options that may be given without a value; any other name without one goes on with the value before it."""
_SWITCHED = frozenset({"yes", "no", "on", "off", "true", "false"})
_OURS = frozenset({"chdir", "error", "job-name", "no-requeue", "open-mode", "output", "parsable", "requeue"})
_ASKS = frozenset({"help", "quiet", "test-only", "usage", "verbose", "version", "wait", "wrap"})
_ALL_GPUS = "every rank has to see all GPUs of its node"
_ENVIRONMENT = "the run needs the environment that it was started in; places.yaml has `setup` for more"
_ELSEWHERE = "this cluster would be asked about a job of that one: submit from a login node there"
_ON_THE_HOST = "Slurm's commands are needed outside; places.yaml has `srun` and `prefix` for the ranks alone"
_INSTEAD = {
    "array": "each of its jobs would train in the same folder: start a run for each",
    "cluster": _ELSEWHERE,
    "clusters": _ELSEWHERE,
    "container": _ON_THE_HOST,
    "container-image": _ON_THE_HOST,
    "export": _ENVIRONMENT,
    "export-file": _ENVIRONMENT,
    "gpu-bind": f"{_ALL_GPUS}: leave it out",
    "gpus": "say gpus-per-node",
    "gpus-per-socket": "say gpus-per-node",
    "gpus-per-task": f"{_ALL_GPUS}: say gpus-per-node",
    "ntasks": "say nodes and gpus-per-node, or ntasks-per-node",
    "ntasks-per-gpu": "say gpus-per-node: a rank for each",
    "tres-per-task": f"{_ALL_GPUS}: say gpus-per-node, and cpus-per-task",
}
_WHOLE = (*_OURS, *_ASKS, *_INSTEAD, "gpus-per-node", "gres", "nodes", "ntasks-per-node", "signal", "time")
"""Options that must not come under a shorter name, which sbatch would take, too."""
_VARIABLES = {
    "SBATCH_ARRAY_INX": "array",
    "SBATCH_CLUSTERS": "clusters",
    "SBATCH_CONTAINER": "container",
    "SBATCH_ERROR": "error",
    "SBATCH_EXPORT": "export",
    "SBATCH_GPU_BIND": "gpu-bind",
    "SBATCH_GPUS": "gpus",
    "SBATCH_GPUS_PER_TASK": "gpus-per-task",
    "SBATCH_WAIT": "wait",
    "SLURM_CLUSTERS": "clusters",
    "SLURM_EXPORT_ENV": "export",
}
"""What sbatch takes for options, and no other option of ours goes before."""
_GPUS = re.compile(r"gpu(?::(?!\d+$)[^:,]+)?(?::(\d{1,3}))?")
_DEFAULT_NOTICE = 300


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """What `--slurm partition=gpu,nodes=2` says, given once or more.

    A piece between commas that has no `=` belongs to the value before it (`nodelist=n1,n2`), unless it is an option
    without a value, such as `exclusive`.

    Raises:
        VlmftError: a piece is no option.
    """
    options: dict[str, str] = {}
    for text in texts:
        name = ""
        for piece in text.split(","):
            key, equals, value = piece.strip().partition("=")
            if equals or piece.strip().startswith("-") or piece.strip() in _BARE | _OURS | _ASKS:
                name = key.strip().removeprefix("--")
                if name in options:
                    raise VlmftError(f"--slurm {text}: {name} is there twice")
                options[name] = value.strip()
            elif not piece.strip() and "," in text:
                raise VlmftError(f"--slurm {text}: there is a comma too many", "write name=value,name=value")
            elif name and options[name]:
                options[name] += f",{piece.strip()}"
            else:
                raise VlmftError(f"--slurm {text}: {piece.strip()!r} has no value", "write name=value,name=value")
    return options


def check_options(options: Options, where: str = "--slurm") -> None:
    """Refuse what would not do what it says here; what sbatch thinks of the rest, sbatch is asked.

    Args:
        where: what an error begins with.

    Raises:
        VlmftError: an option of that kind, or nodes that are no fixed number.
    """
    for name, value in options.items():
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise VlmftError(f"{where}: {name!r} is no long option of sbatch", "write it without --, such as nodes=2")
        if not value.isprintable():
            raise VlmftError(f"{where}: {name}: {value!r} cannot be passed on")
        if name in _OURS | _ASKS:
            raise VlmftError(f"{where}: {name} is set by vlmft, or of no use to it", "leave it out")
        if name in _INSTEAD:
            raise VlmftError(f"{where}: {name} cannot be used", _INSTEAD[name])
        if whole := abbreviated(name, _WHOLE):
            raise VlmftError(f"{where}: {name} is short for {whole}", "write it in full")
        if name in _BARE and value.lower() in _SWITCHED:
            raise VlmftError(f"{where}: {name}={value}: it is said, or not", f"{name}, or {name}: true in places.yaml")
        if not value and name not in _BARE:  # sbatch would take what comes next for it
            raise VlmftError(f"{where}: {name} has no value", f"write {name}=VALUE")
    for name in ("nodes", "ntasks-per-node"):
        if name in options and not _count(options[name]):
            raise VlmftError(f"{where}: {name}={options[name]}: ranks are a fixed number", f"write {name}=2, say")
    if (gpus := _gpus(options)) and not (_GPUS.fullmatch(gpus) and gpus_per_node(options)):
        raise VlmftError(f"{where}: {gpus}: ranks are a fixed number", "write gpus-per-node=8, say")
    if "signal" in options:
        _check_signal(options["signal"], _seconds(options.get("time", "")), where)


def _check_signal(signal: str, limit: int, where: str) -> None:
    found = re.fullmatch(r"B:(?:TERM|15|SIGTERM)@([1-9][0-9]{0,4})", signal)
    if not found:
        raise VlmftError(f"{where}: signal={signal}: the supervisor takes TERM", "write signal=B:TERM@SECONDS")
    if limit and int(found[1]) >= limit:
        raise VlmftError(f"{where}: signal={signal}: the time limit is {limit} s", "say fewer seconds")


def check_environment() -> None:
    """Refuse variables by which sbatch would take what `check_options` refuses.

    Raises:
        VlmftError: there is one.
    """
    reasons = {**_INSTEAD, "error": "the job's log would lack it", "wait": "sbatch would wait for the end of the run"}
    for variable, option in _VARIABLES.items():
        if variable in os.environ and (option != "export" or os.environ[variable] != "ALL"):
            why = reasons[option]
            raise VlmftError(
                f"{variable} is in the environment, and {option} cannot be used: {why}", f"unset {variable}"
            )


def abbreviated(name: str, options: Iterable[str]) -> str | None:
    """The option that a name is the beginning of."""
    return next((whole for whole in sorted(options) if whole.startswith(name) and whole != name), None)


def nodes(options: Options) -> int:
    """How many there will be."""
    return _count(options.get("nodes", "1"))


def ranks_per_node(options: Options) -> int | None:
    """How many each node is to have: one for each GPU, or what `ntasks-per-node` says; None where neither is said.

    Raises:
        VlmftError: both are, and differ.
    """
    tasks = _count(options.get("ntasks-per-node", ""))
    gpus = gpus_per_node(options)
    if tasks and gpus and tasks != gpus:
        raise VlmftError(
            f"ntasks-per-node={tasks} on {gpus} GPUs a node", "a rank needs a GPU of its own: leave it out"
        )
    return tasks or gpus or None


def notice_seconds(options: Options) -> int:
    """How long before its time limit the job is told of it: five minutes, a quarter of a limit under twenty."""
    limit = _seconds(options.get("time", ""))
    return min(_DEFAULT_NOTICE, limit // 4) if limit else _DEFAULT_NOTICE


def gpus_per_node(options: Options) -> int:
    """GPUs of a node by `gpus-per-node` (`8`, `h100:8`) or `gres` (`gpu:8`, `gpu:h100:8`, one of `gpu`); 0 where none
    are wanted."""
    found = _GPUS.fullmatch(_gpus(options))
    return int(found[1] or 1) if found else 0


def _gpus(options: Options) -> str:
    """What is said of GPUs, as `gres` has it; empty where nothing is."""
    if "gpus-per-node" in options:
        return f"gpu:{options['gpus-per-node']}"
    wanted = (piece.removeprefix("gres/") for piece in options.get("gres", "").split(","))
    return ",".join(piece for piece in wanted if piece.partition(":")[0] == "gpu")


def _count(text: str) -> int:
    return int(text) if re.fullmatch(r"[1-9]\d{0,4}", text) else 0


def _seconds(time: str) -> int:
    """Slurm's `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours[:minutes[:seconds]]`; else 0."""
    if not re.fullmatch(r"(\d{1,4}-)?\d{1,6}(:\d{1,4}){0,2}", time):
        return 0
    days, dash, clock = time.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash or len(parts) == 3:
        hours, minutes, seconds = [*parts, 0, 0][:3]
    else:
        hours, (minutes, seconds) = 0, [*parts, 0][:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
