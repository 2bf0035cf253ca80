//! The page of an experiment: what was done, what was measured, and the rules that must hold.

use std::fmt::Write as _;

/// A page of `docs/experiments`.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    title: String,
    done: String,
    seen: Vec<(String, String)>,
    rules: Vec<(String, bool)>,
    curve: Vec<String>,
}

impl Page {
    /// A page that says what was done.
    pub(super) fn new(title: impl Into<String>, done: impl Into<String>) -> Self {
        Self { title: title.into(), done: done.into(), ..Self::default() }
    }

    /// Notes something that was seen.
    pub(super) fn see(&mut self, what: &str, value: impl std::fmt::Display) {
        self.seen.push((what.to_owned(), format!("{value}")));
    }

    /// Notes what must hold, and whether it does.
    pub(super) fn must(&mut self, rule: impl Into<String>, holds: bool) {
        self.rules.push((rule.into(), holds));
    }

    /// Adds a line to the course of events.
    pub(super) fn tell(&mut self, line: impl Into<String>) {
        self.curve.push(line.into());
    }

    /// Whether everything holds.
    pub(super) fn holds(&self) -> bool {
        self.rules.iter().all(|(_, holds)| *holds)
    }

    /// The page as Markdown, for the experiment of this name.
    pub(super) fn text(&self, name: &str) -> String {
        let mut text = format!(
            "# {}\n\n{}\n\n```sh\ncargo xtask experiment {name}\n```\n\n",
            self.title, self.done
        );
        text.push_str("| must hold | |\n|---|---|\n");
        for (rule, holds) in &self.rules {
            let _ = writeln!(text, "| {rule} | {} |", if *holds { "yes" } else { "**no**" });
        }
        text.push_str("\n| seen | |\n|---|---|\n");
        for (what, value) in &self.seen {
            let _ = writeln!(text, "| {what} | {value} |");
        }
        if !self.curve.is_empty() {
            let _ = write!(text, "\n```text\n{}\n```\n", self.curve.join("\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn a_page_says_what_does_not_hold() {
        let mut page = Page::new("Title", "Done.");
        page.see("jobs", 3);
        page.must("all are done", true);
        assert!(page.holds());
        page.must("none is dead", false);
        page.tell("0 s  start");
        assert!(!page.holds());
        let text = page.text("name");
        assert!(text.contains("cargo xtask experiment name"));
        assert!(text.contains("| none is dead | **no** |") && text.contains("| jobs | 3 |"));
        assert!(text.contains("0 s  start"));
    }
}
