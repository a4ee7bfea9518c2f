"""Presets: the schema, strict loading, writing, and the published recipe's JSON."""

from vlmft_core.preset.data_schema import Data, Source
from vlmft_core.preset.dump import dump_preset
from vlmft_core.preset.loader import LoadedPreset, changed, find_presets, load_preset
from vlmft_core.preset.monitor_schema import Monitor
from vlmft_core.preset.recipe_json import load_sft_config
from vlmft_core.preset.schema import Evaluation, Hardware, Lora, Model, Preset, Training
from vlmft_core.preset.strict_yaml import Origin

__all__ = [
    "Data",
    "Evaluation",
    "Hardware",
    "LoadedPreset",
    "Lora",
    "Model",
    "Monitor",
    "Origin",
    "Preset",
    "Source",
    "Training",
    "changed",
    "dump_preset",
    "find_presets",
    "load_preset",
    "load_sft_config",
]
