"""Worker: makes rows of one part of the bench in one process, and writes each as soon as it is there.

    python -m tests.bench.gpu.worker FILE LIMIT PART ROW [ROW ...]

A row that fails is written with its error. After one that may have broken the GPU's context, or that took longer than
LIMIT seconds, the process ends, and the rest of the rows need another.
"""

from __future__ import annotations

import faulthandler
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COUNT = {"tiny": 16}
MICRO = 4
STOPPED = 3
"""Exit code of a worker that ends before its last row of its own will."""
PACKAGES = ("torch", "transformers", "peft", "deepspeed", "accelerate", "triton", "flash-attn")


def machine() -> dict[str, Any]:
    """What this is, and which versions it has."""
    import torch

    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    if not torch.cuda.is_available():
        return {"gpu": f"none ({platform.machine()} CPU)", **found}
    gpu = torch.cuda.get_device_properties()
    return {"gpu": gpu.name, "memory": f"{gpu.total_memory / 2**30:.0f} GiB", "CUDA": torch.version.cuda, **found}


def make(part: str, row: str) -> dict[str, Any]:
    """One row of `machine`, `agreement:SIZE`, `speed:SIZE` or `trainings`."""
    kind, _, size = part.partition(":")
    if kind == "machine":
        return machine()
    if kind == "agreement":
        from tests.bench.gpu.agreement import compare

        return compare(row, size)
    if kind == "trainings":
        from tests.bench.gpu.trainings import train

        return train(row)
    from tests.bench.gpu.speed import measure
    from tests.bench.gpu.ways import WAYS

    return measure(WAYS[row], size, COUNT.get(size, 64), MICRO)


def main() -> None:
    file, limit, part, *rows = sys.argv[1:]
    for row in rows:
        faulthandler.dump_traceback_later(float(limit), exit=True)
        try:
            found = make(part, row)
        except Exception as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            found = {"error": text[:300]}
        faulthandler.cancel_dump_traceback_later()
        with Path(file).open("a") as out:
            out.write(json.dumps({"part": part, "row": row, **found}) + "\n")
        if "CUDA error" in found.get("error", ""):
            sys.exit(STOPPED)


if __name__ == "__main__":
    main()
