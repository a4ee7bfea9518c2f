"""Non-finite rule, for NaN and infinity, also where a filter hides them: `non_finite`."""

from __future__ import annotations

from collections import deque

from vlmft_core.figures import counted
from vlmft_core.health import advice
from vlmft_core.health.finding import CAUTION, STOP
from vlmft_core.health.health_state import HealthState
from vlmft_core.health.rule import Rule, Verdict
from vlmft_core.health.stretch import Stretch
from vlmft_core.health.thresholds import Settings
from vlmft_core.run_folder.events import Record

FAR = -(1 << 60)
"""Before any logged step."""


class NonFinite(Rule):
    """Numbers that are not finite, and steps skipped because of them.

    A step that was skipped did no harm: one is a caution, several close together ask for a stop. A healthy fp16 run
    skips steps until its scale fits, and then two every hundred, so those before the first step that took do not
    count. A gradient that is not finite beside a finite loss is taken for a skipped step where the log tells of none.
    """

    name = "non_finite"

    def __init__(self, settings: Settings) -> None:
        self._window = settings.window
        self._limit = settings.skipped_stop
        self._count = 0
        """Logged steps."""
        self._skipped = 0
        """Skipped steps as the log last told."""
        self._starting = True
        """No step has taken yet."""
        self._early = 0
        """Steps skipped while starting."""
        self._bad: deque[int] = deque(maxlen=settings.skipped_stop)
        """The newest skipped steps."""
        self._hidden: deque[int] = deque(maxlen=settings.skipped_stop)
        """`_count` at the newest gradients that a filter hid."""
        self._repeated = FAR
        """`_count` when one of the two was full of close ones."""
        self._fatal = FAR
        """`_count` at the newest sign that the training is broken."""
        self._odd = FAR
        """`_count` at the newest sign of any kind."""
        self._said = ""
        """The newest sign."""
        self._rate: float | None = None
        self._held = False
        self._judged = (False, False)

    def on_step(self, record: Record, state: HealthState) -> bool:
        loss, gradient, skipped = record["loss"], record["grad_norm"], record.get("skipped_steps")
        self._count += 1
        rate, self._rate = self._rate, record["lr"]
        if (
            loss
            and gradient is not None
            and (skipped == self._skipped or skipped is None)
            and "nonfinite" not in record
        ):
            self._starting = False
            return self._held and self._over()
        if "nonfinite" not in record and gradient is None and loss and skipped is None:
            return self._held and self._over()
        self._look(record, rate)
        return self._over() or (self._odd == self._count and self._tells_more())

    def quiet(self, stretch: Stretch, state: HealthState) -> bool:
        if self._held or not all(stretch.losses) or stretch.names("nonfinite"):
            return False
        skipped = stretch.column("skipped_steps")
        same = skipped.count(self._skipped)
        return same == len(skipped) or same + skipped.count(None) == len(skipped)

    def skip(self, stretch: Stretch, state: HealthState) -> None:
        self._count += len(stretch.losses)
        self._rate = stretch.rates[-1]
        self._starting = False

    def _tells_more(self) -> bool:
        """Whether the newest sign says more than the verdict given; while one holds it is renewed now and then."""
        return not self._held or self._grave() != self._judged or not self._count % self._window

    def _grave(self) -> tuple[bool, bool]:
        """Whether something broken, and something repeated, was seen within the window."""
        since = self._count - self._window
        return self._fatal > since, self._repeated > since

    def _look(self, record: Record, rate_before: float | None) -> None:
        step, loss, gradient = record["step"], record["loss"], record["grad_norm"]
        named = record.get("nonfinite")
        named = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
        told, skips = type(record.get("skipped_steps")) is int, self._newly_skipped(record)
        if skips:
            self._note_skips(step, skips)
        else:
            self._starting = False
        if "loss" in named and loss is None:
            self._sign(f"loss is NaN or infinite at step {step:,}", fatal=not skips)
        elif "grad_norm" in named and gradient is None:
            self._sign(f"grad_norm is NaN or infinite at step {step:,}", fatal=told and not skips)
            if not told:
                self._hidden.append(self._count)
                self._note_repeats(self._hidden, self._count)
        elif named:
            self._sign(f"a value that is not finite at step {step:,}", fatal=False)
        if loss == 0 and "grad_norm" in named:
            self._sign(f"loss is exactly 0 at step {step:,} and grad_norm is not finite", fatal=True)
        elif loss == 0 and not gradient and record["lr"] == rate_before and rate_before is not None:
            self._sign(f"loss is exactly 0 at step {step:,} and the learning rate stands still", fatal=True)

    def _note_skips(self, step: int, skips: int) -> None:
        self._sign(f"{counted(skips, 'step')} skipped up to step {step:,}", fatal=False)
        if self._starting:
            self._early += skips
            if self._early > self._window:
                self._sign(f"all {self._early:,} steps so far were skipped", fatal=True)
        else:
            self._bad.extend([step] * min(skips, self._limit))
            self._note_repeats(self._bad, step)

    def _note_repeats(self, newest: deque[int], now: int) -> None:
        if len(newest) == self._limit and newest[0] > now - self._window:
            self._repeated = self._count

    def _newly_skipped(self, record: Record) -> int:
        skipped = record.get("skipped_steps")
        if type(skipped) is not int or skipped < 0:
            return 0
        before, self._skipped = self._skipped, skipped
        return max(0, skipped - before)  # a resume takes the count back to its checkpoint's

    def _sign(self, text: str, *, fatal: bool) -> None:
        self._odd, self._said = self._count, text
        if fatal:
            self._fatal = self._count

    def _over(self) -> bool:
        """Whether a window has passed since something the verdict rests on."""
        return self._count - self._window in (self._odd, self._fatal, self._repeated)

    def on_eval(self, record: Record, state: HealthState) -> bool:
        named = record.get("nonfinite")
        if record["eval_loss"] is not None or not isinstance(named, list) or "eval_loss" not in named:
            return False
        self._sign(f"eval loss is NaN or infinite at step {record['step']:,}", fatal=True)
        return True

    def rewind(self) -> None:
        self._bad.clear()
        self._hidden.clear()
        self._fatal = self._odd = self._repeated = FAR
        self._held = False

    def diagnose(self, state: HealthState) -> Verdict | None:
        self._held = self._odd > self._count - self._window
        if not self._held:
            return None
        self._judged = fatal, repeated = self._grave()
        message = self._said
        if repeated:
            message += f"; at least {counted(self._limit, 'step')} close together"
        return Verdict(STOP if repeated or fatal else CAUTION, message, advice.not_finite(state))
