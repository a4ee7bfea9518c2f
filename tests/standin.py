"""Stand-ins for DeepSpeed's runner, its launcher and the ranks, with the manners measured of the real ones.

    python standin.py runner FOLDER RANKS [--steps N] [--step-s S] [--save-s S] [--fork-s S] [--pad-kb N] [--deaf]
                         [--together]

The runner exits 0 when its launcher is killed. The launcher looks at its ranks now and then and, once one failed, ends
the others one after another. The ranks look for `stop.json` at step boundaries and save for a while before they end;
deaf ones neither look nor listen. A file `enough` makes their present step the last; with one named `refuse` they end
before they begin, as for a mistake of the user's. Ranks that go together stop together, and rank 0 says how the run
ended only when all others are done, as collectives make it. Rank 0 writes a real event log.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["runner", "launcher", "rank"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("ranks", type=int)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--step-s", type=float, default=0.05)
    parser.add_argument("--save-s", type=float, default=0.0)
    parser.add_argument("--fork-s", type=float, default=0.0)
    parser.add_argument("--pad-kb", type=int, default=0)
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--together", action="store_true")
    args = parser.parse_args()
    if args.role == "rank":  # as the real ones do, it goes with its folder when that is moved
        args.folder = Path(f"/proc/self/fd/{os.open(args.folder, os.O_PATH)}")
    return {"runner": runner, "launcher": launcher, "rank": rank}[args.role](args)


def again(role: str) -> list[str]:
    return [sys.executable, __file__, role, *sys.argv[2:]]


def runner(args: argparse.Namespace) -> int:
    status = subprocess.call(again("launcher"))
    return max(status, 0)


def launcher(args: argparse.Namespace) -> int:
    ranks = []
    for number in range(args.ranks):
        told = {"RANK": str(number), "WORLD_SIZE": str(args.ranks)}
        ranks.append(subprocess.Popen(again("rank"), env={**os.environ, **told}))
        time.sleep(args.fork_s)
    while any(rank.poll() is None for rank in ranks):
        failed = next((rank.returncode for rank in ranks if rank.poll()), None)
        if failed is not None:
            for rank in ranks:
                rank.terminate()
                try:
                    rank.wait(30)
                except subprocess.TimeoutExpired:
                    rank.kill()
            sys.exit(failed)
        time.sleep(0.5)
    return next((rank.returncode for rank in ranks if rank.returncode), 0)


def rank(args: argparse.Namespace) -> int:
    lock = os.open(args.folder / "ranks.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    if (args.folder / "refuse").exists():
        return 2
    told = []
    signal.signal(signal.SIGTERM, signal.SIG_IGN if args.deaf else lambda number, frame: told.append(number))
    log = None
    if os.environ["RANK"] == "0":
        from vlmft_core.run_folder.events import EventWriter

        segment = len(list((args.folder / "logs").glob("events-*.jsonl"))) + 1
        log = EventWriter(args.folder / "logs" / f"events-{segment:04d}.jsonl")
        log.write("run_start", run_id=os.environ.get("VLMFT_RUN_ID", ""), segment=segment)
        log.write(
            "plan",
            total_steps=args.steps,
            steps_per_epoch=args.steps,
            warmup_steps=0,
            peak_lr=1e-4,
            scheduler="constant",
        )
    status = "finished"
    for step in range(1, args.steps + 1):
        time.sleep(args.step_s)
        if log:
            log.write("step", step=step, epoch=step / args.steps, loss=1 / step, lr=1e-4, grad_norm=0.5)
        if log and args.pad_kb:
            log.write("note", message="x" * (args.pad_kb << 10))
        if told and args.together:
            (args.folder / "told").touch()
        if not args.deaf and (told or any((args.folder / name).exists() for name in ("stop.json", "told"))):
            status = "stopped"
            break
        if (args.folder / "enough").exists():
            break
    time.sleep(args.save_s)
    if args.together:
        (args.folder / f"done-{os.environ['RANK']}").touch()
        before = len(told)
        while log and len(list(args.folder.glob("done-*"))) < args.ranks:
            time.sleep(0.02)
            if len(told) > before:
                return 1
    if log:
        log.write("run_end", status=status, reason="asked to" if status == "stopped" else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
