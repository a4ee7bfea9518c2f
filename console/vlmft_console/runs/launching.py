"""Launching: from a preset to a started run, as `vlmft run` and the launch screen do it, step by step."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vlmft_console.errors import RunFolderError, UnconfirmedError
from vlmft_console.paths import OUTPUTS, nearest_folder, obstacle
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.durable import delete
from vlmft_core.errors import VlmftError
from vlmft_core.figures import counted, filesize
from vlmft_core.home import expanded
from vlmft_core.plan.shared_memory import shared_memory_problem

if TYPE_CHECKING:
    from vlmft_console.places.place import Place
    from vlmft_core.plan import Plan
    from vlmft_core.preset import Preset


@dataclass(frozen=True)
class Launch:
    """A run that could be started as it is. Nothing is written yet."""

    preset_name: str
    preset: Preset
    """Fitted to the GPUs, with local folders written in full."""
    note: str
    """What was changed to fit the GPUs; empty when nothing was."""
    plan: Plan
    root: Path
    name: str
    port: int
    """For the ranks to find each other, where all are here."""
    place: Place | None
    """Where they are started; None for here."""
    command: Command

    @property
    def folder(self) -> RunFolder:
        """The run folder there will be."""
        return RunFolder(self.root / self.name)

    @property
    def shown_command(self) -> str:
        """What would be started, to be pasted into a shell."""
        from vlmft_console.places.place import Slurm
        from vlmft_console.runs.submitting import submission_text

        if isinstance(self.place, Slurm):
            return f"{submission_text(self.place, self.folder)}\n# which then starts\n# {self.command}"
        return str(self.command)


@dataclass(frozen=True)
class Check:
    """One thing looked at before a start."""

    level: Literal["ok", "caution", "stop"]
    """`stop`: the run would not start."""
    text: str


def prepare(
    preset: Preset,
    preset_name: str,
    *,
    gpus: int | None = None,
    place: Place | None = None,
    name: str | None = None,
    root: Path = OUTPUTS,
    inherited: Collection[str] = (),
) -> Launch:
    """Settle everything about a run.

    Args:
        preset: what to train.
        preset_name: what it is called.
        gpus: use this many GPUs and keep the effective batch.
        place: where the ranks are started, which may say how many there are; None for here.
        name: the run's name; None makes one of the preset's and the time.
        root: where its folder goes.
        inherited: keys of the preset that another said.

    Raises:
        VlmftError: a bad run name, GPUs that do not fit, or a base model that cannot be used.
    """
    from vlmft_console.places.place import spread
    from vlmft_console.runs.folder import check_name, default_name
    from vlmft_console.runs.machine_gpus import smallest_gpu
    from vlmft_console.runs.preflight import free_port
    from vlmft_console.runs.training_command import training_command, with_absolute_paths
    from vlmft_core.plan import make_plan, with_gpus

    if place is not None:
        place, gpus = spread(place, gpus, preset.hardware)
    settled, note = with_gpus(preset, gpus) if gpus else (preset, "")
    settled = with_absolute_paths(settled)
    gpu = smallest_gpu() if settled.hardware.device == "cuda" and place is None else None
    plan = make_plan(settled, gpu=gpu, inherited=inherited)
    name = default_name(preset_name) if name is None else name
    check_name(name)
    port = free_port()
    command = training_command(settled, RunFolder(root / name), port, place)
    return Launch(preset_name, settled, note, plan, root, name, port, place, command)


def renewed(launch: Launch) -> Launch:
    """The launch as it is, or on another port where something listens on its own by now."""
    from vlmft_console.runs.preflight import free_port
    from vlmft_console.runs.training_command import training_command

    port = free_port(launch.port)
    if port == launch.port or launch.place is not None:
        return launch
    return replace(launch, port=port, command=training_command(launch.preset, launch.folder, port))


def start(launch: Launch) -> tuple[RunFolder, str]:
    """Make the run folder and start the run, or put it into its cluster's queue; it goes on whatever becomes of this
    process.

    Returns:
        The run folder, and a warning that the run may not outlive the logout or be found from other folders, or an
        empty string.

    Raises:
        VlmftError: this machine lacks something, the folder cannot be made, or the supervisor did not start; nothing is
            left behind then, unless something of the run lives.
    """
    from vlmft_console.places.place import Slurm
    from vlmft_console.runs.hosts_start import prepare_hosts
    from vlmft_console.runs.registry import remember
    from vlmft_console.runs.status import status_of
    from vlmft_console.runs.submitting import submit
    from vlmft_console.runs.supervisor_start import start_supervisor
    from vlmft_core.preset import dump_preset

    place = launch.place
    check_here(launch)
    folder = RunFolder.create(launch.root, launch.name)
    try:
        text = dump_preset(launch.preset)
        folder.write_run(preset_name=launch.preset_name, preset_text=text, command=launch.command, place=place)
        warnings = []
        if isinstance(place, Slurm):
            submit(place, folder)
        else:
            if place is not None:
                warnings += prepare_hosts(place, folder, launch.preset, launch.port)
            warnings.append(start_supervisor(folder))
    except (OSError, VlmftError, KeyboardInterrupt) as error:
        if not isinstance(error, UnconfirmedError) and not status_of(folder).live:
            with contextlib.suppress(OSError):
                delete(folder.path)
        if not isinstance(error, OSError):
            raise
        raise RunFolderError(f"{folder.path} cannot be written: {error.strerror}") from None
    try:
        remember(launch.root)
    except OSError as error:
        warnings.append(f"`vlmft runs` finds it only from here: {error.filename}: {error.strerror}")
    return folder, "; ".join(filter(None, warnings))


def check_here(launch: Launch) -> str:
    """Look whether the run could be started, from this machine.

    Returns:
        When and where a job would start; empty for a run of this machine.

    Raises:
        VlmftError: this machine lacks something, or the cluster refuses the job.
    """
    from vlmft_console.places.place import Slurm
    from vlmft_console.runs.hosts_start import check_hosts_here
    from vlmft_console.runs.preflight import check_libraries, check_machine
    from vlmft_console.runs.submitting import check_submittable

    if launch.place is None:
        check_machine(launch.preset)
        return ""
    check_libraries()
    if isinstance(launch.place, Slurm):
        return check_submittable(launch.place, launch.folder)
    check_hosts_here(launch.folder)
    return ""


def checks(launch: Launch) -> list[Check]:
    """What can be known before a start, without reading any data or asking the network. Takes up to seconds."""
    return [
        _machine(launch),
        *_memory(launch),
        _folder(launch),
        _disk(launch),
        _base(launch),
        *_data(launch.preset),
        *(_shared_memory(launch.preset) if launch.place is None else []),
        *([Check("caution", launch.note)] if launch.note else []),
        *(Check("caution", text) for text in launch.plan.warnings),
    ]


def _machine(launch: Launch) -> Check:
    preset, place = launch.preset, launch.place
    try:
        expected = check_here(launch)
    except VlmftError as error:
        return Check("stop", error.message if error.hint.startswith("pass --") else str(error))
    cpu, count = preset.hardware.device == "cpu", preset.hardware.gpus
    ranks = counted(count, "process", "processes") if cpu else counted(count, "GPU")
    if place is not None:
        start = f": would start at {expected}" if expected else ", which are asked at the start"
        return Check("ok", f"{ranks} on {counted(place.hosts, 'host')}{start}")
    return Check("ok", f"training libraries are installed; {ranks} {'on the CPU' if cpu else 'of this machine'}")


def _memory(launch: Launch) -> list[Check]:
    """What a GPU needs of what it has; what cannot fit is the plan's warning, and the machine's stop."""
    from vlmft_console.presets.plan_text import memory_text

    if launch.preset.hardware.device == "cpu" or not launch.plan.fits:
        return []
    return [Check("ok", f"memory: {memory_text(launch.plan, launch.preset)}")]


def _folder(launch: Launch) -> Check:
    path = launch.folder.path
    if path.exists() or path.is_symlink():
        return Check("stop", f"{path} exists already: choose another run name")
    if why := obstacle(launch.root):
        return Check("stop", f"{why}: choose another output root")
    return Check("ok", f"everything will be kept in {path}")


def _disk(launch: Launch) -> Check:
    try:
        free = shutil.disk_usage(nearest_folder(launch.root)).free
    except OSError as error:
        return Check("caution", f"the free disk space is unknown: {error.strerror}")
    needed = launch.plan.disk_bytes
    if needed is None:
        return Check("caution", f"{filesize(free)} of disk are free; what the run needs is unknown")
    enough = free >= needed
    text = f"{filesize(free)} of disk are free, about {filesize(needed)} needed"
    return Check("ok" if enough else "caution", text + ("" if enough else ": checkpoints will not be saved"))


def _shared_memory(preset: Preset) -> list[Check]:
    """A caution where it may be short: what is needed is known once the data is."""
    problem = shared_memory_problem(preset, preset.hardware.gpus)
    return [Check("caution", "; ".join(problem))] if problem else []


def _base(launch: Launch) -> Check:
    """The base model itself was checked with the plan; what is left is whether it has to be fetched."""
    base = launch.preset.model.base
    if base == "demo" or Path(base).is_dir():
        return Check("ok", f"the base model is on this machine: {base}")
    if _cached("models", base):
        return Check("ok", f"{base} is in the Hugging Face cache")
    size = launch.plan.total_params
    about = f", about {filesize(2 * size)}" if size else ""
    return Check("caution", f"{base} is not in the Hugging Face cache: it is downloaded first{about}")


def _data(preset: Preset) -> list[Check]:
    found = []
    for source in preset.data.sources:
        path = expanded(source.path)
        if source.path == "demo":
            found.append(Check("ok", f"{source.task}: generated data"))
        elif path.is_dir() or path.is_file():
            found.append(Check("ok", f"{source.task}: {path}"))
        elif path.is_absolute() or source.path.startswith((".", "~")):
            found.append(Check("stop", f"{source.path}: no such file or folder: mend data.sources"))
        elif _cached("datasets", source.path):
            found.append(Check("ok", f"{source.task}: {source.path} is in the Hugging Face cache"))
        else:
            found.append(Check("caution", f"{source.task}: {source.path} is not in the cache: it is downloaded first"))
    return found


def _cached(kind: Literal["models", "datasets"], name: str) -> bool:
    """Whether the Hugging Face cache has anything of a repository."""
    from vlmft_core.plan.base_folder import hub_folder

    return any((hub_folder(kind, name) / "snapshots").glob("*"))
