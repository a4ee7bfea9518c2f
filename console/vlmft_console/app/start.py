"""Start of `vlmft-console`: from the command line to the app. Textual comes last: a log is read meanwhile."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path


def main() -> None:
    """Entry point of `vlmft-console`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the app is there, Ctrl-C just ends this: no traceback
    import os

    from vlmft_console.app.settings import kept_settings
    from vlmft_console.app.terminal import GiveBack, refusal
    from vlmft_console.sanitize import sanitize
    from vlmft_core.errors import EXIT_MISTAKE, VlmftError

    options = _options()
    try:
        if why := refusal(os.environ):
            raise VlmftError(why)
        theme = options.theme or kept_settings().theme
        target = _target(options.target) if options.target else None
    except (VlmftError, OSError) as error:  # such as a folder that is closed to us
        print(sanitize(f"vlmft-console: {error}"), file=sys.stderr)
        sys.exit(EXIT_MISTAKE)
    ahead = None
    if target is not None:
        from vlmft_console.history.loading import ReadAhead

        ahead = ReadAhead(target)
    from vlmft_console.app.app import VlmftConsole

    app = VlmftConsole(target, ahead=ahead, theme=theme, notify=options.notify)
    with GiveBack(app):
        app.run(mouse=options.mouse)
    sys.exit(app.return_code or 0)


def _options() -> Namespace:
    import argparse

    from vlmft_console.app.terminal import NOTIFY_STYLES

    parser = argparse.ArgumentParser(
        prog="vlmft-console",
        description="Choose a preset, launch it, watch it. ? names the keys. Runs go on when the console ends.",
        allow_abbrev=False,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET", help="a run's name, a run folder or a log to open")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("--no-mouse", dest="mouse", action="store_false", help="leave the mouse to the terminal")
    parser.add_argument("--theme", choices=("dark", "light"), help="colours [default: those of the last time, or dark]")
    parser.add_argument(
        "--notify",
        choices=NOTIFY_STYLES,
        default="bell",
        help="sign for a finding that says stop, and for the end of a run [default: bell]",
    )
    options = parser.parse_args()
    if options.version:
        from importlib.metadata import version

        print(f"vlmft {version('vlmft')}")
        sys.exit()
    return options


def _target(text: str) -> Path:
    """The log or run folder that is meant.

    Raises:
        VlmftError: there is neither such a path nor such a run.
    """
    from pathlib import Path

    path = Path(text)
    if text and path.exists():  # as `locate` has it, which takes longer to import
        return path
    from vlmft_console.runs.targets import locate

    return locate(text)
