//! A network of a test's own: loopback, the addresses it asks for, and nobody else on any port.

use std::thread;

use via6_lab::failure::Failure;
use via6_lab::system;

use super::skip;

/// Runs `test` in a network with these addresses beside those of loopback. Needs root; without it
/// the test is skipped.
pub fn in_own_network(addresses: &[&str], test: impl FnOnce() + Send) {
    let name = thread::current().name().unwrap_or("test").to_owned();
    let run = || {
        match system::enter_own_network() {
            Ok(()) => {}
            Err(Failure::Skipped(why)) => return skip(&why),
            Err(failure) => panic!("{failure}"),
        }
        for address in addresses {
            let family = if address.contains(':') { "-6" } else { "-4" };
            let nodad = if family == "-6" { " nodad" } else { "" };
            let added = system::ip(&format!("{family} addr add {address} dev lo{nodad}"));
            added.expect("adding an address");
        }
        test();
    };
    // A thread of its own, because the namespace stays with the thread.
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, run);
        if let Err(panic) = thread.expect("a thread").join() {
            std::panic::resume_unwind(panic);
        }
    });
}
