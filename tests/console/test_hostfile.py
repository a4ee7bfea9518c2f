"""Hosts and how many ranks each has: on the command line, or in a file as DeepSpeed takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmft_console.places.hostfile import hostfile, parse_hosts
from vlmft_core.errors import VlmftError


def test_hosts_are_read_from_the_line_and_from_a_file_alike(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# ours\n\nn1 slots=8\ngpu-2.lab  slots=4  # half of it\n")
    assert parse_hosts("n1:8, gpu-2.lab:4") == parse_hosts(str(file)) == {"n1": 8, "gpu-2.lab": 4}
    file.write_bytes(b"\xef\xbb\xbfn1 slots=8\r\n\r\ngpu-2.lab\tslots=4\r\n")  # as an editor elsewhere leaves it
    assert parse_hosts(f" {file}") == parse_hosts("n1: 8,gpu-2.lab:4") == {"n1": 8, "gpu-2.lab": 4}
    assert hostfile({"n1": 8, "gpu-2.lab": 4}) == "n1 slots=8\ngpu-2.lab slots=4\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n1:1,n1:1", "n1 is there twice"),
        ("n1:x", "n1: 'x' is no number of ranks"),
        ("n1:0", "n1: '0' is no number of ranks"),
        ("n1:8,n2", "n2: '' is no number of ranks (write n1:8,n2:8)"),
        ("n1:8,N1.:8", "N1. is there twice"),
        ("n1:8,n2:8,", "there is a comma too many"),
        ("n1:\u0663", "n1: '\u0663' is no number of ranks"),
        ("-oProxyCommand=id:1", "'-oProxyCommand=id' is no name of a host"),
        ("n1;id:1", "'n1;id' is no name of a host"),
        ("$(id):1", "is no name of a host"),
        ("ann@n1:8", "'ann@n1' is no name of a host (give it a name in ~/.ssh/config)"),
        ("[::1]:8", "'[::1]' is no name of a host (give it a name in ~/.ssh/config)"),
        ("n1:22:8", "'n1:22' is no name of a host (give it a name in ~/.ssh/config)"),
        (":8", "'' is no name of a host"),
        ("n1:8 n2:8", "'n1:8 n2' is no name of a host (write n1:8,n2:8)"),
        (" ", "--hosts: names no host"),
        ("/proc/self/mem", "/proc/self/mem cannot be read: Input/output error"),
        ("nowhere", "--hosts nowhere: no such file"),
    ],
)
def test_what_names_no_hosts_is_refused(text: str, message: str) -> None:
    with pytest.raises(VlmftError) as caught:
        parse_hosts(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n1 slots=8\nn2 slots\n", "hosts:2: n2: '' is no number of ranks"),
        ("n1 8\n", "hosts:1: n1: '' is no number of ranks (write lines such as `n1 slots=8`)"),
        ("n1 slots=8 max_slots=8\n", "hosts:1: n1: '' is no number"),
        ("n1 slots=8\nN1 slots=8\n", "hosts:2: N1 is there twice"),
        ("n1 slots=8\nn1 slots=8\n", "hosts:2: n1 is there twice"),
        ("# nothing\n", "hosts: names no host"),
        ("-x slots=1\n", "hosts:1: '-x' is no name of a host"),
        ("#" * (1 << 20) + "\nn1 slots=8\n", "hosts: larger than 1 MiB"),
    ],
)
def test_a_mistake_in_a_hostfile_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "hosts").write_text(text)
    with pytest.raises(VlmftError) as caught:
        parse_hosts(str(tmp_path / "hosts"))
    assert message in str(caught.value)
