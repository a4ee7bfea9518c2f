from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.supervised import make_run
from vlmft_console.runs import supervisor_start
from vlmft_console.runs.logout import kills, outlive_logout
from vlmft_console.runs.registry import read_run

YES = "[Login]\nKillUserProcesses=yes\n"
NO = "[Login]\nKillUserProcesses=no\n"


def machine(root: Path) -> Path:
    """A machine run by systemd that is as it came."""
    (root / "run/systemd/system").mkdir(parents=True)
    return root


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def systemd_run(folder: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """The only systemd-run there is does `line`."""
    program = folder / "bin" / "systemd-run"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{line}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_nothing_is_killed_without_a_word_of_it(tmp_path: Path) -> None:
    assert not kills("ann", machine(tmp_path))


def test_a_commented_or_misplaced_setting_does_not_count(tmp_path: Path) -> None:
    text = "#KillUserProcesses=yes\n[Other]\nKillUserProcesses=yes\n[Login]\n;KillUserProcesses=yes\n"
    write(machine(tmp_path), "etc/systemd/logind.conf", text)
    assert not kills("ann", tmp_path)


@pytest.mark.parametrize("word", ["yes", "true", "1", "on", "Yes"])
def test_the_main_file_can_say_it(tmp_path: Path, word: str) -> None:
    write(machine(tmp_path), "etc/systemd/logind.conf", f"[Login]\n KillUserProcesses = {word}\n")
    assert kills("ann", tmp_path)
    assert not kills("root", tmp_path)


def test_a_machine_without_systemd_kills_nobody(tmp_path: Path) -> None:
    write(tmp_path, "etc/systemd/logind.conf", YES)
    assert not kills("ann", tmp_path)


def test_a_drop_in_outranks_the_main_file_and_the_last_name_the_others(tmp_path: Path) -> None:
    write(machine(tmp_path), "etc/systemd/logind.conf", NO)
    write(tmp_path, "usr/lib/systemd/logind.conf.d/50-vendor.conf", YES)
    assert kills("ann", tmp_path)
    write(tmp_path, "run/systemd/logind.conf.d/60-now.conf", NO)
    assert not kills("ann", tmp_path)
    write(tmp_path, "etc/systemd/logind.conf.d/55-site.conf", YES)
    assert not kills("ann", tmp_path)


def test_a_drop_in_of_the_same_name_is_replaced_by_the_one_under_etc(tmp_path: Path) -> None:
    write(machine(tmp_path), "usr/lib/systemd/logind.conf.d/50-vendor.conf", YES)
    mask = tmp_path / "etc/systemd/logind.conf.d/50-vendor.conf"
    mask.parent.mkdir(parents=True)
    mask.symlink_to("/dev/null")
    assert not kills("ann", tmp_path)


@pytest.mark.parametrize(
    ("lines", "killed"),
    [
        ("KillExcludeUsers=", {"root", "ann", "bob"}),
        ("KillExcludeUsers=ann", {"root", "bob"}),
        ("KillOnlyUsers=ann", {"ann"}),
        ("KillOnlyUsers=ann bob\nKillExcludeUsers=ann", {"bob"}),
        ("KillOnlyUsers=ann\nKillOnlyUsers=", {"ann", "bob"}),
    ],
)
def test_users_are_excluded_and_singled_out_as_logind_does(tmp_path: Path, lines: str, killed: set[str]) -> None:
    write(machine(tmp_path), "etc/systemd/logind.conf", YES + lines + "\n")
    assert {user for user in ("root", "ann", "bob") if kills(user, tmp_path)} == killed


def test_where_a_logout_does_no_harm_the_command_stays_as_it_is(tmp_path: Path) -> None:
    assert outlive_logout("ann", machine(tmp_path)) == ((), "")


def test_a_lingering_user_gets_a_scope_and_no_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd_run(tmp_path, monkeypatch, "exit 0")
    write(machine(tmp_path), "etc/systemd/logind.conf", YES)
    write(tmp_path, "var/lib/systemd/linger/ann", "")
    assert outlive_logout("ann", tmp_path) == (("systemd-run", "--user", "--scope", "--quiet", "--collect"), "")


def test_without_lingering_the_scope_ends_with_the_last_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd_run(tmp_path, monkeypatch, "exit 0")
    write(machine(tmp_path), "etc/systemd/logind.conf", YES)
    scope, warning = outlive_logout("ann", tmp_path)
    assert scope[0] == "systemd-run"
    assert "last session" in warning
    assert "loginctl enable-linger" in warning


@pytest.mark.parametrize("there", [True, False])
def test_no_scope_is_tried_where_no_user_manager_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        systemd_run(tmp_path, monkeypatch, "exit 1")
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    write(machine(tmp_path), "etc/systemd/logind.conf", YES)
    scope, warning = outlive_logout("ann", tmp_path)
    assert scope == ()
    assert "loginctl enable-linger" in warning
    assert "\n" not in warning


def test_a_supervisor_in_a_scope_is_waited_for_and_the_warning_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ["PATH"]
    become = 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"'
    systemd_run(tmp_path, monkeypatch, f'echo "$@" >>{tmp_path}/said; {become}')
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{path}")
    write(machine(tmp_path), "etc/systemd/logind.conf", YES)
    monkeypatch.setattr(supervisor_start, "outlive_logout", lambda user: outlive_logout("ann", tmp_path))
    folder = make_run(tmp_path / "outputs", "run", 1)
    assert "last session" in supervisor_start.start_supervisor(folder)
    probe, scope = (tmp_path / "said").read_text().splitlines()
    assert probe == "--user --scope --quiet --collect true"
    assert scope.startswith("--user --scope --quiet --collect /")
    deadline = time.monotonic() + 120
    while read_run(folder)[1].live:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert read_run(folder)[1].state == "finished"
