//! Mistakes that only a situation brings about: a port that is taken, or kept for the
//! administrator, and a computer without IPv6. The words are Linux's.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use crate::support::game::free_port;
use crate::support::network::in_own_network;
use crate::support::{Invocation, Running, skip, understand, via6};

/// Checks all that a command answers. The command that it proposes instead must be understood.
fn expect(invocation: &Invocation, message: &str) {
    let ended = invocation.end();
    assert_eq!(ended.stderr, message, "{invocation:?}");
    assert_eq!(ended.code, Some(1), "{invocation:?}");
    assert_eq!(ended.stdout, "", "{invocation:?}");
    if let Some((_, instead)) = message.trim_end().split_once("pick another: ") {
        understand(instead).expect("a command that is understood");
    }
}

/// What is said of a port that somebody has.
fn taken(at: SocketAddr, protocol: &str, instead: &str) -> String {
    let (port, kind) = (at.port(), if protocol == "UDP" { 'u' } else { 't' });
    format!(
        "error: cannot listen on {at} ({protocol}): address already in use\n  \
         another program is using this port\n\n\
         hint: see which one with `ss -l{kind}np 'sport = :{port}'`, or pick another: {instead}\n"
    )
}

/// The port after this one, which is what is proposed.
fn next(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip(), at.port() + 1)
}

/// With a port that nobody has for either protocol, and that no connection is given by chance.
fn free(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("an address"), free_port())
}

fn tcp(ip: &str) -> (TcpListener, SocketAddr) {
    let at = free(ip);
    (TcpListener::bind(at).expect("a free port"), at)
}

fn udp(ip: &str) -> (UdpSocket, SocketAddr) {
    let at = free(ip);
    (UdpSocket::bind(at).expect("a free port"), at)
}

#[test]
fn a_tcp_port_that_another_program_has() {
    let (_program, at) = tcp("::");
    let (port, other) = (at.port(), next(at));
    expect(
        &via6(&format!("via6 host --open --port {port} 25565")),
        &taken(
            at,
            "TCP",
            &format!("via6 host --open --port {} 25565", other.port()),
        ),
    );
    expect(
        &via6(&format!("via6 host --open --tcp --listen {at} 25565")),
        &taken(
            at,
            "TCP",
            &format!("via6 host --open --tcp --port {} 25565", other.port()),
        ),
    );
    expect(
        &via6(&format!("via6 relay tcp {at} 127.0.0.1:25565")),
        &taken(
            at,
            "TCP",
            &format!("via6 relay tcp '{other}' '127.0.0.1:25565'"),
        ),
    );
    let (_program, at) = tcp("127.0.0.1");
    let other = next(at);
    expect(
        &via6(&format!("via6 join ::1 --listen {at}")),
        &taken(
            at,
            "TCP",
            &format!("via6 join '[::1]:43325' --listen '{other}'"),
        ),
    );
}

#[test]
fn a_udp_port_that_another_program_has() {
    let (_program, at) = udp("::");
    let (port, other) = (at.port(), next(at));
    expect(
        &via6(&format!("via6 host --open --udp --port {port} 25565")),
        &taken(
            at,
            "UDP",
            &format!("via6 host --open --udp --port {} 25565", other.port()),
        ),
    );
    expect(
        &via6(&format!("via6 relay udp {at} [::1]:25565")),
        &taken(
            at,
            "UDP",
            &format!("via6 relay udp '{other}' '[::1]:25565'"),
        ),
    );
}

/// The game needs the same port for both.
#[test]
fn a_port_that_is_free_for_tcp_only() {
    let (_program, at) = udp("127.0.0.1");
    let other = next(at);
    expect(
        &via6(&format!("via6 join play.example.org --listen {at}")),
        &taken(
            at,
            "UDP",
            &format!("via6 join 'play.example.org:43325' --listen '{other}'"),
        ),
    );
    via6(&format!("via6 join ::1 --tcp --json --listen {at}"))
        .start()
        .event("listening");
}

#[test]
fn two_hosts_on_one_port() {
    let first = via6("via6 host --open --json --listen [::]:0 25565").start();
    let at = first.address();
    let (port, other) = (at.port(), next(at).port());
    expect(
        &via6(&format!("via6 host --open --port {port} 25566")),
        &taken(at, "TCP", &format!("via6 host --open --port {other} 25566")),
    );
    let at = SocketAddr::new([0, 0, 0, 0, 0, 0, 0, 1].into(), port);
    expect(
        &via6(&format!("via6 host --open --udp --listen {at} 25566")),
        &taken(
            at,
            "UDP",
            &format!("via6 host --open --udp --listen '[::1]:{other}' 25566"),
        ),
    );
}

#[test]
fn two_joins_on_one_port() {
    let first = via6("via6 join --json --listen 127.0.0.1:0 ::1").start();
    let at = first.address();
    let other = next(at);
    expect(
        &via6(&format!("via6 join 2001:db8::1 --listen {at}")),
        &taken(
            at,
            "TCP",
            &format!("via6 join '[2001:db8::1]:43325' --listen '{other}'"),
        ),
    );
}

#[test]
fn two_of_each_on_the_default_port() {
    in_own_network(&[], || {
        let _host = listening("via6 host --open 25565 --json");
        let _join = listening("via6 join ::1 --json");
        let at = "[::]:43325".parse().expect("an address");
        expect(
            &via6("via6 host --open 25566"),
            &taken(at, "TCP", "via6 host --open --port 43326 25566"),
        );
        let at = "127.0.0.1:46666".parse().expect("an address");
        expect(
            &via6("via6 join ::1"),
            &taken(
                at,
                "TCP",
                "via6 join '[::1]:43325' --listen '127.0.0.1:46667'",
            ),
        );
    });
}

fn listening(line: &str) -> Running {
    let running = via6(line).start();
    running.event("listening");
    running
}

/// A copy of the program that everybody may run: the build directory may be closed to others.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        let name = format!("via6-unprivileged-{}", std::process::id());
        let copy = Self(std::env::temp_dir().join(name));
        std::fs::copy(env!("CARGO_BIN_EXE_via6"), &copy.0).expect("copying the program");
        copy
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A file left behind in the temporary directory harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_port_that_is_kept_for_the_administrator() {
    if !Path::new("/usr/bin/setpriv").exists() {
        return skip("setpriv is not installed");
    }
    in_own_network(&[], || {
        // A container's setting, perhaps; this is the kernel's own.
        let start = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
        std::fs::write(start, "1024").expect("a setting of this network");
        let program = Copy::new();
        let program = program.0.to_str().expect("a path in UTF-8");
        let home = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).expect("giving it away");
        let home = home.path().to_str().expect("a path in UTF-8");
        for (line, at, protocol, instead) in [
            (
                "via6 host --open --port 80 25565",
                "[::]:80",
                "TCP",
                "via6 host --open --port 40080 25565",
            ),
            (
                "via6 host --open --udp --port 1023 25565",
                "[::]:1023",
                "UDP",
                "via6 host --open --udp --port 41023 25565",
            ),
            (
                "via6 join ::1 --listen 127.0.0.1:80",
                "127.0.0.1:80",
                "TCP",
                "via6 join '[::1]:43325' --listen '127.0.0.1:40080'",
            ),
            (
                "via6 relay udp 0.0.0.0:53 [::1]:25565",
                "0.0.0.0:53",
                "UDP",
                "via6 relay udp '0.0.0.0:40053' '[::1]:25565'",
            ),
        ] {
            let unprivileged = "setpriv --reuid=65534 --regid=65534 --clear-groups";
            expect(
                &via6(line)
                    .through(unprivileged, program)
                    .with("VIA6_STATE", home),
                &format!(
                    "error: cannot listen on {at} ({protocol}): permission denied\n  \
                     ports below 1024 are kept for the administrator of this computer\n\n\
                     hint: pick another: {instead}\n"
                ),
            );
        }
    });
}

#[test]
fn a_computer_without_ipv6() {
    in_own_network(&[], || {
        for scope in ["all", "default", "lo"] {
            let switch = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
            std::fs::write(switch, "1").expect("a setting of this network");
        }
        let no_ipv6 = |protocol| {
            format!(
                "error: cannot listen on [::1]:0 ({protocol}): this computer does not have that \
                 address\n  this computer has no IPv6\n\n\
                 hint: switch IPv6 on in the network settings: a via6 link needs it at both ends\n"
            )
        };
        expect(
            &via6("via6 host --open --listen [::1]:0 25565"),
            &no_ipv6("TCP"),
        );
        expect(
            &via6("via6 relay udp [::1]:0 127.0.0.1:25565"),
            &no_ipv6("UDP"),
        );
        expect(&via6("via6 demo --check"), &no_ipv6("TCP"));
    });
}
