"""GPUs by the names that drivers give and that people write."""

from __future__ import annotations

import pytest

from vlmft_core.errors import PresetError
from vlmft_core.plan.gpus import GPUS, SHORT, asked_gpu, known_gpu, peak_flops

DRIVER_NAMES = {
    "NVIDIA B200": 2250e12,
    "NVIDIA GB200": 2500e12,
    "NVIDIA H200": 989e12,
    "NVIDIA H200 NVL": 835e12,
    "NVIDIA GH200 480GB": 989e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H800": 989e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA A800-SXM4-80GB": 312e12,
    "NVIDIA A40": 149.7e12,
    "NVIDIA RTX A6000": 154.8e12,
    "NVIDIA A10G": 70e12,
    "NVIDIA A10": 125e12,
    "NVIDIA L40S": 362e12,
    "NVIDIA L40": 181e12,
    "NVIDIA L4": 121e12,
    "NVIDIA GeForce RTX 5090": 209.5e12,
    "NVIDIA GeForce RTX 4090": 165.2e12,
    "NVIDIA GeForce RTX 3090 Ti": 80e12,
    "NVIDIA GeForce RTX 3090": 71e12,
    "Tesla V100-SXM2-32GB": 125e12,
    "Tesla V100S-PCIE-32GB": 130e12,
    "Tesla T4": 65e12,
    "A100-SXM4-80GB": 312e12,
}
STRANGE_NAMES = (
    "NVIDIA RTX A4000",
    "NVIDIA RTX A1000 Laptop GPU",
    "NVIDIA T400 4GB",
    "NVIDIA GeForce RTX 4090 D",
    "NVIDIA GeForce RTX 4090 Laptop GPU",
    "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
    "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
    "Some other GPU",
)


@pytest.mark.parametrize("name", DRIVER_NAMES)
def test_a_gpus_peak_is_found_by_the_name_its_driver_gives(name: str) -> None:
    assert peak_flops(name) == DRIVER_NAMES[name]


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_a_gpu_whose_name_is_only_alike_has_no_peak(name: str) -> None:
    assert peak_flops(name) is known_gpu(name) is None


@pytest.mark.parametrize(
    ("asked", "name", "gib"),
    [
        ("H100", "H100 80GB HBM3", 79.6),
        ("h100", "H100 80GB HBM3", 79.6),
        ("H200", "H200", 140.4),
        ("A100", "A100-SXM4-80GB", 80),
        ("a100-40gb", "A100-SXM4-40GB", 40),
        ("A100 40GB", "A100-SXM4-40GB", 40),
        ("B200", "B200", 179.1),
        ("L40S", "L40S", 45),
        ("L4", "L4", 22.5),
        ("A6000", "RTX A6000", 48),
        ("4090", "GeForce RTX 4090", 24),
        ("RTX 3090", "GeForce RTX 3090", 24),
        ("rtx-5090", "GeForce RTX 5090", 31.8),
        ("A10G", "A10G", 22.5),
        ("V100", "Tesla V100-SXM2-32GB", 32),
        ("T4", "Tesla T4", 15),
        ("NVIDIA H100 PCIe", "H100 PCIe", 79.6),
    ],
)
def test_a_gpu_is_known_by_what_people_write(asked: str, name: str, gib: float) -> None:
    found = asked_gpu(asked)
    assert found.name == name
    assert found.memory / 2**30 == pytest.approx(gib, abs=0.05)


def test_an_unknown_gpu_is_refused_with_the_nearest_and_all_there_are() -> None:
    with pytest.raises(PresetError, match=r"--gpu 'H100X': not known \(did you mean H100 80GB HBM3\? known are H100, "):
        asked_gpu("H100X")
    with pytest.raises(PresetError, match="--gpu 'abacus': not known \\(known are"):
        asked_gpu("abacus")


def test_every_short_name_means_a_gpu_and_only_older_ones_lack_bf16() -> None:
    assert all(asked_gpu(short).name == name for short, name in SHORT.items())
    assert {gpu.name.split("-")[0] for gpu in GPUS if not gpu.has_bf16} == {"Tesla V100", "Tesla V100S", "Tesla T4"}
