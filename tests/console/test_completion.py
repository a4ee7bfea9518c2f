from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def offered(folder: Path, line: str) -> list[str]:
    """What bash is offered at Tab at the end of `line`."""
    asked = {"_VLMFT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    asked["XDG_STATE_HOME"] = str(folder / "state")  # no other test's runs
    program = str(Path(sys.executable).with_name("vlmft"))
    done = subprocess.run(
        [program], cwd=folder, env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    return done.stdout.split()


def test_preset_names_are_completed(tmp_path: Path) -> None:
    assert offered(tmp_path, "vlmft run ult") == ["ultimate"]
    assert "demo" in offered(tmp_path, "vlmft plan ")


def test_run_names_are_completed(tmp_path: Path) -> None:
    (tmp_path / "outputs" / "charts-1").mkdir(parents=True)
    (tmp_path / "outputs" / "charts-1" / "run.json").write_text("{}")
    assert offered(tmp_path, "vlmft attach cha") == ["charts-1"]
