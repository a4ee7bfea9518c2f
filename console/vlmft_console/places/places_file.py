"""Places file: places that a person gave a name, in `places.yaml` of the user's configuration."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from vlmft_console.places.hostfile import check_hosts
from vlmft_console.places.place import Hosts, Place, Slurm
from vlmft_console.places.place_words import check_prefix, check_setup, check_srun
from vlmft_console.places.slurm_options import check_options
from vlmft_core.errors import VlmftError
from vlmft_core.preset.strict_yaml import Document, parse, read_text

_KEYS = ("slurm", "setup", "srun", "prefix", "python", "hosts")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def places_file() -> Path:
    """Where it is; it need not be there."""
    return Path(platformdirs.user_config_dir("vlmft")) / "places.yaml"


def find_place(name: str) -> Place:
    """The place of that name.

    Raises:
        VlmftError: there is none, or the file says something that cannot be, with file and line.
    """
    places = load_places()
    if name in places:
        return places[name]
    near = difflib.get_close_matches(name, places, n=1, cutoff=0.6)
    known = f"it has {', '.join(places)}" if places else "docs/hosts.md says what goes into it"
    hint = f"did you mean {near[0]}?" if near else known
    raise VlmftError(f"no place is called {name!r} in {places_file()}", hint)


def load_places() -> dict[str, Place]:
    """Every place by its name, in the order of the file; none where there is no file.

    Raises:
        VlmftError: a line for each mistake, with file and line; or the file cannot be read.
    """
    path = places_file()
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise VlmftError(f"{path}: {error.strerror}") from None
    document = parse(read_text(path), str(path))
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        raise VlmftError(f"{path}: must be names of places with what belongs to each", "docs/hosts.md has an example")
    places: dict[str, Place] = {}
    mistakes: list[str] = []
    for name, value in document.data.items():
        try:
            places[name] = _place(name, value, _Where(path, document))
        except VlmftError as error:
            mistakes.append(str(error))
    if mistakes:
        raise VlmftError("\n".join(mistakes))
    return places


def check_kept(place: Place, where: str, *, trust: bool = False) -> None:
    """Refuse what a run folder says of its place and no `vlmft run` of this user can have put there: programs and shell
    lines that no place of the file has, options and hosts that are none.

    Args:
        place: what the folder says.
        where: what an error begins with.
        trust: take its programs and lines.

    Raises:
        VlmftError: it does.
    """
    if isinstance(place, Hosts):
        check_hosts(place.slots, where)
        return
    check_options(place.options, where)
    own = [_run_by(one) for one in load_places().values() if isinstance(one, Slurm)]
    if any(said := _run_by(place)) and said not in own and not trust:
        raise VlmftError(
            f"{where}: it has programs or lines of a script run that no place in {places_file()} has",
            "--trust runs them all the same",
        )


def _run_by(place: Slurm) -> tuple[object, ...]:
    """What a place has run beside vlmft."""
    return place.setup, place.srun, place.prefix, place.python


class _Where:
    """Says of a key where it is in the file."""

    def __init__(self, path: Path, document: Document) -> None:
        self._path, self._lines = path, document.lines

    def __call__(self, *keys: str) -> str:
        dotted = ".".join(keys)
        line = next((self._lines[part] for part in (dotted, keys[0]) if part in self._lines), None)
        return f"{self._path}:{line}: {dotted}" if line else f"{self._path}: {dotted}"


def _place(name: str, value: object, where: _Where) -> Place:
    if not _NAME.fullmatch(name):
        raise VlmftError(f"{where(name)}: cannot name a place", "use letters, digits, '.', '_' and '-'")
    if not isinstance(value, Mapping):
        raise VlmftError(f"{where(name)}: must be a section with `slurm` or `hosts`")
    for key in value:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KEYS)}"
            raise VlmftError(f"{where(name, key)}: unknown key", hint)
    if ("slurm" in value) == ("hosts" in value):
        raise VlmftError(f"{where(name)}: needs either `slurm` or `hosts`")
    if "hosts" in value:
        if others := [key for key in value if key != "hosts"]:
            raise VlmftError(f"{where(name, others[0])}: only a place with `slurm` has it")
        slots = _mapping(value["hosts"], where(name, "hosts"))
        check_hosts(slots, where(name, "hosts"))
        return Hosts({host: int(str(count)) for host, count in slots.items()})
    options = {
        key: _option(one, where(name, "slurm", key))
        for key, one in _mapping(value["slurm"], where(name, "slurm")).items()
    }
    check_options(options, where(name, "slurm"))
    python = value.get("python", "")
    if not isinstance(python, str) or not python.isprintable() or not (python == "" or python.startswith("/")):
        raise VlmftError(f"{where(name, 'python')}: must be the absolute path of a Python")
    setup, srun, prefix = (_texts(value.get(key, []), where(name, key)) for key in ("setup", "srun", "prefix"))
    check_setup(setup, where(name, "setup"))
    check_srun(srun, where(name, "srun"))
    check_prefix(prefix, where(name, "prefix"))
    return Slurm(options, setup, srun, prefix, python)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise VlmftError(f"{where}: must be a section of `name: value` lines")
    return value


def _option(value: object, where: str) -> str:
    """sbatch's option: text or a number; `true` is one without a value."""
    if value is True:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise VlmftError(f"{where}: must be a text, a whole number, or true for an option without a value")
    return str(value)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one and one.isprintable() for one in value):
        raise VlmftError(f"{where}: must be a list of texts, each of one line")
    return tuple(value)
