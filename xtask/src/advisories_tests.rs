use super::*;

/// Advisories about crates that do not exist.
const DATABASE: [(&str, &str); 5] = [
    (
        "leaky/RUSTSEC-2099-0001.md",
        "```toml\n[advisory]\nid = \"RUSTSEC-2099-0001\"\npackage = \"leaky\"\n[versions]\n\
         patched = [\">= 1.2.3, < 2.0.0\", \">= 2.0.1\"]\nunaffected = [\"< 1.0.0\"]\n```\n\n# It leaks\n\nMuch.\n",
    ),
    (
        "shaky/RUSTSEC-2099-0002.md",
        "```toml\n[advisory]\nid = \"RUSTSEC-2099-0002\"\npackage = \"shaky\"\ninformational = \"unsound\"\n\
         [versions]\npatched = []\n```\n\n# It shakes\n",
    ),
    (
        "orphan/RUSTSEC-2099-0003.md",
        "```toml\n[advisory]\nid = \"RUSTSEC-2099-0003\"\npackage = \"orphan\"\n\
         informational = \"unmaintained\"\n[versions]\npatched = []\n```\n\n# Nobody maintains it\n",
    ),
    (
        "orphan/RUSTSEC-2099-0004.md",
        "```toml\n[advisory]\nid = \"RUSTSEC-2099-0004\"\npackage = \"orphan\"\nwithdrawn = \"2099-01-02\"\n\
         [versions]\npatched = []\n```\n\n# It was a mistake\n",
    ),
    (
        "inventory/RUSTSEC-2099-0005.md",
        "```toml\n[advisory]\nid = \"RUSTSEC-2099-0005\"\npackage = \"inventory\"\n\
         [versions]\npatched = []\n```\n\n# Another crate of the name of ours\n",
    ),
];

const LOCK: &str = r#"
[[package]]
name = "inventory"
version = "0.1.0"

[[package]]
name = "leaky"
version = "1.2.2"
source = "registry+https://registry.example/index"

[[package]]
name = "orphan"
version = "3.0.0+build"
source = "registry+https://registry.example/index"

[[package]]
name = "shaky"
version = "0.1.0"
source = "registry+https://registry.example/index"
"#;

fn advisories() -> Vec<Advisory> {
    DATABASE.iter().map(|(_, text)| Advisory::read(text).unwrap()).collect()
}

#[test]
fn locked_crates_are_matched_by_name_version_and_source() {
    let lock: LockFile = toml::from_str(LOCK).unwrap();
    let found = findings(&lock, &advisories());
    assert_eq!(
        found.harmful,
        [
            "leaky 1.2.2: vulnerability RUSTSEC-2099-0001: It leaks; \
             patched in >=1.2.3, <2.0.0 or >=2.0.1",
            "shaky 0.1.0: unsound RUSTSEC-2099-0002: It shakes; no version is patched",
        ]
    );
    assert_eq!(
        found.other,
        ["orphan 3.0.0+build: unmaintained RUSTSEC-2099-0003: Nobody maintains it; \
             no version is patched",]
    );
}

#[test]
fn a_version_is_affected_unless_a_requirement_covers_it() {
    let advisories = advisories();
    let leaky = &advisories[0];
    for (version, expected) in [
        ("0.9.9", false),
        ("1.0.0", true),
        ("1.2.3", false),
        ("1.9.0", false),
        ("2.0.0", true),
        ("2.0.1", false),
        ("2.0.1-rc.1", true),
    ] {
        assert_eq!(leaky.affects(&version.parse().unwrap()), expected, "{version}");
    }
}

#[tokio::test]
async fn an_archive_is_read_like_its_folder() {
    let folder = std::env::temp_dir().join(format!("evenkeel-advisories-{}", std::process::id()));
    for (name, text) in DATABASE {
        let path = folder.join(CRATES).join(name);
        file::create_folder(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(folder.join("support.toml"), "").unwrap();
    let ids = |database: &Path| {
        let read = read_all(database).unwrap();
        read.into_iter().map(|advisory| advisory.about.id).collect::<Vec<_>>()
    };
    let unpacked_ids = ids(&folder);
    assert_eq!(unpacked_ids.len(), DATABASE.len());
    assert_eq!(unpacked_ids[0], "RUSTSEC-2099-0005", "in the order of the folders");

    let archive = folder.join("database.tar.gz");
    let mut tar = tool::command("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(&folder).args([CRATES, "support.toml"]);
    tool::output(&mut tar, "pack the database").await.unwrap();
    let folders = serde_json::json!({ "workspace_root": &folder, "target_directory": &folder });
    let workspace: Workspace = serde_json::from_value(folders).unwrap();
    let again = unpacked(&workspace, &archive).await.unwrap();
    assert_eq!(ids(&again), unpacked_ids);
    let missing = unpacked(&workspace, &folder.join("missing.tar.gz")).await.unwrap_err();
    assert!(missing.to_string().ends_with("expected a .tar.gz or a folder"), "{missing}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_no_advisory_is_named() {
    for (text, expected) in [
        ("# Prose\n", "at the beginning"),
        ("```toml\n[advisory]\n", "the end of the TOML"),
        ("```toml\n[advisory]\nid = 1\n```\n", "id"),
    ] {
        let error = format!("{:#}", Advisory::read(text).unwrap_err());
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn every_lock_file_of_the_repository_is_found_and_none_of_a_build() {
    let folder = std::env::temp_dir().join(format!("evenkeel-locks-{}", std::process::id()));
    let ours = ["Cargo.lock", "tests/one/Cargo.lock", "tests/two/Cargo.lock"];
    let others =
        ["target/package/Cargo.lock", "tests/two/target/Cargo.lock", ".aws-sam/Cargo.lock"];
    for name in ours.iter().chain(&others).chain(&["tests/one/Cargo.toml"]) {
        let path = folder.join(name);
        file::create_folder(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    assert_eq!(lock_files(&folder).unwrap(), ours.map(|name| folder.join(name)));
    fs::remove_dir_all(&folder).unwrap();
    let none = lock_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap_err();
    assert!(none.to_string().ends_with("expected lock files, found none"), "{none}");

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let found = lock_files(root).unwrap();
    for name in ["Cargo.lock", "tests/bench-engine/Cargo.lock", "tests/page-bench/Cargo.lock"] {
        assert!(found.contains(&root.join(name)), "{name} is not in {found:?}");
    }
}
