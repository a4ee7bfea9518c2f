"""sshd of a test's own: another machine, as far as ssh can tell, with keys that are nowhere else."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vlmft_console.runs.preflight import free_port

PASSPHRASE = "open sesame"
"""Of the key that `ssh://locked` takes."""


class Machine:
    """What can be reached as `ssh://there`.

    Args:
        root: what it keeps its state in; `root / "home"` is the home folder there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.port = free_port()
        self.config = root / "ssh_config"
        self.has_ipv6 = _has_ipv6()
        self._sshd: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> dict[str, str]:
        """The environment of whoever calls ssh: its `ssh` reads the configuration of this machine alone."""
        return {"PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def cut(self) -> None:
        """Cut the connections that are open."""
        assert self._sshd is not None
        for pid in Path(f"/proc/{self._sshd.pid}/task/{self._sshd.pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):  # one that ends by itself
                os.kill(int(pid), signal.SIGKILL)

    def start(self) -> None:
        self._sshd = subprocess.Popen(
            [_sshd(), "-D", "-f", self.root / "sshd_config", "-E", self.root / "sshd.log"], stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 120
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            assert self._sshd.poll() is None, (self.root / "sshd.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def refusal(self) -> str:
        """Why nobody may log in here, such as an account that is locked; empty where that works."""
        tried = subprocess.run(
            ["ssh", "there", "true"], env=os.environ | self.client, capture_output=True, text=True, check=False
        )
        told = (self.root / "sshd.log").read_text()
        assert tried.returncode == 0 or " not allowed " in told, tried.stderr + told
        return "" if tried.returncode == 0 else told.splitlines()[0]

    def logins(self) -> int:
        """How often somebody has logged in."""
        return (self.root / "sshd.log").read_text().count("Accepted ")

    def stop(self) -> None:
        assert self._sshd is not None
        self._sshd.kill()
        self._sshd.wait()


@contextmanager
def machine(root: Path) -> Iterator[Machine]:
    """A machine for as long as the block lasts; skips the test where there cannot be one, and says why."""
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None] + ([] if _sshd() else ["sshd"])
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt install openssh-server openssh-client)")
    made = Machine(root)
    for folder in (root, made.home, root / "bin", made.home / ".local" / "bin"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for key in ("host_key", "user_key", "other_key", "locked_key"):
        secret = PASSPHRASE if key == "locked_key" else ""
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", secret, "-f", root / key], check=True)
    host_key = " ".join((root / "host_key.pub").read_text().split()[:2])
    (root / "known_hosts").write_text(f"[127.0.0.1]:{made.port} {host_key}\n[::1]:{made.port} {host_key}\n")
    known = ((root / f"{key}.pub").read_text() for key in ("user_key", "locked_key"))
    (root / "authorized_keys").write_text("".join(known))
    (root / "sshd_config").write_text(_server(made))
    made.config.write_text(_client(made))
    _executable(root / "bin" / "ssh", f'exec {shutil.which("ssh")} -F {shlex.quote(str(made.config))} "$@"')
    for program in ("vlmft", "vlmft-console"):  # as `pip install --user` or a link leave them
        _executable(
            made.home / ".local" / "bin" / program,
            f"export PYTHONPATH={shlex.quote(os.environ.get('PYTHONPATH', ''))}; "
            f'exec {shlex.quote(str(Path(sys.executable).with_name(program)))} "$@"',
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as its service does; without it there is no sshd of root's
    made.start()
    try:
        if why := made.refusal():
            pytest.skip(why)
        yield made
    finally:
        made.stop()


def _server(made: Machine) -> str:
    homes = " ".join(f"{name}={made.home / name.lower()}" for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"))
    return f"""
Port {made.port}
ListenAddress 127.0.0.1
{"ListenAddress ::1" if made.has_ipv6 else ""}
HostKey {made.root / "host_key"}
AuthorizedKeysFile {made.root / "authorized_keys"}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
PidFile none
SetEnv HOME={made.home} {homes} XDG_CACHE_HOME={made.home / "cache"} LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=
"""


def _client(made: Machine) -> str:
    return f"""
Host there
    HostName 127.0.0.1
    Port {made.port}
Host stranger
    HostName 127.0.0.1
    Port {made.port}
    IdentityFile {made.root / "other_key"}
Host nobody
    HostName 127.0.0.1
    Port 1
Host unknown
    HostName 127.0.0.1
    Port {made.port}
    HostKeyAlias nobody
Host locked
    HostName 127.0.0.1
    Port {made.port}
    IdentityFile {made.root / "locked_key"}
    BatchMode no
Host * !stranger !locked
    IdentityFile {made.root / "user_key"}
Host *
    IdentitiesOnly yes
    UserKnownHostsFile {made.root / "known_hosts"}
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
"""


def _executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _sshd() -> str | None:
    """By its whole path, as it wants to be called."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True
