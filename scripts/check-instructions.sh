#!/usr/bin/env bash
# Counts what a small message costs in instructions, and compares it with bench/instructions.txt: unlike
# time, that repeats on any machine, however busy. Fails above 5 % more. Needs valgrind.
#
#   scripts/check-instructions.sh             compare
#   scripts/check-instructions.sh --record    write down what it is now
set -euo pipefail
cd "$(dirname "$0")/.."

record=bench/instructions.txt
[[ ${1-} == --record ]] && way=--record || way=--compare

if ! command -v valgrind >/dev/null; then
    echo 'the instructions were NOT counted: valgrind is missing' >&2
    echo 'install it: scripts/setup-tests.sh bench-tests' >&2
    if [[ -n ${CI-} ]]; then exit 1; fi
    exit 77
fi
cargo build --locked --release -p via6 -p via6-bench
"${CARGO_TARGET_DIR:-target}/release/via6-bench" --only instructions --chains via6 "$way" "$record"
