#!/usr/bin/env bash
# Builds via6.exe from Linux and plays through it under Wine, alone and with a via6 of this system.
#
#   scripts/check-windows.sh             build, then every test
#   scripts/check-windows.sh --build     build only, and say where the program is
#
# Debian packages rustc, cargo and the source of the standard library from one source package
# (rustc-web, cargo-web, rust-web-src), so the standard library for Windows can be built on the spot;
# nothing is downloaded but crates. `scripts/setup-tests.sh windows` installs the parts.
#
# Wine is not Windows: what it cannot show is said at the end, and the GitHub workflow runs the
# tests on the real one. The release profile costs no more time here than the dev profile (57 s and
# 81 s for the dependencies) and is what people run.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly target=x86_64-pc-windows-gnu
# A directory of its own: RUSTC_BOOTSTRAP changes every fingerprint of a native build.
target_dir=$(realpath -m "${CROSS_TARGET_DIR:-target-cross}")
readonly target_dir
readonly exe=$target_dir/$target/release/via6.exe
# What plays with it: the usual build, which tests have made already.
native_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
readonly native_dir
readonly native=$native_dir/debug/via6
readonly wine=/usr/lib/wine/wine64 wine_server=/usr/lib/wine/wineserver64
readonly mingw=x86_64-w64-mingw32

main() {
    require_parts
    build
    if [[ ${1-} == --build ]]; then
        echo "built $exe"
        return
    fi
    cargo build --locked --package via6
    prepare_wine
    # Ends the Wine processes of this prefix only, not those of a desktop's own Wine.
    trap '"$wine_server" -k || true' EXIT
    python3 scripts/windows/check.py "$native" -- "$wine" "$exe"
    cat <<'END'
not shown by Wine 8, and therefore not tested here:
  - a peer's RST: Wine reads it as a clean end, where Windows reports WSAECONNRESET
  - a connected UDP socket after "port unreachable", keep-alive probe counts, SIGTERM
  - quinn's own UDP socket: Wine lacks IPV6_RECVECN, so QUIC is carried by the plain one
  - a host that was killed and comes again: Wine's server often keeps its port bound
  - who else may read the state folder: Wine gives files the modes of Linux
  - the speed of Windows, its consoles, its firewall
END
}

# Ends the script if a part is missing: loudly skipped (77) by hand, a failure where CI is set.
require_parts() {
    local missing=() part
    for part in /usr/bin/cargo /usr/bin/rustc /usr/lib/rustlib/src/rust/library/Cargo.lock \
        "/usr/bin/$mingw-gcc-posix" "$wine" "$wine_server"; do
        [[ -e $part ]] || missing+=("$part")
    done
    ((${#missing[@]})) || return 0
    {
        echo "the Windows check did NOT run: these parts are missing:"
        printf '  %s\n' "${missing[@]}"
        echo "install them: scripts/setup-tests.sh windows"
    } >&2
    if [[ -n ${CI-} ]]; then exit 1; fi
    exit 77
}

# Subshell: the compiler named here must not leak into anything else.
build() (
    # rustup's own variables would redirect Debian's cargo to a toolchain without std's source.
    unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER
    # Lets a stable compiler accept -Zbuild-std.
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$target_dir
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=$mingw-gcc-posix
    export CC_x86_64_pc_windows_gnu=$mingw-gcc-posix AR_x86_64_pc_windows_gnu=$mingw-ar
    # Otherwise the linker stamps the time of day into the program.
    export SOURCE_DATE_EPOCH=1700000000
    # Warnings of our own crates are errors: no other check sees the code that is for Windows alone.
    CARGO_BUILD_WARNINGS=deny /usr/bin/cargo build -Zwarnings --locked --package via6 --release \
        --target "$target" -Zbuild-std=std,panic_unwind
)

prepare_wine() {
    export WINEPREFIX=$target_dir/wine-prefix WINEDEBUG=-all
    unset DISPLAY WAYLAND_DISPLAY
    local shim=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
    # The shim is put in last, so its presence says that the prefix is whole.
    if [[ ! -f $shim ]]; then
        rm -rf "$WINEPREFIX"
        mkdir -p "$WINEPREFIX"
        echo "making a Wine prefix in $WINEPREFIX"
        # Neither .NET nor a browser is wanted, and asking for them would open a window.
        WINEDLLOVERRIDES='mscoree=d;mshtml=d' timeout 300 "$wine" wineboot --init
        # A program that starts while the server goes away fails.
        timeout 60 "$wine_server" -w
        "$mingw-gcc-posix" -O2 -shared -s -o "$shim.new" scripts/windows/bcryptprimitives.c \
            -ladvapi32
        mv "$shim.new" "$shim"
    fi
}

main "$@"
