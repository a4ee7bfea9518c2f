"""Process group of the ranks, opened the way DeepSpeed wants it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta

import deepspeed
import deepspeed.ops
import torch
import transformers

PATIENCE = timedelta(hours=12)
"""How long ranks wait for each other at the start: as long as rank 0 may take to download the model and the data. The
library's 10 minutes would end a first start on a slow line."""


@contextmanager
def process_group() -> Iterator[None]:
    """Joins the ranks that the launcher started; without a launcher, a group of one."""
    quieten()
    if "RANK" not in os.environ:
        alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
        os.environ |= alone  # port 0 is any free one
    without_compiled_ops()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    deepspeed.init_distributed(backend, auto_mpi_discovery=False, timeout=PATIENCE)
    yield
    # Only after a good end: with one rank in trouble the others do not come, and closing the group would wait for
    # them instead of letting this rank say what happened and go.
    torch.distributed.destroy_process_group()


def launched_ranks() -> AbstractContextManager[None]:
    """`process_group` where a launcher started several ranks; one process needs none."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return process_group()
    quieten()
    return nullcontext()


def quieten() -> None:
    """Keep the plain log to what a user can act on: errors of the libraries stay, their remarks to developers go."""
    libraries = r"(torch|transformers|peft|deepspeed|accelerate)\b"
    warnings.filterwarnings("ignore", category=FutureWarning, module=libraries)
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def without_compiled_ops() -> None:
    """Tell DeepSpeed that it has no compiled kernels: building its shared-memory communication takes two minutes.

    DeepSpeed looks kernels up in a module attribute that it fills on first access; filled here, nothing is probed
    for or compiled.
    """
    vars(deepspeed.ops)["__compatible_ops__"] = {}
