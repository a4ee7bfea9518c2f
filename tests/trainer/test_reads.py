"""Values read back from tensors: on a GPU each one waits for everything begun before, so a step does with few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from tests.trainer.pictures import noise
from tests.trainer.test_train_weighting import trainer
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_core.preset import Lora
from vlmft_trainer.data.collate import pad_collator
from vlmft_trainer.data.encode import Encoded, Encoder
from vlmft_trainer.data.packing import pack_collator
from vlmft_trainer.data.samples import Samples
from vlmft_trainer.model import attention, inputs
from vlmft_trainer.model.adapter import add_adapter
from vlmft_trainer.model.load import Kernels, load_base, prepare_training
from vlmft_trainer.model.loss import answer_loss
from vlmft_trainer.training import throughput, weighted_trainer
from vlmft_trainer.training.callbacks.stop_request import StopOnRequest

READS = {"item", "tolist", "cpu", "numpy", "nonzero", "argwhere", "masked_select", "unique", "unique_consecutive"} | {
    f"__{name}__" for name in ("bool", "int", "float", "index", "format", "contains")
}
"""What needs values, or how many there are. A mask as an index and `repeat_interleave` by a tensor do, too."""


class Host(torch.Tensor):
    """A tensor that is never moved to the GPU; what is worked out from it is not, either."""


class Reads(TorchFunctionMode):
    """Counts values read back, by where that is done, as though all but a `Host` were on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.count = Counter[str]()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(self._reads(function.__name__, one, args) for one in args[:1] if not isinstance(one, Host)):
            self.count[function.__name__] += 1
        result = function(*args, **kwargs)
        moved = function.__name__ == "to" and isinstance(result, Host)
        return result.as_subclass(torch.Tensor) if moved else result

    def _reads(self, name: str, one: Any, args: Any) -> bool:
        if name == "__getitem__":
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            return any(isinstance(part, torch.Tensor) and part.dtype == torch.bool for part in index)
        if name == "repeat_interleave":
            return any(isinstance(other, torch.Tensor) for other in args[1:])
        return name in READS and isinstance(one, torch.Tensor)


def unseen(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, without what it reads: done by a kernel, or before a batch is on the GPU."""

    def does(*args: Any, **kwargs: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return work(*args, **kwargs)

    return does


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: a kernel that reads nothing, and labels and grids that stay behind."""
    move = inputs.on_device

    def on_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
        moved = move(batch, device)
        behind = {name: value for name, value in moved.items() if value is batch[name] and name in LOOKED_UP}
        return moved | {name: value.as_subclass(Host) for name, value in behind.items()}

    monkeypatch.setattr(attention, "varlen_attention", unseen(attention.varlen_attention))
    monkeypatch.setattr(inputs, "on_device", on_device)
    monkeypatch.setattr(weighted_trainer, "on_device", on_device)
    monkeypatch.setattr(throughput, "work", unseen(throughput.work))
    monkeypatch.setattr(throughput, "sample_count", unseen(throughput.sample_count))
    monkeypatch.setattr(Samples, "__getitem__", unseen(Samples.__getitem__))


LOOKED_UP = {"labels", "image_grid_thw"}


@pytest.fixture
def conversations(encoder: Encoder) -> list[Encoded]:
    sizes = ((180, 90), (300, 240), (56, 200))
    return [encoder.sample("?", "12", noise(*size)) for size in sizes] + [encoder.sample("a text", "7 7", None)]


@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize("join", [pack_collator, pad_collator])
def test_a_forward_reads_at_most_five_values(join: Any, conversations: list[Encoded], encoder: Encoder) -> None:
    model = add_adapter(load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())), Lora(r=4, alpha=8), seed=0)
    prepare_training(model, gradient_checkpointing=False, train_vision=False)
    model.train()
    batch = inputs.on_device(join(encoder)(conversations), torch.device("cpu"))
    with Reads() as reads:
        answer_loss(model, batch)
    assert 0 < reads.count.total() <= 5, reads.count


@pytest.mark.parametrize("join", [pack_collator, pad_collator])
def test_what_the_collator_works_out_for_the_tower_changes_no_bit(
    join: Any, conversations: list[Encoded], encoder: Encoder
) -> None:
    model = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ()))
    batch = join(encoder)(conversations)
    own = {name: value for name, value in batch.items() if not name.startswith("image_") or name == "image_grid_thw"}
    assert len(batch) - len(own) == 6
    if "mm_token_type_ids" in own:
        del own["position_ids"]  # the model's own instead
    with torch.no_grad():
        assert answer_loss(model, batch).nll == answer_loss(model, own).nll


@pytest.mark.usefixtures("on_gpu")
def test_a_step_reads_one_value_beside_its_forwards(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is whether a rank was asked to stop; what is logged is read when it is logged."""
    mine = trainer(
        samples,
        tmp_path,
        micro=2,
        packed=True,
        num_train_epochs=1,
        logging_steps=100,
        eval_strategy="no",
        logging_nan_inf_filter=True,
        max_grad_norm=0,  # of DeepSpeed's clipping nothing is known here
    )
    mine.data_collator = unseen(mine.data_collator)
    monkeypatch.setattr(torch.optim.AdamW, "step", unseen(torch.optim.AdamW.step))  # its counters stay on the CPU
    reads, steps, forward = Reads(), list[int](), mine.compute_loss
    stop = next(one for one in mine.callback_handler.callbacks if isinstance(one, StopOnRequest))
    ask = stop.on_step_end

    def uncounted(*args: Any, **kwargs: Any) -> torch.Tensor:
        before = reads.count.copy()
        loss = forward(*args, **kwargs)
        reads.count = before
        return loss

    def step_ends(*args: Any, **kwargs: Any) -> Any:
        steps.append(reads.count.total())
        return ask(*args, **kwargs)

    monkeypatch.setattr(mine, "compute_loss", uncounted)
    monkeypatch.setattr(stop, "on_step_end", step_ends)
    with reads:
        mine.train()
    assert len(steps) == 3
    assert steps[2] - steps[1] == 1, reads.count


@pytest.mark.parametrize("questions", [1, 3])
def test_a_generated_token_reads_one_value_whether_all_have_ended(
    conversations: list[Encoded], encoder: Encoder, questions: int
) -> None:
    model = load_base(str(DEMO_BASE), Kernels("fp32", "sdpa", ())).eval()
    batch = inputs.model_inputs(model, pad_collator(encoder, "left")(conversations[:questions]))
    counted = []
    for tokens in (2, 6):
        with torch.no_grad(), Reads() as reads:
            model.generate(**batch, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
        counted.append(reads.count)
    assert counted[1].total() - counted[0].total() == 4, counted
