//! Which stack the pages are about, as the head of every page says it.

use super::view::Tone;
use crate::deployment::Deployment;

/// The name, the place and the kind of a stack.
#[derive(Clone, Debug)]
pub(super) struct Badge {
    /// `local`, `AWS` or `production`.
    pub(super) environment: String,
    pub(super) stack: String,
    /// Region and account.
    pub(super) place: String,
    pub(super) tone: Tone,
    pub(super) is_read_only: bool,
}

impl Badge {
    /// A stack whose name has the word `prod` or `production` must not be mistaken for another.
    pub(super) fn of(deployment: &Deployment, is_local: bool, is_read_only: bool) -> Self {
        let mut words = deployment.name.split(['-', '_']);
        let is_production = words.any(|word| ["prod", "production"].contains(&word));
        let (environment, tone) = match (is_local, is_production) {
            (true, _) => ("local", Tone::Good),
            (false, true) => ("production", Tone::Bad),
            (false, false) => ("AWS", Tone::Warn),
        };
        let place = format!("{} · {}", deployment.region, deployment.account);
        let (environment, stack) = (environment.to_owned(), deployment.name.clone());
        Self { environment, stack, place, tone, is_read_only }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dashboard::pages::{Frame, Page, html},
        memory::MemoryPorts,
        stack::{self, Target},
    };

    /// The head of a page about a stack of this name.
    async fn head(name: &str, is_local: bool, is_read_only: bool) -> String {
        let ports = MemoryPorts::stack(name, r#"[{"type":"a"}]"#);
        let deployment = stack::find(&ports, &Target::default()).await.unwrap();
        let badge = Badge::of(&deployment, is_local, is_read_only);
        html(&Page::default(), &Frame::of(&badge, "/", None)).unwrap()
    }

    #[tokio::test]
    async fn production_is_red_and_nothing_else() {
        for (name, is_local, badge) in [
            ("prod-eu", false, "badge bad\">production<"),
            ("eu-production", false, "badge bad\">production<"),
            ("product-feed", false, "badge warn\">AWS<"),
            ("staging", false, "badge warn\">AWS<"),
            ("prod", true, "badge good\">local<"),
        ] {
            let head = head(name, is_local, false).await;
            assert!(head.contains(badge), "{name}: {head}");
            assert!(head.contains(&format!("<span class=\"stack\">{name}</span>")), "{head}");
        }
        let style = include_str!("../../static/style.css");
        assert!(style.contains(".badge.bad { background: var(--bad);"), "it is red as a whole");
    }

    #[tokio::test]
    async fn a_read_only_dashboard_says_so() {
        assert!(head("a", false, true).await.contains("Read-only: these pages change nothing."));
        assert!(!head("a", false, false).await.contains("Read-only"));
    }
}
