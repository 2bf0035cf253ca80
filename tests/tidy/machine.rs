//! Nothing in the repository depends on the machine that it was written on.

use super::files;

/// Folders of the machines that this project is developed on, which others do not have.
const FOLDERS: [&str; 5] = ["Users", "farm", "home", "root", "work"];

/// The hosts of registries, which a machine may reach by a mirror. Each is in two parts, so that
/// this file does not name one.
const HOSTS: [(&str, &str); 6] = [
    ("deb", "debian.org"),
    ("files", "pythonhosted.org"),
    ("index", "crates.io"),
    ("pypi", "org/simple"),
    ("registry", "npmjs.org"),
    ("static", "crates.io"),
];

/// What a line names of a machine: a path from the root of the file system, or a registry.
fn named(line: &str) -> Option<String> {
    let folders = FOLDERS.iter().map(|folder| format!("/{folder}/"));
    let hosts = HOSTS.iter().map(|(name, domain)| format!("{name}.{domain}"));
    // Within a longer path or address, it is another folder.
    let longer = |before: &str| {
        before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}'))
    };
    let begins =
        |text: &String| line.match_indices(text.as_str()).any(|(at, _)| !longer(&line[..at]));
    folders.chain(hosts).find(begins)
}

#[test]
fn nothing_names_a_path_of_a_machine_or_a_registry() {
    let mut found = Vec::new();
    let files = files::all();
    // Cargo writes the registry into its lock file.
    for file in files.iter().filter(|file| !file.path.ends_with("Cargo.lock")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let named = named(line);
            found.extend(named.map(|name| format!("{}:{number}: {name}", file.path)));
        }
    }
    assert_eq!(found, Vec::<String>::new());
    for path in [".ci/run", ".cargo/config.toml", "README.md", "template.yaml"] {
        assert!(files.iter().any(|file| file.path == path), "the rule sees {path}");
    }
}

#[test]
fn paths_and_registries_are_found_and_their_likes_are_not() {
    for folder in FOLDERS {
        assert!(named(&format!("cd /{folder}/a")).is_some(), "{folder}");
        assert_eq!(named(&format!("docs/{folder}/a.md, ../{folder}/")), None);
        assert_eq!(named(&format!("https://example.com/{folder}/")), None);
    }
    for (name, domain) in HOSTS {
        assert!(named(&format!("https://{name}.{domain}/a")).is_some(), "{name}.{domain}");
        assert_eq!(named(&format!("https://other-{name}.{domain}/a")), None);
    }
}
