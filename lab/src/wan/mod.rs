//! Two homes with stateful firewalls, an Internet between them, and what happens to links there: cuts,
//! loss, new addresses, blocked protocols. Needs root.
//!
//! From below: a [`place::Place`] is a computer (a network namespace). [`way::Way`] decides what becomes
//! of packets, [`emulator::Emulator`] carries them so. [`homes::Homes`] is all of it plugged together.
//! [`game`] and [`player`] play with every byte checked, through a [`link`] of via6, together on a
//! [`stage`]. A [`scenario`](scenarios) is one thing that happens meanwhile; [`runner`] repeats it and keeps the score.

pub mod chance;
pub mod command;
pub mod emulator;
pub mod firewall;
pub mod game;
pub mod homes;
pub mod link;
pub mod place;
pub mod player;
pub mod runner;
pub mod scenarios;
pub mod stage;
pub mod tun;
pub mod way;
