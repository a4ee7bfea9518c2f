"""Recorded runs of other people, judged: what overfitted is flagged, what ended well is not told to stop.

`pytest -s` prints the table. The truth about each file was computed on its own, from the raw file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from vlmft_console.errors import VlmftError
from vlmft_console.history.importers import open_foreign
from vlmft_core.health import STOP, Finding, Health

EVAL_RULES = {"eval_rising", "eval_off_best", "gap", "accuracy_falling", "plateau", "underfit"}
NEAR = 0.02
"""A run that ends this close to its best, as a share of it, ended well."""
AWAY = 0.05
"""One that ends further above it than this overfitted."""


@dataclass(frozen=True)
class Judged:
    """One recorded run."""

    name: str
    truth: dict[str, Any]
    findings: list[Finding]
    stops: list[tuple[int, str]]
    """Steps and rules where `early_stop: auto` would have ended it; only the first counts."""

    @property
    def off(self) -> float | None:
        """Last eval loss above the best, as a share of it; None without evals."""
        lowest, last = self.truth["eval_min"], self.truth["eval_last"]
        return None if lowest is None else (last - lowest) / lowest

    @property
    def active(self) -> set[str]:
        return {f"{finding.rule}:{finding.severity}" for finding in self.findings if finding.active}

    def row(self) -> str:
        kind = (
            "-" if self.off is None else "overfitted" if self.off > AWAY else "ended well" if self.off <= NEAR else ""
        )
        off = "" if self.off is None else f"{self.off:+.1%}"
        ended = f"at {self.stops[0][0]} by {self.stops[0][1]}" if self.stops else ""
        return f"{self.name[-58:]:58} {off:>7} {kind:10}  {ended:26} {' '.join(sorted(self.active))}"


def judge(name: str, path: Path, truth: dict[str, Any]) -> Judged | None:
    """None for a file that is refused."""
    try:
        records = open_foreign(path).read()
    except VlmftError:
        return None
    health, stops = Health(), []
    for record in records:
        for finding in health.feed(record):
            if finding.active and finding.severity == STOP:
                stops.append((finding.seen, finding.rule))
    return Judged(name, truth, health.findings, stops)


@cache
def judge_all(folder: Path) -> list[Judged]:
    lines = (folder / "truth.jsonl").read_text("utf-8").splitlines()
    truths = [truth for truth in map(json.loads, lines) if truth["kind"] != "results"]  # final figures alone
    found = [judge(truth["file"], folder / truth["file"], truth) for truth in truths]
    return [one for one in found if one is not None]


@pytest.fixture
def judged(shared: Path) -> list[Judged]:
    return judge_all(shared / "reallogs")


def test_every_run_whose_eval_rose_away_is_flagged(judged: list[Judged]) -> None:
    print("\n" + "\n".join(one.row() for one in judged))
    rose = [run for run in judged if run.off is not None and run.off > AWAY]
    assert len(rose) >= 3
    for run in rose:
        assert run.active & {"eval_off_best:stop", "eval_off_best:caution", "eval_rising:stop"}, run.row()


def test_no_run_that_ended_near_its_best_was_ever_told_to_stop(judged: list[Judged]) -> None:
    ended_well = [run for run in judged if run.off is not None and run.off <= NEAR]
    assert len(ended_well) >= 10
    for run in ended_well:
        assert not [finding for finding in run.findings if finding.severity == STOP], run.row()
        assert not run.stops, run.row()  # not for a while either: early stop would have ended it


def test_every_run_with_nan_is_told_to_stop_and_gradients_alone_never_are(judged: list[Judged]) -> None:
    for run in judged:
        if run.truth["n_nan"] or run.truth["zero_loss"]:
            assert "non_finite:stop" in run.active, run.row()
        assert "grad_high:stop" not in run.active, run.row()


def test_a_stop_is_always_about_an_eval_that_rose_or_a_number_that_is_not_finite(judged: list[Judged]) -> None:
    for run in judged:
        for _, rule in run.stops:
            assert rule in EVAL_RULES | {"non_finite"}, run.row()
