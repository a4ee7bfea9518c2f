"""GPUs: memory, peak and generation of those whose names are known, exactly as their driver spells them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from vlmft_core.errors import PresetError
from vlmft_core.preset.strict_yaml import shown


@dataclass(frozen=True)
class Gpu:
    """What a plan has to know of a GPU."""

    name: str
    """As NVML writes it, without "NVIDIA" before it."""
    peak: float | None
    """Operations a second of its tensor cores in bf16 (those without bf16: fp16), dense, summed in fp32."""
    memory: int
    """Bytes that its driver reports in all."""
    capability: tuple[int, int]
    """Compute capability: the generation of its instructions."""
    source: str = "NVIDIA's data sheet"
    """Where the peak comes from. Memory is what nvidia-smi shows."""

    @property
    def has_bf16(self) -> bool:
        """Whether its tensor cores take bf16: from Ampere on."""
        return self.capability >= (8, 0)


_WHITE_PAPER: Final = "NVIDIA's architecture white paper"


def _gpu(name: str, teraflops: float, mib: int, capability: tuple[int, int], source: str = Gpu.source) -> Gpu:
    return Gpu(name, teraflops * 1e12, mib << 20, capability, source)


GPUS: Final = (
    _gpu("B200", 2250, 183_359, (10, 0)),
    _gpu("GB200", 2500, 189_471, (10, 0)),
    _gpu("H200", 989, 143_771, (9, 0)),
    _gpu("H200 NVL", 835, 143_771, (9, 0)),
    _gpu("GH200 480GB", 989, 97_871, (9, 0)),
    _gpu("GH200 120GB", 989, 97_871, (9, 0)),
    _gpu("H100 80GB HBM3", 989, 81_559, (9, 0)),
    _gpu("H100 NVL", 835, 95_830, (9, 0)),
    _gpu("H100 PCIe", 756, 81_559, (9, 0)),
    _gpu("H800", 989, 81_559, (9, 0)),
    _gpu("A100-SXM4-80GB", 312, 81_920, (8, 0)),
    _gpu("A100 80GB PCIe", 312, 81_920, (8, 0)),
    _gpu("A100-SXM4-40GB", 312, 40_960, (8, 0)),
    _gpu("A100-PCIE-40GB", 312, 40_960, (8, 0)),
    _gpu("A800-SXM4-80GB", 312, 81_920, (8, 0)),
    _gpu("A800 80GB PCIe", 312, 81_920, (8, 0)),
    _gpu("A40", 149.7, 46_068, (8, 6)),
    _gpu("RTX A6000", 154.8, 49_140, (8, 6)),
    _gpu("A10G", 70, 23_028, (8, 6), "Amazon's page on its G5 instances"),
    _gpu("A10", 125, 23_028, (8, 6)),
    _gpu("L40S", 362, 46_068, (8, 9)),
    _gpu("L40", 181, 46_068, (8, 9)),
    _gpu("L4", 121, 23_034, (8, 9)),
    _gpu("RTX 6000 Ada Generation", 364.2, 49_140, (8, 9)),
    _gpu("GeForce RTX 5090", 209.5, 32_607, (12, 0), _WHITE_PAPER),
    _gpu("GeForce RTX 4090", 165.2, 24_564, (8, 9), _WHITE_PAPER),
    _gpu("GeForce RTX 3090 Ti", 80, 24_564, (8, 6), "the 3090's, by cores and clock"),
    _gpu("GeForce RTX 3090", 71, 24_576, (8, 6), _WHITE_PAPER),
    _gpu("Tesla V100-SXM2-32GB", 125, 32_768, (7, 0)),
    _gpu("Tesla V100-SXM2-16GB", 125, 16_384, (7, 0)),
    _gpu("Tesla V100-PCIE-32GB", 112, 32_768, (7, 0)),
    _gpu("Tesla V100-PCIE-16GB", 112, 16_384, (7, 0)),
    _gpu("Tesla V100S-PCIE-32GB", 130, 32_768, (7, 0)),
    _gpu("Tesla T4", 65, 15_360, (7, 5)),
)
"""Those that are known. One whose name is not exactly among them has no peak here: an A4000 is no A40."""

SHORT: Final = {
    "H100": "H100 80GB HBM3",
    "A100": "A100-SXM4-80GB",
    "A100-80GB": "A100-SXM4-80GB",
    "A100-40GB": "A100-SXM4-40GB",
    "A800": "A800-SXM4-80GB",
    "GH200": "GH200 480GB",
    "A6000": "RTX A6000",
    "RTX 6000 Ada": "RTX 6000 Ada Generation",
    "RTX 5090": "GeForce RTX 5090",
    "RTX 4090": "GeForce RTX 4090",
    "RTX 3090": "GeForce RTX 3090",
    "V100": "Tesla V100-SXM2-32GB",
    "T4": "Tesla T4",
}
"""What people write for some of them."""


def known_gpu(name: str) -> Gpu | None:
    """A GPU by the name that its driver gives; None for one that is not known, such as a slice of one (MIG)."""
    return _BY_NAME.get(name.removeprefix("NVIDIA "))


def peak_flops(name: str) -> float | None:
    """Highest operations a second of a GPU, by the name that its driver gives; None for one that is not known."""
    found = known_gpu(name)
    return found.peak if found else None


def without_code(gpu: Gpu, version: str, architectures: Collection[str]) -> str:
    """Why a GPU cannot run what a PyTorch was built for; empty where it can.

    Code runs on later GPUs of its own generation (`sm_80` on 8.6), intermediate code (`compute_90`) on all later ones.

    Args:
        version: of the PyTorch.
        architectures: what it has code for, as `torch.cuda.get_arch_list` gives it.
    """
    for name in architectures:
        kind, _, number = name.partition("_")
        digits = re.sub(r"\D", "", number)
        made = (int(digits[:-1]), int(digits[-1])) if len(digits) > 1 else (99, 0)
        if made <= gpu.capability and (kind == "compute" or made[0] == gpu.capability[0]):
            return ""
    wanted = f"sm_{gpu.capability[0]}{gpu.capability[1]}"
    return f"PyTorch {version} has no code for {gpu.name} ({wanted}; it has {', '.join(architectures) or 'none'})"


def asked_gpu(text: str) -> Gpu:
    """A GPU as a person writes it: `H100`, `a100-40gb`, `RTX 4090`, or its full name.

    Raises:
        PresetError: there is none of that name.
    """
    found = _BY_WORDS.get(_words(text))
    if found is None:
        near = difflib.get_close_matches(_words(text), _BY_WORDS, n=1, cutoff=0.7)
        guess = f"did you mean {_BY_WORDS[near[0]].name}? " if near else ""
        names = dict.fromkeys([*SHORT, *(gpu.name for gpu in GPUS if gpu.name not in SHORT.values())])
        raise PresetError(f"--gpu {shown(text)}: not known", f"{guess}known are {', '.join(names)}")
    return found


def _words(text: str) -> str:
    """What tells one GPU from another in a name that a person wrote."""
    return re.sub(r"[\W_]|nvidia|geforce|tesla|rtx", "", text.lower())


_BY_NAME: Final = {gpu.name: gpu for gpu in GPUS}
_BY_WORDS: Final = {_words(short): _BY_NAME[name] for short, name in SHORT.items()} | {
    _words(name): gpu for name, gpu in _BY_NAME.items()
}
