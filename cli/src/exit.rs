//! How a command ends: its exit status, and what it says if it could not do its work.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ports::Fault;

/// The exit status of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: the command line or the input is wrong.
    Usage,
    /// 3: the question was answered, and the answer is no: not healthy, or not succeeded.
    No,
    /// 4: no credentials, no permission, or no stack.
    Unreachable,
    /// 5: a part was done, and the rest was reported.
    Partly,
    /// 130: interrupted by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::No => 3,
            Self::Unreachable => 4,
            Self::Partly => 5,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command could not do its work. With `--output json` it is printed as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// The exit status that follows.
    #[serde(skip)]
    pub(crate) exit: Exit,
    /// A short, stable name for programs, such as `no_stack`.
    pub code: String,
    /// What went wrong, as a sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether what was asked for may have been done all the same: it was sent, and what became of it is not known.
    #[serde(skip)]
    pub(crate) may_be_done: bool,
}

/// What to do about an act that may have been done all the same. Another try might do it twice.
const LOOK_FIRST: &str =
    "it may have been done: `evenkeel ops log` shows whether it was begun; what was begun goes on";

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { exit, code, message, hint: None, may_be_done: false }
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure of an act that may have been done all the same.
    #[must_use]
    pub(crate) fn perhaps_done(self) -> Self {
        Self { may_be_done: true, ..self.hint(LOOK_FIRST) }
    }

    /// An argument or an input that is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// The exit status that follows.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoCredentials(why) => {
                Self::new(Exit::Unreachable, "no_credentials", format!("no AWS credentials: {why}"))
                    .hint(
                        "set AWS_PROFILE and AWS_REGION, or pass --profile and --region; for SSO: \
                         `aws sso login`, then \
                         `eval \"$(aws configure export-credentials --format env)\"`",
                    )
            }
            Fault::Denied { action, why } => {
                Self::new(Exit::Unreachable, "denied", format!("{action} is not permitted: {why}"))
                    .hint(format!("ask for the permission {action} on this stack's resources"))
            }
            Fault::Missing(why) => Self::new(Exit::Unreachable, "missing", why)
                .hint("`evenkeel doctor` checks every part of the stack"),
            Fault::Unavailable(why) => {
                let message = format!("AWS could not be reached or did not answer: {why}");
                Self::new(Exit::Failed, "unavailable", message)
                    .hint("try again; a local stack that is gone is started by `cargo xtask up`")
            }
            Fault::Unreadable(why) => Self::new(Exit::Failed, "unreadable", why)
                .hint("a newer version may have written it: update this command"),
            Fault::Refused(why) => {
                Self::new(Exit::Usage, "refused", format!("AWS does not accept it: {why}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_status_and_its_code() {
        let why = || "why".to_owned();
        let denied = Fault::Denied { action: "sqs:SendMessage".into(), why: why() };
        for (fault, status, code) in [
            (Fault::NoCredentials(why()), 4, "no_credentials"),
            (denied, 4, "denied"),
            (Fault::Missing(why()), 4, "missing"),
            (Fault::Unavailable(why()), 1, "unavailable"),
            (Fault::Unreadable(why()), 1, "unreadable"),
            (Fault::Refused(why()), 2, "refused"),
        ] {
            let failure = Failure::from(fault);
            assert_eq!((failure.exit().code(), failure.code.as_str()), (status, code));
            assert!(failure.message.contains("why"), "{code}: {}", failure.message);
        }
    }
}
