"""What hosts find before a start, and what is said of it."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vlmft_console.errors import MachineError
from vlmft_console.paths import preset_folders
from vlmft_console.runs import node_look
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.locks import acquire
from vlmft_console.runs.node_check import ask, differences
from vlmft_core.preset import load_preset

DEMO = load_preset("demo", preset_folders()).preset


def python(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-P", *arguments]


def answer(host: str = "n1", **changes: Any) -> dict[str, Any]:
    """A host's where all is well, but for the changes."""
    well = {"versions": {"python": "3.11", "deepspeed": "0.19.8"}, "sees_folder": True, "sees_lock": True}
    return {
        "host": host,
        **well,
        "missing": [],
        "ranks": [],
        "gpus": 8,
        "gpu_names": ["H100"],
        "offset": 0.0,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"versions": {"python": "3.11", "deepspeed": "0.18.2"}}, "n2: deepspeed 0.18.2, n1: 0.19.8"),
        ({"versions": {"python": "3.11"}}, "n2: deepspeed is missing, n1: 0.19.8"),
        ({"sees_folder": False, "sees_lock": False}, "n2 does not see the run folder /out/a: it has to be on a file"),
        ({"missing": ["/data/x"]}, "n2: /data/x: no such file or folder"),
        ({"ranks": [41, 42]}, "n2: ranks of an earlier start live: end them there by `kill 41 42`"),
        ({"gpus": 4}, "n2: 4 GPUs, 8 wanted"),
        ({"offset": -3.26}, "n2: its clock is 3.26 s behind that of n1"),
        ({"problem": "n1:20001: Connection refused"}, "n2 cannot reach n1:20001: Connection refused"),
    ],
)
def test_what_differs_on_a_host_is_a_line_that_stops_the_start(changes: dict[str, Any], line: str) -> None:
    stops, notes = differences([answer(), answer("n2", **changes)], "n1", Path("/out/a"), {"n1": 8, "n2": 8})
    assert len(stops) == 1
    assert stops[0].startswith(line)
    assert not notes


def test_other_gpus_and_locks_that_are_not_seen_are_only_said() -> None:
    answers = [answer(), answer("n2", sees_lock=False, gpu_names=["A100"], offset=1.5)]
    stops, notes = differences(answers, "n1", Path("/out/a"), {"n1": 8, "n2": 8})
    assert not stops
    assert [note.partition(" in ")[0] for note in notes] == ["n2 does not see locks of others", "n2: A100, n1: H100"]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "run")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_host_on_which_all_is_well_lets_the_run_start(run: RunFolder) -> None:
    lock = acquire(run.lock)
    assert lock is not None
    assert ask(run, DEMO, python, first="127.0.0.1", port=free_port(), ranks={"here": 2}) == []
    os.close(lock)
    notes = ask(run, DEMO, python, first="127.0.0.1", port=free_port(), ranks={"here": 2})
    assert [" does not see locks of others in " in note for note in notes] == [True]
    assert not run.token_file.exists()


def test_hosts_that_do_not_answer_are_counted_with_what_was_said(run: RunFolder) -> None:
    with pytest.raises(MachineError, match=r"0 of 2 hosts answered: .*No module named"):
        ask(
            run,
            DEMO,
            lambda arguments: [sys.executable, "-S", "-I", *arguments],
            first="127.0.0.1",
            port=free_port(),
            ranks={"a": 1, "b": 1},
        )
    with pytest.raises(MachineError, match="/no/python: No such file"):
        ask(run, DEMO, lambda arguments: ["/no/python"], first="127.0.0.1", port=free_port(), ranks={"a": 1})


WAITS = """
import json, sys
from vlmft_console.runs import node_look
node_look.MEET_SECONDS = 3600.0
print(json.dumps(node_look.look(node_look.Question(**json.loads(sys.argv[1])))))
"""
PATIENT = (sys.executable, "-P", "-c", WAITS)
"""A look that waits for others as long as it takes."""


def test_nobody_waits_for_hosts_that_ssh_does_not_reach_and_each_is_named(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmft_console.runs.node_check._ANSWER_SECONDS", 3600.0)
    said = """
echo 'n8: ssh: connect to host n8 port 22: Connection refused
pdsh@here: n8: ssh exited with exit code 255
n9: ssh: Could not resolve hostname n9: Name or service not known
pdsh@here: n9: ssh exited with exit code 255' >&2
exec "$@"
"""
    with pytest.raises(MachineError) as told:
        ask(
            run,
            DEMO,
            lambda arguments: ["sh", "-c", said, "sh", *PATIENT, arguments[-1]],
            first="127.0.0.1",
            port=free_port(),
            ranks={"here": 1, "n8": 1, "n9": 1},
        )
    assert str(told.value) == (
        "1 of 3 hosts answered: n8: ssh: connect to host n8 port 22: Connection refused; "
        "n9: ssh: Could not resolve hostname n9: Name or service not known"
    )


def test_a_host_that_has_yet_to_reach_the_first_gives_up_once_the_meeting_is_called_off(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_look, "MEET_SECONDS", 3600.0)
    monkeypatch.setattr(node_look, "_is_here", lambda host: False)
    run.token_file.write_text('{"token": "1", "called_off": true}')
    question = node_look.Question(str(run.token_file), "1", str(run.lock), "id", (), False, "127.0.0.1", free_port(), 2)
    found = node_look.look(question)
    assert found["sees_folder"]
    assert not {"offset", "problem"} & found.keys()


def test_a_machine_under_two_names_is_told_as_one(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmft_console.runs.node_check._ANSWER_SECONDS", 3600.0)
    with pytest.raises(MachineError, match=rf"^{platform.node()} answered more than once: it is named more than once$"):
        ask(
            run,
            DEMO,
            lambda arguments: ["sh", "-c", '"$@" & "$@"; wait', "sh", *PATIENT, arguments[-1]],
            first="127.0.0.1",
            port=free_port(),
            ranks={"localhost": 1, "127.0.0.1": 1},
        )


def test_of_many_hosts_that_are_not_reached_some_are_named(run: RunFolder) -> None:
    said = 'for n in 1 2 3 4 5 6; do echo "n$n: no"; echo "pdsh@here: n$n: ssh exited with exit code 255"; done >&2'
    with pytest.raises(MachineError, match=r"answered: n1: no; n2: no; n3: no; n4: no; and 2 more hosts$"):
        ask(
            run,
            DEMO,
            lambda arguments: ["sh", "-c", said],
            first="n1",
            port=free_port(),
            ranks=dict.fromkeys("123456", 1),
        )


def test_an_option_that_srun_does_not_know_is_said(run: RunFolder) -> None:
    said = """echo "srun: unrecognized option '--x'" >&2; echo 'Try "srun --help" for more information' >&2"""
    with pytest.raises(MachineError, match=r"answered: srun: unrecognized option '--x'$"):
        ask(run, DEMO, lambda arguments: ["sh", "-c", said], first="127.0.0.1", port=free_port(), ranks={"a": 1})


def test_json_that_a_profile_prints_is_no_answer(run: RunFolder) -> None:
    said = """echo '{"host": "n1", "motd": "hello"}'; exec "$@" """
    notes = ask(
        run,
        DEMO,
        lambda arguments: ["sh", "-c", said, "sh", *python(arguments)],
        first="127.0.0.1",
        port=free_port(),
        ranks={"here": 2},
    )
    assert len(notes) == 1, "that nobody holds the lock"


def test_a_port_that_is_taken_is_said_by_the_first_host(run: RunFolder) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        question = node_look.Question("token", "", str(run.lock), "id", (), False, "127.0.0.1", port, 2)
        found = node_look.look(question)
    assert found["problem"] == f"127.0.0.1:{port}: Address already in use"


def test_a_first_host_whose_name_means_nothing_is_said_in_words(run: RunFolder) -> None:
    question = node_look.Question("token", "", str(run.lock), "id", (), False, "no-such-host.invalid", 20001, 2)
    problem = node_look.look(question)["problem"]
    assert problem.startswith("no-such-host.invalid:20001: ")
    assert "Unknown error" not in problem


def test_the_question_comes_through_as_text() -> None:
    question = node_look.Question("t'o \"k", "1", "l", "id", ("/a b",), True, "n1", 20001, 2)
    assert node_look.Question(**json.loads(question.as_text())).token_file == "t'o \"k"
