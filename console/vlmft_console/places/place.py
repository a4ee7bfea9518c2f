"""Place: where the ranks of a run are started, as `run.json` keeps it. A run without one is started on this machine."""

from __future__ import annotations

from collections.abc import Mapping
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
    """What was written by `as_json`; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    if value.get("kind") == Hosts.kind:
        slots = value.get("slots")
        counts = slots if isinstance(slots, Mapping) else {}
        return Hosts({str(host): count for host, count in counts.items() if type(count) is int and count > 0})
    if value.get("kind") != Slurm.kind:
        return None
    options, starts = value.get("options"), value.get("idle_starts")
    return Slurm(
        {str(name): str(one) for name, one in options.items()} if isinstance(options, Mapping) else {},
        _texts(value.get("setup")),
        _texts(value.get("srun")),
        _texts(value.get("prefix")),
        str(value.get("python") or ""),
        str(value.get("cluster") or ""),
        job if (job := str(value.get("job") or "")).isdecimal() else "",
        starts if type(starts) is int else 0,
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
