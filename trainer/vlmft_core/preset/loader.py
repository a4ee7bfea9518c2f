"""Preset loader: from a name to a checked `Preset`, by way of the file, `extends` and overrides."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import ValidationError

from vlmft_core.errors import PresetError
from vlmft_core.home import expanded
from vlmft_core.preset.explain import explain
from vlmft_core.preset.recipe_options import is_recipe
from vlmft_core.preset.schema import About, Preset
from vlmft_core.preset.strict_yaml import Origin, parse, printable, read_text, shown

DEEPEST = 50
"""Presets that may build on one another."""
NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}")
"""What a preset may be called: its file's name without `.yaml`."""
SUFFIXES = (".yaml", ".yml")
_LIKE_A_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
PROMISES = ("improvement", "time", "expected")
"""Keys of `about` that hold only for the data they were estimated for."""


@dataclass(frozen=True)
class LoadedPreset:
    """A checked preset and where it comes from."""

    name: str
    """The file's name without its suffix."""
    path: Path
    """The file."""
    preset: Preset
    extends: str | None = None
    """The parent that the file itself names."""
    origins: dict[str, Origin] = field(default_factory=dict)
    """Where each value was said, by dotted key. A key that no file states has its default and is not here."""
    parent: Layers | None = field(default=None, repr=False)
    """What the file builds on, before its own values."""
    notes: tuple[str, ...] = ()
    """What a person should know about the reading of the file, one sentence each."""

    @property
    def inherited(self) -> set[str]:
        """Keys whose values another file said, or none: neither this file nor an override."""
        own = {key for key, said in self.origins.items() if said.line is None or said.file == str(self.path)}
        return leaves(self.preset.model_dump(mode="json")).keys() - own


@dataclass
class Layers:
    """Values said by a chain of files, the later ones over the earlier."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)

    def add(self, data: dict[str, Any], origins: dict[str, Origin]) -> None:
        """Lay `data` over what is there: sections merge key by key, a key's value is replaced whole.

        A reason goes with its value: one that `data` does not give anew for a value it changes is dropped.
        """
        reasons = self.data.get("reasons")
        for section, values in sorted(data.items(), key=lambda item: item[0] == "reasons"):
            old = self.data.get(section)
            if not isinstance(values, dict) or not isinstance(old, dict):
                self._forget(section)
                self.data[section] = dict(values) if isinstance(values, dict) else values
                continue
            for key, value in values.items():
                dotted = f"{section}.{key}"
                if isinstance(reasons, dict) and section != "reasons" and old.get(key) != value:
                    reasons.pop(dotted, None)
                self._forget(dotted)
                old[key] = value
        self.origins |= origins

    def _forget(self, dotted: str) -> None:
        for name in [name for name in self.origins if name == dotted or name.startswith(f"{dotted}.")]:
            del self.origins[name]

    def drop(self, section: str, keys: Sequence[str]) -> None:
        """Forget what was said about some keys of a section."""
        for key in keys:
            if isinstance(self.data.get(section), dict):
                self.data[section].pop(key, None)
            self._forget(f"{section}.{key}")

    def copy(self) -> Layers:
        """A copy that can be added to."""
        result = Layers()
        result.add(self.data, self.origins)
        return result


def load_preset(name_or_path: str | Path, folders: Sequence[Path] = (), overrides: Sequence[str] = ()) -> LoadedPreset:
    """Load, merge and check a preset.

    Args:
        name_or_path: a name to look for in `folders`, or a path (anything with a slash or a YAML suffix).
        folders: where presets and their parents live; the first folder that has a name wins.
        overrides: `section.key=value`, the value in the words of the files; they win over every file.

    Raises:
        PresetError: one line for each mistake, with file, line and key.
    """
    path = _find(name_or_path, folders)
    text = read_text(path)
    if is_recipe(text):
        raise PresetError(
            f"{path}: this is the published recipe's JSON, not a preset",
            f"make one of it: vlmft presets import {quote(str(path))} -o {quote(path.stem)}.yaml",
        )
    return _load(path, text, folders, overrides)


def load_text(text: str, path: Path, folders: Sequence[Path] = ()) -> LoadedPreset:
    """The preset that `text` is when it stands in the file `path`, which need not be there yet.

    Raises:
        PresetError: as `load_preset`.
    """
    return _load(path, text, folders, ())


def _load(path: Path, text: str, folders: Sequence[Path], overrides: Sequence[str]) -> LoadedPreset:
    parent, own, extends = _read_chain(path, text, folders, [])
    layers = parent.copy()
    layers.add(*own)
    for setting in overrides:
        layers.add(*override(setting))
    if "data.sources" in layers.origins and layers.origins["data.sources"].line is None:
        layers.drop("about", PROMISES)
    preset = check(layers, str(path))
    return LoadedPreset(path.stem, path, preset, extends, layers.origins, parent if extends else None)


def check(layers: Layers, name: str) -> Preset:
    """The preset that the layers add up to. `name` is the file blamed for what no file states.

    Raises:
        PresetError: one line for each mistake.
    """
    try:
        return Preset.model_validate(layers.data)
    except ValidationError as error:
        raise PresetError("\n".join(explain(error, layers.origins, name))) from None


def find_presets(folders: Sequence[Path]) -> dict[str, Path]:
    """Every preset by name, sorted; for a name in several folders, the first folder's. Contents are not read."""
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            files = sorted(folder.iterdir())
        except OSError:  # a folder that is not there has no presets
            continue
        for file in files:
            if file.suffix in SUFFIXES and NAME.fullmatch(file.stem) and file.is_file():
                found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def changed(child: LoadedPreset) -> dict[str, tuple[Any, Any]]:
    """Where a preset differs from the one it extends: dotted key to (parent's value, own value).

    Values nobody states are the schema's defaults. `reasons` is left out. Empty without a parent.
    """
    if child.parent is None:
        return {}
    below = leaves(Preset().model_dump(mode="json")) | leaves(child.parent.data)
    above = leaves(child.preset.model_dump(mode="json"))
    return {
        key: (below.get(key), value)
        for key, value in above.items()
        if not key.startswith("reasons.") and below.get(key) != value
    }


def leaves(data: dict[str, Any]) -> dict[str, Any]:
    """Every key's value by `section.key`."""
    sections = [(name, values) for name, values in data.items() if isinstance(values, dict)]
    return {f"{name}.{key}": value for name, values in sections for key, value in values.items()}


def _find(name_or_path: str | Path, folders: Sequence[Path]) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((*SUFFIXES, ".json")):
        return expanded(text)
    found = find_presets(folders)
    if text in found:
        return found[text]
    near = difflib.get_close_matches(text, found, n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif found:
        hint = f"there are: {', '.join(found)}"
    else:
        hint = "give the path of a YAML file"
    raise PresetError(f"no preset is called {shown(text)}", hint)


def _read_chain(
    path: Path, text: str, folders: Sequence[Path], chain: list[Path]
) -> tuple[Layers, tuple[dict[str, Any], dict[str, Origin]], str | None]:
    """Read the file `path` with its `text`, and its ancestors: what it builds on, what it says itself, its parent."""
    document = parse(text, str(path))
    data = document.data
    # Lines such as `root:*:0::`, of a file that is something else, are not shown as keys.
    if not isinstance(data, dict) or (data and not any(_LIKE_A_KEY.fullmatch(str(key)) for key in data)):
        what = "empty" if data is None else "not a preset"
        raise PresetError(f"{path}: {what}", "write sections such as `training:` with `key: value` lines under them")
    line = document.lines.get("extends", 1)
    extends = data.pop("extends", None)
    own = data, {key: Origin(str(path), number) for key, number in document.lines.items() if key != "extends"}
    if extends is None:
        return Layers(), own, None
    parent = _find_parent(extends, Origin(str(path), line), path, folders)
    chain = [*chain, path]
    if parent.resolve() in [file.resolve() for file in chain]:
        names = " -> ".join(file.stem for file in [*chain, parent])
        raise PresetError(f"{path}:{line}: extends goes round in a circle: {names}", "remove one of them")
    if len(chain) >= DEEPEST:
        raise PresetError(f"{path}:{line}: extends: more than {DEEPEST} presets, each on the next", "leave some out")
    below, above, _ = _read_chain(parent, read_text(parent), folders, chain)
    below.add(*above)
    below.drop("about", tuple(About.model_fields))  # what is promised of one preset is not of another
    return below, own, extends


def _find_parent(extends: Any, where: Origin, path: Path, folders: Sequence[Path]) -> Path:
    """The parent's file. A preset may extend one of its own name in a later folder."""
    if not isinstance(extends, str) or not NAME.fullmatch(extends):
        raise PresetError(f"{where}: extends: must be the name of a preset, not {shown(extends)}")
    candidates = [folder / f"{extends}{suffix}" for folder in (path.parent, *folders) for suffix in SUFFIXES]
    existing = [file for file in candidates if file.is_file()]
    others = [file for file in existing if file.resolve() != path.resolve()]
    if others or existing:
        return (others or existing)[0]
    known = find_presets((path.parent, *folders))
    near = difflib.get_close_matches(extends, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    raise PresetError(f"{where}: extends: no preset is called {extends}", hint)


def override(text: str) -> tuple[dict[str, Any], dict[str, Origin]]:
    """`section.key=value` as a layer of its own."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".", 1)
    where = f"--set {printable(key.strip())}"
    if not equals or len(parts) != 2 or not all(parts):
        raise PresetError(f"--set {printable(text)}: not a setting", "write section.key=value, as in training.epochs=3")
    try:
        data = parse(value, "value").data
    except PresetError as error:
        raise PresetError(f"{where}: {error.message.partition(': ')[2]}", error.hint) from None
    section, name = parts
    return {section: {name: data}}, dict.fromkeys((section, f"{section}.{name}"), Origin(where, None))
