from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmft_core.errors import VlmftError
from vlmft_core.run_folder.events import MAX_LINE, parse
from vlmft_core.run_folder.tail import RunTail, Tail, first_record


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


def test_a_log_emptied_in_the_middle_of_a_line_is_read_again(log: Path) -> None:
    append(log, note(0) + b'{"v": 1, "se')
    tail = Tail(log)
    assert len(tail.read()) == 1
    log.write_bytes(b"")
    assert tail.read() == []
    append(log, note(7))
    assert [record["seq"] for record in tail.read()] == [7]
    assert (tail.rejected, tail.restarts) == (0, 1)


def test_a_fifo_or_a_folder_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(VlmftError, match="not a regular file"):
            Tail(path).read()


def test_a_long_log_comes_in_pieces_and_says_how_far_it_is(log: Path) -> None:
    append(log, b"".join(note(seq, "x" * 2000) for seq in range(1000)))
    tail = Tail(log)
    shares, seen = [], []
    for batch in tail.batches():
        assert 0 < len(batch) < 500
        seen += [record["seq"] for record in batch]
        shares.append(tail.progress)
    assert seen == list(range(1000))
    assert shares == sorted(shares)
    assert shares[0] < 0.5
    assert shares[-1] == 1.0


def test_pieces_not_asked_for_come_the_next_time(log: Path) -> None:
    append(log, b"".join(note(seq, "x" * 2000) for seq in range(1000)))
    tail = Tail(log)
    first = next(tail.batches())
    rest = tail.read()
    assert [record["seq"] for record in first + rest] == list(range(1000))


def test_the_segments_of_a_run_come_one_after_another(tmp_path: Path) -> None:
    append(tmp_path / "events-0001.jsonl", note(0, "one") + b"{torn\n")
    tail = RunTail(tmp_path)
    assert [record["message"] for record in tail.read()] == ["one"]
    append(tmp_path / "events-0001.jsonl", note(1, "two"))
    append(tmp_path / "events-0002.jsonl", note(0, "three"))
    append(tmp_path / "events-0003.jsonl", note(0, "four"))
    assert [record["message"] for record in tail.read()] == ["two", "three", "four"]
    assert (tail.rejected, tail.restarts, tail.progress) == (1, 0, 1.0)
    (tmp_path / "events-0003.jsonl").write_bytes(note(0, "five"))
    assert [record["message"] for record in tail.read()] == ["five"]
    assert tail.restarts == 1


def test_a_run_without_a_log_has_nothing_to_tell(tmp_path: Path) -> None:
    tail = RunTail(tmp_path / "logs")
    assert tail.read() == []
    assert tail.progress == 1.0
    assert first_record(tmp_path / "none.jsonl") is None
    assert first_record(tmp_path) is None


STEP = {"v": 1, "seq": 5, "t": 1.5, "step": 7, "epoch": 0.5, "loss": 2.5, "lr": 1e-4, "grad_norm": 0.5}
WRONG = [None, True, -1, 0, 2**53, -1e300, 1e299, 1e300, 9e299, 3.0, "1", [], {}]


@given(
    st.dictionaries(st.sampled_from(sorted(STEP)), st.sampled_from(WRONG), max_size=3),
    st.sets(st.sampled_from(sorted(STEP)), max_size=1),
)
def test_a_step_is_accepted_exactly_when_every_field_is_what_it_should_be(
    wrong: dict[str, Any], missing: set[str]
) -> None:
    record = {key: value for key, value in {**STEP, **wrong}.items() if key not in missing}
    integers = all(type(record.get(key)) is int and 0 <= record[key] < 2**53 for key in ("v", "seq", "step"))
    numbers = all(
        key in record and (record[key] is None or (type(record[key]) in (int, float) and abs(record[key]) < 1e300))
        for key in ("t", "epoch", "loss", "lr", "grad_norm")
    )
    line = json.dumps({**record, "event": "step"}).encode()
    if integers and numbers:
        assert parse(line) == {**record, "event": "step"}
    else:
        with pytest.raises(ValueError, match="is not a"):
            parse(line)


@pytest.mark.parametrize("lines", [b"", note(0)])
def test_a_file_that_is_mostly_a_hole_is_refused_and_not_read_for_hours(log: Path, lines: bytes) -> None:
    append(log, lines)
    os.truncate(log, 1 << 40)
    with pytest.raises(VlmftError, match=r"nothing was ever written to its bytes \d.* to 1,099,511,627,776"):
        Tail(log).read()
