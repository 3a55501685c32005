#!/usr/bin/env bash
# Starts docker-compose.yml by ./start-vllm-direct.sh where there is no Docker engine, and uses it as an
# operator does: a page, a document, a database that goes away, a roll back, the end. For developers, as
# root; the images are those that scripts/try-images.sh has built (worker and cpu).
#
#   usage: scripts/try-compose.sh
#
# Needs podman, runc, netavark, aardvark-dns, iptables and catatonit, and Docker's command line with its
# compose plugin (Debian: docker-cli and docker-compose, from trixie on), which talks to podman instead of
# Docker. Postgres and Redis are stand-ins too: Debian's, behind the names of the official images.
#
# BUILD_OPTIONS, IMAGES_DIR   as for try-images.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

images_dir=${IMAGES_DIR:-/var/tmp/folio-images}
read -ra build_options <<<"${BUILD_OPTIONS:-}"
work=$(mktemp -d)
helpers=()

say() { printf '\n== %s\n' "$*"; }
die() { printf 'try-compose: %s\n' "$*" >&2; exit 1; }

for program in podman runc docker curl git; do
  command -v "$program" >/dev/null || die "$program is missing."
done
docker compose version >/dev/null || die "Docker has no compose plugin."
[ -e "$images_dir/storage.conf" ] || die "run scripts/try-images.sh worker cpu before."

# runc and cgroupfs: they run where there is no systemd, and cgroups are of both versions. What watched a
# command in a container stays five minutes after it by default: dozens of processes here.
cat >"$work/containers.conf" <<'END'
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=10000:10000"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
exit_command_delay = 30
[network]
network_backend = "netavark"
END
export CONTAINERS_STORAGE_CONF=$images_dir/storage.conf CONTAINERS_CONF=$work/containers.conf
export DOCKER_HOST=unix://$work/podman.sock COMPOSE_PROJECT_NAME=folio-tried

end() {
  local helper
  if [ -e "$work/folio/.env" ]; then
    (cd "$work/folio" && COMPOSE_PROFILES=gpu,cpu docker compose down --volumes) || true
  fi
  for helper in "${helpers[@]}"; do kill "$helper" 2>/dev/null || true; done
  rm -rf "$work"
}
trap end EXIT

make_stand_in() {
  podman image exists "$1" ||
    podman build -q --format docker --isolation chroot --network host "${build_options[@]}" -t "$1" -f - "$work"
}

# Like the official image: a database, its user and their password from POSTGRES_*.
make_postgres() {
  cat >"$work/postgres.sh" <<'END'
#!/bin/bash
set -e
data=/var/lib/postgresql/data
if [ "$(id -u)" = 0 ]; then
  chown postgres "$data" && chmod 700 "$data"
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0"
fi
if [ ! -s "$data/PG_VERSION" ]; then
  initdb -D "$data" -U "$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-host=scram-sha-256 >/dev/null
  echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
  pg_ctl -D "$data" -o "-c listen_addresses=" -w start >/dev/null
  createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -D "$data" -w stop >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*'
END
  chmod +x "$work/postgres.sh"
  make_stand_in docker.io/library/postgres:17-bookworm <<'END'
FROM localhost/folio-stand-in/slim
RUN apt-get update -q && apt-get install -y -q --no-install-recommends postgresql \
    && install -d -o postgres /run/postgresql /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
COPY postgres.sh /postgres.sh
STOPSIGNAL SIGINT
ENTRYPOINT ["/postgres.sh"]
END
}

make_redis() {
  make_stand_in docker.io/library/redis:7-bookworm <<'END'
FROM localhost/folio-stand-in/slim
RUN apt-get update -q && apt-get install -y -q --no-install-recommends redis-server
END
}

# podman leaves health checks to systemd's timers.
check_health_forever() {
  local name
  while sleep 2; do
    for name in $(podman ps --format '{{.Names}}' | grep '^folio-tried-'); do
      timeout 20 podman healthcheck run "$name" >/dev/null 2>&1 || true
    done
  done
}

stack() { COMPOSE_PROFILES=cpu docker compose "$@"; }
service_address() {
  docker inspect -f '{{(index .NetworkSettings.Networks "folio-tried_outer").IPAddress}}:8001' folio-tried-backend-cpu-1
}
status_of() { curl -s -o "$work/answer" -w '%{http_code}' -m 10 "http://$1/health" || true; }
wait_for() { # what to wait for, seconds, a command
  local deadline=$((SECONDS + $2))
  until "${@:3}"; do
    [ "$SECONDS" -lt "$deadline" ] || die "not within $2 seconds: $1. $(cat "$work/answer" 2>/dev/null)"
    sleep 1
  done
}
answers() { [ "$(status_of "$address")" = "$1" ]; }
has_ended() { curl -fsS -m 10 "http://$address/api/tasks/$1" | grep -q '"status":"succeeded"'; }

say "images"
make_postgres
make_redis
for target in worker cpu; do podman tag "localhost/folio-tried:$target" "docker.io/library/folio:$target"; done
podman system service --time=0 "$DOCKER_HOST" >"$work/podman.log" 2>&1 &
helpers+=($!)
check_health_forever &
helpers+=($!)
wait_for "podman answers" 20 docker info >/dev/null 2>&1

say "./start-vllm-direct.sh --cpu --no-build, in a fresh clone"
git clone -q --depth 1 "file://$PWD" "$work/folio"
cd "$work/folio"
PORT=${PORT:-8795} ./start-vllm-direct.sh --cpu --no-build
address=$(service_address)

say "a page, and a document"
curl -fsS -m 120 -F image=@docs/example.png "http://$address/api/ocr/image" | grep -q 'Opening hours' || die "the page was not read."
task=$(curl -fsS -F pdf=@docs/example.pdf "http://$address/api/ocr/pdf" | sed 's/.*"task_id":"\([^"]*\)".*/\1/')
wait_for "the document is read" 120 has_ended "$task"
stack exec -T worker folio health --worker
stack exec -T backend-cpu folio doctor

say "closed: no root, no code that can be written, no way out for workers"
# shellcheck disable=SC2016  # expanded in the container
stack exec -T backend-cpu sh -c '[ "$(id -u)" = 10001 ] && ! touch /opt/folio/written 2>/dev/null' || die "not closed."
# An address of documentation's; connecting a datagram socket looks for the way there, and sends nothing.
way_out='
import errno, socket
print(errno.errorcode.get(socket.socket(type=socket.SOCK_DGRAM).connect_ex(("198.51.100.1", 9)), "there"))'
[ "$(stack exec -T worker python -c "$way_out")" = ENETUNREACH ] || die "a worker reaches the outside."
[ "$(stack exec -T backend-cpu python -c "$way_out")" = there ] || die "the service does not reach the outside."

say "the database goes away, and comes back"
stack stop postgres
wait_for "503 without a database" 30 answers 503
grep -q '"reason_code":"database_unavailable"' "$work/answer" || die "$(cat "$work/answer")"
stack start postgres
wait_for "200 with it" 60 answers 200

say "dump, roll back, restore"
stack exec -T postgres pg_dump -U folio -Fc folio >"$work/folio.dump"
stack stop backend-cpu worker
stack run --rm --entrypoint alembic migrate -c backend/alembic.ini downgrade -1
stack exec -T postgres pg_restore -U folio -d folio --clean --if-exists <"$work/folio.dump"
stack start backend-cpu worker
address=$(service_address)  # another one now
wait_for "200 after the restore" 300 answers 200
has_ended "$task" || die "the task is not in the restored database."
curl -fsS -o "$work/result.zip" "http://$address/api/tasks/$task/result.zip" || die "its result is gone."

say "./start-vllm-direct.sh --down"
./start-vllm-direct.sh --down
[ -z "$(podman ps -q --filter name=folio-tried)" ] || die "containers are left."
say "tried: docker-compose.yml with the profile cpu"
