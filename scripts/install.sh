#!/usr/bin/env bash
# Makes or updates the Python environment in .venv from the lock files. Quick when nothing changed.
#
#   usage: scripts/install.sh cpu | cpu-dev | gpu | worker
#          scripts/install.sh --packages FLAVOUR    only what Folio depends on: a layer of an image
#          scripts/install.sh --code                only Folio itself: the next layer
#
# worker has no engine. The flavour on-vllm, for images, installs what vLLM's own image lacks.
#
# PYTHON      the interpreter to use, 3.11 to 3.13 (default python3, or the newest of these that is here)
set -euo pipefail
cd "$(dirname "$0")/.."

step=all
case ${1:-} in --packages | --code) step=${1#--}; shift ;; esac
flavour=${1:-}
if [ "$step" != code ]; then : "${flavour:?usage: scripts/install.sh cpu | cpu-dev | gpu | worker}"; fi
lock=requirements/$flavour.txt

die() { printf 'install: %s\n' "$*" >&2; exit 1; }

# Packages of the system that pip cannot bring: Debian's and Ubuntu's name, and Red Hat's where that is
# another. Installed where we may, named where we may not.
need_package() {
  local name=$1 install=(apt-get install -y -q)
  if ! command -v apt-get >/dev/null && command -v dnf >/dev/null; then
    name=${2:-$1} install=(dnf install -y -q)
  fi
  command -v "${install[0]}" >/dev/null || die "$name is missing. Install it with your system's packages."
  [ "$(id -u)" = 0 ] || die "$name is missing. Install it with: sudo ${install[0]} install $name"
  echo "Installing the system's $name"
  if [ "${install[0]}" = apt-get ]; then "${install[@]}" "$name" >/dev/null 2>&1 || apt-get update -q >/dev/null; fi
  "${install[@]}" "$name" >/dev/null
}

# The first that is of a version that Folio works with. Ubuntu 22.04's and Red Hat 9's python3 are older.
is_right_python() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
choose_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if is_right_python "$candidate"; then python=$candidate; return; fi
  done
  die "Folio needs Python 3.11 to 3.13, and ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || true).
  Install one beside it (python3.12, or python3.11 with python3.11-venv on Ubuntu 22.04), or set PYTHON to one."
}

# Triton makes what launches its kernels with it, when the engine starts on a GPU.
check_compiler() {
  [ -n "${CC:-}" ] || command -v gcc >/dev/null || command -v clang >/dev/null || need_package gcc
  [ -e "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include", "posix_prefix"))')/Python.h" ] ||
    need_package "${python##*/}-dev" "${python##*/}-devel"
}

# ldconfig is not on every user's PATH.
has_libnuma() {
  local path
  for path in {/usr/lib/x86_64-linux-gnu,/lib/x86_64-linux-gnu,/usr/lib64,/usr/lib}/libnuma.so.1; do
    if [ -e "$path" ]; then return; fi
  done
  [[ $(ldconfig -p 2>/dev/null) == *libnuma.so.1* ]]
}

check_machine() {
  [ -f "$lock" ] || [ "$flavour" = on-vllm ] || die "there is no $lock; choose cpu, cpu-dev, gpu or worker."
  choose_python
  # Debian parts it from Python, under the name of the version where there are several.
  "$python" -c 'import ensurepip, venv' 2>/dev/null || need_package "${python##*/}-venv"
  case $flavour in
    gpu) check_compiler; return ;;
    cpu*) ;;
    *) return ;;
  esac
  [ "$(uname -m)" = x86_64 ] || die "the CPU engine is built for x86-64; this machine is $(uname -m)."
  grep -qw avx2 /proc/cpuinfo || die "the CPU engine needs a processor with AVX2."
  has_libnuma || need_package libnuma1 numactl-libs
}

# What checks and tests use beside Python's packages: shellcheck, a database of their own, a compiler,
# DejaVu's fonts.
check_test_needs() {
  command -v shellcheck >/dev/null || need_package shellcheck
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || need_package postgresql
  command -v redis-server >/dev/null || need_package redis-server
  command -v gcc >/dev/null || need_package gcc
  [ -d /usr/share/fonts/truetype/dejavu ] || need_package fonts-dejavu
}

# What an installation of this flavour depends on, this folder's place included (it is editable).
fingerprint() { { cat "requirements/$1.txt" requirements/torch-cpu.txt pyproject.toml; pwd; } | sha256sum; }
is_installed() { [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]; }
mark_installed() { fingerprint "$1" >".venv/.installed-$1"; }

pip=(.venv/bin/python -m pip --disable-pip-version-check install -q --no-deps --no-compile)

# pip would do it on one core, a third of its time. Some packages hold files that no Python compiles.
compile_packages() { .venv/bin/python -m compileall -qq -j 0 .venv/lib || true; }

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
  compile_packages
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
