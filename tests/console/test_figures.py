"""Numbers, shares and times as text."""

from __future__ import annotations

import re

import pytest

from vlmft_console.figures import age, clock, done, epochs_passed, percent, points, stamp, whole
from vlmft_core.figures import figure, filesize, short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nan"),
        (0, "0"),
        (0.0834, "0.08340"),
        (1234.4, "1,234"),
        (50, "50.00"),
        (4e-5, "4e-5"),
        (6.0919e-7, "6.092e-7"),
        (0.001742, "0.001742"),
        (9.9996, "10.00"),
        (0.001, "0.001000"),
        (999.94, "999.9"),
        (999.95, "1,000"),
        (1e7, "1e7"),
        (float("inf"), "inf"),
        (-999.96, "-1,000"),
        (1e308, "1e308"),
    ],
)
def test_figures_read_as_people_write_them(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0834, "0.0834"),
        (1234.4, "1234"),
        (50, "50"),
        (4e-5, "4e-5"),
        (0.0001, "1e-4"),
        (0.001, "0.001"),
        (1.25e7, "1.25e7"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_short_figures_have_no_needless_zeros(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.9, "59 s"),
        (725, "12:05"),
        (11_045, "3:04:05"),
        (183_840, "2 d 03:04"),
    ],
)
def test_a_duration_is_short_at_every_length(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "now"), (59, "now"), (60, "1 min"), (3600, "1 h"), (172_799, "47 h"), (172_800, "2 d")]
)
def test_an_age_is_a_word(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (300_000, "300 kB"),
        (4_350_000, "4.35 MB"),
        (48_000_000, "48.0 MB"),
        (999, "999 bytes"),
        (9_999_999, "10.0 MB"),
        (999_999, "1.00 MB"),
        (2_300 * 10**9, "2.30 TB"),
    ],
)
def test_bytes_have_three_digits(size: int, text: str) -> None:
    assert filesize(size) == text


def test_what_is_unknown_is_said_so() -> None:
    assert (percent(None, "-"), percent(0.6543), whole(None, "W")) == ("-", "65.4 %", "–")


def test_work_is_all_done_only_when_it_is() -> None:
    assert [done(share) for share in (None, 0, 0.57, 0.999, 1)] == ["", "0 %", "57 %", "99 %", "100 %"]


def test_differences_of_shares_are_points_with_a_sign() -> None:
    assert (points(0.35), points(-0.003), points(0)) == ("+35.0", "-0.3", "+0.0")


def test_what_nobody_reads_precisely_is_whole() -> None:
    assert (whole(66.6, "°C"), whole(1234.2), epochs_passed(1.254)) == ("67 °C", "1,234", "1.25")


def test_a_stamp_sorts_as_time_does_and_fits_a_files_name() -> None:
    assert re.fullmatch(r"\d{8}T\d{6}Z", stamp())
