from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.records import plan, run_start, step, write_log
from vlmft_console.history.opened import OpenedLog, open_log
from vlmft_console.history.state import RunState
from vlmft_console.runs.folder import Command, RunFolder
from vlmft_core.errors import VlmftError
from vlmft_core.health.thresholds import Thresholds
from vlmft_core.preset import Preset, dump_preset, load_preset
from vlmft_core.run_folder.layout import RunLayout

DEMO = Path(__file__).parents[2] / "presets" / "demo.yaml"


def make_run(root: Path, preset_text: str) -> RunFolder:
    folder = RunFolder.create(root, "my-run")
    folder.write_run(preset_name="demo", preset_text=preset_text, command=Command(("true",), {}))
    write_log(folder.events_file(1), [run_start(1), plan(), step(1), step(2)])
    write_log(folder.events_file(2), [run_start(2, resumed_from=1), step(2), step(3)])
    return folder


def read(log: OpenedLog) -> RunState:
    state = RunState(log.monitor)
    for batch in log.reader.batches():
        state.apply_all(batch)
    return state


@pytest.fixture
def preset() -> Preset:
    """One whose health settings are not the defaults."""
    return load_preset(DEMO, overrides=["monitor.grad_stop=77.0"]).preset


def test_a_run_is_opened_by_its_folder_in_every_way_of_naming_it(tmp_path: Path, preset: Preset) -> None:
    folder = make_run(tmp_path, dump_preset(preset))
    for target in (folder, folder.path, folder.logs):
        log = open_log(target)
        assert (log.name, log.format, log.folder) == ("my-run", "vlmft", RunLayout(folder.path))
        state = read(log)
        assert (state.step, len(state.segments), log.reader.progress, log.rejected) == (3, 2, 1.0, 0)
        assert state.health.settings.grad_stop == 77.0


def test_a_recorded_run_is_no_run_that_could_be_steered(tmp_path: Path) -> None:
    write_log(tmp_path / "healthy" / "logs" / "events-0001.jsonl", [run_start(), step(1)])
    log = open_log(tmp_path / "healthy")
    assert (log.name, log.folder, read(log).step) == ("healthy", None, 1)


def test_the_event_log_of_one_segment_is_opened_alone(tmp_path: Path, preset: Preset) -> None:
    folder = make_run(tmp_path, dump_preset(preset))
    log = open_log(folder.events_file(1))
    assert (log.name, log.format, log.folder) == ("my-run/events-0001.jsonl", "vlmft", None)
    assert read(log).step == 2
    assert log.preset == preset


def test_a_lone_event_log_brings_the_preset_of_its_first_record(tmp_path: Path, preset: Preset) -> None:
    told = {**run_start(), "preset": preset.model_dump(mode="json")}
    log = open_log(write_log(tmp_path / "copied.jsonl", [told, step(1)]))
    assert log.preset == preset


def test_the_health_rules_go_by_a_preset_that_was_changed_after_the_launch(tmp_path: Path, preset: Preset) -> None:
    usual = load_preset(DEMO).preset
    folder = make_run(tmp_path, dump_preset(usual))
    write_log(folder.events_file(1), [{**run_start(), "preset": usual.model_dump(mode="json")}, step(1)])
    assert open_log(folder).monitor == Thresholds()
    folder.preset_file.write_text(dump_preset(preset))
    assert open_log(folder).monitor == preset.monitor


def test_a_run_with_the_usual_thresholds_is_shown_without_loading_what_checks_presets(tmp_path: Path) -> None:
    usual = load_preset(DEMO).preset
    folder = make_run(tmp_path, dump_preset(usual))
    write_log(folder.events_file(1), [{**run_start(), "preset": usual.model_dump(mode="json")}, step(1)])
    program = (
        "import sys; from pathlib import Path; from vlmft_console.history.opened import open_log;"
        "from vlmft_console.history.state import RunState;"
        "RunState(open_log(Path(sys.argv[1])).monitor);"
        "print(sorted({'pydantic', 'yaml', 'textual', 'typer'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program, folder.path], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_folder_of_runs_is_no_run_and_names_them(tmp_path: Path, preset: Preset) -> None:
    folder = make_run(tmp_path / "outputs", dump_preset(preset))
    for place in (tmp_path, tmp_path / "outputs"):
        with pytest.raises(VlmftError) as error:
            open_log(place)
        assert str(error.value) == f"{place} holds runs, and is none itself (name one of them: {folder.path})"


def test_a_preset_that_lies_about_in_the_folder_above_is_not_taken_for_the_runs_own(
    tmp_path: Path, preset: Preset
) -> None:
    (tmp_path / "preset.yaml").write_text(dump_preset(preset))
    assert open_log(write_log(tmp_path / "other" / "copied.jsonl", [run_start(), step(1)])).preset is None


@pytest.mark.parametrize("told", ["nonsense", {"training": 3}, None])
def test_a_preset_that_cannot_be_read_is_no_reason_not_to_show_the_run(tmp_path: Path, told: Any) -> None:
    folder = make_run(tmp_path, "{ not: [yaml\n")
    log = open_log(folder)
    assert log.preset is None
    assert read(log).step == 3
    lone = open_log(write_log(tmp_path / "lone.jsonl", [{**run_start(), "preset": told}, step(1)]))
    assert lone.preset is None
    assert read(lone).step == 1


def test_a_run_that_has_not_logged_yet_is_opened_and_waited_for(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "new")
    folder.write_run(preset_name="demo", preset_text="{}\n", command=Command(("true",), {}))
    log = open_log(folder.path)
    assert log.reader.read() == []
    write_log(folder.events_file(1), [run_start(), step(1)])
    assert len(log.reader.read()) == 2


def test_another_programs_log_is_opened_and_a_folder_says_which_was_chosen(tmp_path: Path) -> None:
    history = [{"step": number, "epoch": number / 10, "loss": 1.0 / number} for number in range(1, 31)]
    chosen = tmp_path / "trainer_state.json"
    chosen.write_text(json.dumps({"log_history": history, "global_step": 30}))
    (tmp_path / "README.md").write_text("nothing to see")
    for target in (chosen, tmp_path):
        log = open_log(target)
        assert (log.path, log.format, log.folder, log.preset) == (chosen, "trainer_state", None, None)
        assert read(log).train_loss.last == (30.0, pytest.approx(1 / 30))


@pytest.mark.parametrize("name", ["missing", "missing/further", "empty.jsonl", "prose.txt"])
def test_what_holds_no_log_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "prose.txt").write_text("once upon a time\n")
    with pytest.raises(VlmftError) as refusal:
        open_log(tmp_path / name)
    assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_folder_without_logs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VlmftError, match="no training log"):
        open_log(tmp_path)
