"""The plan's figures, checked against measured and published ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vlmft_core.errors import DataError, ModelError, PresetError
from vlmft_core.plan import make_plan, optimizer_steps, warmup_steps, with_gpus
from vlmft_core.plan.gpus import Gpu, asked_gpu
from vlmft_core.preset import Preset, load_preset

FOLDER = Path(__file__).parents[2] / "presets"


def preset(name: str = "best", *overrides: str) -> Preset:
    return load_preset(name, [FOLDER], overrides).preset


def test_best_at_50k_samples_comes_to_the_known_steps() -> None:
    plan = make_plan(preset(), samples=50_000)
    assert (plan.steps_per_epoch, plan.total_steps, plan.warmup_steps) == (391, 2346, 141)
    assert plan.evals == 10  # nine on the way, one after the last step
    assert plan.evals_per_epoch == pytest.approx(1.564)
    assert make_plan(preset(), samples=80_000).steps_per_epoch == 625


def test_the_published_data_sets_are_counted_without_network() -> None:
    plan = make_plan(preset())
    assert (plan.samples, plan.eval_samples) == (62_901, 2_000)
    assert any("80,000 is more than the 62,901 samples" in text for text in plan.warnings)
    assert make_plan(preset("best", "data.max_train=1000")).samples == 1000
    assert make_plan(preset("best", "data.max_train=null", "data.max_eval=null")).eval_samples == 6_920


@pytest.mark.parametrize(
    ("name", "overrides", "trainable", "adapter", "checkpoint"),
    [
        ("best", [], 8_257_536, 16.5e6, 132e6),
        ("best", ["hardware.zero_stage=3"], 8_257_536, 16.5e6, 115.6e6),
        ("ultimate", [], 80_740_352, 161.5e6, 1.29e9),
        ("ultimate", ["lora.vision_tower=true"], 95_178_752, 190.4e6, 1.52e9),
    ],
)
def test_sizes_of_adapter_and_checkpoint_are_the_measured_ones(
    name: str, overrides: list[str], trainable: int, adapter: float, checkpoint: float
) -> None:
    plan = make_plan(preset(name, *overrides))
    assert plan.trainable_params == trainable
    assert plan.total_params == 8_292_166_656
    assert plan.adapter_bytes == pytest.approx(adapter, rel=0.005)
    assert plan.checkpoint_bytes == pytest.approx(checkpoint, rel=0.005)


def test_disk_counts_the_limit_and_the_newest_checkpoint() -> None:
    plan = make_plan(preset(), samples=50_000)
    assert plan.checkpoints_kept == 6
    assert plan.disk_bytes == pytest.approx(6 * 132.1e6 + 16.5e6, rel=0.01)
    assert make_plan(preset("quick")).checkpoints_kept == 1
    everything = make_plan(preset("best", "checkpoints.save_total_limit=null", "evaluation.eval_steps=10"))
    assert everything.checkpoints_kept == 296
    assert any("all 296 checkpoints stay on disk" in text for text in everything.warnings)


def test_claims_of_the_published_recipe_that_do_not_hold_are_said() -> None:
    text = "\n".join(make_plan(preset(), samples=50_000).warnings)
    assert "eval_steps 250 gives 1.6 evals an epoch, not the 8 that the published recipe says" in text
    assert "a checkpoint takes 132 MB" in text
    assert "not the published recipe's 48 MB" in text
    assert "65-70 % on chartqa, but the base is published at 87.3 %" in text


def test_hours_that_a_preset_promises_and_the_plan_exceeds_are_said() -> None:
    for promise, kept in (("1-2h", False), ("1,000h", True), ("900-1000h", True)):
        plan = make_plan(preset("best", f"about.time={promise}"), samples=50_000, samples_per_s=10.0)
        assert (not [text for text in plan.warnings if text.startswith("about.time")]) is kept
    told = make_plan(preset("best", "about.time=1-2h"), samples=50_000, samples_per_s=10.0).warnings
    assert "about.time says 1-2h, but by the plan it takes 8.3 h" in told


def test_an_eval_later_than_the_end_is_said_before_launch() -> None:
    text = "\n".join(make_plan(preset("quick")).warnings)
    assert "eval_steps 500 is more than the 492 steps of the training: the only eval comes at the end" in text


def test_a_warm_up_without_end_is_said() -> None:
    assert any("warm-up takes all" in text for text in make_plan(preset("best", "training.warmup_ratio=1")).warnings)


def test_unknown_sizes_are_unknown_and_not_guessed() -> None:
    plan = make_plan(preset("best", "data.sources=[{task: chartqa, path: ./mine}]", "model.base=someone/model"))
    assert plan.samples is plan.total_steps is plan.hours is plan.trainable_params is plan.gpu_memory_bytes is None
    assert "the size of the training data is unknown: pass --samples" in plan.notes
    assert any("someone/model is not known offline" in text for text in plan.notes)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(ModelError, match="'qkv' matches no layer"):
        make_plan(preset("best", "lora.target_modules=[qkv]"))
    with pytest.raises(ModelError, match="is not a folder"):
        make_plan(preset("best", "model.base=./nowhere"))
    with pytest.raises(DataError, match="there are 0 training samples"):
        make_plan(preset(), samples=0)


def test_hours_are_operations_by_what_gpus_can_do() -> None:
    plan = make_plan(preset(), samples=50_000, gpu=asked_gpu("H100"))
    assert plan.hours is not None
    fast, slow = plan.hours
    assert plan.sample_flops == pytest.approx(27.8e12, rel=0.01)
    assert fast == pytest.approx(50_000 * 6 * plan.sample_flops / (8 * 989e12 * 0.45) / 3600)
    assert slow == pytest.approx(fast * 0.45 / 0.25)
    assert plan.hours_source == (
        "50,000 samples x 6 epochs x 27.8 TFLOP / (8 x 989 TFLOP/s x 25-45 % MFU); peak of H100 80GB HBM3: NVIDIA's "
        "data sheet; a sample is an image of 850 x 600 or 1024 x 768 pixels with 64 tokens of text; evals and answers "
        "not counted"
    )


def test_hours_follow_gpus_samples_epochs_and_recomputation() -> None:
    def slow(*overrides: str, gpu: str = "A100", gpus: int = 8, samples: int = 50_000) -> float:
        hours = make_plan(preset("best", *overrides), samples=samples, gpu=asked_gpu(gpu), gpus=gpus).hours
        assert hours is not None
        return hours[1]

    whole = slow()
    assert slow(gpu="H100") == pytest.approx(whole * 312 / 989)
    assert slow(gpus=4) == pytest.approx(2 * whole)
    assert slow(samples=25_000) == pytest.approx(whole / 2)
    assert slow("training.epochs=1") == pytest.approx(whole / 6)
    forward = slow("training.gradient_checkpointing=true") - whole
    assert 0.3 * whole < forward < 0.5 * whole
    # Of 28 layers the last is never recomputed: 27 are, and of each four the first.
    assert slow("training.gradient_checkpointing=true", "training.recompute_every=4") - whole == pytest.approx(
        forward * 7 / 27
    )
    assert slow("data.max_pixels=200704") < whole / 2
    assert slow("model.base=Qwen/Qwen2.5-VL-3B-Instruct") < 0.6 * whole


def test_shared_images_take_a_third_less() -> None:
    shared, apart = (
        make_plan(preset("best", f"training.share_images={choice}"), samples=50_000, gpu=asked_gpu("H100"))
        for choice in ("auto", "off")
    )
    assert shared.sample_flops is not None
    assert apart.sample_flops is not None
    assert apart.sample_flops / shared.sample_flops == pytest.approx(1.51, abs=0.03)
    assert "shared by 1.58 questions" in shared.hours_source
    assert not any("share_images" in note for note in shared.notes)
    (note,) = (note for note in apart.notes if "share_images" in note)
    assert f"{shared.sample_flops / 1e12:.1f} TFLOP a sample instead of {apart.sample_flops / 1e12:.1f}" in note


def test_a_measured_speed_counts_more_than_any_formula() -> None:
    measured = make_plan(preset(), samples=50_000, samples_per_s=82)
    assert measured.hours == pytest.approx((300_000 / 82 / 3600,) * 2)
    assert measured.hours_source == "measured: 82.00 samples/s in earlier runs"


def test_the_published_table_stays_a_footnote_where_it_says_something() -> None:
    def said(*overrides: str, name: str = "best", gpus: int = 8) -> str:
        return "\n".join(make_plan(preset(name, *overrides), samples=50_000, gpus=gpus).notes)

    table = "the published recipe's table has"
    assert f"{table} 18 h on 8 A100 for so many samples and epochs" in said()
    assert f"{table} 30 h on 4 A100" in said(gpus=4)
    assert f"{table} 36 h on 8 A100 for so many samples and epochs, twice its hours for rank 32" in said(
        name="ultimate"
    )
    assert table not in said(gpus=2)
    assert table not in said("model.base=Qwen/Qwen2.5-VL-3B-Instruct")
    assert table not in said("data.sources=[{task: llava, path: mine.json}]")


@pytest.mark.parametrize(
    ("override", "gpu", "reason"),
    [
        ("hardware.device=cpu", None, "no run on this CPU has measured it yet"),
        ("model.base=someone/model", "H100", "so is the model's size"),
        ("model.precision=fp32", "H100", "no peak is known for fp32"),
        ("model.precision=auto", "V100", "Tesla V100-SXM2-32GB cannot be used"),
    ],
)
def test_where_nothing_says_it_the_time_is_unknown(override: str, gpu: str | None, reason: str) -> None:
    plan = make_plan(preset("best", override), samples=50_000, gpu=asked_gpu(gpu) if gpu else None)
    assert plan.hours is None
    assert plan.hours_source == f"unknown: {reason}"


def test_a_gpu_of_unknown_peak_has_memory_but_no_hours() -> None:
    plan = make_plan(preset(), samples=50_000, gpu=Gpu("RTX A4000", None, 16 << 30, (8, 6)))
    assert plan.hours_source == "unknown: so is the peak of RTX A4000"
    assert plan.fits is False


def test_without_a_gpu_the_usual_one_is_assumed_and_said() -> None:
    plan = make_plan(preset(), samples=50_000)
    assert plan.gpu == "A100-SXM4-80GB"
    assert any("as no GPU was found here: --gpu plans for another" in note for note in plan.notes)
    assert make_plan(preset(), gpu=asked_gpu("A100")).notes == plan.notes[:0] + tuple(
        note for note in make_plan(preset()).notes if "--gpu" not in note
    )


def test_auto_recomputes_as_little_as_the_gpu_allows_and_says_so() -> None:
    plans = {gpu: make_plan(preset("ultimate"), samples=50_000, gpu=asked_gpu(gpu)) for gpu in ("H100", "L40S", "4090")}
    assert [plan.recomputed_every for plan in plans.values()] == [0, 13, 1]
    assert all(plan.fits for plan in plans.values())
    assert any("to recompute nothing would take" in note for note in plans["L40S"].notes)


def test_what_does_not_fit_is_warned_of_with_ways_out() -> None:
    plan = make_plan(preset("best", "model.base=Qwen/Qwen2.5-VL-72B-Instruct"), gpu=asked_gpu("H100"))
    assert plan.fits is False
    assert plan.ways_to_fit[-1].startswith("--set hardware.zero_stage=3: ")
    assert plan.warnings[0].startswith("memory does not suffice: a GPU needs 1")
    assert "hardware.zero_stage=3: " in plan.warnings[0]


def test_memory_grows_with_what_needs_memory() -> None:
    def gib(*overrides: str) -> float:
        return (make_plan(preset("best", *overrides)).gpu_memory_bytes or 0) / 2**30

    base = gib()
    assert 15.5 < base < 45  # the weights alone are 15.4 GiB
    assert gib("training.gradient_checkpointing=true") < base - 15
    assert gib("model.precision=fp32") > base + 15
    assert gib("hardware.zero_stage=3", "training.gradient_checkpointing=false") < base - 5
    assert gib("training.micro_batch=2") < base
    assert gib("model.attention=eager") > base
    assert gib("lora.vision_tower=true", "lora.target_modules=[q_proj, v_proj, o_proj, qkv]") > base + 1


@pytest.mark.parametrize(
    ("gpus", "micro", "accumulation"), [(1, 4, 32), (2, 4, 16), (4, 4, 8), (16, 4, 2), (64, 2, 1), (128, 1, 1)]
)
def test_other_gpus_keep_the_effective_batch(gpus: int, micro: int, accumulation: int) -> None:
    fitted, note = with_gpus(preset(), gpus)
    assert (fitted.hardware.gpus, fitted.training.micro_batch, fitted.accumulation) == (gpus, micro, accumulation)
    assert fitted.training.effective_batch == 128
    assert note.startswith(f"{gpus} GPU{'' if gpus == 1 else 's'} instead of 8: the effective batch stays 128, ")
    assert f"accumulation goes from 4 to {accumulation}" in note
    assert ("micro-batch from 4" in note) == (micro != 4)


def test_a_micro_batch_never_grows_with_other_gpus() -> None:
    odd = preset("best", "training.effective_batch=120", "hardware.gpus=6")
    fitted, _ = with_gpus(odd, 24)  # five samples each: no micro-batch of five, as more memory is needed for it
    assert (fitted.training.micro_batch, fitted.accumulation) == (1, 5)


def test_gpus_that_cannot_share_the_batch_are_refused_with_a_way_out() -> None:
    with pytest.raises(PresetError, match=r"set training\.effective_batch to 126 or 132"):
        with_gpus(preset(), 6)
    with pytest.raises(PresetError, match=r"set training\.effective_batch to 200\)"):
        with_gpus(preset(), 200)
    for none in (0, -1):
        with pytest.raises(PresetError, match=f"hardware.gpus: must be at least 1, not {none}"):
            with_gpus(preset(), none)
    assert with_gpus(preset(), 8) == (preset(), "")
    assert with_gpus(preset("best", "training.effective_batch=96"), 6)[0].accumulation == 4


def test_steps_and_warm_up_count_as_the_training_loop_does() -> None:
    assert optimizer_steps(1, 128, 1) == (1, 1)
    assert optimizer_steps(129, 128, 1.5) == (2, 3)
    assert optimizer_steps(300, 128, 1.5) == (3, 5)  # half a step is one
    assert optimizer_steps(300, 128, 0.1) == (3, 1)
    assert warmup_steps(100, 0.061) == 7
    assert warmup_steps(10, 0) == 0
    with pytest.raises(ValueError, match="no training samples"):
        optimizer_steps(0, 128, 1)


def test_a_plan_is_plain_data() -> None:
    data = json.loads(json.dumps(make_plan(preset()).to_dict(), allow_nan=False))
    assert data["total_steps"] == 2952
    assert data["warnings"]


def test_presets_and_plans_load_nothing_heavy() -> None:
    code = (
        "import sys, vlmft_core.preset, vlmft_core.plan, vlmft_core.plan.architecture\n"
        "print([name for name in ('torch', 'numpy', 'transformers', 'datasets', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
