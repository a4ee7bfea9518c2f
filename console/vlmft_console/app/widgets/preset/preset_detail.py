"""Preset detail: every parameter of a preset, with the reason behind it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from vlmft_console.app.widgets.base.literal import literal, one_line
from vlmft_console.app.widgets.base.scrolling import SCROLLING

if TYPE_CHECKING:
    from vlmft_console.presets.table import Listed

_WIDE = 96
"""From this width on, the reason stands beside the value."""
_KEY, _VALUE = 25, 24
_TEXT = "$foreground"
_WHY = "$secondary"


class PresetDetail(VerticalScroll, can_focus=True, inherit_bindings=False):
    """Shows one preset: what it is for, then section by section each value and its reason."""

    BINDINGS: ClassVar[list[BindingType]] = SCROLLING

    def __init__(self) -> None:
        super().__init__(id="detail")
        self._preset: Listed | None = None
        self._width = 0

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)

    def show(self, preset: Listed | None) -> None:
        """Show this preset, from its top."""
        self._preset = preset
        self.scroll_home(animate=False)
        self._write()

    def on_resize(self) -> None:
        if self.scrollable_content_region.width != self._width:
            self._write()

    def _write(self) -> None:
        self._width = self.scrollable_content_region.width
        lines = _lines(self._preset, max(20, self._width)) if self._preset else ()
        self.query_one(Static).update(Content("\n").join(lines))


def _lines(preset: Listed, width: int) -> Iterator[Content]:
    if preset.loaded is None:
        yield literal(preset.error, "$error")
        yield from _whose(preset)
        return
    from vlmft_console.presets.table import expected_text, value_text
    from vlmft_core.preset import changed

    loaded = preset.loaded
    data = loaded.preset.model_dump(mode="json")
    about, reasons = data.pop("about"), data.pop("reasons")
    yield literal(f"{preset.name}: {about['summary']}", "bold")
    yield from _whose(preset)
    expected = [f"{task} {expected_text(span)}" for task, span in loaded.preset.about.expected.items()]
    promise = list(filter(None, [about["improvement"], *expected]))
    if promise:
        yield literal("estimated: " + ", ".join(promise))
    if preset.time.hours:
        yield literal(f"time: {preset.time.text} on {preset.time.on}, by counted operations")
    if about["time"]:
        yield literal(f"by the published recipe {about['time']} on 8 GPUs", _WHY)
    if loaded.extends:
        yield literal(f"extends {loaded.extends}; * marks what differs from it", _WHY)
    differing = changed(loaded)
    for section, values in data.items():
        yield Content("")
        yield literal(section, "bold $primary")
        for key, value in values.items():
            dotted = f"{section}.{key}"
            mark = "*" if dotted in differing else " "
            yield from _parameter(f"{mark} {key}", value_text(value), reasons.get(dotted, ""), width)


def _whose(preset: Listed) -> Iterator[Content]:
    """Where a preset of one's own is kept, and what it does to a shipped one."""
    if preset.own:
        yield literal(f"yours, in {preset.path.parent}")
    if preset.hides:
        yield literal(
            f"! hides the {preset.name} that comes with vlmft: rename {preset.path.name} to have both", "bold $warning"
        )


def _parameter(key: str, value: str, why: str, width: int) -> Iterator[Content]:
    """A parameter in three columns where there is room, else its reason below it."""
    style = f"bold {_TEXT}" if key.startswith("*") else _TEXT
    if width < _WIDE:
        for number, line in enumerate(_wrapped(f"{key} {value}", width, "    ")):
            yield literal(line, style if number == 0 else _TEXT)
        for line in _wrapped(why, width - 4, ""):
            yield literal(f"    {line}", _WHY)
        return
    values = _wrapped(value, _VALUE, "") or [""]
    reasons = _wrapped(why, width - _KEY - _VALUE - 2, "")
    for number in range(max(len(values), len(reasons))):
        left = f"{key if number == 0 else '':<{_KEY}} {values[number] if number < len(values) else '':<{_VALUE}} "
        right = reasons[number] if number < len(reasons) else ""
        yield literal(left, style) + literal(right, _WHY)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(one_line(text), max(8, width), subsequent_indent=indent)
