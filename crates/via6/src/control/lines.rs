//! Lines of bounded length out of a stream, without losing a byte when a wait is given up.
//! What they say is not looked at.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use via6_core::limits::CONTROL_REPLY_TIME;

/// The reading end of a conversation.
pub(super) type Reading = Box<dyn AsyncRead + Send + Unpin>;

/// The writing end.
pub(super) type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// The lines that come in.
pub(super) struct Lines {
    from: Reading,
    /// What came in and was not given out.
    buffer: Vec<u8>,
    /// The first bytes of `buffer` that are known to hold no end of a line.
    searched: usize,
    longest: usize,
}

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum NoLine {
    /// The other side is gone, or says no more.
    Ended,
    /// It said more than a line may have.
    TooLong,
}

impl Lines {
    pub(super) fn new(from: Reading, longest: usize) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            searched: 0,
            longest,
        }
    }

    /// The next line, without its end. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, NoLine> {
        /// Bytes that are read at a time.
        const STEP: usize = 8 * 1024;
        loop {
            let unsearched = self.buffer.iter().skip(self.searched);
            if let Some(length) = unsearched.clone().position(|byte| *byte == b'\n') {
                let end = self.searched + length;
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                line.truncate(end);
                if line.len() > self.longest {
                    return Err(NoLine::TooLong);
                }
                return Ok(line);
            }
            self.searched = self.buffer.len();
            if self.searched > self.longest {
                return Err(NoLine::TooLong);
            }
            self.buffer.reserve(STEP);
            match self.from.read_buf(&mut self.buffer).await {
                // What is left is no line: whoever sent half of one is answered nothing. And after an
                // error, whichever it is, nobody is there any more.
                Ok(0) | Err(_) => return Err(NoLine::Ended),
                Ok(_) => {}
            }
        }
    }

    /// Waits until the other side has gone, whatever it says until then.
    pub(super) async fn ended(&mut self) {
        self.buffer.clear();
        self.searched = 0;
        let mut ignored = [0; 1024];
        while matches!(self.from.read(&mut ignored).await, Ok(1..)) {}
    }
}

/// Writes a whole line, within [`CONTROL_REPLY_TIME`]. After an error part of it may be out.
pub(super) async fn write(to: &mut Writing, line: &str) -> io::Result<()> {
    let written = tokio::time::timeout(CONTROL_REPLY_TIME, to.write_all(line.as_bytes()));
    written.await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_however_they_were_cut_and_given_up_on() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut lines = Lines::new(Box::new(ours), 100);
        for byte in b"one\n\ntwo\nth" {
            theirs.write_all(&[*byte]).await.unwrap();
            if *byte != b'\n' {
                // Given up on after each byte.
                let early = std::future::ready(());
                tokio::select! { biased;
                    line = lines.next() => panic!("{line:?}"),
                    () = early => {}
                }
            } else if let Ok(line) = lines.next().await {
                assert!([&b"one"[..], b"", b"two"].contains(&&line[..]), "{line:?}");
            }
        }
        drop(theirs);
        assert!(matches!(lines.next().await, Err(NoLine::Ended)));
    }

    #[tokio::test]
    async fn a_line_that_does_not_end_is_not_read_on_for_ever() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut lines = Lines::new(Box::new(ours), 1000);
        let flood = async { while theirs.write_all(&[b'x'; 64]).await.is_ok() {} };
        tokio::select! {
            line = lines.next() => assert!(matches!(line, Err(NoLine::TooLong))),
            () = flood => panic!("all of it was read"),
        }
        assert!(lines.buffer.len() < 20_000);
    }
}
