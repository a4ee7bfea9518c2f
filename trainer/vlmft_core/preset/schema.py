"""Preset: every section and field with its meaning, unit, range and where its default comes from.

"The published recipe" in a field's text is the one that docs/guide.md tells of.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, field_validator, model_validator

from vlmft_core.preset.data_schema import Data
from vlmft_core.preset.monitor_schema import Monitor
from vlmft_core.preset.pattern import could_take_for_ever
from vlmft_core.preset.section import Fraction, Positive, Section

Reporter = Literal["clearml", "comet_ml", "dvclive", "mlflow", "neptune", "swanlab", "tensorboard", "trackio", "wandb"]


class About(Section):
    """What a person reads before choosing."""

    summary: str = ""
    """One line: what this preset is for."""
    improvement: str = ""
    """Expected gain over one epoch, as the published recipe estimates it. Not measured."""
    time: str = ""
    """Expected wall time on 8 GPUs with 50k samples, by the published recipe. `vlmft plan` computes its own."""
    expected: dict[str, Annotated[tuple[float, float], Strict(False)]] = {}
    """Expected accuracy by task, as a range in percent (the published recipe's estimate)."""


class Model(Section):
    """The base model."""

    base: Annotated[str, Field(min_length=1)] = "Qwen/Qwen2.5-VL-7B-Instruct"
    """A model's name on the hub, a local folder, or `demo` for the tiny model that ships with vlmft."""
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = "sdpa"
    """Attention kernels. `flash_attention_2` falls back to `sdpa`, with a note, where flash-attn is not usable; `auto`
    does so without one. PyTorch's `sdpa` has the same kernels on newer GPUs."""
    fused_kernels: Literal["auto", True, False] = "auto"
    """Norms, gated MLPs, rotary positions and the adapter's sums in one kernel each: the same results in less time. A
    minute is needed to compile them, the first time. `auto`: on a GPU where they work. A CPU would compile for longer
    than the demo trains; `true` asks for them there too."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of training. `auto`: bf16 on a GPU, fp32 on a CPU. `fp16` is read from older files and refused: the
    vision tower exceeds its largest number. GPUs before Ampere have no bf16, which leaves them fp32."""
    quantization: Literal["none", "nf4"] = "none"
    """Hold the language model's frozen weights in 4 bits (QLoRA): a third of the memory, slower steps. Needs
    bitsandbytes and a GPU."""


class Lora(Section):
    """The adapter."""

    r: Annotated[int, Field(ge=1, le=1024)] = 16
    """Rank, 1 to 1024. 16 is the published recipe's choice; `ultimate` doubles it."""
    alpha: Annotated[int, Field(ge=1, le=4096)] = 32
    """Scale: updates are multiplied by alpha / r. The published recipe keeps it at twice the rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Dropout on the adapter's input, 0 up to 1 (exclusive). The published recipe has 0.1 against overfitting."""
    target_modules: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = [
        "q_proj",
        "v_proj",
        "o_proj",
    ]
    """Names of the linear layers that get an adapter; `all-linear` for all of them (those of the vision tower only with
    vision_tower)."""
    target_pattern: Annotated[str, Field(min_length=1)] | None = None
    """A regular expression for the full names of linear layers, such as `.*layers\\.2\\d\\..*_proj`; it takes the place
    of target_modules. null goes by target_modules."""
    vision_tower: bool = False
    """Also adapt layers of the vision tower whose names match (gate_proj, up_proj and down_proj exist in both)."""
    modules_to_save: list[Literal["lm_head", "embed_tokens", "merger"]] = []
    """Parts of the base that are trained whole and saved with the adapter: the output layer, the embedding, or what
    joins image patches into tokens. Large: `vlmft plan` counts them."""
    start_from: Annotated[str, Field(min_length=1)] | None = None
    """Train an adapter further: its folder, or the name or folder of a run that has left one. Rank, alpha and layers
    must be the adapter's own. null begins with a fresh one."""
    rslora: bool = False
    """Rank-stabilised LoRA: updates are multiplied by alpha / sqrt(r), so that a high rank needs no other alpha."""
    dora: bool = False
    """DoRA: each layer also learns the length of its weight's rows. Often better at a low rank; slower steps. Not under
    ZeRO-3."""

    @field_validator("target_modules", mode="before")
    @classmethod
    def _one_word_for_all(cls, value: object) -> object:
        return [value] if value == "all-linear" else value

    @model_validator(mode="after")
    def _pattern_can_be_read(self) -> Self:
        try:
            re.compile(self.target_pattern or "")
        except re.error as error:
            raise ValueError(f"lora.target_pattern is no regular expression: {error}") from None
        if could_take_for_ever(self.target_pattern or ""):
            raise ValueError(
                "lora.target_pattern can repeat the same in many ways, as (a+)+ does: to match it could take for ever"
            )
        return self


class Training(Section):
    """The optimisation."""

    epochs: Annotated[float, Field(gt=0, le=1000)] = 6
    """Passes over the training data, above 0. 5 to 7 suit LoRA on vision-language models, says the published recipe."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 4e-5
    """Peak learning rate, above 0."""
    scheduler: Literal["cosine", "linear", "constant"] = "cosine"
    """Course of the learning rate after the warm-up: down to 0 along a cosine or a line, or level."""
    warmup_ratio: Fraction = 0.06
    """Share of all steps over which the learning rate rises from 0 to its peak, 0 to 1."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    """AdamW's weight decay, 0 to 1."""
    adam_beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """AdamW's decay of the first moment, 0 up to 1."""
    adam_beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """AdamW's decay of the second moment, 0 up to 1."""
    adam_epsilon: Annotated[float, Field(gt=0, lt=1)] = 1e-8
    """AdamW's guard against division by zero."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """The gradient is scaled down to this norm when it is larger."""
    effective_batch: Annotated[int, Field(ge=1, le=65536)] = 128
    """Samples for each optimizer step over all GPUs. Kept when the number of GPUs changes."""
    micro_batch: Annotated[int, Field(ge=1, le=1024)] = 4
    """Samples that one GPU processes at once. Accumulation makes up the rest of the effective batch."""
    packing: bool = True
    """Lay the samples of a micro-batch end to end instead of padding them to the longest. Each still sees itself alone:
    results are the same, no time goes into padding."""
    share_images: Literal["auto", "off"] = "off"
    """Compute an image once for all questions about it: they come together in a micro-batch, whose rows hold what they
    begin with alike once. Loss and gradients are those of separate samples; which samples meet in a step is another.
    `auto`: where rows are packed and that saves a twentieth of the tokens. A micro-batch then may hold more samples,
    not more tokens. `off`, as ten short trainings each way gave a slightly higher eval loss with it (docs/data.md)."""
    gradient_checkpointing: Literal["auto", True, False] = "auto"
    """Recompute activations in the backward pass: less memory, up to a third more work. `auto`: of as few layers as
    the plan's estimate needs to fit the GPU."""
    recompute_every: Annotated[int, Field(ge=1, le=256)] = 1
    """Where `gradient_checkpointing` is true, the first of each so many layers is recomputed, 1 to 256: 1 recomputes
    all, 2 half of them; the last one never. `auto` chooses by itself."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of data order, adapter initialisation and dropout."""
    logging_steps: Positive = 1
    """Steps between two `step` events."""
    logging_first_step: bool = True
    """Log step 1 whatever `logging_steps` says."""
    logging_nan_inf_filter: bool = True
    """Keep non-finite losses out of the plain log's averages. They are detected and counted all the same."""
    report_to: list[Reporter] = []
    """Services that get the metrics too, through transformers' own integrations; each needs its package and its own
    login. Everything is in the run folder anyway."""


class Evaluation(Section):
    """Measuring while training, and what "best" means."""

    eval_steps: Positive = 250
    """Steps between two evals; a checkpoint is saved after each. The published recipe's best preset uses 250."""
    micro_batch: Annotated[int, Field(ge=1, le=1024)] = 4
    """Samples that one GPU evaluates at once. Does not change any result. Answers are generated 32 at once, where the
    GPU has memory for it and zero_stage is not 3."""
    answers: Annotated[int, Field(ge=0)] = 500
    """Eval questions of each source that base and adapter answer, before and after training; 0 for none."""
    answers_at_evals: Annotated[int, Field(ge=0)] = 100
    """The same at each eval while training, at most `answers`: fewer, because the training waits for them. 0 for none.
    """
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 32
    """Longest generated answer, in tokens."""
    metric_for_best_model: Literal["eval_loss", "token_accuracy"] = "eval_loss"
    """What decides which checkpoint is the best."""


class Checkpoints(Section):
    """What stays on disk."""

    save_total_limit: Positive | None = 5
    """Keep this many checkpoints, the best by `metric_for_best_model`, and always the newest; null keeps all."""
    load_best_model_at_end: bool = True
    """Save the best checkpoint's adapter at the end, instead of the last one's."""


class Hardware(Section):
    """Where it runs."""

    device: Literal["cuda", "cpu"] = "cuda"
    """What the ranks run on. `cpu` is for the demo and for trying a preset out: it needs no GPU."""
    gpus: Annotated[int, Field(ge=1, le=1024)] = 8
    """GPUs of this machine to use, one rank each; with `device: cpu`, the number of ranks."""
    zero_stage: Literal[0, 2, 3] = 2
    """DeepSpeed ZeRO: 2 shards optimizer state and gradients, 3 shards the weights too, 0 shards nothing."""
    offload: Literal["none", "optimizer", "parameters"] = "none"
    """What waits in the machine's memory instead of the GPU's: the optimizer's state (ZeRO-2 or 3), or under ZeRO-3
    the weights too. Less GPU memory, slower steps."""
    timeout_minutes: Annotated[float, Field(gt=0, le=10080)] = 30
    """Longest wait of a rank for the others, in minutes, from the first step on: a run that hangs ends then, instead of
    holding its GPUs. Before, while rank 0 may download, it is 12 hours."""


class Preset(Section):
    """All that one training goes by."""

    about: About = About()
    """What a person reads before choosing."""
    model: Model = Model()
    """The base model."""
    lora: Lora = Lora()
    """The adapter."""
    data: Data = Data()
    """What is trained and evaluated on."""
    training: Training = Training()
    """The optimisation."""
    evaluation: Evaluation = Evaluation()
    """Measuring while training."""
    checkpoints: Checkpoints = Checkpoints()
    """What stays on disk."""
    hardware: Hardware = Hardware()
    """Where it runs."""
    monitor: Monitor = Monitor()
    """What counts as healthy."""
    reasons: dict[str, str] = {}
    """One line for each parameter, keyed `section.key`: why it has its value."""

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        batch, micro, gpus = self.training.effective_batch, self.training.micro_batch, self.hardware.gpus
        if batch % (micro * gpus):
            raise ValueError(
                f"training.effective_batch {batch} is not a multiple of training.micro_batch {micro}"
                f" x hardware.gpus {gpus} = {micro * gpus}"
            )
        self._options_go_together()
        known = {f"{name}.{key}" for name, section in self._sections() for key in type(section).model_fields}
        for key in self.reasons:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}?" if near else "remove it"
                raise ValueError(f"reasons.{key}: no such parameter ({hint})")
        return self

    def _options_go_together(self) -> None:
        """Refuse what the libraries cannot do at once."""
        stage, offload = self.hardware.zero_stage, self.hardware.offload
        if offload == "optimizer" and stage == 0:
            raise ValueError("hardware.offload optimizer needs hardware.zero_stage 2 or 3, not 0")
        if offload == "parameters" and stage != 3:
            raise ValueError(f"hardware.offload parameters needs hardware.zero_stage 3, not {stage}")
        if self.lora.dora and stage == 3:
            raise ValueError("lora.dora reads whole weights, which hardware.zero_stage 3 shards: use 2")
        if self.model.quantization != "none":
            if stage == 3:
                raise ValueError("model.quantization nf4 and hardware.zero_stage 3 do not go together: use 2")
            if self.hardware.device == "cpu":
                raise ValueError("model.quantization nf4 needs a GPU, and hardware.device is cpu")

    def _sections(self) -> list[tuple[str, Section]]:
        values = [(name, getattr(self, name)) for name in type(self).model_fields]
        return [(name, value) for name, value in values if isinstance(value, Section)]

    @property
    def accumulation(self) -> int:
        """Micro-batches for each optimizer step on each GPU."""
        return self.training.effective_batch // (self.training.micro_batch * self.hardware.gpus)
