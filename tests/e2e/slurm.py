"""Slurm cluster: a login node and two nodes, out of namespaces, that share all files and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NEEDED = ("slurmctld", "slurmd", "srun", "munged", "ip", "unshare", "nsenter")
_NODES = Path(__file__).parent / "cluster" / "nodes.sh"


class Cluster:
    """Where jobs are submitted.

    Args:
        root: what the cluster keeps its state in.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def start(self, node: str, *argv: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program on `login`, `n1` or `n2`; its output and errors are one stream."""
        inner = (self._root / f"{node}.inner").read_text().strip()
        return subprocess.Popen(
            ["nsenter", "-t", inner, "-n", "-u", "-p", "-m", f"--wd={Path.cwd()}", *argv],
            env=os.environ | {"SLURM_CONF": str(self._root / "slurm.conf")} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def cluster(root: Path) -> Iterator[Cluster]:
    """A cluster for as long as the block lasts; skips the test where there cannot be one, and says why."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt install slurm-wlm munge iproute2)")
    if os.geteuid() != 0 or subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make network namespaces")
    root.mkdir(mode=0o755)
    log = root / "nodes.log"
    with log.open("w") as errors:
        nodes = subprocess.Popen(
            ["bash", str(_NODES), str(root), f"vb{os.getpid()}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert nodes.stdout is not None
    try:
        assert nodes.stdout.readline() == "up\n", log.read_text()
        yield Cluster(root)
    finally:
        nodes.communicate(timeout=30)
