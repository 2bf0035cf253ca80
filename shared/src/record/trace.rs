//! The trace that a job belongs to: which request of which system has led to it.
//!
//! A trace is kept in the form of X-Ray, because SQS and Lambda pass on no other. The forms are described in
//! "Tracing header" and "Sending trace data to AWS X-Ray" (X-Ray developer guide), and in W3C Trace Context, section
//! 3.2 "Traceparent Header".

use std::fmt;

/// The system attribute of an SQS message that holds its trace. SQS does not count it as a part of the message's size.
pub const AWS_TRACE_HEADER: &str = "AWSTraceHeader";

/// The message attribute in which senders that follow W3C Trace Context name their trace.
pub const TRACEPARENT: &str = "traceparent";

/// Longest header that is read, in bytes. The three fields that are kept take 74.
const MAX_HEADER_BYTES: usize = 1_024;

/// Hexadecimal digits of the parts of an id of X-Ray: the time of the request, in seconds since the epoch, and what
/// makes the id unique.
const ROOT_DIGITS: [usize; 2] = [8, 24];

/// Hexadecimal digits of the id of a trace in W3C Trace Context.
const TRACE_DIGITS: usize = ROOT_DIGITS[0] + ROOT_DIGITS[1];

/// Hexadecimal digits of the id of a span.
const PARENT_DIGITS: usize = 16;

/// The flag of a `traceparent` whose sender records the trace.
const SAMPLED: u8 = 1;

/// The trace of a job.
///
/// Of a header, only `Root`, `Parent` and `Sampled` are kept. `Lineage` counts calls from function to function, and
/// Lambda stops a chain of some 16 ("Lambda recursive loop detection"): a job that was woken as often is no loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    id: String,
    parent: Option<String>,
    sampled: Option<bool>,
}

impl Trace {
    /// The trace of a message with these two attributes; `None` if neither names a valid one.
    ///
    /// A valid `traceparent` takes precedence: its sender has set it, whereas AWS's SDKs add the other by themselves.
    #[must_use]
    pub fn of_message(traceparent: Option<&str>, header: Option<&str>) -> Option<Self> {
        let from_sender = traceparent.and_then(Self::of_traceparent);
        from_sender.or_else(|| header.and_then(Self::of_header))
    }

    /// The trace of a header of X-Ray, such as
    /// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`. `Parent` and `Sampled` may be
    /// missing, and other fields are left out. `None` if one of the three has an invalid value.
    #[must_use]
    pub fn of_header(header: &str) -> Option<Self> {
        if header.len() > MAX_HEADER_BYTES {
            return None;
        }
        let (mut id, mut parent, mut sampled) = (None, None, None);
        for field in header.split(';') {
            let Some((name, value)) = field.trim().split_once('=') else { continue };
            match (name, value) {
                ("Root", root) if is_root(root) => id = Some(root.to_owned()),
                ("Parent", span) if is_id(span, PARENT_DIGITS) => parent = Some(span.to_owned()),
                ("Sampled", "1") => sampled = Some(true),
                ("Sampled", "0") => sampled = Some(false),
                // The sender leaves the decision to whoever comes next, and so does the engine.
                ("Sampled", "?") => sampled = None,
                ("Root" | "Parent" | "Sampled", _) => return None,
                _ => {}
            }
        }
        Some(Self { id: id?, parent, sampled })
    }

    /// The trace of a `traceparent`, such as `00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01`. The first 8
    /// digits of its id become the time of X-Ray's. `None` if it is not valid.
    #[must_use]
    pub fn of_traceparent(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim().splitn(5, '-');
        let [version, trace, parent, flags] =
            [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        // A later version may have more fields behind these four.
        let is_known = match version {
            "00" => parts.next().is_none(),
            "ff" => false,
            later => is_hex(later, 2),
        };
        let is_valid = is_id(trace, TRACE_DIGITS) && is_id(parent, PARENT_DIGITS);
        if !(is_known && is_valid && is_hex(flags, 2)) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let (time, unique) = trace.split_at(ROOT_DIGITS[0]);
        Some(Self {
            id: format!("1-{time}-{unique}"),
            parent: Some(parent.to_owned()),
            sampled: Some(flags & SAMPLED != 0),
        })
    }

    /// The id by which X-Ray finds the trace, such as `1-5759e988-bd862e3fe1be46a994272793`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The header of X-Ray, at most 74 bytes. [`Trace::of_header`] reads it.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.id)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        if let Some(sampled) = self.sampled {
            write!(f, ";Sampled={}", u8::from(sampled))?;
        }
        Ok(())
    }
}

/// Whether a text is an id of X-Ray.
fn is_root(text: &str) -> bool {
    let parts = text.strip_prefix("1-").and_then(|parts| parts.split_once('-'));
    parts.is_some_and(|(time, unique)| {
        is_hex(time, ROOT_DIGITS[0])
            && is_hex(unique, ROOT_DIGITS[1])
            && (is_not_zero(time) || is_not_zero(unique))
    })
}

/// Whether a text is an id of so many digits. One that has only zeros is none.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && is_not_zero(text)
}

fn is_not_zero(text: &str) -> bool {
    text.bytes().any(|digit| digit != b'0')
}

/// Whether a text has so many hexadecimal digits, in lower case, and nothing else.
fn is_hex(text: &str, digits: usize) -> bool {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == digits && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    const SAME: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

    fn kept(header: &str) -> Option<String> {
        Trace::of_header(header).map(|trace| trace.to_string())
    }

    #[test]
    fn root_parent_and_sampled_are_kept_and_nothing_else() {
        let with_more = format!("Self=1-2-3;{HEADER};Lineage=1:a87bd80c:0|68fd508a:5; Custom=x");
        assert_eq!(kept(&with_more).as_deref(), Some(HEADER));
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        for header in [root.to_owned(), format!("{root};Sampled=?"), format!(" {root} ;")] {
            assert_eq!(kept(&header).as_deref(), Some(root), "{header}");
        }
        let other_order = format!("Sampled=0; {root}");
        assert_eq!(kept(&other_order), Some(format!("{root};Sampled=0")));
        assert_eq!(HEADER.len(), 74);
    }

    #[test]
    fn a_header_that_is_not_valid_is_none() {
        let long = format!("{HEADER};Lineage={}", "x".repeat(MAX_HEADER_BYTES));
        for header in [
            "",
            "Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=1-5759E988-BD862E3FE1BE46A994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793-1",
            "Root=1-00000000-000000000000000000000000",
            "Root=1-0-0;Sampled=0",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=xyz",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=yes",
            &long,
        ] {
            assert_eq!(Trace::of_header(header), None, "{header}");
        }
    }

    #[test]
    fn a_traceparent_becomes_a_header_of_x_ray() {
        let header = |text: &str| Trace::of_traceparent(text).map(|trace| trace.to_string());
        assert_eq!(header(SAME).as_deref(), Some(HEADER));
        let unsampled = HEADER.replace("Sampled=1", "Sampled=0");
        assert_eq!(header(&SAME.replace("-01", "-00")), Some(unsampled.clone()));
        // Only the lowest flag says that the trace is recorded.
        assert_eq!(header(&SAME.replace("-01", "-fe")), Some(unsampled));
        assert_eq!(header(&SAME.replace("-01", "-ff")).as_deref(), Some(HEADER));
        let later = format!("{}-more-to-come", SAME.replacen("00", "cc", 1));
        assert_eq!(header(&later).as_deref(), Some(HEADER), "a later version may say more");
    }

    #[test]
    fn a_traceparent_that_is_not_valid_is_none() {
        for text in [
            "",
            "00",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-1",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01-more",
            "00-5759E988BD862E3FE1BE46A994272793-53995c3f42cd8ad8-01",
            "00-5759e988bd862e3fe1be46a99427279-53995c3f42cd8ad8-01",
            "00-00000000000000000000000000000000-53995c3f42cd8ad8-01",
            "00-5759e988bd862e3fe1be46a994272793-0000000000000000-01",
            "ff-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            "0-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-0g",
        ] {
            assert_eq!(Trace::of_traceparent(text), None, "{text}");
        }
    }

    #[test]
    fn a_valid_traceparent_takes_precedence() {
        let other = "Root=1-00000001-000000000000000000000001";
        let id = |traceparent, header| {
            Trace::of_message(traceparent, header).map(|trace| trace.id().to_owned())
        };
        let sent = Some("1-5759e988-bd862e3fe1be46a994272793".to_owned());
        let added = Some("1-00000001-000000000000000000000001".to_owned());
        assert_eq!(id(Some(SAME), Some(other)), sent);
        assert_eq!(id(None, Some(other)), added);
        assert_eq!(id(Some("not one"), Some(other)), added);
        assert_eq!(id(Some("not one"), None), None);
        assert_eq!(id(None, None), None);
    }

    proptest! {
        #[test]
        fn every_trace_round_trips_through_its_header(
            trace in "[0-9a-f]{32}",
            parent in "[0-9a-f]{16}",
            flags in any::<u8>(),
        ) {
            let traceparent = format!("00-{trace}-{parent}-{flags:02x}");
            if let Some(trace) = Trace::of_traceparent(&traceparent) {
                prop_assert_eq!(Trace::of_header(&trace.to_string()), Some(trace));
            }
        }
    }
}
