"""Stand-in for the training program: ranks that find each other as the real ones do, and count steps together.

Put before the real one on `PYTHONPATH`. A file `standin` beside the run folder says how many steps there are and how
many seconds one takes, which is no variable because those do not reach every host. A checkpoint is left after every
fifth and when a stop is asked for, by the file or by a signal to any rank. All ranks answer rank 0 over TCP at each
step, so that it waits for one that is gone, and fails when that hangs up.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import socket
import sys
import time
from pathlib import Path

from vlmft_core.run_folder.checkpoints import newest_intact, remove_unusable, seal
from vlmft_core.run_folder.events import EventWriter
from vlmft_core.run_folder.layout import RunLayout
from vlmft_core.run_folder.stop import StopRequest

FIRST_PORT = 20_000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sft_config")
    parser.add_argument("--output_dir", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--local_rank")
    options = parser.parse_args()
    run = RunLayout(options.output_dir)
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: told.append(number))
    lock = os.open(run.ranks_lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    rank, world, first, port = place()
    if rank:
        return answer(first, port, told)
    return lead(run, options.resume, links(world, port), told)


def place() -> tuple[int, int, str, int]:
    """Rank, how many there are, and where rank 0 listens."""
    said = os.environ
    if "RANK" in said:
        return int(said["RANK"]), int(said["WORLD_SIZE"]), said["MASTER_ADDR"], int(said["MASTER_PORT"])
    first = said["SLURM_STEP_NODELIST"].replace("[", "").split("-")[0].split(",")[0]
    port = FIRST_PORT + int(said["SLURM_JOB_ID"]) % 10_000
    return int(said["SLURM_PROCID"]), int(said["SLURM_STEP_NUM_TASKS"]), first, port


def links(world: int, port: int) -> list[socket.socket]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", port))
    listener.listen()
    return [listener.accept()[0] for _ in range(world - 1)]


def answer(first: str, port: int, told: list[int]) -> int:
    """One of the other ranks: at each step it says what signal it got."""
    until = time.monotonic() + 120
    while True:
        try:
            link = socket.create_connection((first, port), timeout=30)
            break
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    link.settimeout(None)
    while link.recv(1):
        link.sendall(bytes([told[0] if told else 0]))
    return 0


def lead(run: RunLayout, resume: bool, others: list[socket.socket], told: list[int]) -> int:
    steps, seconds = how_long(run)
    start = newest_intact(run) if resume else None
    step = start.step if start else 0
    if resume:
        remove_unusable(run, step)
    segment = run.last_segment + 1
    log = EventWriter(run.events_file(segment))
    log.write("run_start", run_id=os.environ.get("VLMFT_RUN_ID", ""), segment=segment, resumed_from=step or None)
    plan = {"total_steps": steps, "steps_per_epoch": steps, "warmup_steps": 0, "peak_lr": 1e-4}
    log.write("plan", scheduler="constant", **plan)
    by = None
    while step < steps and by is None:
        time.sleep(seconds)
        for link in others:
            link.sendall(b".")
        heard = [link.recv(1) for link in others]
        if b"" in heard:
            log.write("run_end", status="failed", reason="RuntimeError: Connection closed by peer", stopped_by=None)
            print("RuntimeError: Connection closed by peer", file=sys.stderr)
            return 1
        step += 1
        log.write("step", step=step, epoch=step / steps, loss=1 / step, lr=1e-4, grad_norm=0.5)
        if StopRequest.read(run) is not None:
            by = "stop.json"
        elif number := max([*told, *(byte[0] for byte in heard)], default=0):
            by = signal.Signals(number).name
        if by or step % 5 == 0 or step == steps:
            save(run, step, 1 + len(others))
            log.write("checkpoint", step=step, path=run.checkpoint(step).name)
    status = "stopped" if by and step < steps else "finished"
    log.write("run_end", status=status, reason=f"stopped by {by}" if by else "", stopped_by=by)
    print(f"{status} at step {step}", flush=True)
    return 0


def how_long(run: RunLayout) -> tuple[int, float]:
    """Steps, and seconds of each."""
    file = run.path.parent / "standin"
    steps, seconds = file.read_text().split() if file.exists() else ("20", "0.05")
    return int(steps), float(seconds)


def save(run: RunLayout, step: int, world: int) -> None:
    folder = run.checkpoint(step)
    folder.mkdir(exist_ok=True)
    for rank in range(world):
        (folder / f"rng_state_{rank}.pth").write_text("a rank's")
    seal(folder, step, None, None, {})


if __name__ == "__main__":
    sys.exit(main())
