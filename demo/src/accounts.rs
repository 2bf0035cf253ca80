//! What must hold of messages and links in the end, whatever has gone wrong before. The simulation's oracle judges by it
//! in virtual time, and `chaos` on a local stack. It sees plain values, and uses nothing of the engine.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::rebrandly::{Link, LinkStatus};

/// What has become of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate<'a> {
    /// Its job, which has this key, has ended.
    Ended(&'a str),
    /// It is kept as rejected.
    Rejected,
    /// Its job has not ended, and it is not kept.
    Lost,
}

/// What has become of all messages: sent = ended + folded + rejected, if none is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Messages that have made a job which has ended.
    pub ended: usize,
    /// Further messages for such a job.
    pub folded: usize,
    /// Messages that are kept as rejected.
    pub rejected: usize,
    /// The places of the messages that are neither, in the order in which they were given.
    pub lost: Vec<usize>,
}

/// Counts what has become of messages.
#[must_use]
pub fn account<'a>(fates: impl IntoIterator<Item = Fate<'a>>) -> Account {
    let mut account = Account::default();
    let mut jobs = BTreeSet::new();
    for (place, fate) in fates.into_iter().enumerate() {
        match fate {
            Fate::Ended(key) if jobs.insert(key) => account.ended += 1,
            Fate::Ended(_) => account.folded += 1,
            Fate::Rejected => account.rejected += 1,
            Fate::Lost => account.lost.push(place),
        }
    }
    account
}

/// The destinations to which more than one live link leads, and how many do. A car has one destination.
#[must_use]
pub fn linked_more_than_once(links: &[Link]) -> BTreeMap<&str, usize> {
    let mut live = BTreeMap::<&str, usize>::new();
    for link in links.iter().filter(|link| link.status == LinkStatus::Active) {
        *live.entry(link.destination.as_str()).or_default() += 1;
    }
    live.retain(|_, count| *count > 1);
    live
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sandbox::rebrandly::{CreatedBy, Domain, Link, LinkStatus};

    use super::{Account, Fate, account, linked_more_than_once};

    #[test]
    fn each_message_is_counted_once() {
        let fates =
            [Fate::Ended("a"), Fate::Rejected, Fate::Ended("b"), Fate::Lost, Fate::Ended("a")];
        let expected = Account { ended: 2, folded: 1, rejected: 1, lost: vec![3] };
        assert_eq!(account(fates), expected);
    }

    fn link(destination: &str, status: LinkStatus) -> Link {
        Link {
            id: String::new(),
            title: String::new(),
            slashtag: String::new(),
            destination: destination.to_owned(),
            domain: Domain { id: String::new(), full_name: String::new() },
            status,
            visible: true,
            created_by: CreatedBy::Api,
            created_at_ms: 0,
            updated_at_ms: 0,
        }
    }

    #[test]
    fn only_live_links_count() {
        let (live, gone) = (LinkStatus::Active, LinkStatus::Deleted);
        let links = [link("a", live), link("b", live), link("b", gone), link("a", live)];
        assert_eq!(linked_more_than_once(&links), BTreeMap::from([("a", 2)]));
    }
}
