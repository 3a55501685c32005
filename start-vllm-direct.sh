#!/usr/bin/env bash
# Starts Folio on this machine, in the foreground; Ctrl-C stops it.
#
#   usage: ./start-vllm-direct.sh [--local] [--cpu]
#
# --local   this machine's own Python instead of a container (today the only way there is)
# --cpu     do not use the GPU even if there is one
#
# PORT      where to listen (default 8001)
# DATA_DIR  where to keep data (default ./data)
# Every other setting is an environment variable too: see the README.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

flavour=cpu
if nvidia-smi >/dev/null 2>&1; then flavour=gpu; fi
for argument in "$@"; do
  case $argument in
    --local) ;;
    --cpu) flavour=cpu ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "start-vllm-direct.sh: unknown option $argument; see --help" >&2; exit 2 ;;
  esac
done

export PORT=${PORT:-8001} DATA_DIR=${DATA_DIR:-$PWD/data}

echo "Folio: running on the ${flavour^^}, data in $DATA_DIR"
mkdir -p "$DATA_DIR"
scripts/install.sh "$flavour"
# The API is of use without the page, so a page that cannot be built stops nothing.
scripts/build-page.sh || echo "Folio: the web page could not be built; the service is its API." >&2
exec .venv/bin/folio serve
