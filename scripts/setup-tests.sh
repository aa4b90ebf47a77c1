#!/usr/bin/env bash
# Installs what the tests need beyond the Rust toolchain, on Debian 12 as root.
#
#   scripts/setup-tests.sh                   everything
#   scripts/setup-tests.sh games lab         only these groups: games, lab, sealed, metrics, windows,
#                                            bench-tests
#   scripts/setup-tests.sh bench             the relays that the benchmark compares with
#   scripts/setup-tests.sh picture           what scripts/picture.py reads the terminal with
#
# Debian packages go into the system, npm and Python packages and Prometheus into .test-parts
# (VIA6_TEST_PARTS names another folder). What is there already is left alone, so a second run takes a
# moment. Elsewhere, or without
# root, it says what to install by hand and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly parts=${VIA6_TEST_PARTS:-$PWD/.test-parts}
readonly apt=(apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)

main() {
    local groups=("$@") group
    ((${#groups[@]})) || groups=(lab games sealed metrics windows bench-tests)
    for group in "${groups[@]}"; do
        case $group in
        games | lab | sealed | metrics | windows | bench-tests | bench | picture) ;;
        *)
            echo "error: no group '$group': there are games, lab, sealed, metrics, windows, bench-tests, bench and picture" >&2
            exit 2
            ;;
        esac
    done
    install_packages "${groups[@]}"
    for group in "${groups[@]}"; do
        case $group in
        games) install_minecraft ;;
        picture) install_emulator ;;
        metrics) install_prometheus ;;
        esac
        echo "setup-tests.sh: $group: ready"
    done
}

# Prints the Debian packages of one group. setpriv, prlimit and stdbuf are part of every Debian.
packages_of() {
    case $1 in
    games)
        echo chocolate-doom freedm xvfb xdotool freeciv-server freeciv-client-sdl python3 socat
        # Node.js may come from elsewhere; Debian's own (18) is new enough.
        command -v node >/dev/null || echo nodejs
        command -v npm >/dev/null || echo npm
        ;;
    lab) echo iproute2 nftables python3 socat ;;
    # The joiner in Python, and the TLS library that has raw public keys.
    sealed) echo libgnutls30 python3 ;;
    # What via6-bench's own tests make use of. Without them, those tests skip.
    bench-tests) echo socat valgrind ;;
    # Every relay it knows that Debian has; bench/README.md says where the others come from. No test
    # needs them, so they are installed only when asked for. Debian may start some as services, which
    # the benchmark has nothing to do with.
    bench) echo socat valgrind 6tunnel haproxy nginx libnginx-mod-stream rinetd ;;
    # For one picture, so only when asked for.
    picture) echo iproute2 python3 python3-pip ;;
    # The recipe and its reasons are in scripts/check-windows.sh.
    windows) echo cargo-web rust-web-src gcc-mingw-w64-x86-64-posix wine64 python3 ;;
    esac
}

install_packages() {
    local group package missing=()
    for group in "$@"; do
        for package in $(packages_of "$group"); do
            is_installed "$package" || missing+=("$package")
        done
    done
    ((${#missing[@]})) || return 0
    if ((EUID)) || ! command -v apt-get >/dev/null; then
        {
            echo "error: cannot install the missing parts: not root on a Debian"
            echo "hint: apt-get install --no-install-recommends ${missing[*]}"
        } >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    "${apt[@]}" update
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

is_installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# The lock file is copied last, so its presence says that the folder is whole.
install_minecraft() {
    local from=lab/games to=$parts/games
    if cmp -s "$from/package-lock.json" "$to/installed-lock.json"; then
        return
    fi
    mkdir -p "$to"
    cp "$from/package.json" "$from/package-lock.json" "$to"
    npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund --loglevel=error
    cp "$from/package-lock.json" "$to/installed-lock.json"
}

# A terminal's screen for scripts/picture.py.
install_emulator() {
    local version=0.8.2 to=$parts/python
    [[ -d $to/pyte-$version.dist-info ]] && return
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$to" --upgrade "pyte==$version"
}

# Its two programs out of Debian's package, which is not installed: that would start a service, and keep
# it over a reboot, beside a dozen packages for its web page. Needs no root where apt's lists are there.
install_prometheus() {
    local to=$parts/metrics fetched
    if [[ -x $to/prometheus && -x $to/promtool ]]; then
        return
    fi
    if ! command -v apt-get >/dev/null; then
        {
            echo "error: cannot fetch Prometheus: not on a Debian"
            echo "hint: put its programs prometheus and promtool into $to, or on the PATH"
        } >&2
        exit 1
    fi
    ((EUID)) || "${apt[@]}" update
    fetched=$(mktemp --directory)
    # What is fetched is checked against the signed lists, whoever fetches it; apt's own user cannot write
    # to this folder.
    (cd "$fetched" && "${apt[@]}" -o APT::Sandbox::User=root download prometheus)
    dpkg-deb --extract "$fetched"/prometheus_*.deb "$fetched/whole"
    mkdir -p "$to"
    # promtool last, so that both are whole if it is there.
    mv "$fetched/whole/usr/bin/prometheus" "$to"
    mv "$fetched/whole/usr/bin/promtool" "$to"
    rm -r "$fetched"
}

main "$@"
