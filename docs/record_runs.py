"""Make the recorded runs in `logs/` anew: train the demo model for each preset, and keep what replay needs.

python docs/record_runs.py [NAME ...]

Takes some minutes on two cores. Names of this machine and its paths are replaced; nothing else is changed.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
VLMFT = Path(sys.executable).with_name("vlmft")

ALL_LAYERS = "[q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]"

PRESETS = {
    "healthy": """\
extends: demo
about: {summary: "Healthy: both losses fall to the end"}
data: {max_train: 1280, max_eval: 160}
training: {epochs: 4, effective_batch: 32, micro_batch: 16}
evaluation: {eval_steps: 20, answers: 60, answers_at_evals: 0}
hardware: {gpus: 1}
""",
    "overfitting": f"""\
extends: demo
about: {{summary: "Overfitting: 64 samples, 24 times over; the eval loss rises while the train loss goes to 0"}}
data: {{max_train: 64, max_eval: 160}}
lora: {{r: 32, alpha: 64, dropout: 0, target_modules: {ALL_LAYERS}}}
training: {{epochs: 24, effective_batch: 16, micro_batch: 16, weight_decay: 0.0, learning_rate: 2e-3}}
evaluation: {{eval_steps: 10, answers: 0}}
hardware: {{gpus: 1}}
""",
    "diverging": f"""\
extends: demo
about: {{summary: "Diverging: a learning rate of 1 and a scale of 512; the gradient overflows"}}
data: {{max_train: 480, max_eval: 40}}
lora: {{r: 8, alpha: 4096, dropout: 0, target_modules: {ALL_LAYERS}}}
training:
  {{epochs: 1, effective_batch: 8, micro_batch: 8, learning_rate: 1.0, warmup_ratio: 0.5, max_grad_norm: 1.0e+30}}
evaluation: {{eval_steps: 10, answers: 0}}
hardware: {{gpus: 1}}
""",
    "resumed": """\
extends: demo
about: {summary: "Stopped on request between two evals, resumed from where it was"}
data: {max_train: 960, max_eval: 160}
training: {epochs: 4, effective_batch: 32, micro_batch: 16}
evaluation: {eval_steps: 20, answers: 0}
hardware: {gpus: 1}
""",
}
STOPPED_AFTER = 50
"""The step after which the run called `resumed` is stopped."""


def main() -> None:
    for name in sys.argv[1:] or PRESETS:
        with tempfile.TemporaryDirectory() as place:
            folder = train(name, Path(place))
            keep(folder, ROOT / "logs" / name, Path(place))
        print(f"logs/{name}: {sum(file.stat().st_size for file in (ROOT / 'logs' / name).rglob('*')) // 1000} kB")


def train(name: str, place: Path) -> Path:
    """Train one preset and return its run folder."""
    preset = place / f"{name}.yaml"
    preset.write_text(PRESETS[name])
    options = ["run", str(preset), "--run-name", name, "--output-root", str(place / "outputs")]
    folder = place / "outputs" / name
    if name != "resumed":
        subprocess.run([VLMFT, *options], cwd=place, check=False)
        return folder
    subprocess.run([VLMFT, *options, "--detach"], cwd=place, check=True)
    log, reached = folder / "logs" / "events-0001.jsonl", f'"event":"step","step":{STOPPED_AFTER},'
    while not log.exists() or reached not in log.read_text():
        time.sleep(0.2)
    subprocess.run([VLMFT, "stop", str(folder)], cwd=place, check=True)
    subprocess.run([VLMFT, "resume", str(folder)], cwd=place, check=True)
    return folder


def keep(folder: Path, target: Path, place: Path) -> None:
    """Copy preset, logs and how it ended; leave weights behind, and what tells of this machine."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "logs").mkdir(parents=True)
    wanted = [folder / name for name in ("preset.yaml", "run.json", "exit.json")]
    wanted += [*folder.glob("logs/events-*.jsonl"), *folder.glob("logs/training_*.log")]
    boots = {Path("/proc/sys/kernel/random/boot_id").read_text().strip(): "0" * 8}
    replaced = {**boots, str(place): "/runs", str(ROOT): "/vlmft", sys.prefix: "/venv", platform.node(): "box"}
    for file in wanted:
        text = file.read_text()
        for old, new in replaced.items():
            text = text.replace(old, new)
        if file.suffix == ".json":
            json.loads(text)
        (target / file.relative_to(folder)).write_text(text)


if __name__ == "__main__":
    main()
