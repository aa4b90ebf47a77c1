#!/bin/sh
# Runs a command in a network namespace of its own in which every loopback connection uses cubic,
# what most systems use by default, whatever this one's default is. Needs root, or a kernel that
# lets users have namespaces. Nothing outside the namespace changes; it is gone when the command is.
#   bench/cubic.sh target/release/via6-bench --only bulk
set -eu

if [ "${1-}" = --inside ]; then
    shift
    ip link set lo up
    for network in 127.0.0.0/8 127.0.0.1; do
        ip -4 route replace local "$network" dev lo table local proto kernel scope host \
            src 127.0.0.1 congctl cubic
    done
    # An IPv6 route with another metric would stand beside the kernel's own, not replace it.
    ip -6 route add local ::1 dev lo table local proto kernel metric 1 congctl cubic
    ip -6 route del local ::1 dev lo table local metric 0
    exec "$@"
fi

[ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }
if [ "$(id -u)" = 0 ]; then
    exec unshare --net "$0" --inside "$@"
fi
exec unshare --net --map-root-user "$0" --inside "$@"
