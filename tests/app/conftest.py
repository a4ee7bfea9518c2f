"""A machine of its own for every test of screens: no runs but those that the test makes, and a clock that stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App

from tests.run_folders import NOW
from vlmft_console.app.screens import runs


@pytest.fixture
def machine(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the console starts. It knows no roots but `outputs` there, and no samples."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "config"))
    monkeypatch.setattr("vlmft_console.runs.overview.recorded_runs", list)
    monkeypatch.setattr(runs, "now", lambda: NOW)
    return here


@pytest.fixture(autouse=True)
def _messages_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine their few seconds would be over before a test looks."""
    monkeypatch.setattr(App, "NOTIFICATION_TIMEOUT", 600.0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "snap_compare" in getattr(item, "fixturenames", ()):
            item.add_marker("snapshot")
