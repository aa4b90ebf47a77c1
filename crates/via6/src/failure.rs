//! What the person reads when something cannot be done: `error:`, a line of detail, `hint:`, and
//! the exit code.

use std::fmt;

use via6_core::addr::AddrError;
use via6_core::invite::InviteError;
use via6_relay::BindError;

/// Exit codes of the program; documented in `docs/reference/exit-codes.md`.
pub(crate) mod code {
    pub(crate) const RUNTIME: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    /// The other side does not want us.
    pub(crate) const REFUSED: u8 = 4;
    /// What shells report of a program that Ctrl-C ended: 128 and the number of SIGINT.
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// A command that cannot be carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    detail: Option<String>,
    report: Option<String>,
    hint: Option<String>,
    code: u8,
    shown: As,
}

/// How the person sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum As {
    /// `error:`, on standard error.
    Error,
    /// As it is, on standard output: help and version.
    Help,
    /// There is nothing to be said.
    Nothing,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            detail: None,
            report: None,
            hint: None,
            code: code::USAGE,
            shown: As::Error,
        }
    }

    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self::with_code(code::RUNTIME, message)
    }

    /// The other side has said no.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::with_code(code::REFUSED, message)
    }

    pub(crate) fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            ..Self::usage(message)
        }
    }

    /// The system does not give what via6 cannot do without.
    pub(crate) fn cannot_go_on(error: &std::io::Error) -> Self {
        Self::runtime(format!("cannot go on: {}", via6_relay::describe(error)))
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Several paragraphs of their own, such as the problems of a file.
    pub(crate) fn report(mut self, report: impl Into<String>) -> Self {
        self.report = Some(report.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An address that was typed as `what`, for instance `--listen`.
    pub(crate) fn address(what: &str, error: &AddrError) -> Self {
        let failure = Self::usage(format!("cannot read {what}: {error}"));
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// An invite that was typed as `what`. Nothing of it is repeated.
    pub(crate) fn invite(what: &str, error: &InviteError) -> Self {
        Self::usage(format!("cannot read {what}: {error}")).hint(error.hint())
    }

    /// A listener that could not be made; `instead` is a command that listens elsewhere.
    pub(crate) fn bind(error: &BindError, instead: &str) -> Self {
        use std::io::ErrorKind as Kind;
        let (failure, port) = (Self::runtime(error.to_string()), error.addr.port());
        if error.lacks_ipv6() {
            return failure
                .detail("this computer has no IPv6")
                .hint("switch IPv6 on in the network settings: a via6 link needs it at both ends");
        }
        match error.source.kind() {
            Kind::AddrInUse => failure
                .detail("another program is using this port")
                .hint(format!(
                    "{}, or pick another: {instead}",
                    find_owner(port, error.protocol)
                )),
            Kind::PermissionDenied if port < 1024 => failure
                .detail("ports below 1024 are kept for the administrator of this computer")
                .hint(format!("pick another: {instead}")),
            Kind::AddrNotAvailable => {
                failure.hint("list the addresses it has with `".to_owned() + LIST_ADDRESSES + "`")
            }
            _ => failure,
        }
    }

    /// Not a failure of anybody's: help and version, as they are.
    pub(crate) fn help(text: &str, code: u8) -> Self {
        Self {
            code,
            shown: As::Help,
            ..Self::usage(text.trim_end())
        }
    }

    /// The person has ended it, and knows.
    pub(crate) fn interrupted() -> Self {
        Self {
            code: code::INTERRUPTED,
            shown: As::Nothing,
            ..Self::usage("interrupted")
        }
    }

    pub(crate) fn shown(&self) -> As {
        self.shown
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The lines below the message.
    pub(crate) fn details(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The hint.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "\n  {detail}")?;
        }
        if let Some(report) = &self.report {
            write!(f, "\n\n{report}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n\nhint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(windows)]
const LIST_ADDRESSES: &str = "ipconfig";
#[cfg(target_os = "macos")]
const LIST_ADDRESSES: &str = "ifconfig";
#[cfg(not(any(windows, target_os = "macos")))]
const LIST_ADDRESSES: &str = "ip address";

fn find_owner(port: u16, protocol: &str) -> String {
    let udp = protocol == "UDP";
    if cfg!(windows) {
        format!("see which one with `netstat -ano | findstr :{port}`")
    } else if cfg!(target_os = "macos") {
        format!("see which one with `lsof -nP -i{protocol}:{port}`")
    } else {
        let flags = if udp { "-lunp" } else { "-ltnp" };
        format!("see which one with `ss {flags} 'sport = :{port}'`")
    }
}
