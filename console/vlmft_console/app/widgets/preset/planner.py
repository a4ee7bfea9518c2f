"""Planner: plans a draft in the background, a moment after the last change, and only the newest counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from textual import work
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from vlmft_console.presets import Draft
from vlmft_console.runs.machine_gpus import smallest_gpu
from vlmft_console.runs.speed import measured_speed, work_of
from vlmft_core.errors import VlmftError, in_words
from vlmft_core.plan import Plan
from vlmft_core.plan.gpus import Gpu
from vlmft_core.preset import Preset

WAIT_SECONDS = 0.15
"""How long nothing may change before the plan is made."""


@dataclass
class Planned(Message):
    """The plan of a preset, or why there is none."""

    preset: Preset
    plan: Plan | None
    problem: str

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Planned)


class Planner(Widget):
    """Shows nothing; tells its screen each new plan with `Planned`."""

    DEFAULT_CSS = "Planner { display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self._timer: Timer | None = None
        self._newest = 0
        self._speeds: dict[str, tuple[float | None, str]] = {}

    def plan_soon(self, draft: Draft) -> None:
        """Plan the draft as it is then; a draft with mistakes keeps the last plan."""
        self._newest += 1
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(WAIT_SECONDS, lambda: self._start(draft))

    def _start(self, draft: Draft) -> None:
        if draft.preset is not None:
            changed = {difference.path for difference in draft.differences()}
            self._plan(draft.preset, draft.base.inherited - changed, self._newest)

    @work(thread=True, exclusive=True, group="plan")
    def _plan(self, preset: Preset, inherited: set[str], number: int) -> None:
        from vlmft_console.runs.training_command import with_absolute_paths
        from vlmft_core.plan import make_plan

        message = None
        try:
            speed, measured_in = self._measured_speed(preset)
            if number == self._newest:
                settled = with_absolute_paths(preset)
                plan = make_plan(
                    settled,
                    gpu=self._gpu,
                    samples_per_s=speed,
                    measured_in=measured_in,
                    inherited=inherited,
                )
                message = Planned(preset, plan, "")
        except (VlmftError, OSError) as error:  # such as a path that no file can have
            message = Planned(preset, None, in_words(error))
        if message is not None and number == self._newest:
            self.post_message(message)

    @cached_property
    def _gpu(self) -> Gpu | None:
        """The GPU of this machine that plans are for."""
        return smallest_gpu()

    def _measured_speed(self, preset: Preset) -> tuple[float | None, str]:
        """How fast earlier runs here were; they are read once for each way to compute."""
        key = repr(work_of(preset))
        if key not in self._speeds:
            self._speeds[key] = measured_speed(preset, self._gpu)
        return self._speeds[key]
