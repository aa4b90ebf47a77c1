//! The sockets of players and games: bytes that know their place, ends, and randomness.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// How long anything may take that is awaited, generous for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The largest piece that is written or read at once.
const PIECE: u64 = 300 * 1024;

/// `SplitMix64`: all the randomness that is needed, from one number that can be printed.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// A length up to [`PIECE`]: as often a few bytes as many.
    fn piece(&mut self) -> usize {
        let bound = [1, 16, 1500, 65_536, PIECE][usize::try_from(self.below(5)).unwrap()];
        usize::try_from(1 + self.below(bound)).unwrap()
    }
}

fn mixed(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An endless stream of bytes in which no two places look alike.
#[derive(Clone, Copy, Debug)]
pub struct Pattern(pub u64);

impl Pattern {
    /// `len` bytes from `at` on.
    pub fn bytes(self, at: u64, len: usize) -> Vec<u8> {
        let word = |index: u64| mixed(self.0 ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let skip = usize::try_from(at % 8).unwrap();
        let words = (at / 8..).flat_map(|index| word(index).to_le_bytes());
        words.skip(skip).take(len).collect()
    }

    /// Panics unless `bytes` are those from `at` on.
    pub fn check(self, at: u64, bytes: &[u8]) {
        let expected = self.bytes(at, bytes.len());
        if expected != bytes {
            let wrong = expected.iter().zip(bytes).position(|(a, b)| a != b);
            panic!("a wrong byte at {}", at + wrong.unwrap_or(0) as u64);
        }
    }
}

/// How a connection ended, as its reader saw it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    Fin,
    Reset,
}

/// Waits no longer than [`PATIENCE`] for anything.
pub fn be_patient(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
}

/// Writes the bytes `from..to` of `pattern` in pieces of random length; `False`: it was reset.
pub fn write(mut stream: &TcpStream, pattern: Pattern, from: u64, to: u64, rng: &mut Rng) -> bool {
    let mut at = from;
    while at < to {
        let len = rng.piece().min(usize::try_from(to - at).unwrap());
        match stream.write_all(&pattern.bytes(at, len)) {
            Ok(()) => at += len as u64,
            Err(error) if is_reset(&error) => return false,
            Err(error) => panic!("writing the {len} bytes at {at} of {to}: {error}"),
        }
        hesitate(rng);
    }
    true
}

/// Reads `pattern` from `from` on until the end, or until `to` is reached: where that was, and the
/// end if it came.
pub fn read(
    mut stream: &TcpStream,
    pattern: Pattern,
    from: u64,
    to: u64,
    rng: &mut Rng,
) -> (u64, Option<End>) {
    let mut at = from;
    let mut buffer = vec![0; usize::try_from(PIECE).unwrap()];
    while at < to {
        let most = usize::try_from(to - at).unwrap_or(usize::MAX);
        match stream.read(&mut buffer[..rng.piece().min(most)]) {
            Ok(0) => return (at, Some(End::Fin)),
            Ok(read) => {
                pattern.check(at, &buffer[..read]);
                at += read as u64;
            }
            Err(error) if is_reset(&error) => return (at, Some(End::Reset)),
            Err(error) => panic!("reading at {at}: {error}"),
        }
        hesitate(rng);
    }
    (at, None)
}

/// Reads to the end, which is to come after `len` bytes.
pub fn expect(stream: &TcpStream, pattern: Pattern, len: u64, end: End) {
    let seen = read(stream, pattern, 0, u64::MAX, &mut Rng::new(len));
    assert_eq!(seen, (len, Some(end)));
}

/// Once in a while, pauses as a busy program does.
fn hesitate(rng: &mut Rng) {
    if rng.one_in(50) {
        let pause = Duration::from_micros(rng.below(8000));
        // The pause is the test: the other side fills queues meanwhile.
        thread::sleep(pause);
    }
}

/// Says that nothing more comes (FIN).
pub fn finish(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}

/// Ends the connection by RST.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

/// What a connection that was reset says, or one that was found to be when writing.
pub fn is_reset(error: &std::io::Error) -> bool {
    use ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe
    )
}

/// Bytes that were written and that the other side's system does not have.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "no safe wrapper of this ioctl exists")]
pub fn unacknowledged(stream: &TcpStream) -> u64 {
    use std::os::fd::AsRawFd;
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ (the same number as SIOCOUTQ) writes one int through a valid pointer, and
    // the descriptor is open as long as `stream` is borrowed.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    u64::try_from(bytes).unwrap()
}
