"""Addresses of other machines: what is typed is a machine and a path, or refused, and never an option or a command."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.command_line import vlmft
from tests.in_terminal import CONSOLE
from vlmft_console.ssh.address import Address
from vlmft_console.ssh.there import ssh_command
from vlmft_core.errors import VlmftError

HOSTILE = (
    "ssh://-oProxyCommand=touch executed",
    "ssh://-oProxyCommand=touch%20executed/x",
    "ssh://-F.@-oProxyCommand=touch",
    "ssh://-lroot@host",
    "ssh://$(touch executed)@host",
    "ssh://`touch executed`",
    "ssh://host;touch executed",
    "ssh://host|x",
    "ssh://a b",
    "ssh://a'b",
    'ssh://a"b',
    "ssh://host\n-oX",
    "ssh://%2doProxyCommand=x",
    "ssh://",
    "ssh:///folder",
    "ssh://@host",
    "ssh://me@",
    "ssh://host:",
    "ssh://host:0",
    "ssh://host:65536",
    "ssh://host:2²",
    "ssh://host:-1",
    "ssh://::1",
    "ssh://[::1",
    "ssh://[::1]x",
    "ssh://[host]",
    "ssh://[fe80::1%;touch executed]",
    "ssh://me:secret@host",
    "ssh://host/a%0ab",
    "ssh://host/a\x1bb",
    "ssh://host/%ff",
    "ssh://höst",
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ssh://gpu1", Address("gpu1")),
        ("ssh://gpu1/", Address("gpu1", path="/")),
        ("ssh://gpu1/data/my runs", Address("gpu1", path="/data/my runs")),
        ("ssh://gpu1/data/my%20runs", Address("gpu1", path="/data/my runs")),
        ("ssh://gpu1/100%", Address("gpu1", path="/100%")),
        ("ssh://gpu1/~", Address("gpu1", path="~")),
        ("ssh://gpu1/~/it's", Address("gpu1", path="~/it's")),
        ("ssh://gpu1/~ann", Address("gpu1", path="/~ann")),
        ("ssh://gpu1/a@b:3", Address("gpu1", path="/a@b:3")),
        ("ssh://ann@gpu1.example.org:2222/x", Address("gpu1.example.org", "ann", 2222, "/x")),
        ("ssh://ann@site@gpu1", Address("gpu1", "ann@site")),
        ("ssh://ann%40site@gpu1", Address("gpu1", "ann@site")),
        ("ssh://10.0.0.7:22", Address("10.0.0.7", port=22)),
        ("ssh://[::1]", Address("::1")),
        ("ssh://ann@[fe80::1%25eth0]:22/x", Address("fe80::1%eth0", "ann", 22, "/x")),
        ("ssh://[fe80::1%eth0]", Address("fe80::1%eth0")),
        ("ssh://_jump.host+x", Address("_jump.host+x")),
    ],
)
def test_an_address_is_read(text: str, wanted: Address) -> None:
    assert Address.parse(text) == wanted


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_plain_address_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(VlmftError) as refused:
        Address.parse(text)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", [HOSTILE[0], HOSTILE[5], "ssh://me:secret@host"])
def test_for_what_is_refused_ssh_is_not_called(text: str, tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\ntouch called\n")
    ssh.chmod(0o755)
    done = vlmft(f"--at={text}", "runs", folder=tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin", code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.stderr.startswith("vlmft: ")
    assert "secret" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ssh"]


@pytest.mark.parametrize("empty", [["--at="], ["--at", ""]])
def test_an_address_that_turned_out_empty_does_not_mean_this_machine(tmp_path: Path, empty: list[str]) -> None:
    assert "no machine's address" in vlmft(*empty, "runs", folder=tmp_path, code=2).stderr


_PARTS = st.sampled_from(["ssh://", "-", "@", ":", "/", "[", "]", "%", "'", '"', " ", "\n", "$(x)", ";", "a", "1", "~"])


@given(st.lists(_PARTS | st.characters(), max_size=12).map("".join), st.lists(st.text(), max_size=3))
def test_whatever_is_typed_ssh_gets_no_option_from_it(text: str, arguments: list[str]) -> None:
    try:
        address = Address.parse(f"ssh://{text}")
    except VlmftError:
        return
    command = ssh_command(address, "vlmft", arguments, terminal=False)
    host, line = command[command.index("--") + 1 :]
    assert len(shlex.split(line)) == 9 + len(arguments)
    assert not host.startswith("-")
    assert command[:2] == ["ssh", "-T"]
    assert set(command[2 : command.index("--") : 2]) <= {"-l", "-p"}
    assert not [given for given in command[3 : command.index("--") : 2] if given.startswith("-")]


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "mksh", "tcsh", "fish"])
def test_whatever_shell_the_person_has_there_arguments_and_folders_arrive_as_they_are(
    shell: str, tmp_path: Path
) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"needs {shell}")
    program = tmp_path / ".local" / "bin" / "vlmft"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\nprint(json.dumps([os.getcwd(), *sys.argv[1:]]))\n")
    program.chmod(0o755)
    for name in (
        "a b",
        "it's",
        'a"b',
        "$(touch executed)",
        "`x`",
        "a;b",
        "a\\b",
        "a\\'b",
        "\\",
        "a!b",
        "*",
        "%",
        "ü",
        "-x",
        "~x",
    ):
        (tmp_path / name).mkdir()
        given = [name, "", "!1", "a\nb", "\\", "'", "\\0041", "eval<0.1"]
        line = ssh_command(Address("there", path=f"~/{name}"), "vlmft", given, terminal=False)[-1]
        done = subprocess.run(
            [found, "-c", line], env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        assert json.loads(done.stdout) == [str(tmp_path / name), *given]
    assert not (tmp_path / "executed").exists()


def test_without_ssh_one_line_says_so(tmp_path: Path) -> None:
    done = vlmft("--at", "ssh://there", "runs", folder=tmp_path, PATH=str(tmp_path), code=2)
    assert done.stderr == (
        "vlmft: ssh cannot be started: No such file or directory (it comes with the package openssh-client)\n"
    )


def test_an_address_without_a_command_is_one_line(tmp_path: Path) -> None:
    said = vlmft("--at", "ssh://there", folder=tmp_path, code=2).stderr
    assert said == "vlmft: --at ssh://there: no command follows (its console is vlmft-console ssh://there)\n"
    assert vlmft("--at=there", folder=tmp_path, code=2).stderr.startswith("vlmft: 'there' is no machine's address")


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, "a terminal is needed"), ({"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver"}, "in a browser")],
)
def test_without_a_terminal_the_console_does_not_connect(
    tmp_path: Path, environment: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**environment, "PATH": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [CONSOLE, "ssh://there"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
