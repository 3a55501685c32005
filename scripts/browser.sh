#!/usr/bin/env bash
# Says where the Chromium of the browser tests is; installs Debian's where there is none.
set -euo pipefail

for candidate in "${CHROMIUM:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome; do
  if [[ -n $candidate && -x $candidate ]]; then echo "$candidate"; exit 0; fi
done
echo "Folio: installing Chromium for the browser tests" >&2
{
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk
} >/dev/null
echo /usr/bin/chromium
