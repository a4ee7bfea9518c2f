#!/usr/bin/env bash
# GPU day: on a machine with a GPU, PyTorch, transformers and no network, everything that the GPU bench measures.
#
#     make gpu-wheels                            # before, where there is a network
#     bash tests/bench/gpu_day.sh [--out table.md] [--minutes 9] [--tiny]
#
# What the machine lacks is installed from build/gpu-wheels beside what it has; nothing of the machine's is changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD wheels=$PWD/build/gpu-wheels place=$(mktemp -d)

compgen -G "$wheels/*.whl" > /dev/null || { echo "no wheels in $wheels: make gpu-wheels, where there is a network"; exit 1; }
wanted=$(ls "$wheels" | sed -n 's/^pydantic_core.*-cp3\([0-9]*\)-.*/3.\1/p')
has=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$has" = "$wanted" ] || { echo "python3 here is $has, and the wheels are for $wanted"; exit 1; }

# Its own folder of packages, and after that the machine's: a venv of a venv would not see those.
python3 -m venv --without-pip "$place"
site=$("$place/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python3 -c 'import site; print("\n".join(site.getsitepackages()))' > "$site/machine.pth"
python3 -m pip --python "$place/bin/python" install --quiet --no-index --no-deps --no-compile "$wheels"/*.whl

export PATH=$place/bin:$PATH PYTHONPATH=$root:$root/trainer:$root/console
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 XDG_CACHE_HOME=$place/cache XDG_STATE_HOME=$place/state XDG_DATA_HOME=$place/data
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
python - <<'CHECK'
from importlib.util import find_spec
needed = "torch transformers accelerate peft deepspeed datasets pyarrow PIL psutil cpuinfo einops msgpack rich typer yaml pynvml"
if lacks := [name for name in needed.split() if find_spec(name) is None]:
    print(f"this machine lacks {', '.join(lacks)}: what needs them will fail, and the rest goes on")
CHECK
exec python -m tests.bench.gpu "$@"
