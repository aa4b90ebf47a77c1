//! The relay of via6 as a library: TCP sessions and UDP flows from any address family to any
//! other, exact in every ending.
//!
//! Bind listeners with [`listen_tcp`] and [`listen_udp`], give them to a [`Relay`], and run it
//! until its [`Shutdown`] says stop. Nothing here prints, exits, reads the environment or
//! installs a signal handler; what happens is told to an [`Observer`].

mod accept;
mod buffer;
mod descriptors;
mod dial;
mod event;
mod leg;
mod probe;
mod relay;
mod session;
mod shutdown;
mod socket;
mod splice;
mod udp;

pub use descriptors::Descriptors;
pub use dial::{Attempts, DialError, dial};
pub use event::{Event, FlowId, Observer, Protocol, SessionEnd, SessionId, Warning};
pub use leg::{Leg, Watch};
pub use probe::is_up;
pub use relay::{Policy, Relay, Report};
pub use shutdown::Shutdown;
pub use socket::{
    BindError, describe, listen_tcp, listen_udp, raise_descriptor_limit, route_to, zone_index,
};
pub use splice::{Patience, Traffic, splice};
