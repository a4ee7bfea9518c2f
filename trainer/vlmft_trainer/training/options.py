"""Options of the training program's command line: the published recipe's options, laid over a preset."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vlmft_core.errors import PresetError
from vlmft_core.home import expanded
from vlmft_core.plan import with_gpus
from vlmft_core.plan.base_folder import find_architecture
from vlmft_core.plan.lora_layers import without_idle_tower
from vlmft_core.preset import Preset, load_sft_config
from vlmft_core.run_folder.layout import RunLayout

NUMBERS = {
    "max_train": "data.max_train",
    "max_eval": "data.max_eval",
    "lora_r": "lora.r",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
}
"""The preset's key that each option with a number overrides."""


@dataclass(frozen=True)
class Job:
    """What to train, where it goes, and what there is to say about how it was asked for."""

    preset: Preset
    run: RunLayout
    notes: tuple[str, ...]
    resume: bool = False
    """Go on from the newest complete checkpoint in the run folder."""
    data_changed: bool = False
    """Go on although the data is not what the checkpoint was made with."""
    trust: bool = False
    """Load the run folder whosever it is, and let what is loaded run what it says."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise PresetError(message, "see --help")


def _parser() -> _Parser:
    parser = _Parser(prog="vlmft_trainer.train_vlm_sft", description=__doc__, allow_abbrev=False)
    parser.add_argument("--sft_config", type=Path, required=True, help="a preset (YAML) or the published recipe's JSON")
    parser.add_argument("--output_dir", type=Path, required=True, help="the run folder")
    parser.add_argument("--base_model", help="a hub name, a folder, or demo")
    parser.add_argument("--max_train", help="at most this many training samples")
    parser.add_argument("--max_eval", help="at most this many eval samples")
    parser.add_argument("--lora_r", help="rank of the adapter")
    parser.add_argument("--lora_alpha", help="scale of the adapter")
    parser.add_argument("--lora_dropout", help="dropout on the adapter's input")
    parser.add_argument("--target_modules", help="names of the layers to adapt, separated by commas")
    parser.add_argument("--flash_attn", action="store_true", help="use flash attention where it can run")
    parser.add_argument("--resume", action="store_true", help="go on from the newest complete checkpoint")
    parser.add_argument("--data_changed", action="store_true", help="with --resume: also on other data")
    parser.add_argument("--trust", action="store_true", help="with --resume: also what others own or may change")
    parser.add_argument("--local_rank", help=argparse.SUPPRESS)  # the launcher passes it; LOCAL_RANK says the same
    return parser


def read_job(arguments: Sequence[str] | None, world_size: int) -> Job:
    """Options and the preset they name, for as many ranks as were started.

    Raises:
        PresetError: an unknown option, or a preset that cannot be read or trained.
        ModelError: the base of a run to resume is missing.
    """
    options = _parser().parse_args(arguments)
    given = vars(options)
    overrides = [f"{key}={given[name]}" for name, key in NUMBERS.items() if given[name] is not None]
    if options.base_model is not None:
        overrides.append(f"model.base={json.dumps(options.base_model)}")
    if options.target_modules is not None:
        names = [name.strip() for name in options.target_modules.split(",")]
        overrides.append(f"lora.target_modules={json.dumps(names)}")
    if options.flash_attn:
        overrides.append("model.attention=flash_attention_2")
    if os.environ.get("DS_ACCELERATOR") == "cpu":
        overrides.append("hardware.device=cpu")
    loaded = load_sft_config(options.sft_config, [options.sft_config.parent], overrides, world_size)
    preset, note = with_gpus(loaded.preset, world_size)
    notes = (*loaded.notes, *([note] if note else []))
    if options.data_changed and not options.resume:
        raise PresetError("--data_changed without --resume", "it lets a run go on with other data")
    if options.trust and not options.resume:
        raise PresetError("--trust without --resume", "it lets a run go on from another person's checkpoint")
    if options.resume and (architecture := find_architecture(preset.model.base)):
        lora = without_idle_tower(preset.lora, architecture.linear_layers(vision_tower=True))
        if lora != preset.lora:
            notes += ("lora.vision_tower: true matched no layer of the vision tower when this run began: none learns",)
            preset = preset.model_copy(update={"lora": lora})
    run = RunLayout(expanded(options.output_dir).absolute())
    return Job(preset, run, notes, options.resume, options.data_changed, options.trust)
