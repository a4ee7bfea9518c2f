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

# Its own folder of packages, and after that the machine's: a venv of a venv would not see those.
python3 -m venv --without-pip "$place"
site=$("$place/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python3 -c 'import site; print("\n".join(site.getsitepackages()))' > "$site/machine.pth"
python3 -m pip --python "$place/bin/python" install --quiet --no-index --no-deps --no-compile "$wheels"/*.whl

export PATH=$place/bin:$PATH PYTHONPATH=$root:$root/trainer:$root/console
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 XDG_CACHE_HOME=$place/cache XDG_STATE_HOME=$place/state XDG_DATA_HOME=$place/data
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
exec python -m tests.bench.gpu "$@"
