//! What must hold once everything was well for long enough. The rules for messages and links are those of the
//! simulation's oracle ([`accounts`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::ground::Message;
use super::strike::{Count, Struck};
use crate::accounts::{self, Account, Fate};
use crate::scene::Snapshot;
use crate::scene::record::Record;

/// The states in which nothing happens to a record any more.
const TERMINAL: [&str; 5] = ["cancelled", "dead", "quarantined", "rejected", "succeeded"];

/// The states of a job that was given up, which must have a reason.
const GIVEN_UP: [&str; 3] = ["dead", "quarantined", "rejected"];

/// The most lines about one rule.
const MOST_LINES: usize = 12;

/// What is known in the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub(super) sent: Vec<Message>,
    pub(super) last: Snapshot,
    /// Dependencies whose breakers are not closed, with their states.
    pub(super) open_breakers: Vec<String>,
    pub(super) struck: Struck,
}

/// A rule, and what breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    name: &'static str,
    broken: Vec<String>,
}

/// Whether a record is at its end.
pub(super) fn has_ended(record: &Record) -> bool {
    TERMINAL.contains(&record.state.as_str())
}

/// What has become of each message that was sent.
fn account(evidence: &Evidence) -> Account {
    let records = &evidence.last.records;
    let ended: BTreeSet<&str> =
        records.iter().filter(|r| has_ended(r)).map(|r| r.pk.as_str()).collect();
    let kept: BTreeSet<&str> = records.iter().filter_map(|r| r.body.as_deref()).collect();
    accounts::account(evidence.sent.iter().map(|message| match message.key.as_deref() {
        Some(key) if ended.contains(key) => Fate::Ended(key),
        _ if kept.contains(message.body.as_str()) => Fate::Rejected,
        _ => Fate::Lost,
    }))
}

fn rules(evidence: &Evidence, account: &Account) -> Vec<Rule> {
    let Evidence { sent, last, open_breakers, struck } = evidence;
    let open = last.records.iter().filter(|record| !has_ended(record)).map(shown);
    let silent = last.records.iter().filter(|record| {
        GIVEN_UP.contains(&record.state.as_str())
            && record.why.as_ref().is_none_or(String::is_empty)
    });
    let queues = [(last.queued, "in the queues"), (last.dead_letters, "in the dead-letter queues")];
    let left = queues.into_iter().filter(|(count, _)| *count > 0);
    let lost = account.lost.iter().filter_map(|place| sent.get(*place));
    let lost = lost.map(|message| message.key.clone().unwrap_or_else(|| message.body.clone()));
    let doubled = accounts::linked_more_than_once(&last.links).into_iter();
    let rule = |name, broken| Rule { name, broken };
    vec![
        rule("every job has ended", open.collect()),
        rule("what is given up has a reason", silent.map(shown).collect()),
        rule(
            "the queues are empty",
            left.map(|(count, place)| format!("{count} {place}")).collect(),
        ),
        rule("sent = ended + rejected + folded", lost.collect()),
        rule(
            "a car has at most one live link",
            doubled.map(|(car, links)| format!("{car}: {links}")).collect(),
        ),
        rule("the breakers are closed", open_breakers.clone()),
        rule("at least half of the strikes struck something", missed(struck)),
    ]
}

/// The faults that struck nothing, if fewer than half of all strikes did. A storm that strikes nothing shows nothing.
fn missed(struck: &Struck) -> Vec<String> {
    let planned: usize = struck.values().map(|count| count.planned).sum();
    let hits: usize = struck.values().map(|count| count.struck).sum();
    if planned > 0 && hits * 2 >= planned {
        return Vec::new();
    }
    let missed = struck.iter().filter(|(_, count)| count.struck == 0);
    let missed = missed.map(|(fault, _)| format!("never: {}", fault.name()));
    [format!("{hits} of {planned}")].into_iter().chain(missed).collect()
}

fn shown(record: &Record) -> String {
    let why = record.why.as_deref().unwrap_or("no reason");
    format!("{}: {} ({why})", record.pk, record.state)
}

/// Judges, and returns the report and whether every rule holds.
pub(super) fn judge(evidence: &Evidence) -> (String, bool) {
    let account = account(evidence);
    let rules = rules(evidence, &account);
    let mut text = String::new();
    // Writing to a text never fails.
    let _ = writeln!(text, "{:<52}{:>8}{:>8}", "strikes", "planned", "struck");
    for (fault, Count { planned, struck }) in &evidence.struck {
        let _ = writeln!(text, "  {:<50}{planned:>8}{struck:>8}", fault.name());
    }
    let Account { ended, folded, rejected, .. } = account;
    let sent = evidence.sent.len();
    let _ = writeln!(
        text,
        "\nmessages: {sent} sent, {ended} made jobs that ended, {folded} were folded into them, \
         {rejected} are kept as rejected"
    );
    let _ = writeln!(text, "records:  {}", states(&evidence.last.records));
    let _ = writeln!(text, "links:    {}\n", evidence.last.links.len());
    for Rule { name, broken } in &rules {
        let _ = writeln!(text, "{:<8}{name}", if broken.is_empty() { "holds" } else { "BROKEN" });
        for line in broken.iter().take(MOST_LINES) {
            let _ = writeln!(text, "          {line}");
        }
        if broken.len() > MOST_LINES {
            let _ = writeln!(text, "          and {} more", broken.len() - MOST_LINES);
        }
    }
    (text, rules.iter().all(|rule| rule.broken.is_empty()))
}

/// How many records are in each state.
pub(super) fn states(records: &[Record]) -> String {
    let mut states = BTreeMap::<&str, usize>::new();
    for record in records {
        *states.entry(record.state.as_str()).or_default() += 1;
    }
    let states: Vec<String> =
        states.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    states.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chaos::plan::Fault;
    use crate::incident::job::Kind;

    fn record(pk: &str, state: &str) -> Record {
        let why = Some("a reason".to_owned());
        Record { pk: pk.to_owned(), state: state.to_owned(), why, ..Record::default() }
    }

    /// Two messages for one job, and one that is kept as rejected.
    fn good() -> Evidence {
        let message = Message::new(Kind::Shortening, "a", &json!({}));
        let body = "no message".to_owned();
        let flawed = Message { kind: Kind::Shortening, key: None, body: body.clone() };
        let kept = Record { body: Some(body), ..record("q#1", "rejected") };
        let records = vec![record("url_shortening#g:a", "succeeded"), kept];
        Evidence {
            sent: vec![message.clone(), flawed, message],
            last: Snapshot { records, ..Snapshot::default() },
            open_breakers: Vec::new(),
            struck: [(Fault::Killed, Count { planned: 2, struck: 1 })].into(),
        }
    }

    /// The names of the rules that are broken.
    fn broken(evidence: &Evidence) -> Vec<&'static str> {
        let rules = rules(evidence, &account(evidence));
        rules.into_iter().filter(|rule| !rule.broken.is_empty()).map(|rule| rule.name).collect()
    }

    #[test]
    fn all_rules_hold_where_all_is_well() {
        let (text, holds) = judge(&good());
        assert!(holds, "{text}");
        assert_eq!(broken(&good()), Vec::<&str>::new());
        assert!(text.contains("3 sent, 1 made jobs that ended, 1 were folded"), "{text}");
        assert!(text.contains("1 rejected, 1 succeeded"), "{text}");
    }

    #[test]
    fn a_job_that_is_lost_or_does_not_end_breaks_a_rule() {
        let mut evidence = good();
        evidence.last.records.remove(0);
        assert_eq!(broken(&evidence), ["sent = ended + rejected + folded"]);
        let mut evidence = good();
        evidence.last.records[0].state = "parked".to_owned();
        assert_eq!(broken(&evidence), ["every job has ended", "sent = ended + rejected + folded"]);
        let mut evidence = good();
        evidence.last.records[1].why = None;
        assert_eq!(broken(&evidence), ["what is given up has a reason"]);
    }

    #[test]
    fn what_is_left_breaks_a_rule() {
        let mut evidence = good();
        evidence.last.dead_letters = 1;
        assert_eq!(broken(&evidence), ["the queues are empty"]);
        let evidence = Evidence { open_breakers: vec!["rebrandly: open".to_owned()], ..good() };
        assert_eq!(broken(&evidence), ["the breakers are closed"]);
        let (text, holds) = judge(&evidence);
        assert!(!holds && text.contains("rebrandly: open"), "{text}");
    }

    #[test]
    fn a_storm_that_strikes_nothing_breaks_a_rule() {
        let struck = [(Fault::Killed, Count { planned: 3, struck: 1 })].into();
        let evidence = Evidence { struck, ..good() };
        assert_eq!(broken(&evidence), ["at least half of the strikes struck something"]);
        let evidence = Evidence { struck: Struck::new(), ..good() };
        assert_eq!(broken(&evidence), ["at least half of the strikes struck something"]);
    }
}
