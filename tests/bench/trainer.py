"""This trainer against the ones people use, on a CPU: samples a second, loss curve, peak memory.

    python -m tests.bench.trainer [--size small] [--steps 5] [--rounds 2] [--trl FOLDER] [--only NAME …]

Every training runs in a process of its own with two threads, the trainers in turn, round after round. The first step is
not timed; of each other step the round that was disturbed least counts. TRL is looked for in FOLDER
(`pip install --no-deps --target FOLDER trl`) and left out without it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RIVALS = ("plain", "trl")
SWITCHES = {
    "vlmft-eager": "without fused kernels",
    "vlmft-padded": "without packing",
    "vlmft-apart": "each question with an image of its own",
    "vlmft-sdpa": "the same, with transformers' attention",
    "vlmft-head": "without the short output layer",
    "vlmft-checkpointing": "with activations recomputed",
    "plain-kept": "plain, activations kept, micro-batch 2",
}
GOALS = {"plain": 3.0, "plain-kept": 1.6, "trl": 3.0, "vlmft-apart": 1.35}
"""How many times as many samples a second of processor time as each."""


def measure(trainer: str, options: argparse.Namespace) -> dict[str, Any]:
    """One training, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        paths = [str(ROOT), str(ROOT / "trainer"), *([str(options.trl)] if options.trl else [])]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "2",
            "OMP_WAIT_POLICY": "passive",  # a thread that waits for one without a core does not burn its own
            "HF_HUB_OFFLINE": "1",
            "TMPDIR": folder,
            "TORCHINDUCTOR_CACHE_DIR": options.compiled,
        }
        line = [sys.executable, "-W", "ignore", "-m", "tests.bench.rivals", trainer, options.size, str(options.steps)]
        done = subprocess.run([*line, str(out)], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{trainer} failed:\n{done.stderr[-2000:]}")
        figures: dict[str, Any] = json.loads(out.read_text())
        return figures


def best(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Each step's least disturbed round; the losses are the same in all."""
    from tests.bench.rivals import EFFECTIVE_BATCH

    samples = EFFECTIVE_BATCH * len(rounds[0]["step_s"])

    def seconds(kind: str) -> float:
        return float(sum(min(steps) for steps in zip(*(one[kind] for one in rounds), strict=True)))

    return {
        **rounds[0],
        "samples_per_s": samples / seconds("step_s"),
        "samples_per_cpu_s": samples / seconds("step_cpu_s"),
        "peak_mib": min(one["peak_mib"] for one in rounds),
    }


def show(name: str, one: dict[str, Any], ours: dict[str, Any]) -> None:
    """One row: figures, and how many times as fast vlmft is."""
    difference = max(abs(a - b) for a, b in zip(one["losses"], ours["losses"], strict=True))
    print(
        f"{name:<42}{one['samples_per_s']:>10.2f}{ours['samples_per_s'] / one['samples_per_s']:>8.2f}"
        f"{ours['samples_per_cpu_s'] / one['samples_per_cpu_s']:>8.2f}{one['peak_mib']:>10.0f}{difference:>12.1e}",
        flush=True,
    )


def main() -> None:
    from tests.bench.charts_like import SIZES, head_share, samples
    from tests.bench.rivals import EFFECTIVE_BATCH, SCALE

    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="small", choices=["tiny", "small"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--trl", type=Path)
    parser.add_argument("--only", nargs="+", choices=[*RIVALS, *SWITCHES], help="measure these beside vlmft alone")
    options = parser.parse_args()

    data = samples(EFFECTIVE_BATCH * options.steps, options.size, scale=SCALE[options.size], asked=True)
    tokens = sum(one.length for one in data) // len(data)
    patches = sum(len(one.pixel_values) for one in data if one.pixel_values is not None) // len(data)
    print(
        f"{len(data)} samples of {min(one.length for one in data)}-{max(one.length for one in data)} tokens; the output"
        f" layer's share of a forward: {head_share(SIZES[options.size], tokens, patches):.1%}"
        f" (7B, 850 tokens: {head_share(SIZES['7b'], 850, 2436):.1%}); load {os.getloadavg()[0]:.1f}"
    )
    rivals = [name for name in options.only or RIVALS if name in RIVALS and (name != "trl" or options.trl)]
    switches = {name: words for name, words in SWITCHES.items() if name in (options.only or SWITCHES)}
    found: dict[str, list[dict[str, Any]]] = {}
    cache = tempfile.TemporaryDirectory()
    options.compiled = cache.name
    measure("vlmft", options)  # compiles kernels, which takes memory too; the others find them there
    for _ in range(options.rounds):
        for name in ("vlmft", *rivals, *switches):
            found.setdefault(name, []).append(measure(name, options))
    ours = best(found["vlmft"])
    print(f"\n{'':<42}{'samples/s':>10}{'x':>8}{'x CPU':>8}{'peak MiB':>10}{'loss differs':>13}")
    show("vlmft", ours, ours)
    for name in rivals:
        show({"plain": "transformers + PEFT + padding", "trl": "TRL SFTTrainer"}[name], best(found[name]), ours)
    print("each switch")
    for name, words in switches.items():
        show(f"  {words}", best(found[name]), ours)
    print("x: how many times as fast vlmft is by the clock; x CPU: by processor time, which other load disturbs less")
    cpu = ours["samples_per_cpu_s"]
    slow = [name for name in found if name in GOALS and cpu < GOALS[name] * best(found[name])["samples_per_cpu_s"]]
    print(f"goals by processor time, {GOALS}: {'missed for ' + ', '.join(slow) if slow else 'reached'}")


if __name__ == "__main__":
    main()
