//! The faults that a drill draws from, and what its answer says of each.

use crate::incident::chance::Chance;

/// How many faults a drill strikes.
pub(super) const DRAWN: usize = 5;

/// Something that goes wrong in operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    RevokedKey,
    FeedGone,
    ForeignSlashtags,
    TableThrottled,
    QueuePaused,
    PoisonMessage,
    ForgottenBreaker,
    ScheduleOff,
    PlanLimit,
    SlowService,
    WrongDomain,
    DeadLetters,
}

/// One step of what mends a fault.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The words of a command, without `evenkeel`.
    Evenkeel(&'static [&'static str]),
    /// What is done elsewhere: with a third party, or with another tool of AWS.
    Outside(&'static str),
}

/// What the answer says of a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    pub(super) what: &'static str,
    /// The commands that show it, without `evenkeel`. The last one names the cause.
    pub(super) find: &'static [&'static [&'static str]],
    /// What the last of these commands prints while the fault lasts.
    pub(super) shows: &'static str,
    pub(super) mend: &'static [Step],
    /// The beginning of its row in docs/troubleshooting.md.
    pub(super) row: &'static str,
}

/// The ids of the jobs that some faults strike. They look like those of any sender.
pub(super) mod id {
    pub(in crate::drill) const FEED: &str = "order-7203";
    pub(in crate::drill) const LINK: &str = "order-7318";
    pub(in crate::drill) const CRASHING: &str = "order-7411";
    pub(in crate::drill) const UNACKNOWLEDGED: [&str; 3] =
        ["order-7502", "order-7503", "order-7504"];
}

impl Fault {
    pub(super) const ALL: [Self; 12] = [
        Self::RevokedKey,
        Self::FeedGone,
        Self::ForeignSlashtags,
        Self::TableThrottled,
        Self::QueuePaused,
        Self::PoisonMessage,
        Self::ForgottenBreaker,
        Self::ScheduleOff,
        Self::PlanLimit,
        Self::SlowService,
        Self::WrongDomain,
        Self::DeadLetters,
    ];

    /// The faults of a seed, in the order in which they strike.
    pub(super) fn drawn(seed: u64) -> Vec<Self> {
        let places = Chance::of(seed).shuffled(0..Self::ALL.len());
        places.into_iter().take(DRAWN).filter_map(|place| Self::ALL.get(place).copied()).collect()
    }

    pub(super) const fn card(self) -> Card {
        match self {
            Self::RevokedKey
            | Self::ForgottenBreaker
            | Self::PlanLimit
            | Self::SlowService
            | Self::WrongDomain => self.of_service(),
            Self::FeedGone | Self::ForeignSlashtags | Self::PoisonMessage | Self::DeadLetters => {
                self.of_jobs()
            }
            _ => self.of_stack(),
        }
    }

    /// Faults between the stack and Rebrandly.
    const fn of_service(self) -> Card {
        const BREAKER: &[&[&str]] = &[&["health"], &["breaker", "show", "rebrandly"]];
        match self {
            Self::RevokedKey => Card {
                what: "Rebrandly's key was revoked: jobs are parked, and the breaker is open",
                find: BREAKER,
                shows: "http_401",
                mend: &[Step::Outside(
                    "put the key that Rebrandly accepts now into the secret evenkeel/rebrandly \
                     (aws secretsmanager put-secret-value)",
                )],
                row: "`parked`, `why` says `http_401`, `no_key` or `bad_key`",
            },
            Self::PlanLimit => Card {
                what: "Rebrandly's plan is used up: no link is created, and the breaker is open",
                find: BREAKER,
                shows: "plan_limit",
                mend: &[Step::Outside("extend the plan: a higher plan_limit at Rebrandly")],
                row: "`parked`, `why` says `plan_limit` or `http_402`",
            },
            Self::SlowService => Card {
                what: "Rebrandly answers too late: calls are cut off, and the breaker opens",
                find: BREAKER,
                shows: "open",
                mend: &[Step::Outside("tell Rebrandly's support: a lower latency_ms there")],
                row: "`parked`, `why` says `breaker_open` and then how many calls failed or were \
                      slow",
            },
            Self::WrongDomain => Card {
                what: "the function was deployed with a domain that Rebrandly does not know",
                find: BREAKER,
                shows: "configuration",
                mend: &[Step::Outside(
                    "deploy the parameter RebrandlyDomain=rebrand.ly, here the variable \
                     REBRANDLY_DOMAIN of the function (aws lambda update-function-configuration)",
                )],
                row: "`parked`, `why` says `configuration` or `http_404`",
            },
            _ => Card {
                what: "somebody forced Rebrandly's breaker open for a day, and forgot it",
                find: &[&["health"], &["ops", "log"], &["breaker", "show", "rebrandly"]],
                shows: "forced_open",
                mend: &[Step::Evenkeel(&[
                    "breaker",
                    "auto",
                    "rebrandly",
                    "--reason",
                    "their maintenance is over",
                ])],
                row: "`evenkeel health` says `breaker_open`, and the breaker is `forced_open`",
            },
        }
    }

    /// Faults of single jobs and messages.
    const fn of_jobs(self) -> Card {
        match self {
            Self::FeedGone => Card {
                what: "the site of harbor has no inventory any more: its feed was given up",
                find: &[&["jobs", "list", "--state", "dead"], &["jobs", "explain", id::FEED]],
                shows: "http_404",
                mend: &[
                    Step::Outside("ask the dealer: widget and inventory_post of the site harbor"),
                    Step::Evenkeel(&["jobs", "retry", id::FEED, "--reason", "the site is back"]),
                ],
                row: "a feed is `dead`, `why` says `http_404`",
            },
            Self::ForeignSlashtags => Card {
                what: "all slashtags of a car belong to links of another workspace",
                find: &[&["jobs", "list", "--stuck"], &["jobs", "explain", id::LINK]],
                shows: "holder_invisible",
                mend: &[Step::Evenkeel(&[
                    "jobs",
                    "cancel",
                    id::LINK,
                    "--reason",
                    "the names belong to another workspace",
                ])],
                row: "`waiting`, and the last code in `history` is `holder_invisible`",
            },
            Self::PoisonMessage => Card {
                what: "a job has killed its process three times, and is quarantined",
                find: &[
                    &["health"],
                    &["jobs", "list", "--state", "quarantined"],
                    &["jobs", "explain", id::CRASHING],
                ],
                shows: "quarantined",
                mend: &[Step::Evenkeel(&[
                    "jobs",
                    "retry",
                    id::CRASHING,
                    "--reason",
                    "the cause is gone",
                ])],
                row: "`quarantined`, `crashed 3 times`",
            },
            _ => Card {
                what: "messages came to the dead-letter queue twice, and are held as rejected",
                find: &[&["health"], &["rejected", "list"]],
                shows: "rejected",
                mend: &[Step::Evenkeel(&[
                    "rejected",
                    "release",
                    "--type",
                    "product_detail_scraping",
                    "--flaw",
                    "unacknowledged",
                    "--yes",
                    "--reason",
                    "the function is well again",
                ])],
                row: "`rejected`, flaw `unacknowledged`",
            },
        }
    }

    /// Faults of the stack's own parts in AWS.
    const fn of_stack(self) -> Card {
        match self {
            Self::TableThrottled => Card {
                what: "the tables refuse the writes of feeds: a hot partition",
                find: &[&["queues", "list"]],
                shows: "dealer-com-feed",
                mend: &[Step::Evenkeel(&[
                    "queues",
                    "pause",
                    "dealer_com_feed",
                    "--for",
                    "2m",
                    "--reason",
                    "the table throttles",
                ])],
                row: "a queue grows, and its function logs `\"outcome\":\"unavailable\"` again and \
                      again",
            },
            Self::QueuePaused => Card {
                what: "the queue of the pages does not deliver: its mapping was disabled by hand",
                find: &[&["health"], &["queues", "list"]],
                shows: "isabled",
                mend: &[Step::Evenkeel(&[
                    "queues",
                    "resume",
                    "product_detail_scraping",
                    "--reason",
                    "nobody needs the pause",
                ])],
                row: "`evenkeel health` says `queue_paused`",
            },
            _ => Card {
                what: "the sweeper's schedule is off: what is parked or lost stays so",
                find: &[&["doctor"], &["health"]],
                shows: "sweeper_silent",
                mend: &[Step::Outside(
                    "switch the schedule evenkeel-sweeper on (aws scheduler update-schedule)",
                )],
                row: "`evenkeel health` says `sweeper_silent`",
            },
        }
    }
}

/// A command as a shell takes it.
pub(super) fn shown(words: &[&str]) -> String {
    let quoted = |word: &&str| {
        if word.contains(char::is_whitespace) { format!("\"{word}\"") } else { (*word).to_owned() }
    };
    let quoted: Vec<String> = words.iter().map(quoted).collect();
    format!("evenkeel {}", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_always_draws_the_same_five_different_faults() {
        for seed in 0..40 {
            let drawn = Fault::drawn(seed);
            assert_eq!(drawn, Fault::drawn(seed));
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), DRAWN, "{seed}: {drawn:?}");
        }
        assert_ne!(Fault::drawn(1), Fault::drawn(2));
    }

    #[test]
    fn forty_seeds_draw_every_fault() {
        let drawn: BTreeSet<Fault> = (0..40).flat_map(Fault::drawn).collect();
        assert_eq!(drawn, BTreeSet::from(Fault::ALL));
    }

    #[test]
    fn every_fault_has_a_row_of_its_own_in_the_troubleshooting_page() {
        let page = include_str!("../../../docs/troubleshooting.md");
        let mut rows = BTreeSet::new();
        for fault in Fault::ALL {
            let Card { row, find, mend, .. } = fault.card();
            assert!(page.contains(&format!("\n| {row} | ")), "{fault:?}: no row {row:?}");
            assert!(rows.insert(row), "{fault:?} shares its row");
            assert!(!find.is_empty() && !mend.is_empty(), "{fault:?}");
        }
    }

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let words = ["jobs", "retry", "a", "--reason", "it is back"];
        assert_eq!(shown(&words), "evenkeel jobs retry a --reason \"it is back\"");
    }
}
