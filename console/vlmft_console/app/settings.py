"""Settings of the app that outlive it: `console.yaml` in the person's configuration, wherever the app is started."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from vlmft_console.app.tell import tell
from vlmft_console.charts.smoothing import SHARES, USUAL
from vlmft_console.history.chosen import compiled
from vlmft_console.runs.facts import ORDERS
from vlmft_core.durable import open_regular, write_whole
from vlmft_core.errors import VlmftError, in_words
from vlmft_core.figures import short

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import Widget

Theme = Literal["dark", "light"]
Pictures = Literal["auto", "kitty", "blocks", "none"]
USUAL_ORDER: Final = ""
"""The order in which runs come: live ones first, then the newest."""
_LIST: Final = '["NAME or pattern", …] on one line'
_FORMS: Final = {
    "theme": "dark or light",
    "panels": _LIST,
    "overlay": _LIST,
    "smoothing": f"one of {', '.join(short(share) for share in SHARES)}",
    "sort": f"one of usual, {', '.join(ORDERS)}",
    "group": "true or false",
    "pictures": f"one of {', '.join(get_args(Pictures))}",
    "keys": '{"KEY OF THE CONSOLE": "KEY OF YOURS", …} on one line',
}
"""What each setting can be, in words."""
_SHOWN: Final = 60
"""Letters of a line that a message shows."""


@dataclass(frozen=True)
class Settings:
    """What the file can say."""

    theme: Theme = "dark"
    """The colours to start with; those of the last time."""
    panels: tuple[str, ...] = ()
    """Metrics that the metrics' screen shows: names, or regular expressions looked for in the names. None for all."""
    overlay: tuple[str, ...] = ()
    """The same of runs that are laid over each other. None for the usual ones."""
    smoothing: float = USUAL
    """Share of the steps that are seen over which train losses are averaged."""
    sort: str = USUAL_ORDER
    """What the runs are sorted by."""
    group: bool = False
    """Whether runs of one preset stand together."""
    pictures: Pictures = "auto"
    """How pictures are drawn: by the terminal itself, in half blocks, or not; by itself what the terminal can do."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """By a key of the console the one that is pressed instead, both by Textual's names."""


def settings_file() -> Path:
    """Where the settings are kept."""
    import platformdirs

    return Path(platformdirs.user_config_dir("vlmft")) / "console.yaml"


def kept_settings() -> Settings:
    """What was chosen last; the usual where nothing was.

    Raises:
        VlmftError: the file is there and does not say what it can say.
    """
    path = settings_file()
    found: dict[str, Any] = {}
    for number, line in enumerate(_lines(path), 1):
        key, _, value = (part.strip() for part in line.partition(":"))
        if not key or key.startswith("#"):
            continue
        if key not in _READ:
            raise VlmftError(f"{path}:{number}: {_shown(line)} is no setting", f"there are {', '.join(_READ)}")
        if key in found:
            raise VlmftError(f"{path}:{number}: {key} is there twice", "leave the line that is meant")
        try:
            found[key] = _READ[key](value)
        except VlmftError as error:
            raise VlmftError(f"{path}:{number}: {key}: {error}") from None
        except (KeyError, ValueError, RecursionError):
            raise VlmftError(f"{path}:{number}: {_shown(value)} is no {key}", f"it is {_FORMS[key]}") from None
    return Settings(**found)


def _shown(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def usable_settings() -> Settings:
    """The same for whoever needs not be told what is wrong with the file: the start has refused that."""
    try:
        return kept_settings()
    except VlmftError:
        return Settings()


def keep(where: Widget | App[None], key: str, value: str | float | list[str]) -> None:
    """Start with this value from now on; where that cannot be written, this session has it all the same.

    Args:
        where: says why it is not kept.
        key: a field of `Settings`. Other lines of the file, comments too, stay as they are.
        value: its new value.
    """
    try:
        path = settings_file().resolve()  # what a link leads to is the person's file: the link stays
        others = [line for line in _lines(path) if line.partition(":")[0].strip() != key]
        path.parent.mkdir(parents=True, exist_ok=True)
        written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        write_whole(path, "\n".join([*others, f"{key}: {written}", ""]))
    except (OSError, RuntimeError, VlmftError) as error:  # RuntimeError: links that lead in a circle
        tell(where.app, f"{key} is not kept for the next time: {in_words(error)}", problem=True)


def _lines(path: Path) -> list[str]:
    try:
        with os.fdopen(open_regular(path), encoding="utf-8-sig") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        raise VlmftError(f"{path} is no text in UTF-8", "delete it") from None
    except OSError as error:
        raise VlmftError(f"{path} cannot be read: {error.strerror}", "delete it") from None


def _patterns(text: str) -> tuple[str, ...]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise ValueError(text)
    for each in value:
        compiled(each)
    return tuple(value)


def _word(text: str) -> str:
    return text.partition("#")[0].strip()


def _one_of(values: Mapping[str, Any]) -> Callable[[str], Any]:
    """Reads one of these words."""
    return lambda text: values[_word(text)]


def _share(text: str) -> float:
    share = float(_word(text))
    if share not in SHARES:
        raise ValueError(text)
    return share


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("twice")
    return found


def _keys(text: str) -> dict[str, str]:
    value = json.loads(text, object_pairs_hook=_once)
    if not isinstance(value, dict) or not all(isinstance(each, str) and each for each in value.values()):
        raise ValueError(text)
    return value


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "theme": _one_of({word: word for word in get_args(Theme)}),
    "panels": _patterns,
    "overlay": _patterns,
    "smoothing": _share,
    "sort": _one_of({"usual": USUAL_ORDER, **{order: order for order in ORDERS}}),
    "group": _one_of({"true": True, "false": False}),
    "pictures": _one_of({word: word for word in get_args(Pictures)}),
    "keys": _keys,
}
