"""Slurm cluster: a login node and two nodes, out of namespaces, that share all files and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import VLMFT

_NEEDED = ("slurmctld", "slurmd", "srun", "munged", "ip", "unshare", "nsenter")
_NODES = Path(__file__).parent / "cluster" / "nodes.sh"


class Cluster:
    """Where jobs are submitted, and what may happen there.

    Args:
        root: what the cluster keeps its state in.
        bridge: what its network is called.
    """

    def __init__(self, root: Path, bridge: str) -> None:
        self._root, self._bridge = root, bridge
        # The nodes share this machine's cores: threads of a rank that wait for one would burn another's.
        self._environment = {"SLURM_CONF": str(root / "slurm.conf"), "OMP_NUM_THREADS": "1"}

    def start(self, node: str, *argv: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program on `login`, `n1` or `n2`, in our folder; its output and errors are one stream."""
        inner = (self._root / f"{node}.inner").read_text().strip()
        # The folder is entered there: the same one as seen from here is on another mount, and files cannot be moved.
        enter = ["sh", "-c", 'cd "$0" && exec "$@"', str(Path.cwd())]
        return subprocess.Popen(
            ["nsenter", "-t", inner, "-n", "-u", "-p", "-m", *enter, *argv],
            env=os.environ | self._environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *argv: str, code: int | None = 0, **environment: str) -> str:
        """What a program on the login node says; `code` is the exit status that there must be."""
        started = self.start("login", *argv, **environment)
        said, _ = started.communicate(timeout=300)
        assert code is None or started.returncode == code, said
        assert "Traceback" not in said
        return said

    def vlmft(self, *arguments: str, code: int | None = 0, **environment: str) -> str:
        """What the command says there."""
        return self.run(VLMFT, *arguments, code=code, **environment)

    def sshd(self, *nodes: str) -> str:
        """Have nodes take ssh; returns the options by which ssh gets in."""
        folder = self._root / "ssh"
        folder.mkdir(mode=0o700)
        Path("/run/sshd").mkdir(exist_ok=True)
        for key in ("host", "mine"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        settings = {
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "mine.pub",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "yes",
            "PidFile": "none",
        }
        config = folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        for node in nodes:
            assert self.start(node, "/usr/sbin/sshd", "-f", str(config)).wait(120) == 0
        known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return f"-i {folder / 'mine'} {known}"

    def cable(self, node: str, plugged: bool) -> None:
        """Pull a node's cable, or plug it in again and have Slurm ask for it, which it does only every few minutes."""
        state = "up" if plugged else "down"
        subprocess.run(["ip", "link", "set", f"{self._bridge}-{node[1:]}", state], check=True)
        if plugged:  # refused where Slurm has not missed it
            self.run("scontrol", "update", f"nodename={node}", "state=resume", code=None)

    def job(self, number: str) -> dict[str, str]:
        """What Slurm knows of a job."""
        words = self.run("scontrol", "show", "job", "--oneliner", number, code=None).split()
        return dict(word.partition("=")[::2] for word in words)


@contextmanager
def cluster(root: Path) -> Iterator[Cluster]:
    """A cluster for as long as the block lasts; skips the test where there cannot be one, and says why."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt install slurm-wlm munge iproute2)")
    if os.geteuid() != 0 or subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make network namespaces")
    root.mkdir(mode=0o755)
    bridge = f"vb{os.getpid()}"
    log = root / "nodes.log"
    with log.open("w") as errors:
        nodes = subprocess.Popen(
            ["bash", str(_NODES), str(root), bridge],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert nodes.stdout is not None
    try:
        assert nodes.stdout.readline() == "up\n", log.read_text()
        yield Cluster(root, bridge)
    finally:
        nodes.communicate(timeout=120)
