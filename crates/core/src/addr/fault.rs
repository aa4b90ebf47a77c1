//! What keeps a text from being an address or a name, in detail.
//!
//! Completes "… is not an IPv6 address: it …".

use std::net::Ipv4Addr;

use super::excerpt::Excerpt;

/// What is wrong with an IPv6 address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Ipv6Fault {
    /// More than eight.
    #[error("it has too many groups; 8 are the most")]
    TooManyGroups,
    /// Fewer than eight and no `::`.
    #[error("it has {groups} of 8 groups")]
    TooFewGroups {
        /// How many.
        groups: usize,
    },
    /// Two `::`.
    #[error("`::` may stand in it once")]
    TwoGaps,
    /// `:::`.
    #[error("`:::` means nothing")]
    ThreeColons,
    /// `:2001:db8::1`.
    #[error("a single `:` stands at one end of it")]
    LoneColon,
    /// A group of five characters or more.
    #[error("`{group}` is longer than 4 characters")]
    LongGroup {
        /// The group.
        group: Excerpt,
    },
    /// Something other than 0–9 and a–f.
    #[error("`{found}` is not one of 0–9 and a–f")]
    NotHex {
        /// The first one.
        found: Excerpt,
    },
    /// The IPv4 address at its end is none, or it leaves too little room.
    #[error("the IPv4 address in it is wrong or in the wrong place")]
    Ipv4Inside,
    /// `00:53:00:12:34:56`.
    #[error("it is the hardware (MAC) address of a network card")]
    Hardware,
}

/// What is wrong with an IPv4 address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Ipv4Fault {
    /// `192.0.2`.
    #[error("it has {numbers} of 4 numbers")]
    TooFewNumbers {
        /// How many.
        numbers: usize,
    },
    /// `192.0.2.7.1`.
    #[error("it has {numbers} numbers; 4 are the most")]
    TooManyNumbers {
        /// How many.
        numbers: usize,
    },
    /// `192.0.2.300`.
    #[error("{number} is above 255")]
    TooHigh {
        /// The number.
        number: Excerpt,
    },
    /// `010.0.0.1`: octal to some programs, decimal to others.
    #[error("`{number}` begins with 0")]
    LeadingZero {
        /// The number.
        number: Excerpt,
        /// The address as a person would read it.
        fixed: Ipv4Addr,
    },
}

/// What is wrong with a name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// A letter outside of ASCII.
    #[error("it has letters other than a–z")]
    NotAscii,
    /// A sign that no name has.
    #[error("`{found}` cannot be part of one")]
    Character {
        /// The first one.
        found: Excerpt,
    },
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// Two dots in a row, or one at the beginning.
    #[error("it begins with a dot or has two in a row")]
    EmptyLabel,
    /// More than 63 characters between two dots.
    #[error("more than 63 characters stand between two of its dots")]
    LongLabel,
    /// More than 253 characters.
    #[error("it is longer than 253 characters")]
    TooLong,
    /// A hyphen at either end of a label.
    #[error("no part of it may begin or end with `-`")]
    Hyphen,
    /// `server.1`.
    #[error("its last part is a number")]
    EndsInNumber,
}
