//! The buffer that a thread of the runtime lends to whichever splice is polled there.
//!
//! It is never held across an await: what cannot be passed on at once is copied into a buffer of
//! the session's own. (The engine has a buffer of its own.)

use std::cell::RefCell;

use via6_core::limits::COPY_BUFFER;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; COPY_BUFFER].into_boxed_slice());
}

/// Runs `work` with this thread's buffer, a [`COPY_BUFFER`]. `work` must not call this again.
pub(crate) fn with_buffer<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| work(buffer))
}
