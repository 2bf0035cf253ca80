//! `cargo xtask new`: makes the folder of a new job type.
#![expect(clippy::print_stdout, reason = "a command's answer")]

mod manifest;
mod name;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::file;
use crate::workspace::Workspace;
use name::Name;

/// The files of a job type's folder: the path of each, and its template.
const FILES: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("new/Cargo.toml.tmpl")),
    ("README.md", include_str!("new/README.md.tmpl")),
    ("function.toml", include_str!("new/function.toml.tmpl")),
    ("src/job.rs", include_str!("new/job.rs.tmpl")),
    ("src/lib.rs", include_str!("new/lib.rs.tmpl")),
    ("src/main.rs", include_str!("new/main.rs.tmpl")),
    ("src/payload.rs", include_str!("new/payload.rs.tmpl")),
];

/// The manifest of the integration tests, which link every job type.
const TESTS: &str = "tests/Cargo.toml";

/// Its section that names them.
const LINKED: &str = "[dependencies]";

/// Makes `functions/NAME` with a job that compiles and passes its tests, and adds it to the crates
/// that the integration tests link. Fails, with nothing changed, if the name cannot be used.
pub fn run(workspace: &Workspace, name: &str) -> Result<()> {
    let name = Name::parse(name)?;
    make(workspace.root(), &name)?;
    let package = name.package();
    println!("functions/{package} is new, and {TESTS} names it. Next:");
    println!("  cargo xtask template    # adds it to template.yaml");
    println!("  cargo test -p {package}    # its first tests");
    println!("  cargo xtask up    # deploys it on a local AWS");
    Ok(())
}

/// Makes the folder and adds the line. A failure on the way removes what was made.
fn make(root: &Path, name: &Name) -> Result<()> {
    expect_free(root, name)?;
    let entry = format!(
        r#"{package} = {{ path = "../functions/{package}", features = ["schema"] }}"#,
        package = name.package()
    );
    let tests = manifest::with_dependency(&read(root, TESTS)?, LINKED, &entry).context(TESTS)?;
    let folder = root.join("functions").join(name.package());
    // Fails if there is such a folder, so no file is ever overwritten.
    fs::create_dir(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let made = fill(&folder, name).and_then(|()| file::write(&root.join(TESTS), &tests));
    if made.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(&folder);
    }
    made
}

/// Writes the files of a job type into its empty folder.
fn fill(folder: &Path, name: &Name) -> Result<()> {
    file::create_folder(&folder.join("src"))?;
    for (path, template) in FILES {
        file::write(&folder.join(path), &rendered(template, name))?;
    }
    Ok(())
}

/// A template with every placeholder replaced.
fn rendered(template: &str, name: &Name) -> String {
    let type_name = name.type_name();
    let mut exports = ["POLICY", type_name.as_str(), "TYPE"];
    // The order that rustfmt expects depends on the name.
    exports.sort_unstable();
    template
        .replace("{{kind}}", name.kind())
        .replace("{{crate}}", &name.package())
        .replace("{{CAPITALS}}", &name.capitals())
        .replace("{{exports}}", &format!("{{{}}}", exports.join(", ")))
        .replace("{{Type}}", &type_name)
}

/// Fails if something in the checkout or in the new code has this name.
fn expect_free(root: &Path, name: &Name) -> Result<()> {
    let (kind, package, type_name) = (name.kind(), name.package(), name.type_name());
    let places =
        [format!("functions/{package}"), format!("tests/{kind}"), format!("tests/{kind}.rs")];
    for place in places {
        ensure!(!root.join(&place).exists(), "{kind}: {place} exists, expected another name");
    }
    let (lock, workspace) = (read(root, "Cargo.lock")?, read(root, "Cargo.toml")?);
    let packages = manifest::packages(&lock);
    let dependencies = manifest::dependencies(&workspace, "[workspace.dependencies]");
    let is_taken = packages.chain(dependencies).any(|taken| taken.replace('-', "_") == kind);
    ensure!(!is_taken, "{kind}: there is a crate {package}, expected another name");
    let mut sources = FILES.iter().filter(|(path, _)| path.starts_with("src/"));
    let is_used = sources.any(|(_, template)| uses(template, &type_name));
    ensure!(!is_used, "{kind}: the new code uses {type_name} itself, expected another name");
    Ok(())
}

/// Whether a template of Rust code has this identifier outside comments.
fn uses(template: &str, identifier: &str) -> bool {
    let code = template.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|word| word == identifier)
}

fn read(root: &Path, path: &str) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("{path} cannot be read"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::Value;

    use super::*;
    use crate::tool;

    /// A folder with the files of a checkout that the command reads, removed at its end.
    struct Checkout(PathBuf);

    impl Checkout {
        fn new(test: &str) -> Self {
            let root =
                std::env::temp_dir().join(format!("xtask-new-{}-{test}", std::process::id()));
            let checkout = Self(root);
            for folder in ["functions", "tests"] {
                file::create_folder(&checkout.0.join(folder)).expect("a writable folder");
            }
            checkout.put("Cargo.lock", "[[package]]\nname = \"proc-macro2\"\n");
            checkout
                .put("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\n\n[profile.dev]\n");
            checkout.put(TESTS, "[dependencies]\nrust = \"1\"\nxtask = \"1\"\n");
            checkout
        }

        fn put(&self, path: &str, text: &str) {
            fs::write(self.0.join(path), text).expect("a writable folder");
        }

        fn text(&self, path: &str) -> String {
            read(&self.0, path).expect("the file is there")
        }

        fn make(&self, name: &str) -> Result<()> {
            make(&self.0, &Name::parse(name)?)
        }
    }

    impl Drop for Checkout {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_new_folder_has_its_names_in_place() {
        let checkout = Checkout::new("names");
        checkout.make("sample-job").expect("a free name");
        let expected = [
            ("Cargo.toml", "name = \"sample-job\""),
            ("README.md", "cargo test -p sample-job "),
            ("README.md", "\"$SAMPLE_JOB_QUEUE_URL\""),
            ("function.toml", "[concurrency]\nnormal = 4\nhigh = 2\n"),
            ("src/job.rs", "pub const TYPE: &str = \"sample_job\";"),
            ("src/job.rs", "impl Job for SampleJob {"),
            ("src/lib.rs", "pub use job::{POLICY, SampleJob, TYPE};"),
            ("src/main.rs", "use sample_job::SampleJob;"),
            ("src/payload.rs", "The payload of a `sample_job` message."),
        ];
        for (path, part) in expected {
            let text = checkout.text(&format!("functions/sample-job/{path}"));
            assert!(text.contains(part), "{path}: {text}");
        }
        let tests = "[dependencies]\nrust = \"1\"\n\
                     sample-job = { path = \"../functions/sample-job\", features = [\"schema\"] }\n\
                     xtask = \"1\"\n";
        assert_eq!(checkout.text(TESTS), tests);
    }

    #[test]
    fn no_placeholder_is_left() {
        for name in ["abc", "sample_job"] {
            let name = Name::parse(name).expect("a valid name");
            for (path, template) in FILES {
                let text = rendered(template, &name);
                assert!(!text.contains("{{"), "{path}: {text}");
            }
        }
    }

    #[test]
    fn the_page_shows_a_message_of_the_type() {
        let checkout = Checkout::new("message");
        checkout.make("sample_job").expect("a free name");
        let page = checkout.text("functions/sample-job/README.md");
        let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
        let message: Value = serde_json::from_str(example.expect("an example")).expect("JSON");
        assert_eq!(message["version"], 1);
        assert_eq!(message["type"], "sample_job");
        assert!(message["id"].is_string() && message["payload"].is_object(), "{message}");
    }

    #[test]
    fn a_name_in_use_is_refused_and_nothing_is_made() {
        let checkout = Checkout::new("taken");
        checkout.put("tests/fuzz.rs", "");
        let taken = [
            ("proc_macro2", "proc_macro2: there is a crate proc-macro2, expected another name"),
            ("serde", "serde: there is a crate serde, expected another name"),
            ("fuzz", "fuzz: tests/fuzz.rs exists, expected another name"),
            // The template's own `Result` would then be the job type.
            ("result", "result: the new code uses Result itself, expected another name"),
            ("policy", "policy: the new code uses Policy itself, expected another name"),
        ];
        for (name, reason) in taken {
            assert_eq!(checkout.make(name).expect_err(name).to_string(), reason);
        }
        let folders = fs::read_dir(checkout.0.join("functions")).expect("the folder is there");
        assert_eq!(folders.count(), 0);
    }

    #[test]
    fn what_exists_is_never_overwritten() {
        let checkout = Checkout::new("twice");
        checkout.make("sample_job").expect("a free name");
        checkout.put("functions/sample-job/src/job.rs", "mine");
        let tests = checkout.text(TESTS);
        let said = checkout.make("sample_job").expect_err("it exists").to_string();
        assert_eq!(said, "sample_job: functions/sample-job exists, expected another name");
        assert_eq!(checkout.text("functions/sample-job/src/job.rs"), "mine");
        assert_eq!(checkout.text(TESTS), tests);
    }

    #[test]
    fn a_failure_on_the_way_removes_what_was_made() {
        let checkout = Checkout::new("failure");
        let tests = checkout.text(TESTS);
        // In the place of the draft of the last file to be written.
        let obstacle = checkout.0.join(TESTS).with_extension("draft");
        file::create_folder(&obstacle).expect("a writable folder");
        assert!(checkout.make("sample_job").is_err());
        assert!(!checkout.0.join("functions/sample-job").exists());
        assert_eq!(checkout.text(TESTS), tests);
        fs::remove_dir(&obstacle).expect("it is empty");
        checkout.make("sample_job").expect("nothing is in the way any more");
    }

    #[tokio::test]
    async fn the_new_code_is_formatted_whatever_the_length_of_the_name() {
        let style = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rustfmt.toml");
        let checkout = Checkout::new("format");
        for name in ["abc", "xyz", "sample_job", &"x".repeat(40)] {
            checkout.make(name).expect("a free name");
            let sources = checkout.0.join("functions").join(name.replace('_', "-")).join("src");
            let mut rustfmt = tool::command("rustfmt");
            rustfmt.args(["--check", "--edition", "2024", "--config-path"]).arg(&style);
            rustfmt.args([sources.join("lib.rs"), sources.join("main.rs")]);
            let formatted = tool::output(&mut rustfmt, "check the format").await;
            assert!(formatted.is_ok(), "{name}: {formatted:?}");
        }
    }
}
