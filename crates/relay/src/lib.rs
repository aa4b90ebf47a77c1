//! The relay of via6 as a library: TCP sessions and UDP flows from any address family to any
//! other, exact in every ending.
//!
//! Bind listeners with [`listen_tcp`] and [`listen_udp`], give them to a [`Relay`], and run it
//! until its [`Shutdown`] says stop. Nothing here prints, exits, reads the environment or
//! installs a signal handler; what happens is told to an [`Observer`].
//!
//! ```no_run
//! use std::sync::Arc;
//! use via6_core::addr::HostPort;
//! use via6_relay::{
//!     Descriptors, Engine, Event, Listening, Observer, Policy, Relay, Settings, Shutdown, listen_tcp,
//!     raise_descriptor_limit,
//! };
//!
//! struct Silent;
//! impl Observer for Silent {
//!     fn observe(&self, _: &Event<'_>) {}
//! }
//!
//! # async fn host() -> Result<(), Box<dyn std::error::Error>> {
//! let descriptors = Descriptors::new(raise_descriptor_limit());
//! let relay = Relay {
//!     listeners: vec![Listening::Tcp(listen_tcp("[::]:43325".parse()?)?)],
//!     settings: Settings::new(HostPort::parse_game("25565")?),
//!     engine: Engine::start(&descriptors)?,
//!     policy: Policy::default(),
//!     descriptors,
//!     observer: Arc::new(Silent),
//! };
//! let shutdown = Shutdown::new();
//! let report = relay.run(&shutdown).await?;
//! assert!(report.failed.is_none());
//! # Ok(())
//! # }
//! ```

mod buffer;
mod descriptors;
mod dial;
mod elsewhere;
mod engine;
mod event;
mod leg;
mod look;
mod pipe;
mod policy;
mod probe;
mod relay;
mod shared;
mod shutdown;
mod socket;
mod splice;
mod stream;
mod tally;
mod terms;
mod ticket;
mod udp;

pub use descriptors::{Descriptors, Lease};
pub use dial::{Attempts, DialError, dial, look_up};
pub use elsewhere::{Arrival, Outlet, Seat};
pub use engine::Engine;
pub use event::{Event, FlowId, Observer, Protocol, SessionEnd, SessionId, Warning};
pub use leg::Leg;
pub use look::{Look, SessionLook, SessionState};
pub use pipe::{Pipe, Splicing};
pub use policy::Policy;
pub use probe::is_up;
pub use relay::{Change, Ending, Listening, Relay, Report, Running, look, settle};
pub use shutdown::Shutdown;
pub use socket::{
    BindError, describe, listen_tcp, listen_udp, raise_descriptor_limit, route_to, zone_index,
};
pub use splice::{Patience, Traffic, splice};
pub use stream::Stream;
pub use tally::Totals;
pub use terms::Settings;
