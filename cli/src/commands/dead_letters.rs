//! `evenkeel dlq`: what became of dead letters, from the log that the sweeper keeps.

use std::cmp::Reverse;

use evenkeel::{
    base::time::Time,
    ports::notes::{DEAD_LETTER, DEAD_LETTER_RETENTION, DeadLetter},
};

use crate::{
    args::ListDeadLetters,
    deployment::Deployment,
    exit::Failure,
    moment::Moment,
    output::Answer,
    ports::Ports,
    shapes::{DeadLetterList, DeadLetterShown},
    table::table,
};

/// Entries of a type that are read: as many as the sweeper keeps.
const MOST_READ: usize = 1_000;

/// Lists dead letters, the latest first. The log of a type is a ring, so all of it is read.
pub(super) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListDeadLetters,
    moment: Moment,
) -> Result<Answer, Failure> {
    let (mut letters, mut units) = (Vec::new(), 0.0);
    for job in &stack.chosen(wanted.kind.as_deref())? {
        let span = [format!("{}#", job.kind), format!("{}#~", job.kind)];
        let read = ports.notes_between(&stack.control, DEAD_LETTER, &span, MOST_READ).await?;
        units += read.units;
        let parsed = read.value.iter().map(|note| serde_json::from_str::<DeadLetter>(&note.text));
        letters.extend(parsed.filter_map(Result::ok));
    }
    // DynamoDB may remove an entry days after its time.
    let from = moment.now.before(DEAD_LETTER_RETENTION).as_millis();
    letters.retain(|letter| letter.at >= from);
    letters.sort_by_key(|letter| Reverse(letter.at));
    let most = usize::from(wanted.limit);
    let more = letters.len() > most;
    let dead_letters: Vec<DeadLetterShown> =
        letters.into_iter().take(most).map(DeadLetterShown::from).collect();
    let head = ["AT", "TYPE", "OUTCOME", "RECEIVES", "JOB OR KEPT AS", "MESSAGE", "REASON"];
    let text = table(&head, dead_letters.iter().map(|letter| row(letter, moment)).collect());
    let count = dead_letters.len();
    let remark = match (count, more) {
        (0, _) => "none found".to_owned(),
        (_, true) => format!("{count} shown, and there are more: raise --limit"),
        (_, false) => format!("{count} in all"),
    };
    let list = DeadLetterList { dead_letters, more, read_units: units };
    Ok(Answer::list(&list, "dead_letters", text)?.remark(remark))
}

fn row(letter: &DeadLetterShown, moment: Moment) -> Vec<String> {
    vec![
        moment.show(Time::from_millis(letter.at)),
        letter.kind.clone(),
        letter.outcome.clone(),
        letter.receives.to_string(),
        letter.rejected.as_ref().or(letter.job.as_ref()).cloned().unwrap_or_default(),
        letter.message_id.clone(),
        letter.reason.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{args::TimeForm, memory::MemoryPorts, stack, stack::Target};

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn letter(kind: &str, number: u64, ago: Duration, outcome: &str) -> (String, String) {
        let letter = DeadLetter {
            at: NOW.before(ago).as_millis(),
            kind: kind.into(),
            message_id: format!("m-{number}"),
            job: Some(format!("{kind}#g:{number}")),
            queue: format!("arn:aws:sqs:eu-west-1:1:s-{kind}"),
            sent_at: 0,
            receives: 26,
            outcome: outcome.into(),
            reason: "see https://u:p@h/\u{1b}[2J".into(),
            rejected: (outcome == "held").then(|| "q#ab".to_owned()),
        };
        let name = DeadLetter::note_key(kind, number).name;
        (name, serde_json::to_string(&letter).unwrap())
    }

    async fn told(wanted: &ListDeadLetters) -> Result<String, Failure> {
        let mut ports = MemoryPorts::stack("s", r#"[{"type":"a"},{"type":"b"}]"#);
        let hour = Duration::from_hours(1);
        for (name, text) in [
            letter("a", 0, hour * 24 * 31, "ended"),
            letter("a", 1, hour * 3, "ended"),
            letter("a", 2, hour, "held"),
            letter("b", 0, hour * 2, "sent_back"),
        ] {
            ports = ports.with_note(DEAD_LETTER, &name, &text);
        }
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let moment = Moment { now: NOW, form: TimeForm::Ms };
        Ok(format!("{:?}", list(&ports, &stack, wanted, moment).await?))
    }

    #[tokio::test]
    async fn dead_letters_are_listed_the_latest_first_and_clean() {
        let told = told(&ListDeadLetters { kind: None, limit: 50 }).await.unwrap();
        let place = |what: &str| told.find(what).unwrap_or_else(|| panic!("{what}: {told}"));
        assert!(place("m-2") < place("b#g:0") && place("b#g:0") < place("a#g:1"), "{told}");
        assert!(told.contains("q#ab") && told.contains("3 in all"), "{told}");
        assert!(!told.contains("u:p@"), "{told}");
        assert!(told.contains('\u{fffd}'), "{told}");
    }

    #[tokio::test]
    async fn a_list_is_restricted_by_type_and_limit() {
        let told_of_a = told(&ListDeadLetters { kind: Some("a".into()), limit: 1 }).await.unwrap();
        assert!(told_of_a.contains("1 shown, and there are more"), "{told_of_a}");
        assert!(!told_of_a.contains("b#g:0"), "{told_of_a}");
        let failure = told(&ListDeadLetters { kind: Some("x".into()), limit: 1 }).await;
        assert_eq!(failure.unwrap_err().code, "usage");
    }
}
