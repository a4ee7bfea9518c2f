"""The least that a Textual app can be: what the console is compared with."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class Blank(App[None]):
    """Says that it is there."""

    def compose(self) -> ComposeResult:
        yield Static("blank app")


if __name__ == "__main__":
    Blank().run()
