#!/usr/bin/env bash
# Makes or updates the Python environment in .venv from the lock files. Quick when nothing changed.
#
#   usage: scripts/install.sh cpu | cpu-dev | gpu | worker
#          scripts/install.sh --packages FLAVOUR    only what Folio depends on: a layer of an image
#          scripts/install.sh --code                only Folio itself: the next layer
#
# worker has no engine. The flavour on-vllm, for images, installs what vLLM's own image lacks.
#
# PYTHON      the interpreter to use (default python3; 3.11 to 3.13)
set -euo pipefail
cd "$(dirname "$0")/.."

step=all
case ${1:-} in --packages | --code) step=${1#--}; shift ;; esac
flavour=${1:-}
if [ "$step" != code ]; then : "${flavour:?usage: scripts/install.sh cpu | cpu-dev | gpu | worker}"; fi
lock=requirements/$flavour.txt
python=${PYTHON:-python3}

die() { printf 'install: %s\n' "$*" >&2; exit 1; }

# Debian's packages that pip cannot bring; installed where we may, named where we may not.
need_debian_package() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's $1"
    { apt-get install -y -q "$1" || { apt-get update -q && apt-get install -y -q "$1"; }; } >/dev/null
  else
    die "$1 is missing. Install it with: sudo apt-get install $1"
  fi
}

check_machine() {
  [ -f "$lock" ] || [ "$flavour" = on-vllm ] || die "there is no $lock; choose cpu, cpu-dev, gpu or worker."
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
    die "$python is $("$python" --version 2>&1), Folio needs 3.11 to 3.13. Set PYTHON to another one."
  "$python" -c 'import ensurepip, venv' 2>/dev/null || need_debian_package python3-venv
  case $flavour in cpu*) ;; *) return ;; esac
  [ "$(uname -m)" = x86_64 ] || die "the CPU engine is built for x86-64; this machine is $(uname -m)."
  grep -qw avx2 /proc/cpuinfo || die "the CPU engine needs a processor with AVX2."
  ldconfig -p 2>/dev/null | grep -q libnuma.so.1 || [ -e /usr/lib/x86_64-linux-gnu/libnuma.so.1 ] ||
    need_debian_package libnuma1
}

# What checks and tests use beside Python's packages: shellcheck, a database of their own, a compiler,
# DejaVu's fonts.
check_test_needs() {
  command -v shellcheck >/dev/null || need_debian_package shellcheck
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || need_debian_package postgresql
  command -v redis-server >/dev/null || need_debian_package redis-server
  command -v gcc >/dev/null || need_debian_package gcc
  [ -d /usr/share/fonts/truetype/dejavu ] || need_debian_package fonts-dejavu
}

# What an installation of this flavour depends on, this folder's place included (it is editable).
fingerprint() { { cat "requirements/$1.txt" requirements/torch-cpu.txt pyproject.toml; pwd; } | sha256sum; }
is_installed() { [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]; }
mark_installed() { fingerprint "$1" >".venv/.installed-$1"; }

pip=(.venv/bin/python -m pip --disable-pip-version-check install -q --no-deps)

make_environment() {
  local options=()
  if [ "$flavour" = on-vllm ]; then options=(--system-site-packages); fi
  .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "${options[@]}" .venv
}

install_packages() {
  case $flavour in
    on-vllm) .venv/bin/python scripts/install_on_vllm.py; return ;;
    cpu*)
      "${pip[@]}" --retries 1 -r requirements/torch-cpu.txt \
        --extra-index-url "${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cpu}" 2>&1 |
        { grep -v '^WARNING' || true; } ;;
  esac
  "${pip[@]}" --require-hashes -r "$lock"
}

install_code() { "${pip[@]}" --no-build-isolation -e .; }

install_all() {
  rm -f .venv/.installed-*
  install_packages
  install_code
  mark_installed "$flavour"
  # The locks share their versions: who has cpu-dev has cpu.
  if [ "$flavour" = cpu-dev ]; then mark_installed cpu; fi
}

if [ "$step" = code ]; then install_code; exit; fi
if [ "$flavour" = cpu-dev ]; then check_test_needs; fi
if [ "$step" = all ] && is_installed "$flavour"; then exit 0; fi
check_machine
echo "Installing Folio's Python packages into .venv (a few minutes the first time)"
make_environment
if [ "$step" = packages ]; then install_packages; else install_all; fi
