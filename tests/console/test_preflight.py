"""Packages that a preset's options need are asked for before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fake_gpus import fake_gpus
from vlmft_console.errors import MachineError
from vlmft_console.runs import preflight
from vlmft_core.plan.gpus import Gpu, without_code
from vlmft_core.preset import Hardware, Model, Preset, Training

ON_CPU = Preset(hardware=Hardware(device="cpu"))


def without(patch: pytest.MonkeyPatch, *missing: str) -> None:
    patch.setattr(preflight, "find_spec", lambda name: None if name in missing else object())


def test_a_service_whose_package_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = ON_CPU.model_copy(update={"training": Training(report_to=["trackio", "wandb"])})
    without(monkeypatch, "wandb")
    with pytest.raises(MachineError, match=r"training\.report_to: wandb is not installed \(pip install wandb\)"):
        preflight.check_machine(preset)
    without(monkeypatch)
    preflight.check_machine(preset)


def test_tensorboard_may_be_either_of_its_two_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = ON_CPU.model_copy(update={"training": Training(report_to=["tensorboard"])})
    without(monkeypatch, "tensorboard")
    preflight.check_machine(preset)
    without(monkeypatch, "tensorboard", "tensorboardX")
    with pytest.raises(MachineError, match="tensorboard is not installed"):
        preflight.check_machine(preset)


def test_four_bits_ask_for_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "bitsandbytes")
    with pytest.raises(MachineError, match=r"nf4 needs bitsandbytes \(pip install bitsandbytes\)"):
        preflight.check_machine(Preset(model=Model(quantization="nf4")))


def on(tmp_path: Path, patch: pytest.MonkeyPatch, *gpus: str, architectures: str = "sm_80 sm_90 compute_90") -> None:
    fake_gpus(tmp_path / "bin", patch, gpus)
    patch.setattr(preflight, "torch_architectures", lambda: ("2.13.0", architectures.split()))
    without(patch)


ONE = Preset(hardware=Hardware(gpus=1))
LARGE = ONE.model_copy(update={"model": Model(base="Qwen/Qwen2.5-VL-72B-Instruct")})


def test_a_gpu_that_this_pytorch_has_no_code_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = ONE.model_copy(update={"model": Model(precision="fp32", base="Qwen/Qwen2.5-VL-3B-Instruct")})
    on(tmp_path, monkeypatch, "Tesla V100-SXM2-32GB, 32768, 7.0")
    with pytest.raises(
        MachineError, match=r"PyTorch 2\.13\.0 has no code for Tesla V100-SXM2-32GB \(sm_70; it has sm_80"
    ):
        preflight.check_machine(exact)
    on(tmp_path, monkeypatch, "Tesla V100-SXM2-32GB, 32768, 7.0", architectures="sm_70 sm_80")
    preflight.check_machine(exact)


def test_a_gpu_without_bf16_and_fp16_itself_are_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(tmp_path, monkeypatch, "Tesla V100-SXM2-32GB, 32768, 7.0")
    with pytest.raises(MachineError, match="has no bf16, and fp16 cannot be used: this model's vision tower"):
        preflight.check_machine(ONE)
    on(tmp_path, monkeypatch, "NVIDIA H100 80GB HBM3, 81559, 9.0")
    with pytest.raises(MachineError, match=r"model\.precision fp16 cannot be used"):
        preflight.check_machine(ONE.model_copy(update={"model": Model(precision="fp16")}))
    preflight.check_machine(ONE)


def test_what_cannot_fit_is_refused_with_what_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on(tmp_path, monkeypatch, "NVIDIA H100 80GB HBM3, 81559, 9.0")
    with pytest.raises(MachineError, match=r"a GPU needs 1\d\d\.\d GiB, H100 80GB HBM3 has 79\.6 .*nf4: 5\d\.\d GiB"):
        preflight.check_machine(LARGE)


def test_gpus_that_the_driver_does_not_tell_of_are_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on(tmp_path, monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1234")
    preflight.check_machine(LARGE)


@pytest.mark.parametrize(
    ("capability", "architectures", "can"),
    [
        ((8, 6), ["sm_80"], True),
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_80"], False),
        ((9, 0), ["sm_90a"], True),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((12, 0), ["sm_120"], True),
        ((7, 0), ["sm_75", "sm_80", "compute_90"], False),
        ((7, 0), [], False),
    ],
)
def test_code_runs_on_later_gpus_of_its_generation(
    capability: tuple[int, int], architectures: list[str], can: bool
) -> None:
    reason = without_code(Gpu("RTX", None, 0, capability), "2.13.0", architectures)
    assert (reason == "") is can
