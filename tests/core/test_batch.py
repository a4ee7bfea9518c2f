"""Batches: many lines are read as each of them is, and looked at as columns they say what the records say."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vlmft_core.run_folder.batch import Batch, parse_all
from vlmft_core.run_folder.events import Record, parse

STEP = {"v": 1, "seq": 5, "t": 1.5, "event": "step", "step": 7, "epoch": 0.5, "loss": 2.5, "lr": 1e-4, "grad_norm": 0.5}
BEAT = {"v": 1, "seq": 6, "t": 2.5, "event": "heartbeat", "step": 7}
values = st.sampled_from([None, True, -1, 0, 2**53, -1e300, 1e300, 3.0, "1", [], {}])
changed = st.dictionaries(st.sampled_from([*STEP, "mono", "nonfinite"]), values, max_size=1)
records = st.builds(lambda record, wrong: record | wrong, st.sampled_from([STEP, BEAT]), changed)
lines = st.lists(
    records.map(lambda record: json.dumps(record).encode()) | st.sampled_from([b"", b"[]", b"{", b'{"v":1}'])
)


def one_by_one(written: list[bytes]) -> list[Record] | None:
    with contextlib.suppress(ValueError):
        return [parse(line) for line in written]
    return None


@settings(deadline=None)
@given(lines)
@example([json.dumps(STEP).encode()] * 3)
def test_lines_are_read_together_as_they_are_one_by_one(written: list[bytes]) -> None:
    assert parse_all(written) == (one_by_one(written) or None)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b',"x":1', b'"y":2}'),
        (b',"x":[{}', b'{"y":2}]}'),
        (b',"x":"}', b'{"}'),
    ],
)
def test_two_lines_in_one_do_not_make_up_for_a_torn_one(first: bytes, second: bytes) -> None:
    whole = json.dumps(BEAT).encode()
    assert parse_all([whole, whole]) is not None
    assert parse_all([whole + b"," + whole]) is None
    assert parse_all([whole + b"," + whole, whole[:-1] + first, second]) is None


@settings(deadline=None)
@given(st.lists(records), st.sampled_from([*STEP, "mono", "nonfinite"]))
def test_a_column_is_the_field_of_every_step(those: list[dict[str, Any]], key: str) -> None:
    batch, steps = Batch(those), [record for record in those if record["event"] == "step"]
    assert batch.steps == steps
    assert list(batch.column(key)) == [record.get(key) for record in steps]
    assert batch.has(key) == any(key in record for record in steps)
    assert [batch[index] for index in batch.others] == [record for record in those if record["event"] != "step"]
