"""Presets: the schema, strict loading, writing, and the guide's JSON. Loads no torch."""

from vlmft_trainer.errors import PresetError
from vlmft_trainer.preset.data_schema import Data, Source
from vlmft_trainer.preset.dump import dump_preset
from vlmft_trainer.preset.guide_json import load_sft_config
from vlmft_trainer.preset.load import LoadedPreset, changed, find_presets, load_preset
from vlmft_trainer.preset.schema import (
    About,
    Checkpoints,
    Evaluation,
    Hardware,
    Lora,
    Model,
    Monitor,
    Preset,
    Training,
)
from vlmft_trainer.preset.strict_yaml import Origin

__all__ = [
    "About",
    "Checkpoints",
    "Data",
    "Evaluation",
    "Hardware",
    "LoadedPreset",
    "Lora",
    "Model",
    "Monitor",
    "Origin",
    "Preset",
    "PresetError",
    "Source",
    "Training",
    "changed",
    "dump_preset",
    "find_presets",
    "load_preset",
    "load_sft_config",
]
