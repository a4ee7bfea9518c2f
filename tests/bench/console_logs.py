"""Logs and runs that the console is measured with."""

from __future__ import annotations

import math
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from tests.bench import load
from tests.supervised import LONG, Supervised
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.durable import as_json, write_whole
from vlmft_core.preset import Preset, dump_preset
from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.stop import StopRequest

SHORT_FIELDS = ("v", "seq", "t", "event", "step", "epoch", "loss", "lr", "grad_norm")
"""With these a record of a step has about 160 bytes."""


def write_logs(root: Path) -> tuple[Path, Path]:
    """Two logs of the same finished run of 100,000 steps: with short records of its steps, and with whole ones.

    All other files are those of any run, for they are read as well.
    """
    preset = Preset()
    folders = RunFolder.create(root, "short"), RunFolder.create(root, "whole")
    for folder in folders:
        folder.write_run(preset_name="best", preset_text=dump_preset(preset), command=Command(("true",), {}))
        write_whole(folder.exit_file, as_json({"status": "finished", "reason": "", "exit_code": 0}))
    short, whole = (folder.events_file() for folder in folders)
    with short.open("wb") as short_file, whole.open("wb") as whole_file:
        for record in load.records():
            if record["event"] == events.RUN_START:
                record["preset"] = preset.model_dump(mode="json")
            whole_file.write(orjson.dumps(record) + b"\n")
            if record["event"] == events.STEP:
                short_file.write(orjson.dumps({key: record[key] for key in SHORT_FIELDS}) + b"\n")
            elif record["event"] != events.HEARTBEAT:
                short_file.write(orjson.dumps(record) + b"\n")
    return short.parent.parent, whole.parent.parent


def several_runs(folder: Path, count: int) -> list[Path]:
    """So many finished runs with the log of this one, `run-1`, `run-2`, … beside it."""
    found = []
    for number in range(1, count + 1):
        run = folder.parent / f"run-{number}"
        shutil.copytree(folder, run, ignore=shutil.ignore_patterns(".summary*"))
        found.append(run)
    return found


class LiveRun:
    """A live run whose log is ours to write."""

    def __init__(self, folder: RunFolder, steps: int, total: int) -> None:
        self.folder = folder
        self.step = 0
        self._total = total
        self._chance = random.Random(5)
        self._log = EventWriter(folder.events_file())
        self._log.write(
            events.PLAN,
            total_steps=total,
            steps_per_epoch=total // 5,
            warmup_steps=total // 20,
            peak_lr=1e-4,
            scheduler="cosine",
            epochs=5,
            effective_batch=32,
        )
        for _ in range(steps):
            self.write_step()

    def write_step(self) -> None:
        """One step more, and an eval at every hundredth."""
        self.step += 1
        epoch = 5 * self.step / self._total
        self._log.write(
            events.STEP,
            step=self.step,
            epoch=epoch,
            loss=0.5 + 2 * math.exp(-epoch) + self._chance.gauss(0, 0.1),
            lr=1e-4 * min(1.0, 20 * self.step / self._total),
            grad_norm=self._chance.uniform(0.3, 0.7),
            step_s=1.0,
            data_s=0.02,
            samples_per_s=self._chance.gauss(31, 1),
            tokens_per_s=self._chance.gauss(12_500, 300),
            skipped_steps=0,
            mem_gib=61.0,
        )
        if self.step % 10 == 0:
            host = {"index": 0, "name": "here", "cpu": 40.0, "mem_gib": 20.0, "mem_total_gib": 64.0}
            self._log.write(events.HOST, hosts=[host])
        if self.step % 100 == 0:
            self._log.write(
                events.EVAL, step=self.step, epoch=epoch, eval_loss=0.6 + 2 * math.exp(-epoch), token_accuracy=0.8
            )


@contextmanager
def live_run(root: Path, steps: int, total: int) -> Iterator[LiveRun]:
    """A supervised run of which `steps` are done; nothing but `write_step` adds to it."""
    run = Supervised(root, 1, *LONG, name="live")
    run.wait_for_ranks()
    run.who("rank 0").send(signal.SIGSTOP)
    run.folder.events_file().write_bytes(run.folder.events_file().read_bytes().splitlines(keepends=True)[0])
    try:
        yield LiveRun(run.folder, steps, total)
    finally:
        run.who("rank 0").send(signal.SIGCONT)
        StopRequest("measured", now=True).write(run.folder)
        run.wait_for_end()
