"""The launcher's command, as a function of the preset and the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmft_console.errors import MachineError
from vlmft_console.runs.folder import RunFolder
from vlmft_console.runs.training_command import training_command, with_absolute_paths
from vlmft_core.errors import VlmftError
from vlmft_core.preset import Hardware, Lora, Model, Preset
from vlmft_core.preset.data_schema import Data, Source

PRESET = Preset(hardware=Hardware(gpus=2))


def argv(preset: Preset = PRESET) -> tuple[str, ...]:
    return training_command(preset, RunFolder(Path("outputs/x")), 29500).argv


def test_the_first_gpus_are_used_when_nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "--num_gpus=2" in argv()


def test_gpus_chosen_in_the_environment_are_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    assert "--include=localhost:4,5" in argv()
    assert not [word for word in argv() if word.startswith("--num_gpus")]


def test_gpus_chosen_by_their_long_names_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8932f937,GPU-1")
    with pytest.raises(MachineError, match="use GPU numbers"):
        argv()


def test_no_list_of_hosts_and_no_folder_here_changes_the_launch() -> None:
    command = training_command(PRESET, RunFolder(Path("outputs/x")), 29500)
    assert "--hostfile=/dev/null" in command.argv
    assert command.env["PYTHONSAFEPATH"] == "1"


def test_local_folders_are_written_in_full_and_hub_names_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "charts").mkdir()
    sources = [
        Source(task="chartqa", path="./charts"),
        Source(task="chartqa", path="HuggingFaceM4/ChartQA"),
        Source(task="textvqa", path="demo"),
    ]
    settled = with_absolute_paths(Preset(model=Model(base="models/mine"), data=Data(sources=sources)))
    assert settled.model.base == str(tmp_path / "models" / "mine")
    assert [source.path for source in settled.data.sources] == [
        str(tmp_path / "charts"),
        "HuggingFaceM4/ChartQA",
        "demo",
    ]


def test_a_run_whose_adapter_is_trained_further_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = RunFolder.create(tmp_path / "outputs", "first")
    folder.write_run(preset_name="best", preset_text="", command=training_command(PRESET, folder, 29500))
    (tmp_path / "adapter").mkdir()

    def begun(name: str) -> str | None:
        return with_absolute_paths(Preset(lora=Lora(start_from=name))).lora.start_from

    assert begun("first") == str(folder.path)
    assert begun("outputs/first") == str(folder.path)
    assert begun("adapter") == str(tmp_path / "adapter")
    assert begun("./gone") == "./gone"  # the plan says that it does not exist
    with pytest.raises(VlmftError, match=r"lora.start_from: no run is called 'fist' \(did you mean first\?\)"):
        begun("fist")


def test_a_data_file_and_its_folder_of_images_are_written_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "mine.json").touch()
    sources = [Source(task="llava", path="mine.json", images="images"), Source(task="llava", path="mine.json")]
    settled = with_absolute_paths(Preset(data=Data(sources=sources))).data.sources
    assert [source.path for source in settled] == [str(tmp_path / "mine.json")] * 2
    assert [source.images for source in settled] == [str(tmp_path / "images"), ""]
