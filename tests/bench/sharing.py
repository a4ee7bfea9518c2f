"""Accuracy with and without `training.share_images`: the demo's model, several questions an image, some seeds each way.

    python -m tests.bench.sharing [--seeds 5] [--first 0] [--samples 1600] [--epochs 2] [--eval 200] [--ways off auto]

Sharing changes nothing in the loss of a sample. It changes which samples meet in a step, and draws dropout once for
what they share; `together` has the order alone: questions of an image meet, each with an image of its own. Each seed
trains once each way, on the same data from the same adapter; all in this process, one training after the other.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from transformers import TrainingArguments

from tests.bench.charts_like import QUESTIONS
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Data, Lora, Source
from vlmft_core.preset.schema import Evaluation
from vlmft_core.run_folder.layout import RunLayout
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.run_data import RunData, prepare
from vlmft_trainer.demo import questions
from vlmft_trainer.demo.charts import draw_chart, draw_sign, random_chart, random_sign
from vlmft_trainer.demo.questions import CHART_SUFFIX, HOUSE_STYLE, SIGN_SUFFIX, Question
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.evaluate import answer_tasks, mean_loss
from vlmft_trainer.model.load import Kernels, load_base, load_encoder, prepare_training
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest
from vlmft_trainer.training.checkpoint_manager import CheckpointManager
from vlmft_trainer.training.run_log import RunLog
from vlmft_trainer.training.weighted_trainer import WeightedTrainer

WAYS = ("off", "together", "auto")
EFFECTIVE_BATCH = 32
MICRO_BATCH = 8


def asked(chance: random.Random) -> tuple[Image, list[Question]]:
    """A picture of the demo's fine-tuning task with one to three different questions: four charts to a sign."""
    chart, sign = random_chart(chance), random_sign(chance)
    is_chart = chance.random() < 0.8
    image = draw_chart(chart, HOUSE_STYLE, chance) if is_chart else draw_sign(sign, HOUSE_STYLE, chance)
    suffix = CHART_SUFFIX if is_chart else SIGN_SUFFIX
    wanted = chance.choice(QUESTIONS)
    found: dict[str, Question] = {}
    while len(found) < wanted:
        one = (
            questions._house_chart_question(chart, chance) if is_chart else questions._house_sign_question(sign, chance)
        )
        found[one.text] = Question(one.text + suffix, one.answer, one.reading)
    return image, list(found.values())


def write(folder: Path, split: str, samples: int, seed: int) -> None:
    """A split of questions and answers beside their images."""
    chance = random.Random(f"{split} {seed}")
    lines: list[str] = []
    while len(lines) < samples:
        image, found = asked(chance)
        name = f"{split}-{len(lines)}.png"
        image.save(folder / name)
        lines += [json.dumps({"question": one.text, "answer": one.answer, "image": name}) for one in found]
    (folder / f"{split}.jsonl").write_text("\n".join(lines[:samples]) + "\n")


def train(data: RunData, seed: int, way: str, *, epochs: float) -> dict[str, float]:
    """Accuracy, eval loss and processor seconds of one training."""
    encoder = data.train.encoder
    kernels = Kernels("fp32", "sdpa", ())
    model = add_adapter(load_base(str(DEMO_BASE), kernels), Lora(r=16, alpha=32, dropout=0.05), seed=seed)
    prepare_training(model, gradient_checkpointing=False, train_vision=False)
    folder = RunLayout(Path(tempfile.mkdtemp()))
    trainer = WeightedTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder.path),
            use_cpu=True,
            per_device_train_batch_size=MICRO_BATCH,
            gradient_accumulation_steps=EFFECTIVE_BATCH // MICRO_BATCH,
            num_train_epochs=epochs,
            learning_rate=4e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.06,
            optim="adamw_torch",
            seed=seed,
            data_seed=seed,
            logging_steps=1000,
            save_strategy="no",
            remove_unused_columns=False,
            disable_tqdm=True,
            report_to="none",
        ),
        train_dataset=data.train,
        data_collator=pack_collator(encoder, share=way == "auto"),
        checkpoints=CheckpointManager(folder, None, "eval_loss", RunLog(None), {}),
        stop=StopOnRequest(folder).asked,
        packed=True,
        groups=None if way == "off" else data.train.groups,
    )
    torch.manual_seed(seed)
    began = time.process_time()
    trainer.train()
    seconds = time.process_time() - began
    scores = answer_tasks(model, data.eval, Evaluation(answers=len(data.eval), micro_batch=32, max_new_tokens=8))
    result = mean_loss(model, data.eval, batch_size=16, packed=True)
    assert scores is not None
    assert result is not None
    (headline, *_) = scores["qa"].values()
    return {"accuracy": float(headline), "eval_loss": result.eval_loss, "cpu_s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--samples", type=int, default=1600)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--eval", type=int, default=200)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["off", "auto"])
    options = parser.parse_args()

    found: dict[str, list[dict[str, Any]]] = {way: [] for way in options.ways}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, "train", options.samples, seed=0)
        write(folder, "val", options.eval, seed=0)
        data = prepare(Data(sources=[Source(task="qa", path=place)]), load_encoder(str(DEMO_BASE), 200704))
        groups, lengths = data.train.groups, data.train.lengths
        assert groups is not None
        assert lengths is not None
        print(
            f"{len(data.train)} questions about {groups.images} images, {len(data.train) / groups.images:.2f} each;"
            f" shared: {groups.saved / sum(lengths):.0%} of the tokens less"
        )
        print(f"{'seed':>4} {'way':>8} {'accuracy':>9} {'eval loss':>10} {'CPU s':>7}", flush=True)
        for seed in range(options.first, options.first + options.seeds):
            for way in options.ways:
                one = train(data, seed, way, epochs=options.epochs)
                found[way].append(one)
                print(
                    f"{seed:>4} {way:>8} {one['accuracy']:>9.3f} {one['eval_loss']:>10.4f} {one['cpu_s']:>7.1f}",
                    flush=True,
                )
    first, *others = options.ways
    for name, way in itertools.product(("accuracy", "eval_loss", "cpu_s"), others):
        before, after = ([one[name] for one in found[each]] for each in (first, way))
        differences = [b - a for a, b in zip(before, after, strict=True)]
        error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
        print(
            f"{name}: {first} {statistics.mean(before):.4f}, {way} {statistics.mean(after):.4f}, difference"
            f" {statistics.mean(differences):+.4f}, its standard error {error:.4f}"
        )


if __name__ == "__main__":
    main()
