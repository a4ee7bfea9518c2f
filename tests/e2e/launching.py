"""Programs under the real DeepSpeed launcher on CPU ranks, without the console."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmft_console.runs.preflight import free_port
from vlmft_core.run_folder import events

ROOT = Path(__file__).parents[2]
TRAINING = ("--module", "vlmft_trainer.train_vlm_sft")


@dataclass(frozen=True)
class Run:
    """A training that has ended."""

    folder: Path
    code: int
    output: str
    errors: str

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The records of its log, all or those of one event."""
        lines = (self.folder / "logs" / "events-0001.jsonl").read_bytes().splitlines()
        records = [events.parse(line) for line in lines]
        return [record for record in records if kind in (None, record["event"])]


def deepspeed(ranks: int, *program: str) -> tuple[list[str], dict[str, str]]:
    """The launcher's command line, and its environment."""
    launcher = str(Path(sys.executable).with_name("deepspeed"))
    line = [launcher, f"--num_accelerators={ranks}", f"--master_port={free_port()}", *program]
    sources = os.pathsep.join([str(ROOT / "trainer"), str(ROOT / "console")])
    environment = {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "PYTHONPATH": sources, "VLMFT_RUN_ID": "the-run"}
    return line, os.environ | environment


def training(folder: Path, preset: str, ranks: int) -> tuple[list[str], dict[str, str]]:
    """The same for a training in `folder`, by a preset that is written beside it."""
    file = folder.with_suffix(".yaml")
    file.write_text(preset)
    line, environment = deepspeed(ranks, *TRAINING, f"--sft_config={file}", f"--output_dir={folder}")
    return line, environment | {"HF_DATASETS_CACHE": str(folder.parent / "cache")}


def launch(folder: Path, preset: str, ranks: int) -> Run:
    """Train, and wait for the end."""
    line, environment = training(folder, preset, ranks)
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=400, check=False)
    return Run(folder, done.returncode, done.stdout, done.stderr)
