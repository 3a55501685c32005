#!/usr/bin/env bash
# Starts Folio on this machine. With Docker and an NVIDIA GPU: as containers, in the background.
# Otherwise: in a Python environment of its own, in the foreground; Ctrl-C stops it.
#
#   usage: ./start-vllm-direct.sh [--local] [--cpu] [--no-build]
#          ./start-vllm-direct.sh --logs | --down
#
# --local     no containers, also where they would be possible
# --cpu       do not use the GPU even if there is one; with Docker: containers with the small model
# --no-build  start the images that are here, without building them (no internet is needed)
# --logs      follow what the containers say
# --down      stop the containers; results, database and models stay
#
# Containers read their settings from .env. The first start makes it from .env.vllm-direct, with
# fresh secrets; it is never overwritten. Without containers every setting is an environment variable:
#
# PORT      where to listen (default 8001)
# DATA_DIR  where to keep data (default ./data)
# The others are in .env.vllm-direct.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

LEAST_DRIVER=580          # for the image's CUDA 13
LEAST_DRIVER_CUDA_12=525  # for images whose version ends in -cu129 or the like
START_TIMEOUT_SECONDS=${START_TIMEOUT_SECONDS:-3600}  # the first start downloads the model
POLL_SECONDS=${POLL_SECONDS:-2}

say() { echo "Folio: $*"; }
die() { echo "Folio: $*" >&2; exit 1; }

why_no_gpu() {
  local answer
  command -v nvidia-smi >/dev/null || { echo "no NVIDIA GPU here (there is no nvidia-smi)"; return; }
  answer=$(nvidia-smi -L 2>&1) || echo "no GPU that can be used (nvidia-smi -L: ${answer//$'\n'/ })"
}

why_no_docker() {
  command -v docker >/dev/null || { echo "Docker is not installed"; return; }
  docker compose version >/dev/null 2>&1 || { echo "Docker has no compose plugin"; return; }
  docker info >/dev/null 2>&1 || echo "Docker does not answer (does it run, and may you use it?)"
}

# ---- without containers ----

run_locally() {
  export PORT=${PORT:-8001} DATA_DIR=${DATA_DIR:-$PWD/data}
  say "running on the ${1^^}, data in $DATA_DIR"
  mkdir -p "$DATA_DIR"
  scripts/install.sh "$1"
  # The API is of use without the page, so a page that cannot be built stops nothing.
  scripts/build-page.sh || echo "Folio: the web page could not be built; the service is its API." >&2
  exec .venv/bin/folio serve
}

# ---- containers ----

secret() { head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n'; }

make_env_file() {
  if [ -e .env ]; then say "settings are in .env, which stays as it is"; return; fi
  (
    umask 077
    set -o noclobber
    sed -f /dev/stdin .env.vllm-direct >.env <<END
s/^\(INTERNAL_API_TOKEN\)=\$/\1=$(secret)/
s/^\(POSTGRES_PASSWORD\)=\$/\1=$(secret)/
s/^\(REDIS_PASSWORD\)=\$/\1=$(secret)/
s/^\(COMPOSE_PROFILES\)=.*/\1=$1/
END
  )
  say "made .env with fresh secrets; settings go there"
}

# A setting of the stack: the environment's, else that of .env without its quotes, else the default.
setting() {
  local value=${!1:-}
  if [ -z "$value" ]; then
    value=$(sed -n "s/^$1=[\"']\{0,1\}\([^\"']*\).*/\1/p" .env | tail -n 1)
    value=${value%%[[:space:]]*}
  fi
  echo "${value:-$2}"
}

check_driver() {
  local driver cards least=$LEAST_DRIVER
  case $(setting VLLM_VERSION "") in *-cu12*) least=$LEAST_DRIVER_CUDA_12 ;; esac
  # Read to the end before it is cut: pipefail takes a reader that is content early for a failure.
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader)
  driver=${driver%%[[:space:]]*}
  cards=$(nvidia-smi --query-gpu=name,memory.total --format=csv,noheader)
  say "NVIDIA driver $driver: ${cards//$'\n'/; }"
  if [ "${driver%%.*}" -lt "$least" ] && [ "$(setting VLLM_ENABLE_CUDA_COMPATIBILITY 0)" != 1 ]; then
    die "the NVIDIA driver $driver is too old: the image needs $least or newer. Update the driver, or see
  'The driver is too old' in docs/guides/troubleshooting.md."
  fi
  [[ $(docker info 2>/dev/null) == *[Nn][Vv][Ii][Dd][Ii][Aa]* ]] ||
    say "Docker does not name NVIDIA's container toolkit; if the start fails, install nvidia-container-toolkit."
}

show_log_and_die() {
  docker compose logs --tail 40 "$backend" >&2 || true
  die "$1 The last lines of its log are above; ./start-vllm-direct.sh --logs shows all."
}

# How far it is: on a terminal in one line, elsewhere in a line every ten seconds.
tell_progress() {
  if [ -t 1 ]; then printf '\r\033[KFolio: %s' "$1"; return; fi
  if [ "$1" = "$last_line" ] || [ "$SECONDS" -lt "$next_line_at" ]; then return; fi
  say "$1"
  last_line=$1 next_line_at=$((SECONDS + 10))
}

wait_until_healthy() {
  local line last_line="" next_line_at=0 num_bad=0 deadline=$((SECONDS + START_TIMEOUT_SECONDS))
  say "waiting until the model is loaded; the first start downloads it"
  until line=$(docker compose exec -T "$backend" folio health 2>/dev/null); do
    tell_progress "$line"
    # The service has said so for some seconds, and ends: its container would only start it again.
    case $line in "unhealthy: "*"does not try again by itself"*) show_log_and_die "$line" ;; esac
    case $line in starting:* | unreachable:*) num_bad=0 ;; *) num_bad=$((num_bad + 1)) ;; esac
    # Once or twice is a container that is only just starting.
    if [ "$num_bad" -ge 5 ]; then show_log_and_die "the service did not become healthy: ${line:-it ended}."; fi
    if [ "$SECONDS" -ge "$deadline" ]; then show_log_and_die "not healthy within $START_TIMEOUT_SECONDS seconds."; fi
    sleep "$POLL_SECONDS"
  done
  if [ -t 1 ]; then printf '\r\033[K'; fi
  say "$line"
}

print_addresses() {
  local port address
  port=$(setting PORT 8001)
  echo
  echo "  http://localhost:$port           the web page"
  echo "  http://localhost:$port/docs      the API"
  if [ "$(setting PUBLISH_ADDRESS 0.0.0.0)" = 0.0.0.0 ]; then
    address=$(hostname -I 2>/dev/null | cut -d ' ' -f 1 || true)
    if [ -n "$address" ]; then echo "  http://$address:$port  from other machines"; fi
  fi
  echo
  echo "  curl -F image=@docs/example.png http://localhost:$port/api/ocr/image"
  echo "  ./start-vllm-direct.sh --logs    what the containers say"
  echo "  ./start-vllm-direct.sh --down    stops them"
}

run_containers() {
  local other
  case $1 in
    gpu) backend="backend-direct" other="backend-cpu" ;;
    cpu) backend="backend-cpu" other="backend-direct" ;;
  esac
  make_env_file "$1"
  if [ "$1" = gpu ]; then check_driver; fi
  # Both would publish the same port.
  COMPOSE_PROFILES=gpu,cpu docker compose rm --stop --force "$other"
  export COMPOSE_PROFILES=$1
  docker compose up --detach "$build"
  wait_until_healthy
  print_addresses
}

with_containers() {
  local reason
  reason=$(why_no_docker)
  [ -z "$reason" ] || die "$reason, so there are no containers here."
  [ -e .env ] || die "there is no .env, so no containers were started from here."
  COMPOSE_PROFILES=gpu,cpu exec docker compose "$@"
}

# ---- what is asked for ----

containers=where-possible
device=gpu
build=--build
for argument in "$@"; do
  case $argument in
    --local) containers=no ;;
    --cpu) device=cpu ;;
    --no-build) build=--no-build ;;
    --logs) with_containers logs --follow --tail 100 ;;
    --down) with_containers down ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "start-vllm-direct.sh: unknown option $argument; see --help" >&2; exit 2 ;;
  esac
done

reason=
if [ "$device" = gpu ]; then reason=$(why_no_gpu); fi
if [ -n "$reason" ]; then
  say "$reason, so Folio runs on the CPU"
  # Without a GPU, containers are there for those who ask for them with --cpu.
  if [ "$containers" != no ] && [ -z "$(why_no_docker)" ]; then
    say "without containers; ./start-vllm-direct.sh --cpu starts them, with the small model"
  fi
  device=cpu containers=no
fi
if [ "$containers" = no ]; then run_locally "$device"; fi
reason=$(why_no_docker)
if [ -z "$reason" ]; then run_containers "$device"; exit; fi
if [ "$device" = gpu ]; then say "$reason, so Folio runs without containers"; fi
run_locally "$device"
