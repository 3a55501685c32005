#!/usr/bin/env bash
# Runs every test that needs no GPU. `make test` and CI call it, with the environment and the page made.
#
# First those that nothing disturbs, beside each other: the Python tests in two processes, which take one
# file after the other, and the browser tests, which mostly wait. What these say is kept until the Python
# tests have ended. Then, by themselves, those that hold bounds of seconds (marked `alone`).
set -uo pipefail
cd "$(dirname "$0")/.." || exit

browser_log=$(mktemp)
trap 'rm -f "$browser_log"' EXIT
trap 'trap - TERM; kill 0' INT TERM # the browser tests too

failed=()
title() { printf '\n=== %s\n' "$*"; }

# An engine with a thread bound to each core would wait for the slower of the two, and spin meanwhile.
beside_others=(env OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind)

title "Python tests, in two processes. The browser tests run beside them and are shown after them."
"${beside_others[@]}" make --no-print-directory e2e >"$browser_log" 2>&1 &
browser_tests=$!
# In the order of the folders: the long files come first, and the short ones of tests/unit fill the end.
"${beside_others[@]}" .venv/bin/pytest -m "not gpu and not alone" \
  --numprocesses=2 --dist=loadscope --no-loadscope-reorder || failed+=("Python tests")

title "Browser tests"
wait "$browser_tests" || failed+=("browser tests")
cat "$browser_log"

title "Python tests that need a quiet machine"
# Only their files: to look through all others would take as long again, with vLLM to import.
mapfile -t alone < <(grep -rl --include='test_*.py' 'mark\.alone' tests)
.venv/bin/pytest -m "not gpu and alone" "${alone[@]}" || failed+=("Python tests that need a quiet machine")

if ((${#failed[@]})); then
  printf '\n=== Failed, see above: %s\n' "${failed[@]}"
  exit 1
fi
title "All tests passed"
