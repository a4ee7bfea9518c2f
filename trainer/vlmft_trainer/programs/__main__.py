"""Start of a program: `python -m vlmft_trainer.programs NAME JOB`, also under `torch.distributed.run`.

NAME is a module of this folder that `PROGRAMS` names; JOB is its job of `vlmft_core.jobs` as JSON, where the answers
are described.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from vlmft_core.errors import EXIT_INTERRUPTED, EXIT_MISTAKE, VlmftError
from vlmft_core.jobs import EvalJob, InspectJob, Job, MergeJob, PredictJob, StepJob, WorstJob
from vlmft_trainer.distributed.environment import prepare_process

PROGRAMS: Final[Mapping[str, tuple[type[Job], str]]] = {
    "eval": (EvalJob, "evaluate"),
    "inspect_data": (InspectJob, "inspect_data"),
    "merge": (MergeJob, "merge"),
    "predict": (PredictJob, "predict"),
    "step_rows": (StepJob, "step_rows"),
    "worst": (WorstJob, "worst"),
}
"""By module in this folder: its job, and the function that does it."""


def main(arguments: Sequence[str]) -> int:
    """Do the job that the command line holds.

    Returns:
        The exit code: 0, 2 for a user's mistake, 130 if it was interrupted.
    """
    try:
        program, text = arguments
        kind, work = PROGRAMS[program]
        job = kind.model_validate_json(text)
    except (ValueError, KeyError) as error:  # pydantic's is a ValueError
        print(f"not a job: {error}", file=sys.stderr)
        return EXIT_MISTAKE
    prepare_process("cpu" if isinstance(job, InspectJob | StepJob) else job.preset.hardware.device)
    first = os.environ.get("RANK", "0") == "0"
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def say(name: str, value: Any) -> None:
        if first:
            print(json.dumps({name: value}), file=answers, flush=True)

    try:
        # Torch reads the environment when it is imported: not before it is prepared.
        from vlmft_trainer.distributed.process_group import launched_ranks

        module = import_module(f"vlmft_trainer.programs.{program}")
        with launched_ranks():
            getattr(module, work)(job, say)
    except VlmftError as error:
        say("error", str(error))
        return EXIT_MISTAKE
    except (KeyboardInterrupt, BrokenPipeError):  # without a console nobody waits for answers
        return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
