"""Start of `vlmft-console`: from the command line to the app. Textual comes last: a log is read meanwhile."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from pathlib import Path
    from typing import NoReturn


def main() -> None:
    """Entry point of `vlmft-console`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the app is there, Ctrl-C just ends this: no traceback
    import os

    from vlmft_console.app.terminal import GiveBack, refusal
    from vlmft_console.report import COMPARED
    from vlmft_console.sanitize import sanitize
    from vlmft_core.errors import EXIT_MISTAKE, VlmftError, in_words

    try:
        if (status := _there(sys.argv[1:])) is not None:
            sys.exit(status)
        options = _options()
        if why := refusal(os.environ):
            raise VlmftError(why)
        from vlmft_console.app.settings import kept_settings

        kept = kept_settings()
        theme, keys = options.theme or kept.theme, _own_keys(kept.keys)
        targets = [_target(each) for each in options.target]
        if targets and len(targets) not in (1, *COMPARED):
            raise VlmftError(f"{len(targets)} runs cannot be told apart on one screen", f"name {COMPARED[-1]} or fewer")
    except (VlmftError, OSError) as error:  # such as a folder that is closed to us
        print(sanitize(f"vlmft-console: {in_words(error)}"), file=sys.stderr)
        sys.exit(EXIT_MISTAKE)
    ahead = None
    if len(targets) == 1:
        from vlmft_console.history.loading import ReadAhead

        ahead = ReadAhead(targets[0])
    from vlmft_console.app.app import VlmftConsole
    from vlmft_console.app.kitty_query import how_to_draw

    app = VlmftConsole(*targets, ahead=ahead, theme=theme, notify=options.notify, own_keys=keys)
    with GiveBack(app):
        app.pictures, app.typed_ahead = how_to_draw(kept.pictures, os.environ)
        app.run(mouse=options.mouse)
    sys.exit(app.return_code or 0)


def _own_keys(wanted: Mapping[str, str]) -> Mapping[str, str]:
    """What the keys of a person's settings mean.

    Raises:
        VlmftError: not all of them can be.
    """
    if not wanted:
        return {}
    from vlmft_console.app.own_keys import own_keys
    from vlmft_console.app.settings import settings_file
    from vlmft_core.errors import VlmftError

    try:
        return own_keys(wanted)
    except VlmftError as error:
        raise VlmftError(f"{settings_file()}: keys: {error}") from None


def _there(arguments: list[str]) -> int | None:
    """The exit status of the console on the machine that one of the arguments names; it gets the others as they are.

    None where none does.

    Raises:
        VlmftError: it names none, or there is no terminal here.
    """
    from vlmft_console.ssh.address import SCHEME, Address

    named = next((each for each in arguments if each.startswith(SCHEME)), None)
    if named is None:
        return None
    import os

    from vlmft_console.app.terminal import RESET, in_browser, refusal
    from vlmft_console.ssh.session import run_there
    from vlmft_core.errors import VlmftError

    address = Address.parse(named)
    if in_browser(os.environ):
        raise VlmftError("ssh has no terminal in a browser", "start textual-serve on that machine")
    if why := refusal(os.environ):
        raise VlmftError(why)
    rest = arguments.copy()
    rest.remove(named)
    return run_there(address, "vlmft-console", rest, RESET)


def _options() -> Namespace:
    """What the command line says.

    Raises:
        VlmftError: it says something that there is not.
    """
    import argparse

    from vlmft_console.app.terminal import NOTIFY_STYLES
    from vlmft_core.errors import VlmftError

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise VlmftError(message, "see vlmft-console --help")

    parser = Parser(
        prog="vlmft-console",
        usage="%(prog)s [OPTIONS] [ssh://[USER@]HOST[:PORT][/PATH]] [TARGET ...]",
        description="Choose a preset, launch it, watch it. ? names the keys. Runs go on when the console ends.",
        epilog="With ssh://… the console of that machine is shown, by your own ssh, with all other arguments. PATH is a"
        " run or a log to open, or the folder to work in; /~/PATH begins at your home folder there.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "target",
        nargs="*",
        metavar="TARGET",
        help="a run's name, a run folder or a log to open; several are laid over each other",
    )
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
