"""Strict YAML: what a file says is what is read, and everything doubtful is refused with a line."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmft_core.errors import PresetError
from vlmft_core.preset.dump import dump_yaml
from vlmft_core.preset.strict_yaml import parse, read_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | TEXT
DATA = st.dictionaries(
    TEXT,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
    ),
    max_size=4,
)


def same(left: object, right: object) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    return type(left) is type(right) and left == right


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    return 1 + max((_depth(item) for item in value), default=0) if isinstance(value, list) else 0


@settings(max_examples=80)
@given(DATA)
def test_what_is_written_reads_back_the_same(data: dict[str, object]) -> None:
    if _depth(data) <= 10:
        assert same(parse(dump_yaml(data), "f").data, data)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4e-5", 4e-5),
        ("4E+3", 4000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("6", 6),
        ("-3", -3),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-02", "2026-01-02"),
        ("'017'", "017"),
        ("=", "="),
        (".inf", math.inf),
    ],
)
def test_words_and_numbers_follow_yaml_1_2(text: str, value: object) -> None:
    assert same(parse(f"a: {text}", "f").data, {"a": value})


def test_every_key_and_list_item_has_its_line() -> None:
    document = parse("a:\n  b: 1\n\n  c:\n    - x\n    - {d: 2}\n", "f")
    assert document.lines == {"a": 1, "a.b": 2, "a.c": 4, "a.c.0": 5, "a.c.1": 6, "a.c.1.d": 6}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f:3: a: said twice, first on line 1"),
        ("s:\n  a: 1\n  'a': 2", "f:3: s.a: said twice, first on line 2"),
        ("{a: 1, a: 2}", "f:1: a: said twice"),
        ("a: 017", "f:1: a: 017 has a leading zero"),
        ("a: &x 1", "f:1: a: anchors"),
        ("a: 1\nb: *x", "f:2: b: anchors"),
        ("a: !!python/name:os.system", "f:1: a: tags are not allowed"),
        ("a: !!str 1", "f:1: a: tags are not allowed"),
        ("!x {a: 1}", "f:1: tags are not allowed"),
        ("a: 1\n---\nb: 2", "f:2: a second document"),
        ("%YAML 1.1\n---\na: 1", "a %YAML directive other than 1.2"),
        ("1: 2", "f:1: a key that is not text"),
        ("[a]: 2", "f:1: a key that is not text"),
        ("a: " + "[" * 30, ": nested deeper than 10 levels"),
        ("a: " + "9" * 5000, "f:1: a: a number of more than 64 characters"),
        ("a: [1", "not valid YAML"),
        ("a:\n\tb: 1", "f:2: not valid YAML"),
        ("a: 1\nb: \x00", "f:2: a control character"),
        ("a: \udc80", "f:1: a control character"),
        ("# " + "x" * (1 << 20), "f: larger than 1 MiB"),
    ],
)
def test_what_is_doubtful_is_refused_with_file_line_and_key(text: str, message: str) -> None:
    with pytest.raises(PresetError) as caught:
        parse(text, "f")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_bomb_of_aliases_ends_at_the_first_anchor() -> None:
    layers = ["a0: &a0 [x, x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(PresetError, match="f:1: a0: anchors"):
        parse("\n".join(layers), "f")


def test_a_control_character_in_a_key_does_not_reach_the_message() -> None:
    with pytest.raises(PresetError) as caught:
        parse('"\\e[31m": 1\n"\\e[31m": 2', "f")
    assert str(caught.value).isprintable()


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    document = parse(read_text(file), "f")
    assert document.data == {"a": 1, "b": 2}
    assert document.lines == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: \xff\n", ":2: not UTF-8"),
        ("a: 1".encode("utf-16"), "not UTF-8"),
        (b"#" * (2 << 20), "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_small_utf8_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(PresetError, match=message):
        read_text(file)


def test_a_folder_a_fifo_a_device_and_a_missing_file_are_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, Path("/dev/zero")):
        with pytest.raises(PresetError, match="not a regular file"):
            read_text(path)
    with pytest.raises(PresetError, match="cannot be read: No such file"):
        read_text(tmp_path / "none.yaml")
    with pytest.raises(PresetError, match="not a path"):
        read_text(Path("a\0b"))
