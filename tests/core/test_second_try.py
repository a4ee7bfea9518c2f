"""The suite's second try: what makes it pass, and what never does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
from pathlib import Path
from tests.second_try import SecondTry

def pytest_addoption(parser):
    parser.addoption("--first", action="store_true")

def pytest_configure(config):
    if config.getoption("--first") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SecondTry(Path("told")))
"""
ONCE = """
import pytest
from pathlib import Path

@pytest.mark.parametrize("name", {names})
def test_fails_once(name):
    known = Path(name).exists()
    Path(name).touch()
    assert known
"""
CRASH = "import os\n\ndef test_crashes():\n    if 'PYTEST_XDIST_WORKER' in os.environ: os._exit(1)\n"
LATER_SKIPPED = """
import pytest
from pathlib import Path

def test_fails_then_skips():
    if Path("known").exists():
        pytest.skip("no such thing here")
    Path("known").touch()
    assert False
"""
TWO, FOUR = ONCE.format(names=["a@b", "b"]), ONCE.format(names=list("abcd"))
WORKERS = ("-p", "xdist", "--numprocesses=2", "--dist=loadgroup")


@pytest.mark.parametrize(
    ("folder", "content", "options", "passes"),
    [
        pytest.param("e2e", TWO, WORKERS, True, id="once"),
        pytest.param("e2e", CRASH, WORKERS, False, id="a crash"),
        pytest.param("e2e", FOUR, (), False, id="too many"),
        pytest.param("e2e", "def test_fails(): assert False\n", (), False, id="again"),
        pytest.param("e2e", LATER_SKIPPED, (), False, id="skipped then"),
        pytest.param("e2e", "import nothing_of_this_name\n", (), False, id="not to be imported"),
        pytest.param("core", TWO, (), False, id="elsewhere"),
    ],
)
def test_few_failures_of_e2e_alone_are_tried_again_and_told(
    tmp_path: Path, folder: str, content: str, options: tuple[str, ...], passes: bool
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "tests" / folder).mkdir(parents=True)
    (tmp_path / "tests" / folder / "test_it.py").write_text(content)
    (tmp_path / "tests" / folder / "test_well.py").write_text("def test_is_well(): pass\n")
    own = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | own
    command = [sys.executable, "-m", "pytest", "--first", *options]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode == 0) is passes, done.stdout + done.stderr
    told = tmp_path / "told"
    names = [f"passed only at the second try: tests/e2e/test_it.py::test_fails_once[{name}]\n" for name in ("a@b", "b")]
    assert (told.read_text() if told.exists() else "") == ("".join(names) if passes else "")
