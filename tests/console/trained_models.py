"""Stand-ins for trained models and for the programs that use them: no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core import weights

PRESET = """
model: {base: demo}
data: {sources: [{task: chartqa, path: demo, eval_split: val}, {task: textvqa, path: demo, eval_split: validation}]}
training: {effective_batch: 8}
evaluation: {answers: 7}
hardware: {device: cpu, gpus: 2}
about: {expected: {chartqa: [65, 70]}}
"""


def write_adapter(folder: Path, base: object = "demo", seed: int = 1) -> Path:
    """The files of an adapter of the demo's base."""
    return weights.write_adapter(folder, seed=seed, base_model_name_or_path=base)


def write_run(root: Path, name: str = "mine") -> Path:
    """A finished run."""
    folder = root / name
    write_adapter(folder / "adapter")
    (folder / "preset.yaml").write_text(PRESET)
    (folder / "run.json").write_text(json.dumps({"run_id": "1", "name": name}))
    return folder


class Asked:
    """Takes the place of `ask`: remembers the job, and answers what it is told to."""

    def __init__(self, *answers: tuple[str, Any], error: BaseException | None = None) -> None:
        self.answers = answers
        self.error = error
        self.program = ""
        self.job: Any = None
        self.processes = 0

    def __call__(self, program: str, job: Any, errors: Any, processes: int = 1) -> Iterator[tuple[str, Any]]:
        self.program, self.job, self.processes = program, job, processes
        yield from self.answers
        if self.error:
            raise self.error

    def put(self, patch: pytest.MonkeyPatch) -> Asked:
        patch.setattr("vlmft_console.commands.asking.ask", self)
        return self
