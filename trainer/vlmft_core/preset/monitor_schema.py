"""Preset section `monitor`: what counts as healthy, with meaning, unit and range, and where its default comes from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlmft_core.preset.section import Fraction, Positive, Section


class Monitor(Section):
    """What counts as healthy. The thresholds are the published recipe's where its text has one."""

    early_stop: Literal["off", "advise", "auto"] = "advise"
    """What a `stop` finding of the training does: `auto` ends the run with a checkpoint and the best adapter, `advise`
    tells in the log, `off` judges nothing while training."""
    window: Annotated[int, Field(ge=5, le=1000)] = 50
    """Logged steps that are judged together, 5 to 1000."""
    rises: Annotated[int, Field(ge=2, le=100)] = 3
    """Evals in a row with a rising loss that count as overfitting, 2 to 100. The published recipe stops at 3."""
    min_rise: Fraction = 0.01
    """Rise over the best eval loss, as a share of it, up to which rising evals are only a caution, 0 to 1. A stop takes
    more than the run's own scatter, too."""
    off_best_caution: Fraction = 0.05
    """Eval loss above its best, as a share of it, that is a caution, 0 to 1; if it is more than the run's scatter."""
    off_best_stop: Fraction = 0.15
    """The same that asks for a stop, where the train loss has fallen by `train_fall` since the best or the eval loss
    stays there, 0 to 1."""
    train_fall: Fraction = 0.1
    """Fall of a single logged train loss since the best eval, as a share of it, that counts as falling, 0 to 1. The
    mean of n losses needs a fall smaller by the root of n."""
    flat_change: Fraction = 0.02
    """Fall of a loss over a third of the training, as a share of it, below which it is flat, 0 to 1."""
    plateau_evals: Annotated[int, Field(ge=2, le=100)] = 3
    """Evals without improvement that make a plateau, 2 to 100. In the published recipe a caution."""
    plateau_change: Fraction = 0.001
    """Improvement of the best eval loss, as a share of it, that ends a plateau, 0 to 1."""
    gap_caution: Annotated[float, Field(gt=0)] = 0.5
    """Eval loss minus train loss that is a caution, above 0. Only for losses told per token."""
    gap_stop: Annotated[float, Field(gt=0)] = 1.0
    """The same that asks for a stop, once the eval loss is above its best. The published recipe's figure."""
    accuracy_caution: Annotated[int, Field(ge=1, le=100)] = 2
    """Evals in a row with an accuracy below its best by more than chance that are a caution, 1 to 100."""
    accuracy_stop: Annotated[int, Field(ge=1, le=100)] = 3
    """The same that asks for a stop, unless the eval loss is at its best. The published recipe stops when accuracy
    decreases."""
    grad_caution: Annotated[float, Field(gt=0)] = 2.0
    """Median gradient norm of a window that is a caution, if it also is `grad_rise` times the run's own, above 0. The
    published recipe's; 0.1 to 1 is healthy."""
    grad_stop: Annotated[float, Field(gt=0)] = 10.0
    """The same that asks for a stop, if the train loss rose with it. The published recipe's figure. Single values count
    for nothing: healthy runs have had norms in the millions."""
    grad_rise: Annotated[float, Field(ge=1)] = 5.0
    """How many times the run's own median gradient norm a sustained rise is, at least 1. Scales differ by model."""
    skipped_stop: Positive = 3
    """Skipped steps within a window that ask for a stop; those before the first step that took do not count."""
    lr_deviation: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Distance of the learning rate from the plan, as a share of the peak, that is a caution, up to 1."""
    loss_high: Annotated[float, Field(gt=0)] = 6.0
    """Loss that is too high after the first epoch, above 0. The published recipe's figure; only for losses told per
    token."""
    stall_steps: Annotated[float, Field(gt=1)] = 5.0
    """Median step times without a new step that are a stall, above 1."""
    heartbeat_seconds: Annotated[float, Field(ge=20)] = 60.0
    """Silence in seconds after which the training program was gone, at least 20: a heartbeat comes every 10."""
    slow_data: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of a step spent waiting for data that is a caution, above 0 and below 1."""

    @model_validator(mode="after")
    def _cautions_come_before_stops(self) -> Self:
        for name in ("off_best", "gap", "accuracy", "grad"):
            caution, stop = getattr(self, f"{name}_caution"), getattr(self, f"{name}_stop")
            if caution > stop:
                raise ValueError(f"monitor.{name}_caution {caution} is above monitor.{name}_stop {stop}")
        return self
