"""What the programs that use a trained model have in common: starting, speaking, and loading the model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from pydantic import ValidationError

from vlmft_core.errors import EXIT_INTERRUPTED, EXIT_MISTAKE, VlmftError
from vlmft_core.jobs import Weights
from vlmft_trainer.distributed.environment import prepare_process

Say = Callable[[str, Any], None]
"""Answers the console: a name and a value that JSON knows. Only rank 0 is heard."""

J = TypeVar("J", bound=Weights)


def run_program(kind: type[J], work: Callable[[J, Say], None], arguments: list[str]) -> int:
    """Do the job that the command line holds.

    Args:
        kind: what is asked for.
        work: does it; it is called after the environment is set up for torch, and imports what is heavy itself.
        arguments: the job as JSON.

    Returns:
        The exit code: 0, 2 for a user's mistake, 130 if it was interrupted.
    """
    first = os.environ.get("RANK", "0") == "0"
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def say(name: str, value: Any) -> None:
        if first:
            print(json.dumps({name: value}), file=answers, flush=True)

    try:
        job = kind.model_validate_json(arguments[0])
        prepare_process(job.preset.hardware.device)
        with _ranks():
            work(job, say)
    except VlmftError as error:
        say("error", str(error))
        return EXIT_MISTAKE
    except (KeyboardInterrupt, BrokenPipeError):  # without a console nobody waits for answers
        return EXIT_INTERRUPTED
    except (ValidationError, IndexError) as error:
        print(f"not a job: {error}", file=sys.stderr)
        return EXIT_MISTAKE
    return 0


def _ranks() -> AbstractContextManager[None]:
    """The process group where a launcher started several ranks; one process needs none."""
    from vlmft_trainer.distributed.process_group import process_group, quieten

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return process_group()
    quieten()
    return nullcontext()


def load(weights: Weights, say: Say) -> tuple[Any, Any]:
    """The model on its device, ready to answer, and its `Encoder`. Every rank calls it.

    Raises:
        VlmftError: there is no GPU, or base or adapter cannot be loaded.
    """
    import torch

    from vlmft_core.plan.architecture import check_base, resolve_base
    from vlmft_trainer.distributed import ranks
    from vlmft_trainer.model.adapter import lay_over
    from vlmft_trainer.model.load import choose_kernels, load_base, load_encoder

    preset = weights.preset
    if preset.hardware.device == "cuda" and not torch.cuda.is_available():
        raise VlmftError("hardware.device is cuda, and this machine has no GPU", "add --set hardware.device=cpu")
    check_base(preset.model.base)
    base = resolve_base(preset.model.base)
    kernels = choose_kernels(preset.model)
    for note in kernels.notes:
        say("note", note)
    say("note", f"loading {preset.model.base}")
    encoder = ranks.rank0_first(lambda: load_encoder(base, preset.data.max_pixels))
    quantization = preset.model.quantization
    model = ranks.together(lambda: lay_over(load_base(base, kernels, quantization), weights.adapter))
    return (model if quantization != "none" else model.to(ranks.device())).eval(), encoder
