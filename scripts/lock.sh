#!/usr/bin/env bash
# Writes the lock files in requirements/ anew from pyproject.toml. Needs uv.
# The CPU build of torch is looked up in PyTorch's own index, and in PIP_FIND_LINKS where set.
set -euo pipefail
cd "$(dirname "$0")/.."

export UV_CUSTOM_COMPILE_COMMAND="scripts/lock.sh"
compile=(uv pip compile pyproject.toml -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links)
torch_index=${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cpu}
if [ -n "${PIP_FIND_LINKS:-}" ]; then
  cpu_torch=(--find-links "$PIP_FIND_LINKS")
else
  cpu_torch=(--extra-index-url "$torch_index")
fi

"${compile[@]}" --extra cpu --override requirements/overrides-cpu.txt --no-emit-package torch \
  "${cpu_torch[@]}" -o requirements/cpu.txt
"${compile[@]}" --extra cpu --extra dev --override requirements/overrides-cpu.txt --no-emit-package torch \
  "${cpu_torch[@]}" -c requirements/cpu.txt -o requirements/cpu-dev.txt
"${compile[@]}" --extra worker -c requirements/cpu.txt -o requirements/worker.txt
"${compile[@]}" --extra gpu -c requirements/constraints-gpu.txt -o requirements/gpu.txt
