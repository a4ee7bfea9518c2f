"""Run by the launcher: two ranks under ZeRO-3, of which one never sees an image. Keeps the losses of each layout."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Preset
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.encode import Encoded
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.distributed import ranks
from vlmft_trainer.distributed.process_group import process_group
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.load import Kernels, load_base, load_encoder, prepare_training
from vlmft_trainer.train_vlm_sft import leave
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest
from vlmft_trainer.training.checkpoint_manager import CheckpointManager
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.training_args import training_args
from vlmft_trainer.training.weighted_trainer import WeightedTrainer

KERNELS = Kernels("fp32", "sdpa", ())


class Mixed(Dataset[Encoded]):
    """Long samples with an image and short ones without: of two micro-batches of one step, one gets no image."""

    def __init__(self, encoder: Any) -> None:
        from PIL import Image

        with_image = encoder.sample("what is it", "12", Image.new("RGB", (112, 84), "red"))
        text = encoder.sample("2 and 3", "5", None)
        self.samples = [with_image, text] * 4
        self.lengths = [sample.length for sample in self.samples]
        self.replaced = torch.zeros(1)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Encoded:
        return replace(self.samples[index])


def train(folder: Path, packed: bool, tower: bool) -> None:
    """Four steps; rank 0 writes their losses to `losses.json`."""
    preset = Preset.model_validate(
        {
            "model": {"base": "demo", "precision": "fp32"},
            "lora": {"r": 4, "alpha": 8, "dropout": 0, "target_modules": ["up_proj"], "vision_tower": tower},
            "training": {"epochs": 1, "learning_rate": 0.005, "effective_batch": 2, "micro_batch": 1},
            "hardware": {"device": "cpu", "gpus": 2, "zero_stage": 3},
        }
    )
    encoder = load_encoder(str(DEMO_BASE), 200704)
    args = training_args(preset, KERNELS, folder, 0)
    args.save_strategy = args.eval_strategy = "no"
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), preset.lora, seed=1)
    prepare_training(model, gradient_checkpointing=False, train_vision=tower)
    trainer = WeightedTrainer(
        model=model,
        args=args,
        train_dataset=Mixed(encoder),
        data_collator=pack_collator(encoder) if packed else pad_collator(encoder),
        checkpoints=CheckpointManager(RunLayout(folder), None, "eval_loss", RunLog(None), {}),
        stop=StopOnRequest(RunLayout(folder)).asked,
        packed=packed,
    )
    trainer.train()
    if ranks.rank() == 0:
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        (folder / "losses.json").write_text(json.dumps(losses))


def main() -> None:
    """For each layout named on the command line, as `packed-tower`, in a folder of its name."""
    root = Path(next(argument for argument in sys.argv[1:] if not argument.startswith("--")))
    layouts = [argument for argument in sys.argv[1:] if argument.partition("-")[0] in ("packed", "padded")]
    with process_group():
        for layout in layouts:
            folder = root / layout
            folder.mkdir(exist_ok=True)
            train(folder, layout.startswith("packed"), layout.endswith("tower"))


if __name__ == "__main__":
    main()
    leave(0)
