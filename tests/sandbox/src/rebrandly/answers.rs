//! The bodies of the service's answers.

use serde_json::{Value, json};

use super::link::{Link, LinkStatus};
use crate::clock::{http_date, timestamp};
use crate::reply::Reply;
use crate::settings::{ConflictShape, RetryAfter};

/// An invalid field, and the rule that it breaks.
pub(super) type FieldError = (&'static str, &'static str);

pub(super) fn link(link: &Link) -> Reply {
    Reply::json(200, &body(link)).about(&link.id)
}

/// A list is about a link if it contains only that one, as the lookup of a slashtag does.
pub(super) fn links<'a>(links: impl Iterator<Item = &'a Link>) -> Reply {
    let links: Vec<&Link> = links.collect();
    let reply = Reply::json(200, &links.iter().map(|link| body(link)).collect());
    match links.as_slice() {
        [only] => reply.about(&only.id),
        _ => reply,
    }
}

pub(super) fn conflict(shape: ConflictShape, conflicts_before: u64) -> Reply {
    let error =
        json!({"code": "AlreadyExists", "property": "slashtag", "message": "Already exists"});
    let nested = match shape {
        ConflictShape::Nested => true,
        ConflictShape::Flat => false,
        ConflictShape::Alternate => conflicts_before.is_multiple_of(2),
    };
    Reply::json(403, &if nested { invalid_format(&[error]) } else { error })
}

pub(super) fn invalid(errors: &[FieldError]) -> Reply {
    let error = |(property, message): &FieldError| json!({"code": "InvalidFormat", "property": property, "message": message});
    Reply::json(403, &invalid_format(&errors.iter().map(error).collect::<Vec<_>>()))
}

pub(super) fn plan_full() -> Reply {
    let message = "The plan allows no more links";
    Reply::json(403, &json!({"message": message, "code": "LimitReached", "source": "link"}))
}

pub(super) fn bad_json() -> Reply {
    Reply::json(400, &json!({"message": "Bad request", "code": "BadRequest"}))
}

pub(super) fn unauthorized() -> Reply {
    Reply::json(401, &json!({"message": "Unauthorized", "code": "Unauthorized"}))
}

pub(super) fn not_found() -> Reply {
    Reply::json(404, &json!({"message": "Not found", "code": "NotFound"}))
}

/// Every form rounds up to the second, so that a client that obeys it is admitted.
pub(super) fn too_many(style: RetryAfter, now_ms: u64, free_at_ms: u64) -> Reply {
    let reply =
        Reply::json(429, &json!({"message": "Too many requests", "code": "TooManyRequests"}));
    match style {
        RetryAfter::None => reply,
        RetryAfter::Seconds => {
            let seconds = free_at_ms.saturating_sub(now_ms).div_ceil(1_000);
            reply.with_header("retry-after", seconds.to_string())
        }
        RetryAfter::HttpDate => {
            let second = free_at_ms.div_ceil(1_000) * 1_000;
            reply.with_header("retry-after", http_date(second))
        }
        RetryAfter::XRatelimitReset => {
            reply.with_header("x-ratelimit-reset", free_at_ms.div_ceil(1_000).to_string())
        }
    }
}

fn invalid_format(errors: &[Value]) -> Value {
    json!({
        "message": "Invalid format",
        "code": "InvalidFormat",
        "source": "link",
        "errors": errors,
    })
}

fn body(link: &Link) -> Value {
    let domain = &link.domain;
    json!({
        "id": link.id,
        "title": link.title,
        "slashtag": link.slashtag,
        "destination": link.destination,
        "shortUrl": link.short_url(),
        "domain": {
            "id": domain.id,
            "ref": format!("/domains/{}", domain.id),
            "fullName": domain.full_name,
            "active": true,
        },
        "createdAt": timestamp(link.created_at_ms).to_string(),
        "updatedAt": timestamp(link.updated_at_ms).to_string(),
        "status": match link.status {
            LinkStatus::Active => "active",
            LinkStatus::Deleted => "deleted",
        },
    })
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn header(style: RetryAfter, name: &str) -> Option<String> {
        let response = too_many(style, 1_700_000_000_001, 1_700_000_000_500).into_response();
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_429_names_the_delay_in_the_configured_form() {
        assert_eq!(header(RetryAfter::None, "retry-after"), None);
        assert_eq!(header(RetryAfter::Seconds, "retry-after").unwrap(), "1");
        assert_eq!(
            header(RetryAfter::HttpDate, "retry-after").unwrap(),
            "Tue, 14 Nov 2023 22:13:21 GMT"
        );
        assert_eq!(header(RetryAfter::XRatelimitReset, "x-ratelimit-reset").unwrap(), "1700000001");
    }

    #[test]
    fn alternating_conflicts_have_both_shapes_in_turn() {
        let nested = conflict(ConflictShape::Nested, 1);
        let flat = conflict(ConflictShape::Flat, 0);
        assert_ne!(nested, flat);
        assert_eq!(conflict(ConflictShape::Alternate, 0), nested);
        assert_eq!(conflict(ConflictShape::Alternate, 1), flat);
    }
}
