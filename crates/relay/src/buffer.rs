//! The one large buffer that a thread lends to whichever session or flow is reading.
//!
//! It is never held across an await: what cannot be passed on at once is copied into a buffer of
//! the session's own. So an idle session costs no buffer at all.

use std::cell::RefCell;

use via6_core::limits::{COPY_BUFFER, DATAGRAM_BUFFER};

const SIZE: usize = if COPY_BUFFER > DATAGRAM_BUFFER {
    COPY_BUFFER
} else {
    DATAGRAM_BUFFER
};

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into_boxed_slice());
}

/// Runs `work` with this thread's buffer, which holds the largest datagram and a
/// [`COPY_BUFFER`] of a stream. `work` must not call this again.
pub(crate) fn with_buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| work(buffer))
}
