"""Training command: what a preset is trained with. Nothing is started or written here."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from vlmft_console.errors import MachineError, RunFolderError
from vlmft_console.places import pdsh
from vlmft_console.places.place import Hosts, Place, Slurm
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_console.runs.registry import find
from vlmft_core.home import expanded
from vlmft_core.preset import Preset
from vlmft_core.run_folder.layout import RunLayout


def training_command(
    preset: Preset,
    folder: RunFolder,
    port: int,
    place: Place | None = None,
    *,
    resume: bool = False,
    data_changed: bool = False,
    trust: bool = False,
) -> Command:
    """What starts one rank for each GPU, training what `preset_file` says: DeepSpeed's launcher, or srun.

    Args:
        preset: the resolved preset; only its `hardware` is looked at.
        folder: the run folder; its path is passed absolute, as the ranks may start elsewhere.
        port: TCP port for the ranks to find each other; under srun they know one by themselves.
        place: where they are started; None for here.
        resume: go on from the newest complete checkpoint in `folder`.
        data_changed: and that on other data, too.
        trust: and whosever the folder is.

    Raises:
        MachineError: `CUDA_VISIBLE_DEVICES` names GPUs in a way that the launcher cannot take.
    """
    run = RunLayout(folder.path.absolute())
    program = (
        "vlmft_trainer.train_vlm_sft",
        f"--sft_config={run.preset_file}",
        f"--output_dir={run.path}",
        *(["--resume"] if resume else []),
        *(["--data_changed"] if data_changed else []),
        *(["--trust"] if trust else []),
    )
    # A folder here called `datasets`, say, must not stand in for a library.
    env = {"PYTHONSAFEPATH": "1"}
    if isinstance(place, Hosts):
        return hosts_command(place, run, port, program, preset.hardware.device)
    if place is not None:
        # Threads are not counted here: each rank knows the cores that Slurm gave its host.
        cpu = {"DS_ACCELERATOR": "cpu"} if preset.hardware.device == "cpu" else {}
        return Command((*srun(place, preset.hardware.gpus), "-m", *program), env | cpu)
    argv = (
        str(Path(sys.executable).with_name("deepspeed")),
        _which_gpus(preset),
        f"--master_port={port}",
        "--hostfile=/dev/null",  # not a list of hosts that happens to lie where DeepSpeed looks for one
        "--module",
        *program,
    )
    if preset.hardware.device == "cpu":
        # Several ranks share the cores: more threads than cores makes each of them wait for the others.
        threads = max(1, len(os.sched_getaffinity(0)) // preset.hardware.gpus)
        env |= {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": str(threads)}
    return Command(argv, env)


def srun(place: Slurm, tasks: int) -> tuple[str, ...]:
    """srun with a Python in each task, evenly over all nodes of the job; what that is to run comes after it."""
    return (
        shutil.which("srun") or "srun",
        f"--nodes={place.hosts}",
        f"--ntasks={tasks}",
        f"--ntasks-per-node={tasks // place.hosts}",
        "--kill-on-bad-exit=1",
        "--label",
        "--unbuffered",
        *place.srun,
        *place.prefix,
        place.python or sys.executable,
        "-P",
    )


def hosts_command(place: Hosts, run: RunLayout, port: int, program: Sequence[str], device: str) -> Command:
    """DeepSpeed's runner, which starts a launcher on each host by pdsh, all in the run folder."""
    argv = (
        "/usr/bin/env",
        f"--chdir={run.path}",
        str(Path(sys.executable).with_name("deepspeed")),
        f"--hostfile={run.hosts_file}",
        "--launcher=pdsh",
        "--force_multi",  # also for one host: it may be another one
        "--no_ssh_check",
        f"--master_addr={next(iter(place.slots))}",
        f"--master_port={port}",
        "--module",
        *program,
    )
    # Of the environment only what begins with PYTHON or NCCL reaches other hosts, and what stands in this file.
    env = {"PYTHONSAFEPATH": "1", "DS_ENV_FILE": str(run.hosts_environment)}
    return Command(argv, env | pdsh.environment() | ({"DS_ACCELERATOR": "cpu"} if device == "cpu" else {}))


def _which_gpus(preset: Preset) -> str:
    """The launcher's option. Told a number it takes the machine's first GPUs, whatever CUDA_VISIBLE_DEVICES says."""
    count, visible = preset.hardware.gpus, os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if preset.hardware.device == "cpu" or not visible:
        return f"--num_gpus={count}"
    names = [name.strip() for name in visible.split(",")]
    if not all(name.isdigit() for name in names):
        raise MachineError(
            f"CUDA_VISIBLE_DEVICES={visible}: DeepSpeed's launcher takes numbers only", "use GPU numbers"
        )
    return f"--include=localhost:{','.join(names[:count])}"


def with_absolute_paths(preset: Preset) -> Preset:
    """The preset with its local files and folders written in full, so that it means the same from any folder, and with
    the folder of the run that `lora.start_from` names.

    Raises:
        RunFolderError: there is no such run, or several.
    """

    def absolute(name: str) -> str:
        path = expanded(name)
        return str(path.absolute()) if name not in ("", "demo") and (path.is_dir() or path.is_file()) else name

    model = preset.model.model_copy(update={"base": absolute(preset.model.base)})
    lora = preset.lora
    if lora.start_from is not None:
        lora = lora.model_copy(update={"start_from": _beginning(absolute(lora.start_from))})
    sources = [
        source.model_copy(update={"path": absolute(source.path), "images": absolute(source.images)})
        for source in preset.data.sources
    ]
    data = preset.data.model_copy(update={"sources": sources})
    return preset.model_copy(update={"model": model, "lora": lora, "data": data})


def _beginning(name: str) -> str:
    """The folder of the run of that name; a path as it is."""
    if os.sep in name:
        return name
    try:
        return str(find(name).path.absolute())
    except RunFolderError as error:
        raise RunFolderError(f"lora.start_from: {error.message}", error.hint) from None
