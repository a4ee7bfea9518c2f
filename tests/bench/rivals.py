"""One training by one trainer, in this process: what it measures goes to a JSON file.

    python -m tests.bench.rivals TRAINER SIZE STEPS OUT

All train the same adapter on the same samples in the same order and start from the same weights.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments

from tests.bench import charts_like
from vlmft_core.preset import Lora
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.data.collate import collate
from vlmft_trainer.data.encode import IGNORED, Encoded
from vlmft_trainer.data.order import MicroBatches
from vlmft_trainer.data.packing import pack
from vlmft_trainer.data.patches import normalised
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.attention import use_packed_attention
from vlmft_trainer.model.fused import fused_problem, use_fused_kernels
from vlmft_trainer.model.inputs import model_inputs
from vlmft_trainer.model.load import prepare_training
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest
from vlmft_trainer.training.checkpoint_manager import CheckpointManager
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.weighted_trainer import WeightedTrainer

EFFECTIVE_BATCH = 8
SEED = 7
LORA = Lora(r=16, alpha=32, dropout=0)
SCALE = {"tiny": 0.1, "small": 0.5, "3b": 1.0, "7b": 1.0}
"""Of the samples' lengths, by model."""


class Clock(TrainerCallback):  # type: ignore[misc]
    """Losses, and when each step ended, by the clock and in processor time."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.ends: list[tuple[float, float]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append((time.monotonic(), time.process_time()))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


class OurSamples(Dataset[Encoded]):
    """Samples as vlmft's trainer wants them."""

    def __init__(self, encoded: list[Encoded]) -> None:
        self.encoded = encoded
        self.lengths = [sample.length for sample in encoded]
        self.groups = charts_like.groups(encoded)
        self.replaced = torch.zeros(1)

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> Encoded:
        return self.encoded[index]


class Rows(Dataset[dict[str, Any]]):
    """The same in vlmft's order, as rows that other trainers' collators take."""

    def __init__(self, samples: OurSamples) -> None:
        order = MicroBatches(
            samples.lengths,
            effective_batch=EFFECTIVE_BATCH,
            micro_batch=EFFECTIVE_BATCH,
            packed=True,
            seed=SEED,
            groups=samples.groups,
        )
        self.encoded = [samples[index] for batch in order for index in batch]

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return as_row(self.encoded[index])


def as_row(sample: Encoded) -> dict[str, Any]:
    """A sample as other trainers' collators take it."""
    assert sample.pixel_values is not None
    return {
        "input_ids": sample.input_ids,
        "labels": sample.labels,
        "pixel_values": normalised(sample.pixel_values, torch.float32),
        "image_grid_thw": sample.image_grid_thw,
    }


def padding_collator(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """The collator most people write: pad to the longest, no label on padding."""
    longest = max(len(row["input_ids"]) for row in rows)

    def padded(name: str, filler: int) -> torch.Tensor:
        return torch.tensor([row[name] + [filler] * (longest - len(row[name])) for row in rows])

    ids = padded("input_ids", charts_like.PAD)
    return {
        "input_ids": ids,
        "attention_mask": torch.tensor(
            [[1] * len(row["labels"]) + [0] * (longest - len(row["labels"])) for row in rows]
        ),
        "labels": padded("labels", IGNORED),
        "mm_token_type_ids": (ids == charts_like.IMAGE).long(),
        "pixel_values": torch.cat([row["pixel_values"] for row in rows]),
        "image_grid_thw": torch.cat([row["image_grid_thw"] for row in rows]),
    }


def arguments(kind: Any, micro: int, **more: Any) -> Any:
    """Training arguments that all trainers share."""
    on_gpu = torch.cuda.is_available()
    return kind(
        output_dir=mkdtemp(),
        use_cpu=not on_gpu,
        bf16=on_gpu,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=EFFECTIVE_BATCH // micro,
        num_train_epochs=1,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        optim="adamw_torch",
        data_seed=SEED,
        logging_steps=1,
        save_strategy="no",
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        **more,
    )


class InOrder(Trainer):  # type: ignore[misc]
    """transformers' trainer without shuffling, so that all see the same batches."""

    def _get_train_sampler(self, *_: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def plain(model: Any, data: OurSamples, clock: Clock, *, checkpointing: bool, micro: int) -> None:
    """The script most people write: transformers' Trainer, PEFT, a padding collator."""
    model = add_adapter(model, LORA, seed=1)
    if checkpointing:
        model.enable_input_require_grads()
    InOrder(
        model=model,
        args=arguments(TrainingArguments, micro, gradient_checkpointing=checkpointing),
        train_dataset=Rows(data),
        data_collator=padding_collator,
        callbacks=[clock],
    ).train()


def trl(model: Any, data: OurSamples, clock: Clock, *, micro: int) -> None:
    """TRL's SFTTrainer with its own defaults, checkpointing among them."""
    import datasets
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from vlmft_core.plan.architecture import DEMO_BASE

    class Ordered(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    rows = Rows(data)
    Ordered(
        model=add_adapter(model, LORA, seed=1),
        args=arguments(SFTConfig, micro, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=datasets.Dataset.from_dict({"number": list(range(len(rows)))}),  # it takes no other kind
        data_collator=lambda picked: padding_collator([rows[row["number"]] for row in picked]),
        processing_class=AutoTokenizer.from_pretrained(DEMO_BASE),  # asked for, and not used
        callbacks=[clock],
    ).train()


def vlmft(
    model: Any,
    data: OurSamples,
    clock: Clock,
    *,
    micro: int,
    packed: bool = True,
    checkpointing: bool = False,
    fast_attention: bool = True,
    fused: bool = True,
    share: bool = True,
    trainer: type[WeightedTrainer] = WeightedTrainer,
) -> None:
    """This project's trainer, as `vlmft_trainer.training.train` sets it up for a GPU."""
    folder = Path(mkdtemp())
    model = add_adapter(model, LORA, seed=1)
    if fast_attention:
        use_packed_attention(model.get_base_model())
    prepare_training(model, gradient_checkpointing=checkpointing, train_vision=False)
    if fused:
        fuse(model)
    join = partial(pack, share=share) if packed else partial(collate, pad_id=charts_like.PAD)
    log = RunLog(None)
    made = trainer(
        model=model,
        args=arguments(TrainingArguments, micro),
        train_dataset=data,
        data_collator=partial(join, image_id=charts_like.IMAGE, merge=2),
        checkpoints=CheckpointManager(RunLayout(folder), None, "eval_loss", log, {}),
        stop=StopOnRequest(RunLayout(folder)).asked,
        packed=packed,
        groups=data.groups,
        callbacks=[clock],
    )
    made.train()


def fuse(model: Any) -> None:
    """Switch to fused kernels, compiled before anything is timed.

    Raises:
        RuntimeError: they do not work here.
    """
    if problem := fused_problem(model):
        raise RuntimeError(f"no fused kernels: {problem}")
    use_fused_kernels(model)


class WholeHead(WeightedTrainer):
    """Computes logits for all positions, as other trainers do."""

    def compute_loss(self, model: Any, inputs: Any, *_: Any, num_items_in_batch: Any = None, **__: Any) -> Any:
        labels = inputs.pop("labels")
        logits = model(**model_inputs(model, inputs), use_cache=False).logits.float()
        shifted = labels[:, 1:].flatten().to(logits.device)
        nll = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), shifted, reduction="sum")
        return nll / num_items_in_batch


TRAINERS: dict[str, Callable[[Any, OurSamples, Clock], None]] = {
    "vlmft": partial(vlmft, micro=2),
    "plain": partial(plain, checkpointing=True, micro=4),
    "trl": partial(trl, micro=4),
    "plain-kept": partial(plain, checkpointing=False, micro=2),
    "vlmft-eager": partial(vlmft, micro=2, fused=False),
    "vlmft-padded": partial(vlmft, micro=2, packed=False),
    "vlmft-apart": partial(vlmft, micro=2, share=False),
    "vlmft-sdpa": partial(vlmft, micro=2, share=False, fast_attention=False),
    "vlmft-head": partial(vlmft, micro=2, trainer=WholeHead),
    "vlmft-checkpointing": partial(vlmft, micro=4, checkpointing=True),
}
"""What can be run. Micro-batches of all are as large as `plain`'s peak memory allows."""


def main() -> None:
    name, size, steps, out = sys.argv[1:]
    torch.set_num_threads(2)
    clock = Clock()
    encoded = charts_like.samples(EFFECTIVE_BATCH * int(steps), size, scale=SCALE[size], asked=True)
    model = charts_like.build(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    TRAINERS[name](model, OurSamples(encoded), clock)
    Path(out).write_text(
        json.dumps(
            {
                "trainer": name,
                "losses": clock.losses,
                "step_s": [end[0] - start[0] for start, end in pairwise(clock.ends)],
                "step_cpu_s": [end[1] - start[1] for start, end in pairwise(clock.ends)],
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "before_mib": before / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
