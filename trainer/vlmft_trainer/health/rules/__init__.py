"""The rules, closely related ones in a file."""

from vlmft_trainer.health.rule import Rule
from vlmft_trainer.health.rules.accuracy import AccuracyFalling
from vlmft_trainer.health.rules.eval_loss import EvalOffBest, EvalRising, Gap, Plateau
from vlmft_trainer.health.rules.gradient import GradHigh
from vlmft_trainer.health.rules.loss_level import LossHigh, Underfit
from vlmft_trainer.health.rules.non_finite import NonFinite
from vlmft_trainer.health.rules.pace import SlowData, Stalled
from vlmft_trainer.health.rules.schedule import LrOffSchedule

RULES: tuple[type[Rule], ...] = (
    NonFinite,
    EvalRising,
    EvalOffBest,
    Gap,
    AccuracyFalling,
    Plateau,
    GradHigh,
    LrOffSchedule,
    LossHigh,
    Underfit,
    Stalled,
    SlowData,
)
"""In the order in which findings of one record are told: the gravest first."""
