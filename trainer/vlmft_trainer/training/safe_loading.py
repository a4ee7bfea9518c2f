"""Safe loading: a checkpoint's optimizer states as tensors and a few known objects, never as a program.

DeepSpeed loads them as pickles that may do anything, whatever wrote them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from vlmft_core.errors import VlmftError

_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""Outdoes what a caller of `torch.load` asks for."""


def check_tensors(checkpoint: Path) -> None:
    """Refuse a checkpoint of which `only_tensors` would not load everything.

    Raises:
        VlmftError: its optimizer states cannot be read, or hold something else.
    """
    names = {name for _, name in _known()}
    for file in sorted(checkpoint.glob("*/*.pt")):
        try:
            strange = set(get_unsafe_globals_in_checkpoint(file)) - names
        except (ValueError, RuntimeError) as error:
            raise VlmftError(f"{file} cannot be read: {error}") from None
        if strange:
            raise VlmftError(
                f"{file} holds more than tensors: {', '.join(sorted(strange))}", "--trust lets it run what it says"
            )


@contextmanager
def only_tensors() -> Iterator[None]:
    """While it is entered, `torch.load` loads nothing but tensors and what DeepSpeed keeps beside them, whatever its
    caller asks for."""
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        with safe_globals(_known()):
            yield
    finally:
        del os.environ[_FORCE]
        if before is not None:
            os.environ[_FORCE] = before


def _known() -> list[Any]:
    """What DeepSpeed keeps beside tensors, with the names that stand for it."""
    from deepspeed.runtime.fp16.loss_scaler import DynamicLossScaler, LossScaler
    from deepspeed.runtime.zero.config import ZeroStageEnum
    from deepspeed.utils.tensor_fragment import fragment_address

    objects = (LossScaler, DynamicLossScaler, ZeroStageEnum, fragment_address)
    # Python 3.11 pickles the member of an enumeration as an attribute; of anything else none is given.
    return [*((one, f"{one.__module__}.{one.__name__}") for one in objects), (_member, "builtins.getattr")]


def _member(kind: Any, name: str) -> Enum:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind[name]
    raise TypeError(f"{name} of {kind}: only members of enumerations are loaded")
