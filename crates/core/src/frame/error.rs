//! What can be wrong with bytes that should be frames. Each of these ends the transport they came over.

use crate::limits::FRAME_BODY_MAX;

/// Why bytes are no frame, or a value cannot be one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than [`FRAME_BODY_MAX`]. Nothing was kept of it.
    #[error("a frame of type {kind:#04x} has {bytes} bytes; {FRAME_BODY_MAX} are the most")]
    Oversized {
        /// Its type.
        kind: u8,
        /// Of its body.
        bytes: usize,
    },
    /// A type below 0x80 that this version does not know.
    #[error("a frame of type {kind:#04x} is unknown")]
    Unknown {
        /// Its type.
        kind: u8,
    },
    /// A datagram without even a type.
    #[error("a datagram is empty")]
    Empty,
    /// A type that comes on streams only, or in datagrams only.
    #[error("a frame of type {kind:#04x} came where it does not belong")]
    Place {
        /// Its type.
        kind: u8,
    },
    /// The body is not what the type says.
    #[error("a frame of type {kind:#04x} {fault}")]
    Body {
        /// Its type.
        kind: u8,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with the body of a frame. Completes "a frame …".
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Fields are missing.
    #[error("is too short")]
    Short,
    /// Something follows its last field.
    #[error("is too long")]
    Long,
    /// Text is not UTF-8, or too long.
    #[error("has text that is too long or not UTF-8")]
    Text,
    /// A list has more entries than it may.
    #[error("has too many entries")]
    Count,
    /// A number or a flag is outside of its range.
    #[error("has a value outside of its range")]
    Value,
}
