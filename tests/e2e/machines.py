"""Other machines, as far as one can have them: another host name, boot, process table, and mounts without our locks."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import VLMFT

_SFTP_SERVER = "/usr/lib/openssh/sftp-server"


class Machine:
    """Another machine that sees all of our files.

    Args:
        name: what it is called.
        root: where a file of it is kept.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._boot = root / f"{name}.boot_id"
        self._boot.write_text(f"{uuid.uuid4()}\n")
        if self.run("true").returncode:
            pytest.skip("needs the right to make namespaces")

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """A program there, to its end."""
        begin = f'hostname {self.name} && mount --bind "{self._boot}" /proc/sys/kernel/random/boot_id && exec "$@"'
        apart = [
            "unshare",
            "--uts",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            begin,
            "-",
        ]
        return subprocess.run([*apart, *argv], capture_output=True, text=True, timeout=300, check=False)

    def vlmft(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(VLMFT, *arguments)


@contextmanager
def sshfs(source: Path, at: Path) -> Iterator[Path]:
    """A folder seen through sshfs, without a network between; skips the test where there is no sshfs."""
    if not (shutil.which("sshfs") and Path(_SFTP_SERVER).exists() and os.access("/dev/fuse", os.W_OK)):
        pytest.skip("needs sshfs, and /dev/fuse")
    at.mkdir()
    to_server, from_client = os.pipe()
    to_client, from_server = os.pipe()
    server = subprocess.Popen([_SFTP_SERVER], stdin=to_server, stdout=from_server)
    client = subprocess.Popen(
        ["sshfs", f":{source}", str(at), "-f", "-o", "passive"], stdin=to_client, stdout=from_client
    )
    for end in (to_server, from_client, to_client, from_server):
        os.close(end)
    try:
        while not at.is_mount():
            assert client.poll() is None, "sshfs does not mount"
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=False)
        for process in (client, server):
            process.terminate()
            process.wait(30)
