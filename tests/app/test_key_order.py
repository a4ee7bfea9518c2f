"""Keys that come faster than they are handled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from vlmft_console.app import key_order
from vlmft_console.app.key_order import KeyOrder
from vlmft_console.app.widgets.base.focusing import focus_now


class List(Vertical, can_focus=True):
    """Opens a line to type into, as slowly as a busy machine would."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search"), Binding("q", "ask")]

    class Search(Message):
        """What the key asks for."""

    def action_search(self) -> None:
        self.post_message(self.Search())

    async def on_list_search(self) -> None:
        assert isinstance(self.app, Slow)
        await self.app.may_go_on.wait()
        focus_now(self.screen.query_one(Input))

    def action_ask(self) -> None:
        self.app.push_screen(Question())


class Question(ModalScreen[None]):
    """Is closed by the key that it takes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "close", priority=True)]

    def action_close(self) -> None:
        self.dismiss()


class Slow(KeyOrder):
    """Counts how often it looked whether a key is still being handled."""

    AUTO_FOCUS = "List"

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()
        self.looks = 0

    def compose(self) -> ComposeResult:
        yield List()
        yield Input()

    async def _look(self) -> None:
        self.looks += 1
        await super()._look()

    def come(self, *keys: str) -> None:
        for key in keys:
            self.post_message(events.Key(key, key if len(key) == 1 else "/"))

    @property
    def typed(self) -> str:
        return self.screen_stack[0].query_one(Input).value


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await pilot.pause()


async def test_keys_wait_for_the_one_before_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_order, "LOOK_SECONDS", 0.001)
    app = Slow()
    async with app.run_test() as pilot:
        app.come("slash", "q", "a")
        app.post_message(events.Paste("bc"))
        app.come("d")
        try:
            async with asyncio.timeout(60):
                while app.looks < 20:
                    await asyncio.sleep(0)
            assert app.typed == ""
        finally:
            app.may_go_on.set()
        await until(pilot, lambda: app.typed == "qabcd")


async def test_keys_go_on_when_what_had_the_last_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Slow()
    app.may_go_on.set()
    async with app.run_test() as pilot:
        app.come("q", "y", "slash", "a", "b")
        await until(pilot, lambda: app.typed == "ab")
        assert len(app.screen_stack) == 1


class Reading(Screen[None]):
    """Has nothing for keys at first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "take('a')"),
        Binding("b", "take('b')"),
        Binding("q", "leave"),
    ]
    ready = False
    taken = ""

    @property
    def getting_ready(self) -> bool:
        return not self.ready

    def action_take(self, key: str) -> None:
        self.taken += key

    def action_leave(self) -> None:
        self.dismiss()


async def test_keys_wait_until_a_screen_has_something_for_them() -> None:
    app, screen = Slow(), Reading()
    async with app.run_test() as pilot:
        await app.push_screen(screen)
        app.come("a", "b")
        await until(pilot, lambda: app.looks > 2)
        assert screen.taken == ""
        screen.ready = True
        await until(pilot, lambda: screen.taken == "ab")


class Late(Reading):
    """Is ready when a third key has come."""

    asked = 0

    @property
    def getting_ready(self) -> bool:
        self.asked += 1
        return self.asked <= 2


async def test_a_key_that_comes_when_a_screen_is_just_ready_goes_behind_those_that_waited_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_order, "LOOK_SECONDS", 3600)
    app, screen = Slow(), Late()
    async with app.run_test() as pilot:
        await app.push_screen(screen)
        app.come("a", "b", "a")
        await until(pilot, lambda: screen.taken == "aba")


async def test_a_screen_that_never_is_ready_is_left_and_what_waited_for_it_goes_nowhere_else() -> None:
    app = Slow()
    app.may_go_on.set()
    async with app.run_test() as pilot:
        await app.push_screen(Reading())
        app.come("slash", "a", "q")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        app.come("slash", "b")
        await until(pilot, lambda: app.typed == "b")
