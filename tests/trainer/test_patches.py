"""Patches: bytes that become, where the model is, exactly the numbers that the image processor gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainer.pictures import noise
from tests.trainer.test_pictures import EXACT, PREMULTIPLIED, of_mode
from vlmft_core.errors import ModelError
from vlmft_core.plan.architecture import DEMO_BASE
from vlmft_trainer.data.encode import Encoder
from vlmft_trainer.data.patches import PATCH_BYTES, normalised
from vlmft_trainer.data.pixels import as_rgb
from vlmft_trainer.model.load import Kernels, load_base, load_encoder


def processed(encoder: Encoder, *images: Image.Image) -> dict[str, torch.Tensor]:
    """The reference: what the base's own image processor gives."""
    return dict(encoder.image_processor(images=list(images), return_tensors="pt"))


def test_every_byte_in_every_channel_becomes_the_processors_number(encoder: Encoder) -> None:
    ramp = np.arange(256, dtype=np.uint8)
    pixels = np.stack([np.roll(ramp, shift) for shift in (0, 85, 170)], axis=-1)
    image = Image.fromarray(np.tile(pixels.reshape(16, 16, 3), (7, 7, 1)))
    found, wanted = encoder.prompt("?", image), processed(encoder, image)
    assert found.pixel_values is not None
    assert torch.equal(normalised(found.pixel_values, torch.float32), wanted["pixel_values"])
    for dtype in (torch.bfloat16, torch.float16):
        assert torch.equal(normalised(found.pixel_values, dtype), wanted["pixel_values"].to(dtype))


@pytest.mark.parametrize("mode", [*EXACT, *PREMULTIPLIED, "YCbCr", "HSV"])
def test_images_of_every_mode_are_as_the_processor_has_them(encoder: Encoder, mode: str) -> None:
    usual = {"La": "LA", "RGBa": "RGBA", "YCbCr": "RGB", "HSV": "RGB"}.get(mode, mode)
    image = as_rgb(of_mode(usual)[0].convert(mode))
    found, wanted = encoder.prompt("?", image), processed(encoder, image)
    assert found.pixel_values is not None
    assert found.pixel_values.dtype == torch.uint8
    assert torch.equal(normalised(found.pixel_values, torch.float32), wanted["pixel_values"])


def test_several_images_of_any_shape_follow_each_other_with_their_grids(encoder: Encoder) -> None:
    from vlmft_trainer.data.conversation import Slot, Turn

    images = [noise(180, 90), noise(300, 240), noise(56, 200), noise(9, 9)]
    turns = (Turn("user", (Slot.IMAGE,) * 4), Turn("assistant", ("!",)))
    found, wanted = encoder.conversation(turns, images), processed(encoder, *images)
    assert found.pixel_values is not None
    assert found.image_grid_thw is not None
    assert torch.equal(found.image_grid_thw, wanted["image_grid_thw"])
    assert torch.equal(normalised(found.pixel_values, torch.float32), wanted["pixel_values"])


def test_a_patch_has_an_eighth_of_the_processors_bytes(encoder: Encoder) -> None:
    found, wanted = encoder.prompt("?", noise(56, 56)).pixel_values, processed(encoder, noise(56, 56))["pixel_values"]
    assert found is not None
    assert found.shape == (len(wanted), PATCH_BYTES)
    assert found.nbytes * 8 == wanted.nbytes


@pytest.mark.parametrize(
    ("name", "value"),
    [("image_mean", [0.5, 0.5, 0.5]), ("do_rescale", False), ("rescale_factor", 1 / 127), ("temporal_patch_size", 1)],
)
def test_a_base_that_treats_images_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    from transformers import AutoImageProcessor

    odd = AutoImageProcessor.from_pretrained(DEMO_BASE, backend="pil")
    setattr(odd, name, value)
    monkeypatch.setattr(AutoImageProcessor, "from_pretrained", lambda *_, **__: odd)
    with pytest.raises(ModelError, match=f"its image processor has {name}"):
        load_encoder(str(DEMO_BASE), 200704)


def test_a_base_whose_tower_has_other_windows_is_refused(tmp_path: Path) -> None:
    config = json.loads((DEMO_BASE / "config.json").read_text())
    config["vision_config"]["window_size"] = 224
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="windows of 224"):
        load_base(str(tmp_path), Kernels("fp32", "sdpa", ()))
