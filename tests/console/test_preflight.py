"""Packages that a preset's options need are asked for before anything starts."""

from __future__ import annotations

import pytest

from vlmft_console.errors import MachineError
from vlmft_console.runs import preflight
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
