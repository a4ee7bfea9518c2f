"""Run by the launcher: two ranks train on questions of few images, with these shared and without. Writes what each step
came to; weights hardly move, so that all steps begin with the same ones."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.utils.data import Dataset

from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Preset
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.data.conversation import Slot, Turn
from vlmft_trainer.data.encode import Encoded, Encoder
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.prefixes import find_groups, find_prefix
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


class Asked(Dataset[Encoded]):
    """Forty conversations: of each five, one question about an image, two about it in turn, two about it and another
    together, and one about none."""

    def __init__(self, encoder: Encoder) -> None:
        chance = random.Random(0)
        self.samples, prefixes = [], []
        for _ in range(8):
            sizes = [(chance.randint(60, 200), chance.randint(60, 200)) for _ in range(2)]
            both = [Image.frombytes("RGB", size, chance.randbytes(3 * size[0] * size[1])) for size in sizes]
            for pictures, questions in ((both[:1], 1), (both[:1], 2), (both, 1), (both, 1), ([], 1)):
                turns = [turn for _ in range(questions) for turn in asked(chance)]
                turns[0] = replace(turns[0], parts=(Slot.IMAGE,) * len(pictures) + turns[0].parts)
                one = encoder.conversation(turns, pictures)
                fits = [encoder.fit(*picture.size) for picture in pictures]
                content = zip([picture.tobytes() for picture in pictures], fits, strict=True)
                self.samples.append(one)
                prefixes.append(find_prefix(one.input_ids, one.labels, encoder.image_id, content))
        self.lengths = [sample.length for sample in self.samples]
        self.groups = find_groups(prefixes, range(len(prefixes)))
        self.replaced = torch.zeros(1)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Encoded:
        return self.samples[index]


def asked(chance: random.Random) -> tuple[Turn, Turn]:
    """A question and its answer."""
    question = f"what is {chance.randrange(1000)}?" + " tell" * chance.randrange(4)
    return Turn("user", (question,)), Turn("assistant", (str(chance.randrange(10000)),))


def train(folder: Path, stage: int, *, share: bool, every: int) -> list[dict[str, Any]]:
    """Loss, gradient's norm and tokens of each step."""
    preset = Preset.model_validate(
        {
            "model": {"base": "demo", "precision": "fp32"},
            "lora": {"r": 4, "alpha": 8, "dropout": 0, "target_modules": ["q_proj", "v_proj", "up_proj"]},
            "training": {"epochs": 1, "learning_rate": 1e-9, "effective_batch": 8, "micro_batch": 2},
            "hardware": {"device": "cpu", "gpus": 2, "zero_stage": stage},
        }
    )
    encoder = load_encoder(str(DEMO_BASE), 200704)
    data = Asked(encoder)
    args = training_args(preset, KERNELS, folder, 0)
    args.save_strategy = args.eval_strategy = "no"
    model = add_adapter(load_base(str(DEMO_BASE), KERNELS), preset.lora, seed=1)
    torch.manual_seed(2)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            assert weight.numel()
            torch.nn.init.normal_(weight, std=0.05)
    prepare_training(model, gradient_checkpointing=every > 0, train_vision=False, every=max(every, 1))
    trainer = WeightedTrainer(
        model=model,
        args=args,
        train_dataset=data,
        data_collator=pack_collator(encoder, share=share),
        checkpoints=CheckpointManager(RunLayout(folder), None, "eval_loss", RunLog(None), {}),
        stop=StopOnRequest(RunLayout(folder)).asked,
        packed=True,
        groups=data.groups,
    )
    trainer.train()
    figures = trainer.meter.read(0)
    steps = [entry for entry in trainer.state.log_history if "grad_norm" in entry]
    return [*({key: step[key] for key in ("loss", "grad_norm")} for step in steps), {"tokens": figures.work.tokens}]


def main() -> None:
    folder, stage = Path(sys.argv[-2]), int(sys.argv[-1])  # the launcher's own option comes first
    with process_group():
        found = {
            f"{share} {every}": train(folder, stage, share=share, every=every)
            for every in (0, 1, 2)  # layers that are recomputed: none, all, every second one
            for share in (False, True)
        }
        if ranks.rank() == 0:
            (folder / "steps.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
    leave(0)
