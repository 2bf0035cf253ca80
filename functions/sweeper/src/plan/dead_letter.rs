//! What the log of dead letters says of a message.

use evenkeel::{
    base::time::Time,
    message::{Purpose, ReceivedMessage, RejectedMessage},
    ports::notes::DeadLetter,
    record::Record,
};

use super::redrive::{Action, Asked, came_from};
use crate::config::JobType;

/// The entry about a message. `asked` is what it asks for, if it can be read, and `record` is its job's.
#[must_use]
pub fn entry(
    job: &JobType,
    message: &ReceivedMessage,
    asked: Option<&Asked>,
    action: &Action,
    record: Option<&Record>,
    now: Time,
) -> DeadLetter {
    let queue = came_from(job, message);
    let is_held = matches!(action, Action::Hold(_));
    DeadLetter {
        at: now.as_millis(),
        kind: job.kind.clone(),
        message_id: message.message_id().to_owned(),
        job: asked.map(|asked| asked.key.clone()),
        queue: queue.to_owned(),
        sent_at: message.sent_at.as_millis(),
        receives: message.receives,
        outcome: action.name().to_owned(),
        reason: reason(message, action, record),
        rejected: is_held.then(|| RejectedMessage::key_of(queue, message.body())),
    }
}

/// Why the message is dealt with like this.
fn reason(message: &ReceivedMessage, action: &Action, record: Option<&Record>) -> String {
    let state = record.map_or("gone", |record| record.phase.name());
    match action {
        Action::Hold(rejection) => rejection.to_string(),
        Action::IndexLeaseExpiry => {
            "its job runs, and is resumed at the end of its lease if the run does not end"
                .to_owned()
        }
        Action::Drop("check") => {
            "it only asked to check a result, which the audit asks again".to_owned()
        }
        Action::Drop("ended") => format!("its job has ended: it is {state}"),
        Action::Drop(_) => format!("its job is {state}, and the sweeper finds it when it is due"),
        Action::Redrive => match record {
            _ if message.purpose == Purpose::Redrive => {
                "its type does no other work: this tries whether the function works again"
                    .to_owned()
            }
            None => "no record is known under the key that its body leads to".to_owned(),
            Some(record) if record.phase.ended_at().is_some_and(|at| at < message.sent_at) => {
                format!("it asks once more for a job that was {state} before it was sent")
            }
            Some(_) => "its job is known with another payload".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use evenkeel::message::{Flaw, Rejection};

    use super::*;
    use crate::{
        config::Source,
        plan::test_records::{NOW, QUEUE, record, seconds, succeeded, waiting},
    };

    fn job() -> JobType {
        let source = |name: &str| Source {
            queue: format!("arn:aws:sqs:eu-west-1:1:{name}"),
            mapping: name.into(),
            concurrency: 4,
        };
        JobType {
            kind: "errand".into(),
            dependency: None,
            per_second: None,
            weight: 1,
            normal: source("errand"),
            high: source("errand-high"),
            dead: "arn:aws:sqs:eu-west-1:1:errand-dlq".into(),
        }
    }

    fn message() -> ReceivedMessage {
        ReceivedMessage {
            message_id: Some("m".into()),
            body: Some("{}".into()),
            sent_at: NOW,
            receives: 26,
            ..ReceivedMessage::default()
        }
    }

    fn reason_of(action: &Action, record: Option<&Record>) -> String {
        super::reason(&message(), action, record)
    }

    #[test]
    fn an_entry_names_the_message_the_job_and_where_it_is_kept() {
        let asked = Asked { key: "errand#g:7".into(), payload: "{}".into() };
        let sent_back = entry(&job(), &message(), Some(&asked), &Action::Redrive, None, NOW);
        assert_eq!((sent_back.kind.as_str(), sent_back.receives), ("errand", 26));
        assert_eq!(sent_back.job.as_deref(), Some("errand#g:7"));
        assert_eq!((sent_back.outcome.as_str(), sent_back.rejected), ("sent_back", None));
        let hold = Action::Hold(Rejection::new(Flaw::Malformed, "body: no JSON"));
        let kept = entry(&job(), &message(), None, &hold, None, NOW);
        assert_eq!(
            (kept.outcome.as_str(), kept.reason.as_str()),
            ("held", "malformed: body: no JSON")
        );
        assert_eq!(kept.rejected, Some(RejectedMessage::key_of(QUEUE, "{}")));
        assert_eq!(kept.job, None);
    }

    #[test]
    fn the_reason_says_what_was_known_of_the_job() {
        let done = record("errand#g:7", succeeded(NOW.before(seconds(5))));
        let waits = record("errand#g:7", waiting(NOW));
        assert_eq!(
            reason_of(&Action::Drop("ended"), Some(&done)),
            "its job has ended: it is succeeded"
        );
        assert!(reason_of(&Action::Drop("already_due"), Some(&waits)).contains("is waiting"));
        assert!(reason_of(&Action::Redrive, None).starts_with("no record"));
        assert!(reason_of(&Action::Redrive, Some(&done)).starts_with("it asks once more"));
        assert!(reason_of(&Action::Redrive, Some(&waits)).ends_with("another payload"));
        let again = ReceivedMessage { purpose: Purpose::Redrive, ..message() };
        assert!(reason(&again, &Action::Redrive, None).starts_with("its type does no other work"));
    }
}
