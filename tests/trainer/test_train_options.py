"""The training program's command line, and what it does about a user's mistake before anything is loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.trainer import trained
from vlmft_core.errors import PresetError, VlmftError
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Source, Training
from vlmft_core.run_folder.checkpoints import Checkpoint
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.data.run_data import prepare
from vlmft_trainer.distributed.environment import prepare_process
from vlmft_trainer.model.load import load_encoder
from vlmft_trainer.train_vlm_sft import main
from vlmft_trainer.training.build import build
from vlmft_trainer.training.callbacks.heartbeat import Heartbeat
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest
from vlmft_trainer.training.options import Job, read_job
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.run_plan import steps_plan

PRESET = "model: {base: demo}\ntraining: {effective_batch: 16, micro_batch: 4}\nhardware: {device: cpu, gpus: 2}\n"


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(PRESET)
    return path


def arguments(preset: Path, *more: str) -> list[str]:
    return ["--local_rank=0", f"--sft_config={preset}", f"--output_dir={preset.parent / 'out'}", *more]


def test_the_published_options_override_the_preset(preset: Path) -> None:
    given = (
        "--base_model Qwen/Qwen2.5-VL-3B-Instruct --max_train 80 --max_eval 20 --lora_r 32 --lora_alpha 64"
        " --lora_dropout 0.1 --target_modules q_proj,v_proj --flash_attn"
    )
    job = read_job(arguments(preset, *given.split()), 2)
    assert job.preset.model.base == "Qwen/Qwen2.5-VL-3B-Instruct"
    assert (job.preset.data.max_train, job.preset.data.max_eval) == (80, 20)
    assert (job.preset.lora.r, job.preset.lora.alpha, job.preset.lora.dropout) == (32, 64, 0.1)
    assert job.preset.lora.target_modules == ["q_proj", "v_proj"]
    assert job.preset.model.attention == "flash_attention_2"
    assert job.preset.training.effective_batch == 16
    assert job.run.path == preset.parent / "out"
    assert job.notes == ()


def test_a_tower_that_was_asked_for_and_never_trained_does_not_keep_a_run_from_being_resumed(preset: Path) -> None:
    for modules, idle in (("q_proj, v_proj", True), ("q_proj, up_proj", False)):
        preset.write_text(f"{PRESET}lora: {{vision_tower: true, target_modules: [{modules}]}}\n")
        again = read_job(arguments(preset, "--resume"), 2)
        assert again.preset.lora.vision_tower is not idle
        assert ("matched no layer of the vision tower" in " ".join(again.notes)) is idle
        assert read_job(arguments(preset), 2).preset.lora.vision_tower  # a new run is told, when its plan is made


def test_the_published_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "sft_config_best.json"
    path.write_text(json.dumps({"num_train_epochs": 6, "learning_rate": 4e-5, "warmup_ratio": 0.06}))
    job = read_job(arguments(path, "--lora_r", "32"), 8)
    assert (job.preset.training.epochs, job.preset.lora.r) == (6, 32)


def test_other_ranks_than_planned_keep_the_effective_batch_and_it_is_said(preset: Path) -> None:
    job = read_job(arguments(preset), 1)
    assert (job.preset.training.effective_batch, job.preset.accumulation) == (16, 4)
    assert len(job.notes) == 1
    assert "effective batch stays 16" in job.notes[0]


def test_a_cpu_launch_makes_it_a_cpu_run(preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset.write_text(PRESET.replace("device: cpu, ", ""))
    assert read_job(arguments(preset), 2).preset.hardware.device == "cuda"
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    assert read_job(arguments(preset), 2).preset.hardware.device == "cpu"


@pytest.mark.parametrize("option", ["--lora", "--trust_remote_code", "--max_tra=3"])
def test_unknown_and_shortened_options_are_refused(preset: Path, option: str) -> None:
    with pytest.raises(PresetError, match=option.partition("=")[0]):
        read_job(arguments(preset, option), 2)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--lora_r=many"], "lora.r"),
        (["--lora_r=0"], "lora.r"),
        (["--lora_dropout=1.5"], "lora.dropout"),
        (["--base_model=/no/such/model"], "/no/such/model"),
        (["--learning_rate=1"], "--learning_rate"),
    ],
)
def test_a_mistake_is_one_line_from_rank_0_exit_2_and_nothing_written(
    preset: Path,
    more: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert main(arguments(preset, *more)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert said in printed.err
    assert not (preset.parent / "out").exists()
    # The launcher kills everyone as soon as one rank fails: the others must not be first.
    monkeypatch.setenv("RANK", "1")
    assert main(arguments(preset, *more)) == 0
    assert capsys.readouterr().err == ""


def test_a_folder_with_results_of_an_earlier_training_is_refused(
    preset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = preset.parent / "out" / "checkpoint-5"
    old.mkdir(parents=True)
    assert main(arguments(preset)) == 2
    assert "holds checkpoint-5 of an earlier training (choose another folder, or --resume)" in capsys.readouterr().err
    assert not (preset.parent / "out" / "logs").exists()


def test_ranks_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"LOCAL_SIZE": "2"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)))
    prepare_process("cuda")
    assert os.environ["OMP_NUM_THREADS"] == "4"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    prepare_process("cpu")
    assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["DS_ACCELERATOR"]) == ("", "cpu")


@pytest.mark.parametrize(
    ("torch", "given", "expected"),
    [
        ("2.13.0+cu130", {}, {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}),
        ("2.9.1", {}, {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}),
        ("2.13.0", {"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}, {"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}),
        ("2.9.1", {"PYTORCH_ALLOC_CONF": ""}, {"PYTORCH_ALLOC_CONF": ""}),
    ],
)
def test_the_gpus_allocator_leaves_no_gaps_unless_the_user_has_set_it_up(
    monkeypatch: pytest.MonkeyPatch, torch: str, given: dict[str, str], expected: dict[str, str]
) -> None:
    monkeypatch.setattr("vlmft_trainer.distributed.environment.version", lambda _: torch)
    for device, left in (("cpu", given), ("cuda", expected)):
        monkeypatch.setattr(os, "environ", dict(given))
        prepare_process(device)
        assert {name: value for name, value in os.environ.items() if "ALLOC" in name} == left


def test_a_run_is_not_resumed_under_another_plan(sources: list[Source], tmp_path: Path) -> None:
    begun, longer = (
        trained.preset(sources).model_copy(update={"training": Training(epochs=epochs, effective_batch=32)})
        for epochs in (6, 12)
    )
    data = prepare(begun.data, load_encoder(str(DEMO_BASE), begun.data.max_pixels))
    start = Checkpoint(2, None, None, {}, steps_plan(begun, data))
    run, log = RunLayout(tmp_path), RunLog(None)
    with pytest.raises(VlmftError, match="checkpoint-2 was made under another plan: total_steps 18 -> 36, warmup_step"):
        build(Job(longer, run, ()), log, StopOnRequest(run), Heartbeat(log), start)
