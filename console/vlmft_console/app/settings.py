"""Settings of the app that outlive it: `console.yaml` beside a person's own presets."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from vlmft_core.durable import write_whole
from vlmft_core.errors import VlmftError

Theme = Literal["dark", "light"]
USUAL: Final[Theme] = "dark"


def settings_file() -> Path:
    """Where the settings are kept."""
    from vlmft_console.paths import own_presets

    return own_presets().parent / "console.yaml"


def kept_theme() -> Theme:
    """The theme that was chosen last; the usual one where none was.

    Raises:
        VlmftError: the file is there and does not say what it can say.
    """
    path = settings_file()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return USUAL
    except (OSError, UnicodeDecodeError) as error:
        raise VlmftError(f"{path} cannot be read: {error}", "delete it") from None
    theme: Theme = USUAL
    for number, line in enumerate(lines, 1):
        key, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if key == "theme" and value == "light":
            theme = "light"
        elif key == "theme" and value == "dark":
            theme = "dark"
        elif key:
            raise VlmftError(
                f"{path}:{number}: {line.strip()!r} is no setting", "there is one: `theme: dark` or `light`"
            )
    return theme


def keep_theme(theme: Theme) -> None:
    """Start with this theme from now on; where that cannot be written, this session has it all the same."""
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"theme: {theme}\n")
    except OSError:
        return
