"""Run layout: the name of every file in a run folder. Nothing else in the product spells one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"
"""In an adapter's folder; PEFT chose the name, and the next two."""
ADAPTER_PICKLE: Final = "adapter_model.bin"
"""Its weights as older programs write them; not read, because loading it runs what it says."""
ADAPTER_CONFIG: Final = "adapter_config.json"
EVAL_RECORD: Final = "eval.json"
"""In the folder of an eval by `vlmft eval`: of what the answers there are; under `samples`, what stands for the content
of all eval samples."""
EVAL_SCORES: Final = "scores.json"
"""In the same, once it is finished: scores by task and side."""
MODEL_CARD: Final = "README.md"
"""In an adapter's folder, and in a merged model's."""

_ADAPTER: Final = "adapter"
_CHECKPOINT: Final = "checkpoint-"
_SEGMENT: Final = "events-"


class _Inside:
    """A place in every run folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, run: RunLayout, owner: type[RunLayout]) -> Path:
        return run.path / self._name


@dataclass(frozen=True)
class RunLayout:
    """Where everything of one run lies. Nothing of it need be there, unless a property says so."""

    path: Path
    """The run folder."""

    preset_file = _Inside("preset.yaml")
    """The resolved preset, exactly as launched."""
    run_file = _Inside("run.json")
    """Who started what: run id, preset, command, versions. What has one is a run folder."""
    processes_file = _Inside("proc.json")
    """Pid, start and boot of the supervisor, the launcher and the ranks."""
    lock = _Inside("lock")
    """Held by the supervisor while it lives."""
    ranks_lock = _Inside("ranks.lock")
    """Shared by the ranks while they live."""
    labels_file = _Inside("labels.json")
    """Tags and a note that a person gave the run."""
    stop_file = _Inside("stop.json")
    """The stop request, while there is one."""
    token_file = _Inside(".token")
    """Left by rank 0 for the ranks of other hosts to find, until they have."""
    exit_file = _Inside("exit.json")
    """How the run ended."""
    exit_reserve = _Inside(".exit.reserve")
    """Disk space kept for `exit_file`."""
    adapter = _Inside(_ADAPTER)
    """The best adapter, at the end."""
    adapter_draft = _Inside(f".{_ADAPTER}.tmp")
    """The same while it is being written."""
    evals = _Inside("evals")
    """A folder for each eval by `vlmft eval`."""
    logs = _Inside("logs")
    """The folder of the logs."""
    scores_file = _Inside("logs/scores.jsonl")
    """Which questions were answered rightly, at every eval with answers."""
    answers_file = _Inside("logs/answers.jsonl")
    """A few of these questions, with their pictures, and what base and adapter said to them."""
    adapters_file = _Inside("logs/adapters.jsonl")
    """Which checkpoint's adapter a person made the run's, a line for each time."""
    summary = _Inside("logs/.summary")
    """What the event logs come to, so that only what was added has to be read. Whoever deletes it loses nothing."""
    hosts_file = _Inside("logs/hosts")
    """Hosts and how many ranks each has, as DeepSpeed reads it."""
    hosts_environment = _Inside("logs/hosts.env")
    """Variables that ranks on them get."""
    batch_script = _Inside("logs/batch.sh")
    """What was submitted to a cluster's queue."""
    batch_log = _Inside("logs/batch.log")
    """What that printed: why the job did not start to train, or was put back into the queue."""
    supervisor_log = _Inside("logs/supervisor.log")
    """What the supervisor prints, which is nothing unless it fails."""

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.path.name

    def checkpoint(self, step: int) -> Path:
        """The folder of a step's checkpoint."""
        return self.path / checkpoint_name(step)

    @property
    def checkpoints(self) -> list[Path]:
        """Folders of checkpoints that are there, complete or not."""
        return [path for path in self.path.glob(f"{_CHECKPOINT}*") if path.is_dir()]

    @property
    def results(self) -> list[Path]:
        """What a training has left: adapter and checkpoints that are there, by name.

        Raises:
            OSError: the folder cannot be looked into.
        """
        there = sorted(self.path.iterdir())
        return [path for path in there if path == self.adapter or path.name.startswith(_CHECKPOINT)]

    def events_file(self, segment: int = 1) -> Path:
        """The event log of one segment; segments count from 1."""
        return segment_file(self.logs, segment)

    @property
    def segments(self) -> list[Path]:
        """The event logs that are there, in the order of the run's starts."""
        return segment_files(self.logs)

    @property
    def last_segment(self) -> int:
        """Number of the latest segment that has an event log; 0 for a run that never logged an event."""
        return max(map(_segment, self.segments), default=0)

    @property
    def training_log(self) -> Path | None:
        """The newest plain log of the ranks; None before there is one."""
        return max(self.logs.glob("training_*.log"), default=None)

    def new_training_log(self, stamp: str) -> Path:
        """The plain log of ranks that start now; `stamp` is the UTC time, later ones sorting last."""
        return self.logs / f"training_{stamp}.log"

    def host_file(self, index: int) -> Path:
        """What a host other than rank 0's says of its load, memory and disk, while the run lives."""
        return self.logs / f".host-{index}.json"

    def earlier_exit_file(self, segment: int) -> Path:
        """How an earlier segment ended."""
        return self.logs / f"exit-{segment:04d}.json"


def is_run(path: Path) -> bool:
    """Whether this is a run folder that may be looked into. Folders of other people, closed to us, are none."""
    try:
        return RunLayout(path).run_file.is_file()
    except OSError:
        return False


def checkpoint_name(step: int) -> str:
    """The name of the folder of a step's checkpoint; transformers chose it."""
    return f"{_CHECKPOINT}{step}"


def segment_file(logs: Path, segment: int) -> Path:
    """The event log of one segment in a folder of logs, which need not be a run's."""
    return logs / f"{_SEGMENT}{segment:04d}.jsonl"


def segment_files(logs: Path) -> list[Path]:
    """The event logs in a folder of logs, in the order of the run's starts."""
    return sorted((path for path in logs.glob(f"{_SEGMENT}*.jsonl") if _segment(path)), key=_segment)


def _segment(path: Path) -> int:
    number = path.stem.removeprefix(_SEGMENT)
    return int(number) if number.isascii() and number.isdecimal() else 0
