"""What a preset will really do, worked out before anything starts. Loads no torch."""

from vlmft_trainer.learning_rate import learning_rate
from vlmft_trainer.plan.make import Plan, make_plan, megabytes
from vlmft_trainer.plan.steps import optimizer_steps, warmup_steps, with_gpus

__all__ = ["Plan", "learning_rate", "make_plan", "megabytes", "optimizer_steps", "warmup_steps", "with_gpus"]
