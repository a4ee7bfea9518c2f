"""Health rules, closely related ones in a file."""

from vlmft_core.health.rule import Rule
from vlmft_core.health.rules.accuracy import AccuracyFalling
from vlmft_core.health.rules.answers import AnswersNoBetter
from vlmft_core.health.rules.eval_loss import EvalOffBest, EvalRising, Gap, Plateau
from vlmft_core.health.rules.gradient import GradHigh
from vlmft_core.health.rules.loss_explosion import LossExploded
from vlmft_core.health.rules.loss_level import LossHigh, Underfit
from vlmft_core.health.rules.lr_schedule import LrOffSchedule
from vlmft_core.health.rules.non_finite import NonFinite
from vlmft_core.health.rules.pace import SlowData, Stalled

RULES: tuple[type[Rule], ...] = (
    NonFinite,
    LossExploded,
    EvalRising,
    EvalOffBest,
    Gap,
    AccuracyFalling,
    AnswersNoBetter,
    Plateau,
    GradHigh,
    LrOffSchedule,
    LossHigh,
    Underfit,
    Stalled,
    SlowData,
)
"""In the order in which findings of one record are told: the gravest first."""
