//! Words of other programs (nginx, HAProxy, frp, rathole, realm, ssh and their like), and what they are
//! here: whoever comes from one of them is told our word at once. Slips of the finger are not here.

/// A key of ours, a table, or a sentence of advice, and the words that it is for.
pub(super) type Words = &'static [(&'static str, &'static str)];

const NAME_ADVICE: &str = "the name stands in the brackets above: [host.NAME]";
const PROTOCOL: &str = "protocol proto protocols type mode transport";

pub(super) const TOP: Words = &[
    ("verbose", "log log-level loglevel level debug verbosity"),
    ("quiet", "silent"),
    ("metrics", "prometheus stats statistics"),
    (
        "[host.NAME]",
        "server servers service services share serve game games",
    ),
    (
        "[join.NAME]",
        "client clients connect friend visitor visitors",
    ),
    (
        "[relay.NAME]",
        "proxy proxies forward forwards tunnel tunnels endpoint endpoints",
    ),
];

pub(super) const HOST: Words = &[
    (
        "game",
        "server backend upstream target address addr local local-addr localaddr local-port \
         localport local-ip dest destination to host game-port remote",
    ),
    (
        "listen",
        "bind bind-addr listen-addr listen-address from on",
    ),
    (
        "port",
        "listen-port bind-port remote-port remoteport public-port ipv6-port",
    ),
    ("open", "public"),
    ("dns-name", "domain dns hostname host-name fqdn"),
    (
        "`tcp = true` or `udp = true` says what is carried; without either both are",
        PROTOCOL,
    ),
    (NAME_ADVICE, "name id label title"),
];

pub(super) const JOIN: Words = &[
    ("invite", "invitation ticket token key"),
    ("as", "player nick nickname user username"),
    (
        "host",
        "server remote remote-addr remoteaddr address addr target peer upstream connect to \
         server-addr serveraddr backend game",
    ),
    (
        "listen",
        "bind bind-addr local local-addr localaddr listen-addr listen-address",
    ),
    (
        "the port of the host belongs to its address, \"[2001:db8::1]:43325\"; the one for your \
             game to `listen`",
        "port local-port listen-port bind-port server-port remote-port",
    ),
    (
        "`tcp = true` or `udp = true` says what is carried; without either both are",
        "protocol proto protocols type mode",
    ),
    (
        "only a host and a relay trust relays: they see who comes in",
        "trust-relay trust",
    ),
    (NAME_ADVICE, "name id label title"),
];

pub(super) const RELAY: Words = &[
    ("protocol", "proto type network mode transport"),
    (
        "listen",
        "bind bind-addr from local local-addr source src listen-addr listen-address",
    ),
    (
        "target",
        "to remote remote-addr backend upstream dest destination server address addr game \
         host forward",
    ),
    (
        "a relay carries one protocol: `protocol = \"tcp\"` or `protocol = \"udp\"`; for both write \
             two relays",
        "tcp udp",
    ),
    (
        "the ports belong to the addresses of `listen` and `target`",
        "port listen-port target-port",
    ),
    (NAME_ADVICE, "name id label title"),
];
