"""Draft: a preset being changed, the text of every field, what is wrong with it, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vlmft_console.presets.fields import REASONS, fields
from vlmft_console.presets.values import read, written
from vlmft_core.durable import read_json
from vlmft_core.errors import PresetError
from vlmft_core.preset import LoadedPreset, Preset, changed, load_preset
from vlmft_core.preset.explain import by_key
from vlmft_core.preset.loader import NAME
from vlmft_core.run_folder.layout import RunLayout


def open_preset(name_or_path: str | Path, folders: Sequence[Path]) -> LoadedPreset:
    """Load a preset to be changed. The one in a run folder is called what the run's preset was called.

    Raises:
        PresetError: as `load_preset`.
    """
    loaded = load_preset(name_or_path, folders)
    began = (read_json(RunLayout(loaded.path.parent).run_file) or {}).get("preset")
    name = began.get("name") if isinstance(began, dict) else None
    return replace(loaded, name=name) if isinstance(name, str) and NAME.fullmatch(name) else loaded


@dataclass(frozen=True)
class Difference:
    """One field, or the reason of one, that is not as in the preset the draft began from."""

    path: str
    """The dotted key; a reason's begins with `reasons.`."""
    before: str
    now: str


class Draft:
    """Changes to a preset, held as the text a person typed, so that half-typed and wrong values are kept too.

    Args:
        loaded: the preset to begin from.
        changes: values by dotted key to set at once, such as the advice of a health finding.

    Raises:
        PresetError: `changes` names no parameter.
    """

    def __init__(self, loaded: LoadedPreset, changes: Mapping[str, object] | None = None) -> None:
        self.base = loaded
        self._base_texts = texts_of(loaded.preset.model_dump(mode="json"))
        self._texts = dict(self._base_texts)
        self._past: list[dict[str, str]] = []
        self._future: list[dict[str, str]] = []
        self._under_way = ""
        """The field whose edits make one step of the way back."""
        for path in changes or {}:
            if path not in fields():
                raise PresetError(f"{path}: no such parameter")
        self._advice = {
            path: written(_plain(value), plain=fields()[path].plain) for path, value in (changes or {}).items()
        }
        self._check()
        if changes:
            self.take(self._advice)

    @property
    def advised(self) -> frozenset[str]:
        """The paths that have the value which `changes` gave them."""
        return frozenset(path for path, text in self._advice.items() if self._texts[path] == text)

    @property
    def preset(self) -> Preset | None:
        """The preset that the draft is; None while something in it is wrong."""
        return self._preset

    @property
    def errors(self) -> Mapping[str, str]:
        """What is wrong, by path. A mistake that no field can be blamed for has an empty path."""
        return self._errors

    @property
    def dirty(self) -> bool:
        """Whether there is anything to save."""
        return bool(self.differences())

    @property
    def first_error(self) -> str:
        """One line about the first mistake, with the path; empty when there is none."""
        path, text = next(iter(self._errors.items()), ("", ""))
        return text if not path or text.startswith(path) else f"{path}: {text}"

    def text(self, path: str) -> str:
        """The field's value, or what was typed for it."""
        return self._texts[path]

    def base_text(self, path: str) -> str:
        """The field's value in the preset that the draft began from."""
        return self._base_texts[path]

    def reason(self, path: str) -> str:
        """Why the field has its value. A value that was changed has no reason until one is typed."""
        return "" if self._outdated_reason(path) else self._texts[f"{REASONS}.{path}"]

    def origin(self, path: str) -> str:
        """Where the value in the base preset was said: `file:line`, or `default`."""
        where = self.base.origins.get(path)
        return str(where._replace(file=Path(where.file).name)) if where else "default"

    def set(self, path: str, text: str) -> str:
        """Type `text` into a field. Calls for one field make one step of the way back until `settle`.

        Returns:
            What is wrong with the field now, or an empty string.
        """
        if text != self._texts[path]:
            if self._under_way != path:
                self._remember()
                self._under_way = path
            self._texts[path] = text
            self._check()
        return self._errors.get(path, "")

    def settle(self) -> None:
        """The field is done with: what comes next is another step."""
        self._under_way = ""
        if self._past and self._past[-1] == self._texts:
            self._past.pop()

    def take(self, texts: Mapping[str, str]) -> None:
        """Set many fields in one step. Fields that the schema does not have are left out."""
        self.settle()
        wanted = {path: text for path, text in texts.items() if self._texts.get(path, text) != text}
        if wanted:
            self._remember()
            self._texts |= wanted
            self._check()

    def reset(self, path: str) -> None:
        """Give a field and its reason back what the base preset says."""
        names = (path, f"{REASONS}.{path}")
        self.take({name: self._base_texts[name] for name in names})

    def undo(self) -> bool:
        """One step back; False when there is none."""
        return self._go(self._past, self._future)

    def redo(self) -> bool:
        """One step forth again; False when there is none."""
        return self._go(self._future, self._past)

    def differs(self, path: str) -> bool:
        """Whether the field is not as in the base preset. `6` and `6.0` are the same."""
        text, base = self._texts[path], self._base_texts[path]
        return text != base and (
            path in self._unreadable or not _same(self._value(path, text), self._value(path, base))
        )

    def differences(self) -> list[Difference]:
        """Everything that is not as in the base preset, in the schema's order, reasons last."""
        paths = [path for path in self._texts if self._texts[path] != self._base_texts[path] and self.differs(path)]
        return [Difference(path, self._base_texts[path], self._texts[path]) for path in paths]

    def inherited(self) -> list[Difference]:
        """Where the base preset itself differs from the one it extends."""
        return [
            Difference(path, written(before, plain=fields()[path].plain), written(now, plain=fields()[path].plain))
            for path, (before, now) in changed(self.base).items()
            if path in fields()
        ]

    def unsaved(self) -> dict[str, str]:
        """The text of every field that differs, for `take` in another session."""
        return {difference.path: difference.now for difference in self.differences()}

    def saved(self, loaded: LoadedPreset) -> None:
        """From now on `loaded`, where the draft was just saved, is what it is compared with."""
        self.settle()
        self.base, self._advice = loaded, {}
        self._base_texts = texts_of(loaded.preset.model_dump(mode="json"))
        self._texts = dict(self._base_texts)
        self._check()

    def data(self) -> dict[str, dict[str, Any]]:
        """Every field's value by section, as plain data. What cannot be read stands as the text that was typed."""
        result: dict[str, dict[str, Any]] = {}
        for path, field in fields().items():
            text = self._texts[path]
            value = text if path in self._unreadable else self._value(path, text)
            result.setdefault(field.section, {})[field.key] = value
        return result | {REASONS: self._reasons()}

    def _go(self, source: list[dict[str, str]], target: list[dict[str, str]]) -> bool:
        self.settle()
        if not source:
            return False
        target.append(dict(self._texts))
        self._texts = source.pop()
        self._check()
        return True

    def _remember(self) -> None:
        self._past.append(dict(self._texts))
        self._future.clear()

    def _check(self) -> None:
        """Find out what is wrong, and the preset when nothing is."""
        self._errors: dict[str, str] = {}
        self._unreadable: set[str] = set()
        data: dict[str, Any] = {}
        for path, text in self._texts.items():
            try:
                self._value(path, text)
            except PresetError as error:
                self._errors[path] = str(error)
                self._unreadable.add(path)
        for path, field in fields().items():  # the unreadable ones aside, so that the others can be checked
            text = (self._base_texts if path in self._unreadable else self._texts)[path]
            data.setdefault(field.section, {})[field.key] = self._value(path, text)
        self._preset: Preset | None = None
        try:
            preset = Preset.model_validate(data | {REASONS: self._reasons()})
        except ValidationError as error:
            for keys, text in by_key(error):
                for key in keys or ("",):
                    self._errors.setdefault(_field_of(key), text)
        else:
            self._preset = None if self._errors else preset

    def _reasons(self) -> dict[str, str]:
        found = {}
        for path in fields():
            name = f"{REASONS}.{path}"
            text, base = self._texts[name], self._base_texts[name]
            if (text or base) and not self._outdated_reason(path):
                found[path] = self._value(name, base if name in self._unreadable else text)
        return found

    def _outdated_reason(self, path: str) -> bool:
        """Whether the reason is still that of another value."""
        name = f"{REASONS}.{path}"
        return self._texts[name] == self._base_texts[name] and self.differs(path)

    def _value(self, path: str, text: str) -> Any:
        return _read(text, path.startswith(f"{REASONS}.") or fields()[path].plain)


@lru_cache(maxsize=1024)
def _read(text: str, plain: bool) -> Any:
    return read(text, plain=plain)


def texts_of(data: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Every field's text and that of its reason, by dotted key, from a preset's plain data."""
    texts = {path: written(data[field.section][field.key], plain=field.plain) for path, field in fields().items()}
    return texts | {f"{REASONS}.{path}": written(data[REASONS].get(path, ""), plain=True) for path in fields()}


def _field_of(dotted: str) -> str:
    """`data.sources.0.task` is a mistake in `data.sources`."""
    return ".".join(dotted.split(".")[:2])


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
