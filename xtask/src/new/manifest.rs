//! Dependencies in the text of manifests and of the lock file. This is no TOML parser: it expects one
//! entry a line and names without quotes, as all files of the checkout have them.

use std::ops::Range;

use anyhow::{Context as _, Result, ensure};

/// The names of all packages in a `Cargo.lock`.
pub(super) fn packages(lock: &str) -> impl Iterator<Item = &str> {
    lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// The names in a section of dependencies, such as `[workspace.dependencies]`; none if there is no
/// such section.
pub(super) fn dependencies<'a>(manifest: &'a str, section: &str) -> Vec<&'a str> {
    let lines: Vec<&str> = manifest.lines().collect();
    let body = body(&lines, section).unwrap_or_default();
    lines[body].iter().copied().filter_map(key).collect()
}

/// The manifest with one more entry in a section of dependencies, in its alphabetical place. Fails if
/// there is no such section, or if it has such an entry.
pub(super) fn with_dependency(manifest: &str, section: &str, entry: &str) -> Result<String> {
    let name = key(entry).context("expected a name at the beginning of a dependency")?;
    let mut lines: Vec<&str> = manifest.lines().collect();
    let body = body(&lines, section).with_context(|| format!("expected a section {section}"))?;
    let there = lines[body.clone()].iter().any(|line| key(line) == Some(name));
    ensure!(!there, "{section} has {name} already");
    let at = place(&lines, body, name);
    lines.insert(at, entry);
    Ok(lines.join("\n") + "\n")
}

/// Where the entry `name` belongs in a section.
fn place(lines: &[&str], section: Range<usize>, name: &str) -> usize {
    let is_later = |at: &usize| key(lines[*at]).is_some_and(|other| other > name);
    let later = section.clone().find(is_later);
    let mut at = later.unwrap_or(section.end);
    // A comment belongs to the entry below it, and the blank lines after the last entry stay there.
    let is_passed = |line: &str| {
        if later.is_some() { line.starts_with('#') } else { line.trim().is_empty() }
    };
    while at > section.start && is_passed(lines[at - 1]) {
        at -= 1;
    }
    at
}

/// The lines below the header of a section.
fn body(lines: &[&str], section: &str) -> Option<Range<usize>> {
    let start = lines.iter().position(|line| line.trim_end() == section)? + 1;
    let length = lines[start..].iter().position(|line| line.starts_with('['));
    Some(start..length.map_or(lines.len(), |length| start + length))
}

/// The name of a line's entry: `serde` of `serde.workspace = true`.
fn key(line: &str) -> Option<&str> {
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')?;
    (end > 0).then(|| &line[..end])
}

#[cfg(test)]
mod tests {
    use super::{dependencies, packages, with_dependency};

    const MANIFEST: &str = "[package]\nname = \"tests\"\n\n[dependencies]\nbeta.workspace = true\n\
                            # Why delta.\ndelta = { path = \"d\" }\n\n[lints]\nworkspace = true\n";

    #[test]
    fn names_are_read_from_manifests_and_lock_files() {
        assert_eq!(dependencies(MANIFEST, "[dependencies]"), ["beta", "delta"]);
        assert_eq!(dependencies(MANIFEST, "[dev-dependencies]"), Vec::<&str>::new());
        let lock = "version = 4\n\n[[package]]\nname = \"one\"\nversion = \"1.0.0\"\n\
                    dependencies = [\n \"two\",\n]\n\n[[package]]\nname = \"two\"\n";
        assert_eq!(packages(lock).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_dependency_takes_its_alphabetical_place() {
        let places = [
            ("alpha", "[dependencies]\nalpha = 1\nbeta"),
            ("charlie", "beta.workspace = true\ncharlie = 1\n# Why delta.\ndelta"),
            ("echo", "delta = { path = \"d\" }\necho = 1\n\n[lints]"),
        ];
        for (name, expected) in places {
            let made = with_dependency(MANIFEST, "[dependencies]", &format!("{name} = 1"))
                .expect("the section is there");
            assert!(made.contains(expected), "{made}");
            assert_eq!(made.replace(&format!("{name} = 1\n"), ""), MANIFEST, "all else stays");
        }
        let made = with_dependency("[dependencies]\n", "[dependencies]", "alpha = 1");
        assert_eq!(made.expect("the section is there"), "[dependencies]\nalpha = 1\n");
    }

    #[test]
    fn a_dependency_is_added_once_and_only_to_a_section() {
        let again = with_dependency(MANIFEST, "[dependencies]", "beta = 1");
        assert_eq!(again.expect_err("it is there").to_string(), "[dependencies] has beta already");
        let lost = with_dependency(MANIFEST, "[dev-dependencies]", "beta = 1");
        let said = lost.expect_err("it is not there").to_string();
        assert_eq!(said, "expected a section [dev-dependencies]");
    }
}
