from __future__ import annotations

from pathlib import Path

from tests.command_line import vlmft


def offered(folder: Path, line: str) -> list[str]:
    """What bash is offered at Tab at the end of `line`."""
    asked = {"_VLMFT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return vlmft(folder=folder, **asked).stdout.split()


def test_preset_names_are_completed(tmp_path: Path) -> None:
    assert offered(tmp_path, "vlmft run ult") == ["ultimate"]
    assert "demo" in offered(tmp_path, "vlmft plan ")


def test_run_names_are_completed(tmp_path: Path) -> None:
    (tmp_path / "outputs" / "charts-1").mkdir(parents=True)
    (tmp_path / "outputs" / "charts-1" / "run.json").write_text("{}")
    assert offered(tmp_path, "vlmft attach cha") == ["charts-1"]
