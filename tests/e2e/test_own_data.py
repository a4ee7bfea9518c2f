"""A training on chat data of one's own: text alone, several turns and several images, in one mixture."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vlmft_core.preset import dump_preset, load_preset

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]

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
def preset(tmp_path: Path) -> Path:
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
    path.write_text(dump_preset(load_preset(path, [ROOT / "presets"]).preset))
    return path


def test_a_mixture_of_chat_data_trains_on_two_ranks_under_zero_3(preset: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [str(Path(sys.executable).with_name("deepspeed")), "--num_accelerators=2", f"--master_port={port}"]
    line += [
        "--module",
        "vlmft_trainer.train_vlm_sft",
        "--sft_config",
        str(preset),
        "--output_dir",
        str(tmp_path / "run"),
    ]
    environment = os.environ | {
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "trainer"), str(ROOT / "console")]),
    }
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    records = [json.loads(said) for said in (tmp_path / "run/logs/events-0001.jsonl").read_text().splitlines()]
    notes = [record["message"] for record in records if record["event"] == "note"]
    assert any(note.endswith("talks.json has no eval split: 1 of its 21 samples are held out") for note in notes)
    plan = next(record for record in records if record["event"] == "plan")
    assert plan["train_samples"] == 20 + 10
    evals = [record for record in records if record["event"] == "eval"]
    assert set(evals[-1]["tasks"]) == {"llava", "messages"}
    assert (records[-1]["event"], records[-1]["status"]) == ("run_end", "finished")
