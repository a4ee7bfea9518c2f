"""Plan of a training: what a preset will really do, worked out before anything starts."""

from vlmft_core.plan.make import make_plan
from vlmft_core.plan.planned import Plan
from vlmft_core.plan.steps import optimizer_steps, warmup_steps, with_gpus

__all__ = ["Plan", "make_plan", "optimizer_steps", "warmup_steps", "with_gpus"]
