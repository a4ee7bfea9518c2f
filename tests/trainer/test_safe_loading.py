"""Safe loading: a checkpoint's optimizer states are tensors, and no program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from deepspeed.runtime.fp16.loss_scaler import LossScaler
from deepspeed.runtime.zero.config import ZeroStageEnum
from deepspeed.utils.tensor_fragment import fragment_address

from vlmft_core.errors import VlmftError
from vlmft_trainer.training.safe_loading import check_tensors, only_tensors


class Program:
    """Runs when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


class Attribute:
    """Is, when it is loaded, an attribute of something that may be loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (LossScaler, "__init__")


def saved(folder: Path, content: object) -> Path:
    file = folder / "global_step6" / "zero_pp_rank_1_mp_rank_00_optim_states.pt"
    file.parent.mkdir()
    torch.save(content, file)
    return file


def test_what_deepspeed_writes_is_loaded_as_it_was(tmp_path: Path) -> None:
    state = {
        "loss_scaler": LossScaler(2.0),
        "zero_stage": ZeroStageEnum.gradients,
        "hp": {"weight": fragment_address(4, 8)},
        "exp_avg": torch.arange(3.0),
    }
    file = saved(tmp_path, state)
    check_tensors(tmp_path)
    with only_tensors():
        loaded = torch.load(file, weights_only=False)
    assert loaded["loss_scaler"].cur_scale == 2.0
    assert (loaded["zero_stage"], loaded["hp"]) == (state["zero_stage"], state["hp"])
    assert loaded["exp_avg"].tolist() == [0.0, 1.0, 2.0]


def test_a_program_is_refused_before_and_never_run(tmp_path: Path) -> None:
    file = saved(tmp_path, {"exp_avg": Program(tmp_path / "executed")})
    with pytest.raises(VlmftError, match=r"rank_1.* holds more than tensors: posix.mkdir \(--trust"):
        check_tensors(tmp_path)
    with only_tensors(), pytest.raises(Exception, match=r"posix\.mkdir"):
        torch.load(file, weights_only=False)
    assert not (tmp_path / "executed").exists()
    torch.load(file, weights_only=False)  # as DeepSpeed does it
    assert (tmp_path / "executed").exists()


def test_an_attribute_of_anything_but_an_enumeration_is_not_given(tmp_path: Path) -> None:
    file = saved(tmp_path, Attribute())
    with only_tensors(), pytest.raises(Exception, match="only members of enumerations"):
        torch.load(file, weights_only=False)


def test_a_file_that_is_no_checkpoint_is_a_mistake(tmp_path: Path) -> None:
    saved(tmp_path, {}).write_bytes(b"not a checkpoint")
    with pytest.raises(VlmftError, match="cannot be read"):
        check_tensors(tmp_path)
