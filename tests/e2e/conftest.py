"""A finished run, for tests that only look at one, or go on from it."""

from __future__ import annotations

import os

import pytest

from tests.e2e.small_run import settings, start
from vlmft_console.runs.folder import RunFolder

_MORE = {
    "evaluation.answers": "10",
    "evaluation.answers_at_evals": "6",
    "evaluation.max_new_tokens": "6",
    "hardware.offload": "optimizer",
    "training.report_to": "[tensorboard]",
}
_WRITER = """
import json, pathlib

class SummaryWriter:
    def __init__(self, log_dir):
        self.file = pathlib.Path(log_dir) / "scalars.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def add_scalar(self, tag, value, step):
        with self.file.open("a") as file:
            file.write(json.dumps([tag, value, step]) + "\\n")

    def __getattr__(self, name):
        return lambda *args, **kwargs: None
"""
"""Stands in for a package that writes TensorBoard files."""


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A short run of the demo that was never interrupted, and did a bit of everything on its way."""
    root, packages = tmp_path_factory.mktemp("outputs"), tmp_path_factory.mktemp("packages")
    (packages / "tensorboardX.py").write_text(_WRITER)
    return start(
        root, "small", *settings(_MORE), PYTHONPATH=f"{packages}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    )
