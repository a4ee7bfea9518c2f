from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vlmft_console.history.tail import Tail
from vlmft_trainer.errors import VlmftError
from vlmft_trainer.events import MAX_LINE


def note(seq: int, message: str = "hello") -> bytes:
    record = {"v": 1, "seq": seq, "t": 1.0, "mono": 1.0, "event": "note", "message": message}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events-0001.jsonl"


def test_a_log_cut_at_any_byte_gives_the_same_records(log: Path) -> None:
    whole = note(0) + note(1, "two\u2028lines\x85") + note(2, "é" * 20)
    for cut in range(len(whole)):
        log.unlink(missing_ok=True)
        tail = Tail(log)
        append(log, whole[:cut])
        records = tail.read()
        append(log, whole[cut:])
        records += tail.read()
        assert [record["seq"] for record in records] == [0, 1, 2]
        assert tail.rejected == tail.restarts == 0


def test_a_log_that_does_not_exist_yet_is_waited_for(log: Path) -> None:
    tail = Tail(log)
    assert tail.read() == []
    append(log, note(0))
    assert len(tail.read()) == 1


@pytest.mark.parametrize(
    "junk",
    [
        b"{torn\n",
        b"\x00\x00\x00\n",
        b"\xff\xfe\n",
        b"[1, 2]\n",
        b'{"event": "step"}\n',
        b'{"v": 1, "seq": 0, "t": 1, "event": "step", "step": true}\n',
        b'{"v": 1, "seq": 0, "t": 1, "event": "note", "message": 1e999}\n',
        b'{"v": 1, "seq": ' + b"9" * 5000 + b', "t": 1, "event": "note", "message": ""}\n',
        b"[" * 5000 + b"\n",
    ],
)
def test_a_line_that_is_no_record_is_skipped_and_counted(log: Path, junk: bytes) -> None:
    append(log, note(0) + junk + note(1))
    tail = Tail(log)
    assert [record["seq"] for record in tail.read()] == [0, 1]
    assert tail.rejected == 1


def test_windows_line_ends_and_blank_lines_are_accepted(log: Path) -> None:
    append(log, note(0).replace(b"\n", b"\r\n") + b"\n \n" + note(1))
    tail = Tail(log)
    assert len(tail.read()) == 2
    assert tail.rejected == 0


def test_a_huge_line_is_skipped_and_reading_goes_on(log: Path) -> None:
    append(log, note(0) + b"x" * (3 * MAX_LINE) + b"\n" + note(1))
    tail = Tail(log)
    assert [record["seq"] for record in tail.read()] == [0, 1]
    assert tail.rejected == 1


def test_a_log_rewritten_to_the_same_length_is_read_again(log: Path) -> None:
    append(log, note(0, "aaaa"))
    tail = Tail(log)
    tail.read()
    log.write_bytes(note(0, "bbbb"))
    assert [record["message"] for record in tail.read()] == ["bbbb"]
    assert tail.restarts == 1


def test_a_truncated_or_replaced_log_is_read_again(log: Path) -> None:
    append(log, note(0) + note(1))
    tail = Tail(log)
    tail.read()
    log.write_bytes(note(0))
    assert len(tail.read()) == 1
    log.unlink()
    assert tail.read() == []
    append(log, note(7) + note(8) + note(9))
    assert [record["seq"] for record in tail.read()] == [7, 8, 9]


def test_a_fifo_or_a_folder_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(VlmftError, match="not a regular file"):
            Tail(path).read()
