//! Lines as they are typed or pasted: of bounded length, in whatever encoding, without what terminals
//! add. What they say is not looked at.

use std::io::{ErrorKind, Read};

use via6_core::limits::ASK_LINE_BYTES;

/// Stands for what is no text, as decoders have it.
const NOT_TEXT: &str = "\u{fffd}";

/// The lines of a terminal. A line is read when it is asked for and not before: what nobody asked for
/// stays with the system.
#[derive(Debug)]
pub(crate) struct Typed<R> {
    from: R,
    /// What was read behind the line that was given out.
    rest: Vec<u8>,
    over: bool,
}

impl<R: Read> Typed<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            rest: Vec::new(),
            over: false,
        }
    }

    /// Whether the next line, or the end, is here already.
    #[cfg(any(unix, test))]
    pub(crate) fn is_ready(&self) -> bool {
        self.over || self.rest.contains(&b'\n')
    }

    /// Waits for the next line; `None` at the end (Ctrl-D). What is beyond [`ASK_LINE_BYTES`] of it is
    /// dropped.
    pub(crate) fn next(&mut self) -> Option<String> {
        /// Bytes read at a time: as many as the standard library's own buffer has, which then keeps
        /// none of them for itself.
        const STEP: usize = 8 * 1024;
        let mut line = Vec::new();
        loop {
            if let Some(length) = self.rest.iter().position(|byte| *byte == b'\n') {
                line.extend(self.rest.drain(..=length));
                line.truncate(ASK_LINE_BYTES);
                return Some(clean(&String::from_utf8_lossy(&line)));
            }
            line.append(&mut self.rest);
            line.truncate(ASK_LINE_BYTES);
            if self.over {
                // Ctrl-D behind some text: that is an answer as well.
                let said = !line.is_empty();
                return said.then(|| clean(&String::from_utf8_lossy(&line)));
            }
            let mut buffer = [0; STEP];
            match self.from.read(&mut buffer) {
                Ok(0) => self.over = true,
                Ok(read) => self.rest.extend(buffer.iter().take(read)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Windows: half a character of UTF-16. It must not pass for an empty answer.
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return Some(NOT_TEXT.to_owned());
                }
                // The terminal is gone.
                Err(_) => self.over = true,
            }
        }
    }
}

/// Without control sequences, such as those around a bracketed paste or of arrow keys, and other
/// controls; blanks for tabs.
fn clean(line: &str) -> String {
    let mut cleaned = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => skip_sequence(&mut chars),
                Some('O') => {
                    chars.next();
                }
                Some(']') => skip_command(&mut chars),
                _ => {}
            },
            '\u{9b}' => skip_sequence(&mut chars),
            '\t' => cleaned.push(' '),
            c if c.is_control() => {}
            c => cleaned.push(c),
        }
    }
    cleaned.trim().to_owned()
}

/// To the final byte of a control sequence (ECMA-48 §5.4).
fn skip_sequence(chars: &mut impl Iterator<Item = char>) {
    chars.find(|c| matches!(c, '@'..='~'));
}

/// To the end of a command to the terminal, which is BEL or ESC `\`.
fn skip_command(chars: &mut impl Iterator<Item = char>) {
    let mut escaped = false;
    chars.find(|c| {
        let ends = *c == '\u{7}' || (escaped && *c == '\\');
        escaped = *c == '\u{1b}';
        ends
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives out these pieces, one a read.
    struct Pieces(Vec<Result<Vec<u8>, ErrorKind>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0)?;
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn lines(pieces: Vec<Result<Vec<u8>, ErrorKind>>) -> Vec<String> {
        let mut typed = Typed::new(Pieces(pieces));
        std::iter::from_fn(|| typed.next()).collect()
    }

    fn said(bytes: &[u8]) -> Vec<String> {
        lines(vec![Ok(bytes.to_vec())])
    }

    #[test]
    fn lines_come_one_by_one_however_they_were_read() {
        assert_eq!(said(b"one\n\r\ntwo\r\n"), ["one", "", "two"]);
        let cut = ["o", "ne\ntw", "o", "\n"].map(|piece| Ok(piece.into()));
        assert_eq!(lines(cut.into()), ["one", "two"]);
    }

    #[test]
    fn the_end_behind_some_text_is_an_answer_and_then_the_end() {
        assert_eq!(said(b"one\ntwo"), ["one", "two"]);
        assert_eq!(said(b""), [""; 0]);
    }

    #[test]
    fn an_interrupted_read_goes_on_and_a_terminal_that_is_gone_is_the_end() {
        let pieces = vec![
            Ok(b"on".to_vec()),
            Err(ErrorKind::Interrupted),
            Ok(b"e\n".to_vec()),
            Err(ErrorKind::InvalidData),
            Ok(b"two\n".to_vec()),
            Err(ErrorKind::Other),
            Ok(b"never read\n".to_vec()),
        ];
        assert_eq!(lines(pieces), ["one", NOT_TEXT, "two"]);
    }

    #[test]
    fn what_terminals_add_is_taken_off() {
        for (typed, line) in [
            (&b"\x1b[200~via6 join x\x1b[201~\n"[..], "via6 join x"),
            (b"\x1b[A\x1b[1;5Dhost\x1bOA\n", "host"),
            (b"\x1b]0;title\x07a\x1b]0;t\x1b\\b\n", "ab"),
            (b"h\x08\x7fi\tyou\0\n", "hi you"),
            ("\u{9b}31mred\n".as_bytes(), "red"),
            (b"\x1b\n", ""),
            (b"caf\xe9 \xff\n", "caf\u{fffd} \u{fffd}"),
            (
                "\u{202e}Gr\u{fc}\u{df}e\n".as_bytes(),
                "\u{202e}Gr\u{fc}\u{df}e",
            ),
        ] {
            assert_eq!(said(typed), [line], "{typed:?}");
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_not_kept_for_ever() {
        struct Flood(usize);
        impl Read for Flood {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                if self.0 == 0 {
                    buffer[..4].copy_from_slice(b"\nok\n");
                    return Ok(4);
                }
                self.0 -= 1;
                buffer.fill(b'x');
                Ok(buffer.len())
            }
        }
        let mut typed = Typed::new(Flood(1000));
        assert_eq!(typed.next().unwrap().len(), ASK_LINE_BYTES);
        assert!(typed.rest.len() < 10_000);
        assert!(typed.is_ready());
        assert_eq!(typed.next().unwrap(), "ok");
        assert!(!typed.is_ready());
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_shown_without_controls(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for line in said(&bytes) {
                prop_assert!(!line.contains(char::is_control));
            }
        }
    }
}
