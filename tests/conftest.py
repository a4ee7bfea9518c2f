"""Isolation: nothing of the developer's machine leaks into a test, and nothing of a test into another."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.second_try import SecondTry

if "PYTEST_XDIST_WORKER" in os.environ:  # several workers share the cores: threads that wait for one would burn another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("slow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("slow"), derandomize=True)

_HOMES = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_numbers = itertools.count()


@pytest.fixture(autouse=True, scope="session")
def _own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in _HOMES:
            patch.setenv(name, str(home / name.lower()))
        patch.setenv("HF_HUB_OFFLINE", "1")
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets, drafts and remembered runs of this test alone."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_numbers))
    for name in _HOMES:
        monkeypatch.setenv(name, str(home / name.lower()))


@pytest.fixture(autouse=True)
def _no_process_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A run that a test started ends with it, also where the test failed: its processes name their run's folder."""
    yield
    folder = request.node.funcargs.get("tmp_path")
    while folder is not None and (left := _processes_that_name(folder)):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes_that_name(folder: Path) -> list[int]:
    """Those with an argument that is `folder` or a path in it; one that has ended has no arguments any more."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            arguments = file.read_bytes().replace(b"\0", b"/")
            if b"%s/" % bytes(folder) in arguments:
                found.append(int(file.parent.name))
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shared() -> Path:
    """Material beside the checkout that is not part of it; the test is skipped where it is missing."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The tests of a file go to one worker, where they share what its fixtures made, unless they are marked `apart`."""
    for item in items:
        if item.get_closest_marker("soak") and not config.getoption("--soak"):
            item.add_marker(pytest.mark.skip("takes minutes: pytest --soak"))
        if item.get_closest_marker("xdist_group") is None:
            group = item.nodeid if item.get_closest_marker("apart") else item.nodeid.partition("::")[0]
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_configure(config: pytest.Config) -> None:
    # Hypothesis tries the same examples every time, and others in a soak.
    settings.load_profile("slow" if config.getoption("--soak") else "same")
    told: Path | None = config.getoption("--second-try")
    if told and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(SecondTry(told))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="make every fault as often as the release asks for")
    parser.addoption("--second-try", type=Path, help="try tests/e2e again where little failed; write into this file")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often to make a fault: 100 in a soak, else as few as the test can do with."""
    return 100 if request.config.getoption("--soak") else 0
