#!/usr/bin/env bash
# Builds the web page into frontend/dist where Node is, unless what is there is up to date.
#
#   usage: scripts/build-page.sh [--must]
#
# --must   fail without Node; otherwise the service starts without a page
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../frontend"

if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number);
              process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
then
  echo "Folio: no Node 20.19 or 22.12 here, so no web page: the service is its API." >&2
  [[ ${1:-} != --must ]]
  exit
fi

sources=(src public scripts index.html vite.config.ts tsconfig.json package-lock.json)
if [[ -f dist/index.html && -z $(find "${sources[@]}" -newer dist/index.html -print -quit) ]]; then
  exit 0
fi
if [[ ! node_modules/.package-lock.json -nt package-lock.json ]]; then
  npm ci --no-audit --no-fund --loglevel=error
fi
npm run --silent build
