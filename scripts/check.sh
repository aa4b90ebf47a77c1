#!/usr/bin/env bash
# Everything about the source that needs no test run: lock file, format, lints, documentation, words.
# All of it runs even if a part fails, so that one run shows everything.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()

check() {
    local name=$1
    shift
    echo "--- $name: $*"
    "$@" || failed+=("$name")
}

# Compares Cargo.toml with the table in CONTRIBUTING.md that gives each dependency its reason.
reasons() {
    diff --label Cargo.toml --label CONTRIBUTING.md --unified=0 \
        <(sed -n '/^\[workspace.dependencies\]/,/^$/s/^\([a-z0-9_-]*\) = .*/\1/p' Cargo.toml |
            grep -v '^via6-' | sort) \
        <(sed -n 's/^| `\([a-z0-9_-]*\)` |.*/\1/p' CONTRIBUTING.md | sort)
}

check 'lock file' cargo fetch --locked
check 'format' cargo fmt --all --check
check 'lints' cargo clippy --locked --keep-going --workspace --all-targets -- -D warnings
check 'documentation' env RUSTDOCFLAGS=-Dwarnings \
    cargo doc --locked --keep-going --workspace --no-deps --document-private-items
check 'reasons' reasons
check 'words' scripts/check-words.sh

if ((${#failed[@]})); then
    printf 'check.sh: failed:%s\n' "$(printf ' [%s]' "${failed[@]}")" >&2
    exit 1
fi
echo 'check.sh: all good'
