"""How long `vlmft data check` takes over 50,000 rows with pictures, made from a seed, and in how much memory."""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROWS = 50_000
PICTURES = 2_000
VLMFT = str(Path(sys.executable).with_name("vlmft"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), rows)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        argv = [VLMFT, "data", "check", str(file), "--base", "demo", "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    usable = sum(split["usable"] for split in json.loads(done.stdout)["sources"][0]["splits"])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{usable:,} rows usable: {cpu:.1f} s of CPU, {seconds:.1f} s, {after.ru_maxrss / 1024:.0f} MB at most")


def write(folder: Path, rows: int) -> Path:
    """Pictures of several sizes as PNG and JPEG, and a file of conversations about one or two of them."""
    rng = random.Random(7)
    names = []
    for number in range(PICTURES):
        size = (rng.randrange(60, 400), rng.randrange(60, 400))
        noise = Image.frombytes("RGB", (8, 8), rng.randbytes(192)).resize(size)
        names.append(f"{number:05}.{'png' if number % 2 else 'jpg'}")
        noise.save(folder / names[-1])
    words = [f"word{number}" for number in range(500)]
    file = folder / "rows.jsonl"
    with file.open("w") as out:
        for number in range(rows):
            images = rng.sample(names, rng.choice((1, 1, 1, 2)))
            turns = []
            for turn in range(rng.choice((1, 1, 2))):
                marks = "<image>\n" * len(images) if turn == 0 else ""
                question = f"{marks}{number}: {' '.join(rng.choices(words, k=12))}?"
                turns.append({"role": "user", "content": question})
                turns.append({"role": "assistant", "content": " ".join(rng.choices(words, k=6))})
            out.write(json.dumps({"id": number, "images": images, "messages": turns}) + "\n")
    return file


if __name__ == "__main__":
    main()
