"""Outside editor: a draft as a YAML file for it, and back."""

from __future__ import annotations

import os
import shlex

from vlmft_console.presets.draft import Draft, texts_of
from vlmft_console.presets.fields import REASONS
from vlmft_core.errors import PresetError
from vlmft_core.preset import Origin
from vlmft_core.preset.dump import dump_yaml
from vlmft_core.preset.loader import Layers, check
from vlmft_core.preset.strict_yaml import parse


def editor_command() -> list[str]:
    """The person's editor: `$VISUAL`, else `$EDITOR`, else vi.

    Raises:
        PresetError: the variable cannot be split into words.
    """
    for name in ("VISUAL", "EDITOR"):
        try:
            if words := shlex.split(os.environ.get(name, "")):
                return words
        except ValueError as error:
            raise PresetError(f"${name} is not a command: {error}") from None
    return ["vi"]


def to_file(draft: Draft) -> str:
    """The whole draft as YAML."""
    head = f"# The whole preset. A line that you delete falls back to what {draft.base.name} says.\n"
    return head + dump_yaml(draft.data())


def from_file(draft: Draft, text: str) -> None:
    """Take over, in one step, what such a file says now.

    Raises:
        PresetError: one line for each mistake, with the file's line and the key. The draft stays as it was.
    """
    name = f"{draft.base.name}.yaml"
    document = parse(text, name)
    data = {} if document.data is None else document.data
    if not isinstance(data, dict):
        raise PresetError(f"{name}: not a preset", "write sections with `key: value` lines under them")
    if "extends" in data:
        raise PresetError(f"{name}:{document.lines['extends']}: extends: cannot be changed here", "remove the line")
    preset = draft.base.preset.model_dump(mode="json")
    layers = Layers()
    layers.add(preset, {})
    layers.add(data, {key: Origin(name, line) for key, line in document.lines.items()})
    values = check(layers, name).model_dump(mode="json")
    reasons = {**preset[REASONS], **values[REASONS]}  # one that went with its old value shows again if that comes back
    draft.take(texts_of(values | {REASONS: reasons}))
