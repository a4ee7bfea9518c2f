"""How long the demo takes: launch to first event, launch to first step, training, the whole run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vlmft_core.run_folder import events

BUDGET_FIRST_EVENT = 40.0
BUDGET_TRAINING = 240.0


def main() -> None:
    program = str(Path(sys.executable).with_name("vlmft"))
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        done = subprocess.run(
            [program, "run", "demo", "--json", f"--output-root={folder}"], check=True, stdout=subprocess.PIPE, text=True
        )
        ended = time.time()
    log = [json.loads(line) for line in done.stdout.splitlines()]
    steps = [record for record in log if record["event"] == events.STEP]
    first_event = log[0]["t"] - began
    rows = [
        ("launch to first event", first_event, BUDGET_FIRST_EVENT),
        ("launch to first step", steps[0]["t"] - began, None),
        ("first step to last", steps[-1]["t"] - steps[0]["t"], None),
        ("first event to run_end", log[-2]["t"] - log[0]["t"], BUDGET_TRAINING),
        ("the whole command", ended - began, None),
    ]
    print(f"{'demo':<28}{'seconds':>10}{'budget':>8}")
    for name, seconds, budget in rows:
        print(f"{name:<28}{seconds:>10.1f}{budget or '':>8}")


if __name__ == "__main__":
    main()
