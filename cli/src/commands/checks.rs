//! What a command line must have and the parser cannot tell: found before anything is asked of AWS.

use super::{cars, rejected};
use crate::{
    args::{
        ActOnJobs, AuditCommand, BreakerCommand, CarsCommand, Command, JobsCommand, LimiterCommand,
        OpsCommand, QueuesCommand, RejectedCommand, ReleaseRejected,
    },
    cursor,
    due::Position,
    exit::Failure,
};

/// Characters of a VIN.
const VIN_CHARACTERS: usize = 17;

/// Fails if a change of many things, or of one that many depend on, comes without a reason, or if a cursor, a VIN or the
/// key of a rejected message is none.
pub(crate) fn check(command: &Command) -> Result<(), Failure> {
    if lacks_reason(command) {
        let message = "--reason: missing; expected why, for those who read the operations log";
        return Err(Failure::usage(message).hint("add --reason TEXT, or --dry-run to only look"));
    }
    let position = |cursor: &str| Position::read(cursor).map(drop);
    let name = |cursor: &str| cursor::place(cursor).map(drop);
    match command {
        Command::Jobs(JobsCommand::List(given)) => each(given.page.cursor.as_deref(), position),
        Command::Rejected(RejectedCommand::List(given)) => {
            each(given.page.cursor.as_deref(), position)
        }
        Command::Rejected(RejectedCommand::Release(given)) => {
            given.keys.iter().try_for_each(|key| rejected::check(key))
        }
        Command::Cars(CarsCommand::Show(given)) => vin(&given.vin),
        Command::Cars(CarsCommand::List(given)) => {
            each(given.page.cursor.as_deref(), |cursor| cars::place(cursor).map(drop))
        }
        Command::Ops(OpsCommand::Log(given)) | Command::Audit(AuditCommand::Findings(given)) => {
            each(given.page.cursor.as_deref(), name)
        }
        _ => Ok(()),
    }
}

fn each(cursor: Option<&str>, check: impl Fn(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    cursor.map_or(Ok(()), check)
}

fn vin(text: &str) -> Result<(), Failure> {
    let text = text.trim();
    if text.len() == VIN_CHARACTERS && text.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Failure::usage(format!("VIN: {text:?}, expected {VIN_CHARACTERS} letters and digits")))
}

/// Whether a command needs a reason and has none. What concerns one job, and what ends a pause, needs none.
fn lacks_reason(command: &Command) -> bool {
    match command {
        Command::Jobs(
            JobsCommand::Retry(given) | JobsCommand::Cancel(given) | JobsCommand::Reset(given),
        ) => is_bulk(given) && given.write.lacks_reason(),
        Command::Rejected(RejectedCommand::Release(given)) => {
            releases_many(given) && given.write.lacks_reason()
        }
        Command::Breaker(BreakerCommand::Open(given) | BreakerCommand::Close(given)) => {
            given.write.lacks_reason()
        }
        Command::Breaker(BreakerCommand::Auto(given)) => given.write.lacks_reason(),
        Command::Limiter(LimiterCommand::Set(given)) => given.write.lacks_reason(),
        Command::Queues(QueuesCommand::Pause(given)) => given.write.lacks_reason(),
        Command::Queues(QueuesCommand::Set(given)) => given.write.lacks_reason(),
        _ => false,
    }
}

/// Whether it changes all jobs that match. Without `--yes` it only shows them.
const fn is_bulk(given: &ActOnJobs) -> bool {
    given.id.is_none() && given.confirmed.yes
}

/// Whether it sends more than one message again. Without `--yes`, those of a type are only shown.
fn releases_many(given: &ReleaseRejected) -> bool {
    given.keys.len() > 1 || (given.kind.is_some() && given.confirmed.yes)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn problem(line: &str) -> Option<String> {
        let words = std::iter::once("evenkeel").chain(line.split_whitespace());
        check(&Cli::parse_from(words).command).err().map(|failure| failure.message)
    }

    /// The key of a rejected message.
    const KEY: &str = "q#4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";

    #[test]
    fn what_many_depend_on_is_not_changed_without_a_reason() {
        for line in [
            "breaker open d --for 5m",
            "breaker close d --for 5m",
            "breaker auto d",
            "limiter set d --pace 50",
            "queues pause a --for 5m",
            "queues set a --concurrency 4 --for 5m",
            "jobs retry --type a --all --yes",
            "jobs cancel --type a --class systemic --yes --as-of 7",
            "rejected release --type a --yes",
            &format!("rejected release {KEY} {KEY}"),
        ] {
            assert!(problem(line).unwrap().starts_with("--reason: missing"), "{line}");
            assert_eq!(problem(&format!("{line} --reason x")), None, "{line}");
            assert_eq!(problem(&format!("{line} --dry-run")), None, "{line}");
        }
        for line in [
            "jobs retry 1",
            "jobs retry --type a --all",
            &format!("rejected release {KEY}"),
            "queues resume a",
            "health",
        ] {
            assert_eq!(problem(line), None, "{line}");
        }
    }

    #[test]
    fn a_vin_and_the_key_of_a_rejected_message_have_their_form() {
        for line in ["cars show d 1M8GDM9AXKP04278", "cars show d 1M8GDM9AXKP04278-"] {
            let bad = problem(line).unwrap();
            assert!(bad.ends_with("expected 17 letters and digits"), "{line}: {bad}");
        }
        assert_eq!(problem("cars show d 1m8gdm9axkp042788"), None);
        for other in [
            "webhook#g:1",
            "q#",
            "q#1",
            &KEY[1..],
            &KEY[..65],
            &format!("{KEY}0"),
            &KEY.replace('4', "g"),
        ] {
            let bad = problem(&format!("rejected release {KEY} {other} --reason x")).unwrap();
            assert_eq!(bad, format!("key: {other:?}, expected q# and 64 hexadecimal digits"));
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let car = cursor::of("car#1M8GDM9AXKP042788");
        for line in ["jobs list", "rejected list", "cars list d", "ops log", "audit findings"] {
            let bad = problem(&format!("{line} --after xyz")).unwrap();
            assert!(bad.starts_with("cursor: expected the one"), "{line}: {bad}");
        }
        assert!(problem(&format!("jobs list --after {car}")).is_some());
        assert_eq!(problem(&format!("cars list d --after {car}")), None);
        assert_eq!(problem(&format!("jobs list --cursor {}", cursor::of("7#a#g:1"))), None);
    }
}
