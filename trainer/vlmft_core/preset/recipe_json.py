"""The published recipe's JSON (docs/guide.md): Hugging Face's older training option names, `//` comments allowed.

Reading is strict about what would change the training and lenient about the rest. An option vlmft has a field for is
translated. One that vlmft decides itself (`output_dir`, `report_to`, …) is left out with a note. One that contradicts
how vlmft works, such as saving at other steps than evaluating, is an error, and so is an unknown name. What the file
does not say keeps the schema's default, which is the recipe's `best`. The file knows nothing of LoRA and data: those
are passed on the command line.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmft_core.errors import PresetError
from vlmft_core.figures import counted
from vlmft_core.preset.loader import Layers, LoadedPreset, check, leaves, load_preset, override
from vlmft_core.preset.recipe_options import CORE, DECIDED, DIRECT, METRICS, SCHEDULERS
from vlmft_core.preset.schema import Hardware, Preset, Training
from vlmft_core.preset.strict_yaml import Document, Origin, parse, printable, read_text, shown


@dataclass
class RecipeConfig:
    """The published recipe's JSON in the terms of a preset."""

    sections: dict[str, Any] = field(default_factory=dict)
    """Raw preset sections, not yet checked."""
    origins: dict[str, Origin] = field(default_factory=dict)
    """Where each value was said, by dotted preset key."""
    notes: list[str] = field(default_factory=list)
    """What was left out or worked out, one sentence each."""


def load_sft_config(
    path: str | Path, folders: Sequence[Path] = (), overrides: Sequence[str] = (), gpus: int | None = None
) -> LoadedPreset:
    """Load what `--sft_config` names: a preset (`.yaml`, `.yml`) or the published recipe's JSON (`.json`).

    Args:
        path: the file.
        folders: where parents of a YAML preset live.
        overrides: `section.key=value`, as for `load_preset`.
        gpus: GPUs the published recipe's JSON is run on, which its batch size depends on; a YAML preset states its own.

    Raises:
        PresetError: one line for each mistake.
    """
    path = Path(path)
    if path.suffix != ".json":
        return load_preset(path, folders, overrides)
    config = from_recipe_json(path, gpus)
    layers = Layers()
    layers.add(config.sections, config.origins)
    for text in overrides:
        layers.add(*override(text))
    preset = check(layers, str(path))
    return LoadedPreset(path.stem, path, preset, origins=layers.origins, notes=tuple(config.notes))


def from_recipe_json(path: Path, gpus: int | None = None) -> RecipeConfig:
    """Translate the published recipe's JSON.

    Args:
        path: the file; comments from `//` to the end of a line are allowed.
        gpus: GPUs that share the effective batch; the published recipe's 8 by default.

    Raises:
        PresetError: one line for each option that is unknown, contradictory or not supported.
    """
    # JSON is YAML once comments and tabs are gone, so the strict reader's limits and line numbers hold here too.
    text = _without_comments(read_text(path))
    if not text.lstrip().startswith("{"):
        raise PresetError(f"{path}: not a JSON object", "the published recipe's configuration begins with {")
    return _Reader(path, parse(text, str(path)), gpus or Hardware().gpus).read()


class _Reader:
    """Goes through the options, collecting values and every mistake."""

    def __init__(self, path: Path, document: Document, gpus: int) -> None:
        self.path = path
        self.options: dict[str, Any] = document.data
        self.lines = document.lines
        self.gpus = gpus
        self.config = RecipeConfig()
        self.mistakes: list[str] = []

    def read(self) -> RecipeConfig:
        translators: dict[str, Callable[[str, Any], None]] = {
            "lr_scheduler_type": self.scheduler,
            "evaluation_strategy": self.strategy,
            "eval_strategy": self.strategy,
            "save_strategy": self.strategy,
            "save_steps": self.save_steps,
            "metric_for_best_model": self.metric,
            "greater_is_better": self.direction,
            "bf16": self.precision,
            "fp16": self.precision,
            "gradient_accumulation_steps": self.accumulation,
            "warmup_steps": self.warmup_steps,
            "max_steps": self.max_steps,
            "optim": self.optimizer,
        }
        for option, value in self.options.items():
            if option in DIRECT:
                self.put(DIRECT[option], value, option)
            elif option in translators:
                translators[option](option, value)
            elif option in DECIDED:
                self.config.notes.append(f"{option} is left out: {DECIDED[option]}")
            else:
                near = difflib.get_close_matches(option, [*DIRECT, *translators, *DECIDED], n=1)
                self.refuse(option, "unknown option", f"did you mean {near[0]}?" if near else "remove it")
        self.batch()
        defaults = Preset().model_dump()
        keys = {option: key.split(".") for option, key in CORE.items() if option not in self.options}
        unsaid = {option: defaults[section][name] for option, (section, name) in keys.items()}
        if unsaid:
            said = ", ".join(f"{option} {value}" for option, value in unsaid.items())
            self.config.notes.append(f"not in the file, so vlmft's default: {said}")
        if self.mistakes:
            raise PresetError("\n".join(self.mistakes))
        return self.config

    def put(self, key: str, value: Any, option: str) -> None:
        section, _, name = key.partition(".")
        self.config.sections.setdefault(section, {})[name] = value
        self.config.origins[key] = Origin(str(self.path), self.lines.get(option, 1))

    def refuse(self, option: str, what: str, hint: str) -> None:
        self.mistakes.append(f"{self.path}:{self.lines[option]}: {printable(option)}: {what} ({hint})")

    def choose(self, option: str, value: Any, key: str, choices: dict[str, str]) -> None:
        if isinstance(value, str) and value in choices:
            self.put(key, choices[value], option)
        else:
            self.refuse(option, f"not supported: {shown(value)}", f"choose one of {', '.join(choices)}")

    def scheduler(self, option: str, value: Any) -> None:
        if value == "constant":  # Hugging Face ignores the warm-up here
            if self.options.get("warmup_ratio"):
                hint = "write constant_with_warmup, or remove warmup_ratio"
                self.refuse(option, "constant has no warm-up, but warmup_ratio asks for one", hint)
            self.put("training.scheduler", "constant", option)
            self.put("training.warmup_ratio", 0.0, option)
        else:
            self.choose(option, value, "training.scheduler", SCHEDULERS)

    def strategy(self, option: str, value: Any) -> None:
        if value != "steps":
            hint = "write steps: vlmft evaluates every eval_steps and saves a checkpoint after each eval"
            self.refuse(option, f"not supported: {shown(value)}", hint)

    def save_steps(self, option: str, value: Any) -> None:
        evals = self.options.get("eval_steps")
        if value != evals:
            hint = "make them equal: vlmft saves a checkpoint after each eval"
            said = "eval_steps is not stated" if evals is None else f"eval_steps is {shown(evals)}"
            self.refuse(option, f"{shown(value)}, but {said}", hint)

    def metric(self, option: str, value: Any) -> None:
        self.choose(option, value, "evaluation.metric_for_best_model", METRICS)

    def direction(self, option: str, value: Any) -> None:
        metric = str(self.options.get("metric_for_best_model", "eval_loss"))
        better = METRICS.get(metric) == "token_accuracy"
        if metric in METRICS and value is not better:
            hint = f"write {str(better).lower()}"
            self.refuse(option, f"{shown(value)} contradicts metric_for_best_model {metric}", hint)

    def precision(self, option: str, value: Any) -> None:
        on = [name for name in ("bf16", "fp16") if self.options.get(name)]
        if not isinstance(value, bool):
            self.refuse(option, f"must be true or false, not {shown(value)}", "write true or false")
        elif len(on) == 2:
            self.refuse(option, "bf16 and fp16 are both on", "keep one of them")
        else:
            self.put("model.precision", on[0] if on else "fp32", option)

    def accumulation(self, option: str, value: Any) -> None:
        if type(value) is not int or value < 1:
            self.refuse(option, f"must be a whole number from 1, not {shown(value)}", "1 means no accumulation")

    def warmup_steps(self, option: str, value: Any) -> None:
        if value == 0:
            return
        if isinstance(value, float) and value < 1 and "warmup_ratio" not in self.options:  # as transformers 5 has it
            self.put("training.warmup_ratio", value, option)
        else:
            self.refuse(option, "vlmft states the warm-up as a share of all steps", "use warmup_ratio")

    def max_steps(self, option: str, value: Any) -> None:
        if value != -1:
            self.refuse(option, "vlmft states the length in epochs", "use num_train_epochs")

    def optimizer(self, option: str, value: Any) -> None:
        if value not in ("adamw_torch", "adamw_torch_fused", "adamw_hf"):
            self.refuse(option, f"not supported: {shown(value)}", "vlmft uses AdamW: write adamw_torch")

    def batch(self) -> None:
        """The effective batch, which the published recipe's JSON leaves to batch size x accumulation x GPUs."""
        micro = self.options.get("per_device_train_batch_size")
        accumulation = self.options.get("gradient_accumulation_steps")
        option = "gradient_accumulation_steps" if accumulation is not None else "per_device_train_batch_size"
        if micro is None and accumulation is None:
            return
        self.put("hardware.gpus", self.gpus, option)
        micro = Training().micro_batch if micro is None else micro
        accumulation = 1 if accumulation is None else accumulation
        if type(micro) is not int or type(accumulation) is not int:
            return  # said elsewhere
        total = micro * accumulation * self.gpus
        self.put("training.effective_batch", total, option)
        self.config.notes.append(
            f"effective batch {total}: {micro} a GPU x {accumulation} accumulated x {counted(self.gpus, 'GPU')}"
        )


def to_recipe_json(preset: Preset) -> str:
    """The preset as the published recipe's JSON. LoRA, model and data are not in it: `recipe_arguments` gives those."""
    data = preset.model_dump(mode="json")
    result: dict[str, Any] = {}
    for option, key in DIRECT.items():
        section, _, name = key.partition(".")
        value = data[section][name]
        result[option] = int(value) if isinstance(value, float) and value.is_integer() else value
    if preset.training.gradient_checkpointing == "auto":
        del result["gradient_checkpointing"]  # the JSON has no word for it
    names = {ours: theirs for theirs, ours in SCHEDULERS.items()}
    result["lr_scheduler_type"] = names[preset.training.scheduler]
    result["gradient_accumulation_steps"] = preset.accumulation
    result |= {"eval_strategy": "steps", "save_strategy": "steps", "save_steps": preset.evaluation.eval_steps}
    better = preset.evaluation.metric_for_best_model == "token_accuracy"
    result |= {
        "metric_for_best_model": "eval_token_accuracy" if better else "eval_loss",
        "greater_is_better": better,
    }
    if preset.model.precision != "auto":
        result |= {kind: preset.model.precision == kind for kind in ("bf16", "fp16")}
    return json.dumps(result, indent=2) + "\n"


def recipe_arguments(preset: Preset) -> list[str]:
    """The published recipe's command line options for what its JSON cannot say."""
    arguments = [f"--base_model={preset.model.base}"]
    for option, value in (("max_train", preset.data.max_train), ("max_eval", preset.data.max_eval)):
        if value is not None:
            arguments.append(f"--{option}={value}")
    arguments += [
        f"--lora_r={preset.lora.r}",
        f"--lora_alpha={preset.lora.alpha}",
        f"--lora_dropout={preset.lora.dropout}",
        f"--target_modules={','.join(preset.lora.target_modules)}",
    ]
    return arguments + (["--flash_attn"] if preset.model.attention == "flash_attention_2" else [])


def beyond_recipe(preset: Preset) -> list[str]:
    """Keys of the values that neither its JSON nor its options can say, where they are not what both leave unsaid."""
    told = _Reader(Path(), parse(to_recipe_json(preset), ""), preset.hardware.gpus).read().sections
    options = {
        "model": {"base"},
        "lora": {"r", "alpha", "dropout", "target_modules"},
        "data": {"max_train", "max_eval"},
    }
    if preset.model.attention == "flash_attention_2":
        options["model"].add("attention")
    for section, names in options.items():
        said = {name: getattr(getattr(preset, section), name) for name in names}
        told[section] = told.get(section, {}) | {name: value for name, value in said.items() if value is not None}
    back, ours = (leaves(one.model_dump()) for one in (Preset.model_validate(told), preset))
    return [key for key, value in ours.items() if key.split(".")[0] not in ("about", "reasons") and back[key] != value]


def _without_comments(text: str) -> str:
    """The text with `//` comments and tabs outside strings blanked, so that every line keeps its number."""
    result: list[str] = []
    for line in text.split("\n"):
        quoted = escaped = False
        end = len(line)
        kept = list(line)
        for place, character in enumerate(line):
            if quoted:
                quoted = escaped or character != '"'
                escaped = character == "\\" and not escaped
            elif character == '"':
                quoted = True
            elif character == "\t":
                kept[place] = " "
            elif line.startswith("//", place):
                end = place
                break
        result.append("".join(kept[:end]))
    return "\n".join(result)
