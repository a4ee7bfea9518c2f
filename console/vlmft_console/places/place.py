"""Place: where the ranks of a run are started, as `run.json` keeps it. A run without one is started on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from vlmft_console.places import slurm_options
from vlmft_core.errors import VlmftError

if TYPE_CHECKING:
    from vlmft_core.preset.schema import Hardware


@dataclass(frozen=True)
class Slurm:
    """A job of a cluster: the supervisor is its batch step, the ranks are started by srun."""

    kind: ClassVar[str] = "slurm"

    options: Mapping[str, str]
    """Of sbatch."""
    setup: tuple[str, ...] = ()
    """Lines of the batch script before the supervisor is started."""
    srun: tuple[str, ...] = ()
    """More options of srun."""
    prefix: tuple[str, ...] = ()
    """What stands before the ranks' Python, such as `apptainer exec --nv vlmft.sif`."""
    python: str = ""
    """The ranks' Python; empty for the one that runs vlmft here."""
    cluster: str = ""
    """What the cluster is called that has the job."""
    job: str = ""
    """The job's number; empty for one that was not submitted yet."""
    idle_starts: int = 0
    """How often in a row the job was put back into the queue without having brought the run any further."""

    @property
    def hosts(self) -> int:
        return slurm_options.nodes(self.options)


@dataclass(frozen=True)
class Hosts:
    """Machines that are reached over ssh: the supervisor is on the one that the run was started from, DeepSpeed's
    launcher starts ranks on each by pdsh."""

    kind: ClassVar[str] = "hosts"

    slots: Mapping[str, int]
    """Ranks by host; rank 0 is on the first."""

    @property
    def hosts(self) -> int:
        return len(self.slots)


Place = Slurm | Hosts


def spread(place: Place, gpus: int | None, hardware: Hardware) -> tuple[Place, int]:
    """The place with everything said that a start needs, and how many ranks a run has there.

    Args:
        place: where.
        gpus: what `--gpus` says; None if it was not given.
        hardware: the preset's.

    Raises:
        VlmftError: what the place says does not agree with `--gpus`, or the ranks cannot be spread evenly.
    """
    if isinstance(place, Hosts):
        ranks = sum(place.slots.values())
        if gpus not in (None, ranks):
            raise VlmftError(f"--gpus {gpus}: the hosts have {ranks} in all", "leave it out")
        return place, ranks
    options, hosts = dict(place.options), place.hosts
    each = slurm_options.ranks_per_node(options)
    if each is None:
        total = gpus or hardware.gpus
        if total % hosts:
            raise VlmftError(
                f"{total} {'processes' if hardware.device == 'cpu' else 'GPUs'} cannot be spread evenly over"
                f" {hosts} nodes",
                "say gpus-per-node, or ntasks-per-node where there are none",
            )
        each = total // hosts
    elif gpus not in (None, each * hosts):
        raise VlmftError(f"--gpus {gpus}: {hosts} nodes with {each} each are {each * hosts}", "leave it out")
    if hardware.device == "cuda" and not slurm_options.gpus_per_node(options):
        options["gpus-per-node"] = str(each)
    options |= {"nodes": str(hosts), "ntasks-per-node": str(each)}
    return replace(place, options=options), each * hosts


def as_json(place: Place) -> dict[str, Any]:
    """As `from_json` takes it."""
    return {"kind": place.kind, **asdict(place)}


def from_json(value: object) -> Place | None:
    """What was written by `as_json`; None for a run of this machine.

    Raises:
        VlmftError: it says something that this version does not know: where the run is cannot be told.
    """
    if value is None:
        return None
    said = dict(value) if isinstance(value, Mapping) else {}
    kind = said.pop("kind", value)
    types = _KINDS.get(kind) if isinstance(kind, str) else None
    if types is None:
        raise VlmftError(f"place: no kind {kind!r} is known here")
    for name, one in said.items():
        if name not in types or not types[name](one):
            raise VlmftError(f"place: {name}: {one!r} is not known here, of kind {kind}")
    texts = {name: tuple(one) for name, one in said.items() if isinstance(one, list)}
    try:
        return Hosts(**said) if kind == Hosts.kind else Slurm(**said | texts)
    except TypeError:
        raise VlmftError(f"place: of kind {kind}, and does not say where") from None


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_mapping(value: object, of: Callable[[object], bool]) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and of(one) for name, one in value.items())


_KINDS: Mapping[str, Mapping[str, Callable[[object], bool]]] = {
    Hosts.kind: {"slots": lambda value: _is_mapping(value, _is_count)},
    Slurm.kind: {
        "options": lambda value: _is_mapping(value, _is_text),
        "setup": _is_texts,
        "srun": _is_texts,
        "prefix": _is_texts,
        "python": _is_text,
        "cluster": _is_text,
        "job": lambda value: isinstance(value, str) and re.fullmatch(r"\d*", value, re.ASCII) is not None,
        "idle_starts": _is_count,
    },
}
"""What `as_json` writes of each kind, and what it is."""
