from __future__ import annotations

import errno
import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from vlmft_core.run_folder import events
from vlmft_core.run_folder.events import EventWriter, parse


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events-0001.jsonl"


def test_records_are_numbered_and_readable_at_once(log: Path) -> None:
    writer = EventWriter(log)
    assert writer.write(events.NOTE, message="é\n")
    assert writer.write(events.HEARTBEAT, step=3)
    assert [(r["v"], r["seq"], r["event"]) for r in lines(log)] == [(1, 0, "note"), (1, 1, "heartbeat")]
    assert log.read_bytes().isascii()
    writer.close()
    writer.close()


def test_the_log_is_the_owners_alone(log: Path) -> None:
    EventWriter(log).close()
    assert log.stat().st_mode & 0o777 == 0o600


def test_what_is_not_finite_is_null_and_named(log: Path) -> None:
    writer = EventWriter(log)
    writer.write(
        events.STEP,
        step=1,
        epoch=0.1,
        loss=math.nan,
        lr=1e-4,
        grad_norm=math.inf,
        nonfinite=["hidden"],
        deep={"a": [math.nan]},
    )
    (record,) = lines(log)
    assert record["loss"] is None
    assert record["grad_norm"] is None
    assert record["deep"] == {"a": [None]}
    assert record["nonfinite"] == ["deep.a.0", "grad_norm", "hidden", "loss"]
    assert parse(log.read_bytes())["step"] == 1


def test_a_failed_write_is_counted_and_told_once_writing_works_again(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = EventWriter(log)
    real, full = os.write, True

    def disk_full(descriptor: int, data: bytes) -> int:
        if not full:
            return real(descriptor, data)
        if len(data) > 10:
            return real(descriptor, data[:10])  # what still fits, then nothing
        raise OSError(errno.ENOSPC, "No space left on device")

    writer.write(events.NOTE, message="before")
    monkeypatch.setattr(os, "write", disk_full)
    assert not writer.write(events.NOTE, message="lost, and more than ten bytes of it")
    full = False
    assert writer.write(events.NOTE, message="after")
    good = []
    for line in log.read_bytes().split(b"\n"):
        try:
            good.append(parse(line))
        except ValueError:
            continue
    assert [record["message"] for record in good] == [
        "before",
        "1 event records were lost: disk error",
        "after",
    ]
    assert [record["seq"] for record in good] == [0, 1, 2]


def test_threads_never_mix_their_records(log: Path) -> None:
    writer = EventWriter(log)
    threads = [
        threading.Thread(target=lambda: [writer.write(events.NOTE, message="x" * 500) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record["seq"] for record in lines(log)] == list(range(200))


def test_an_unknown_event_is_kept_for_a_newer_reader() -> None:
    assert parse(b'{"v":9,"seq":0,"t":1,"event":"novel","x":1}')["x"] == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"v":1,"seq":0,"t":1}', "no event name"),
        (b'{"v":1,"seq":-1,"t":1,"event":"note","message":""}', "seq is not an integer"),
        (b'{"v":1,"seq":0,"t":"x","event":"note","message":""}', "t is not a number"),
        (b'{"v":1,"seq":0,"t":1,"event":"note","message":null}', "message is not a text"),
        (b'{"v":1,"seq":0,"t":1,"event":"step","step":null}', "step is not an integer"),
        (
            b'{"v":1,"seq":0,"t":1,"event":"eval","step":1,"epoch":1,"eval_loss":"1.5"}',
            "eval_loss is not a number",
        ),
        (b'{"v":1,"seq":0,"t":1,"event":"eval","step":1,"epoch":1}', "eval_loss is not a number"),
        (b'{"v":1,"seq":0,"t":1,"event":"step","step":1,"epoch":1,"loss":1,"lr":1}', "grad_norm is not a number"),
        (b'{"v":1,"seq":0,"event":"note","message":""}', "t is not a number"),
        (b'{"v":1,"seq":0,"t":1,"event":"gpu","gpus":null}', "gpus is not a list of objects"),
        (b'{"v":1,"seq":0,"t":1,"event":"gpu","gpus":[{"index":0},3]}', "gpus is not a list of objects"),
    ],
)
def test_a_record_with_a_wrong_type_is_refused_with_its_reason(line: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(line)


def test_a_log_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine\n")
    (tmp_path / "events.jsonl").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        EventWriter(tmp_path / "events.jsonl")
    assert target.read_text() == "mine\n"
