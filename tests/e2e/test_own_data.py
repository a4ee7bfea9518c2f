"""A training on chat data of one's own: text alone, several turns and several images, in one mixture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.launching import ROOT, launch
from vlmft_core.preset import dump_preset, load_preset

pytestmark = pytest.mark.train


PRESET = """
extends: demo
data:
  sources:
    - {{task: llava, path: {folder}/talks.json}}
    - {{task: messages, path: {folder}/chats.jsonl, weight: 0.5, max_train: 20}}
training: {{epochs: 1, effective_batch: 8, micro_batch: 2}}
evaluation: {{eval_steps: 100, answers: 2, micro_batch: 2, max_new_tokens: 2}}
hardware: {{zero_stage: 3}}
"""


@pytest.fixture
def preset(tmp_path: Path) -> str:
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (84, 56), colour).save(tmp_path / f"{name}.png")
    text = [{"from": "human", "value": ""}, {"from": "gpt", "value": "hello"}]
    talks = [{"conversations": [text[0] | {"value": f"say hello {n}"}, text[1]]} for n in range(20)]
    again = [{"from": "human", "value": "sure?"}, {"from": "gpt", "value": "yes"}]
    seen = [{"from": "human", "value": "<image>\nwhat is it"}, {"from": "gpt", "value": "red"}, *again]
    (tmp_path / "talks.json").write_text(json.dumps([*talks, {"image": "a.png", "conversations": seen}]))
    images = [{"type": "image", "image": "a.png"}, {"type": "image", "image": "b.png"}]
    with (tmp_path / "chats.jsonl").open("w") as file:
        for number in range(30):
            content = [*images[: number % 3], {"type": "text", "text": f"how many {number}"}]
            turns = [{"role": "user", "content": content}, {"role": "assistant", "content": str(number % 3)}]
            file.write(json.dumps({"messages": turns}) + "\n")
    path = tmp_path / "preset.yaml"
    path.write_text(PRESET.format(folder=tmp_path))
    return dump_preset(load_preset(path, [ROOT / "presets"]).preset)


def test_a_mixture_of_chat_data_trains_on_two_ranks_under_zero_3(preset: str, tmp_path: Path) -> None:
    run = launch(tmp_path / "run", preset, 2)
    assert run.code == 0, run.errors[-2000:]
    notes = [record["message"] for record in run.events("note")]
    assert any(note.endswith("talks.json has no eval split: 1 of its 21 samples are held out") for note in notes)
    assert run.events("plan")[0]["train_samples"] == 20 + 10
    assert set(run.events("eval")[-1]["tasks"]) == {"llava", "messages"}
    end = run.events()[-1]
    assert (end["event"], end["status"]) == ("run_end", "finished")
