"""Preset as YAML: strict, and read back equal."""

from __future__ import annotations

from typing import Any

import yaml

from vlmft_core.preset.schema import Preset
from vlmft_core.preset.strict_yaml import NUMBER


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer, which also quotes text that only YAML 1.2 reads as a number, such as `4e-5`."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML's other styles lose rarer line breaks such as U+0085.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))


def dump_preset(preset: Preset) -> str:
    """The complete preset, defaults included, as YAML; `load_preset` gives an equal preset back."""
    return dump_yaml(preset.model_dump(mode="json"))


def dump_yaml(data: Any) -> str:
    """Plain data as strict YAML, in the order given."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def yaml_line(value: Any) -> str:
    """One value as strict YAML on one line, such as `[q_proj, v_proj]`."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("\n...")
