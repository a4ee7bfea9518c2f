from __future__ import annotations

import json
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("shell", "told", "good"),
    [
        ("bash", {"COMP_WORDS": "vlmft attach ", "COMP_CWORD": "2"}, "good"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "vlmft attach "}, """_arguments '*: :(("good"))'"""),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "vlmft attach ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "good",
        ),
    ],
)
def test_a_folder_that_somebody_named_to_be_executed_or_to_steer_a_terminal_is_not_offered(
    tmp_path: Path, shell: str, told: dict[str, str], good: str
) -> None:
    for name in ("good", "a\\$(touch executed)", "b';touch executed;'", "\x1b]0;EVIL\x07", "c\u202eexe", "-rf", "d\n"):
        run = tmp_path / "outputs" / name
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
    assert vlmft(folder=tmp_path, _VLMFT_COMPLETE=f"complete_{shell}", **told).stdout == f"{good}\n"


def test_parameters_are_completed_for_set(tmp_path: Path) -> None:
    assert offered(tmp_path, "vlmft plan best --set training.learning") == ["training.learning_rate="]


def test_the_metrics_of_the_named_logs_are_completed_but_for_names_that_a_shell_might_obey(tmp_path: Path) -> None:
    for name, metric in (("one", "reward"), ("two", "wer")):
        entry = {"step": 1, "loss": 1.0, metric: 0.5, "r;touch executed": 1.0, "r$(touch executed)": 1.0}
        lines = [json.dumps({**entry, "step": step}) for step in range(1, 4)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    assert offered(tmp_path, "vlmft plot one.jsonl -m r") == ["reward"]
    assert set(offered(tmp_path, "vlmft compare one.jsonl two.jsonl -m ")) == {"loss", "reward", "wer"}
    assert offered(tmp_path, "vlmft plot missing.jsonl -m ") == []
