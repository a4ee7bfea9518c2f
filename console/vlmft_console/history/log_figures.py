"""Log figures: the few of a run that lists show, as its log has them."""

from __future__ import annotations

from dataclasses import dataclass, field

from vlmft_console.history.state import RunState
from vlmft_core.health import Finding


@dataclass(frozen=True)
class LogFigures:
    """Of a log that has not told it yet, a figure is None."""

    step: int = 0
    """Optimizer steps done."""
    total_steps: int | None = None
    loss: float | None = None
    """The last training loss."""
    eval_loss: float | None = None
    """The last eval loss."""
    best_eval_loss: float | None = None
    best_step: int | None = None
    """Where that was."""
    health: str = ""
    """The worst finding that holds, such as `stop eval_rising`; `ok` where there is none."""
    checkpoints: list[int] = field(default_factory=list)
    """Steps of the checkpoints that were kept last."""

    @classmethod
    def of(cls, run: RunState) -> LogFigures:
        """Those of a state."""
        best, kept = run.best_eval, run.checkpoints[-1].get("kept") if run.checkpoints else None
        return cls(
            run.step,
            run.total_steps,
            run.train_loss.last_value,
            run.eval_loss.last_value,
            best["eval_loss"] if best else None,
            best["step"] if best else None,
            health_words(run.worst_finding, run.step),
            [step for step in kept if type(step) is int] if isinstance(kept, list) else [],
        )


def health_words(finding: Finding | None, step: int) -> str:
    """The worst finding that holds, such as `stop eval_rising`; `ok` without one, and nothing before the first step."""
    return f"{finding.severity} {finding.rule}" if finding else "ok" if step else ""
