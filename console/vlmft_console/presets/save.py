"""Saving: a draft becomes a preset of its own, a small YAML file that says only what differs from its parent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vlmft_console.presets.draft import Draft
from vlmft_console.presets.table import refuse_shipped_name
from vlmft_console.presets.values import as_typed
from vlmft_core.durable import write_whole
from vlmft_core.errors import PresetError, VlmftError
from vlmft_core.preset import LoadedPreset, Preset, dump_preset
from vlmft_core.preset.dump import dump_yaml
from vlmft_core.preset.loader import NAME, load_text
from vlmft_core.preset.schema import About


def save_as(draft: Draft, name: str, folder: Path, folders: Sequence[Path], *, replace: bool = False) -> LoadedPreset:
    """Save a draft as `folder/name.yaml`, whole or not at all; it loads back equal.

    Args:
        draft: what to save.
        name: what the preset is called from now on.
        folder: where it goes; made if need be.
        folders: where its parent is looked for, as for `load_preset`.
        replace: the file may be there already and is replaced.

    Raises:
        PresetError: a bad name or that of a preset which comes with vlmft, a mistake in the draft, a file of that
            name, or the file cannot be written.
    """
    if not NAME.fullmatch(name):
        raise PresetError(f"{name!r} cannot name a preset", "use 1 to 64 letters, digits, '.', '_' and '-'")
    target = folder / f"{name}.yaml"
    refuse_shipped_name(name, target)
    if draft.preset is None:
        raise PresetError(draft.first_error)
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise PresetError(f"{target}: not a regular file", "choose another name")
    if target.exists() and not replace:
        raise PresetError(f"{target}: exists already")
    preset = draft.preset
    if target.resolve() != draft.base.path.resolve():
        preset = preset.model_copy(update={"about": _own_words(preset.about, draft.base.preset.about)})
    text = child_text(draft.base, preset, target, folders)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(target, text, private=False)
    except OSError as error:
        raise PresetError(f"{target}: cannot be written: {error.strerror}") from None
    return load_text(text, target, folders)


def _own_words(about: About, before: About) -> About:
    """Without what was said of the preset that this one was made of: what is promised of one is not of another."""
    return About(**{key: value for key, value in about if value != getattr(before, key)})


def child_text(base: LoadedPreset, preset: Preset, target: Path, folders: Sequence[Path]) -> str:
    """`preset` as the YAML of a child of `base`, or complete where no name leads from `target` to a parent.

    A file that is replaced by itself keeps the parent it had.
    """
    for parent in _parents(base, target):
        head = f"extends: {parent}\n"
        try:
            inherited = load_text(head, target, folders).preset
            text = head + _sections(inherited, preset)
            if load_text(text, target, folders).preset == preset:
                return text
        except VlmftError:  # no preset of that name, or it would go round in a circle
            continue
    return dump_preset(preset)


def _parents(base: LoadedPreset, target: Path) -> Iterator[str]:
    if target.resolve() != base.path.resolve():
        yield base.name
    if base.extends:
        yield base.extends


def _sections(parent: Preset, child: Preset) -> str:
    """What differs, as YAML; empty when nothing does."""
    below, above = parent.model_dump(mode="json"), child.model_dump(mode="json")
    different = {
        section: {key: value for key, value in values.items() if below[section].get(key, _NOTHING) != value}
        for section, values in above.items()
    }
    stated = {section: values for section, values in different.items() if values}
    return "\n" + dump_yaml(as_typed(stated)) if stated else ""


_NOTHING = object()
