//! Which stack a command asks: the one that is named, or the one that is found.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use evenkeel::base::config::{Environment, Reader};
use serde::Deserialize;

use crate::{
    args::Global,
    deployment::{self, Deployment, SWEEPER},
    exit::{Exit, Failure},
    ports::Ports,
    text::quoted,
};

/// Where `cargo xtask up` describes the local stack.
const LOCAL: &str = "target/local/stack.json";

/// Where SAM keeps the settings of a deployment.
const SAM: &str = "samconfig.toml";

/// What surrounds the process: its environment variables and its working folder.
#[derive(Clone)]
pub struct Surroundings {
    /// The environment variables.
    pub environment: Environment,
    /// The working folder. Files are looked for in it and in those above it.
    pub folder: PathBuf,
}

/// Whom to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The stack's name; `None` if the account has to tell.
    pub(crate) stack: Option<String>,
    /// Where the name comes from, for error messages.
    pub(crate) named_by: &'static str,
    /// The address of a local AWS.
    pub(crate) endpoint: Option<String>,
    /// The AWS region, if it is not left to the SDK.
    pub(crate) region: Option<String>,
    /// The profile of the AWS configuration, if it is not left to the SDK.
    pub(crate) profile: Option<String>,
}

/// The part of `stack.json` that is needed.
#[derive(Deserialize)]
struct Local {
    endpoint: String,
    region: String,
    outputs: BTreeMap<String, String>,
}

/// Decides whom to ask, in this order: `--local`, `--stack`, `EVENKEEL_STACK`, `samconfig.toml`, the local stack, and
/// then the only one of the account. Fails if `--local` is given and no local stack is described.
pub(crate) fn choose(global: &Global, surroundings: &Surroundings) -> Result<Target, Failure> {
    let target = Target {
        region: global.region.clone(),
        profile: global.profile.clone(),
        ..Target::default()
    };
    if global.local {
        return local(surroundings, &target)?.ok_or_else(|| {
            let message = format!("no local stack: {LOCAL} is neither here nor in a folder above");
            Failure::new(Exit::Unreachable, "no_stack", message)
                .hint("start one with `cargo xtask up`, and run this command in the same checkout")
        });
    }
    let variable = || Reader::new(&surroundings.environment).optional("EVENKEEL_STACK");
    let named = match (&global.stack, variable()) {
        (Some(stack), _) => Some((stack.clone(), "--stack")),
        (None, Some(stack)) => Some((stack, "EVENKEEL_STACK")),
        (None, None) => sam(surroundings).map(|stack| (stack, SAM)),
    };
    if let Some((stack, named_by)) = named {
        return Ok(Target { stack: Some(stack), named_by, ..target });
    }
    Ok(local(surroundings, &target)?.unwrap_or(target))
}

/// The text of the nearest file with this name, in the working folder or above it.
fn nearest(surroundings: &Surroundings, name: &str) -> Option<(PathBuf, String)> {
    surroundings.folder.ancestors().find_map(|folder| {
        let path = folder.join(name);
        fs::read_to_string(&path).ok().map(|text| (path, text))
    })
}

/// The name of the stack in SAM's settings.
fn sam(surroundings: &Surroundings) -> Option<String> {
    let (_, text) = nearest(surroundings, SAM)?;
    let settings: toml::Table = toml::from_str(&text).ok()?;
    let name = |section: &str| {
        let parameters = settings.get("default")?.get(section)?.get("parameters")?;
        parameters.get("stack_name")?.as_str().map(str::to_owned)
    };
    name("deploy").or_else(|| name("global"))
}

/// The stack that `cargo xtask up` holds up.
fn local(surroundings: &Surroundings, target: &Target) -> Result<Option<Target>, Failure> {
    let Some((path, text)) = nearest(surroundings, LOCAL) else { return Ok(None) };
    let wrong = |problem: String| {
        Failure::new(Exit::Unreachable, "no_stack", format!("{}: {problem}", shown(&path)))
            .hint("start the local stack anew with `cargo xtask up`, or name a stack with --stack")
    };
    let found: Local = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("expected the description of a local stack: {error}")))?;
    let sweeper = found.outputs.get("SweeperFunctionName");
    let stack = sweeper.and_then(|name| name.strip_suffix(SWEEPER));
    let stack = stack.ok_or_else(|| wrong("expected an output SweeperFunctionName".to_owned()))?;
    Ok(Some(Target {
        stack: Some(stack.to_owned()),
        named_by: LOCAL,
        endpoint: Some(found.endpoint),
        region: Some(found.region),
        profile: target.profile.clone(),
    }))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Finds the stack and reads its configuration.
pub(crate) async fn find<P: Ports>(ports: &P, target: &Target) -> Result<Deployment, Failure> {
    let name = match &target.stack {
        Some(name) => name.clone(),
        None => only(&ports.sweepers().await?)?,
    };
    let sweeper = ports.function(&format!("{name}{SWEEPER}")).await;
    let sweeper = sweeper.map_err(|fault| unreachable_local(fault.into(), target))?;
    let Some(sweeper) = sweeper else {
        let by = if target.named_by.is_empty() { "the account" } else { target.named_by };
        let message =
            format!("no stack {name} (named by {by}): there is no function {name}{SWEEPER}");
        return Err(Failure::new(Exit::Unreachable, "no_stack", message)
            .hint("check region and profile, or name another stack with --stack"));
    };
    Ok(Deployment { options: options(target, &name), ..Deployment::read(&name, &sweeper)? })
}

/// The options by which a command for the shell asks the same stack as this one.
fn options(target: &Target, name: &str) -> String {
    if target.endpoint.is_some() {
        return deployment::LOCAL.to_owned();
    }
    let named = [
        ("--stack", Some(name)),
        ("--region", target.region.as_deref()),
        ("--profile", target.profile.as_deref()),
    ];
    let given = named.into_iter().filter_map(|(option, value)| Some((option, value?)));
    let options: Vec<String> =
        given.map(|(option, value)| format!("{option} {}", quoted(value))).collect();
    options.join(" ")
}

/// The failure of the first call. If a local stack does not answer, it is most likely gone.
fn unreachable_local(failure: Failure, target: &Target) -> Failure {
    match &target.endpoint {
        Some(endpoint) if failure.code == "unavailable" => {
            let message =
                format!("the local stack at {endpoint} does not answer: {}", failure.message);
            Failure::new(Exit::Unreachable, "no_stack", message)
                .hint("it is gone: start it with `cargo xtask up`, or name a stack with --stack")
        }
        _ => failure,
    }
}

/// The name of the only stack, from the names of all sweepers.
fn only(sweepers: &[String]) -> Result<String, Failure> {
    let mut stacks: Vec<String> =
        sweepers.iter().filter_map(|name| name.strip_suffix(SWEEPER)).map(str::to_owned).collect();
    stacks.sort();
    match stacks.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let message = format!("no stack: this account and region have no function *{SWEEPER}");
            Err(Failure::new(Exit::Unreachable, "no_stack", message)
                .hint("check region and profile; `cargo xtask up` starts a local stack"))
        }
        several => {
            let message = format!("{} stacks: {}", several.len(), several.join(", "));
            Err(Failure::new(Exit::Unreachable, "several_stacks", message)
                .hint("name one with --stack or EVENKEEL_STACK"))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    /// A folder of this test's own, with these files.
    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("evenkeel-cli-{}-{name}", std::process::id()));
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir_all(folder.join("below")).unwrap();
        folder
    }

    fn chosen(folder: &Path, words: &[&str], variable: Option<&str>) -> Result<Target, Failure> {
        let cli = Cli::parse_from(["evenkeel", "health"].iter().chain(words));
        let variables = variable.map(|name| ("EVENKEEL_STACK".to_owned(), name.to_owned()));
        let environment = variables.into_iter().collect();
        let surroundings = Surroundings { environment, folder: folder.join("below") };
        choose(&cli.global, &surroundings)
    }

    const STACK: &str = r#"{ "pid": 1, "birth": "b", "endpoint": "http://127.0.0.1:9", "region": "us-east-1",
        "sandbox_url": "", "outputs": { "SweeperFunctionName": "here-sweeper" } }"#;

    #[test]
    fn the_first_that_names_a_stack_counts() {
        let sam = "[default.global.parameters]\nstack_name = \"sam\"\n";
        let both = folder("both", &[(SAM, sam), (LOCAL, STACK)]);
        let name = |words: &[&str], variable| chosen(&both, words, variable).unwrap();
        assert_eq!(name(&["--stack", "flag"], Some("variable")).stack.as_deref(), Some("flag"));
        assert_eq!(name(&[], Some("variable")).stack.as_deref(), Some("variable"));
        let by_sam = name(&["--region", "eu-west-1"], None);
        assert_eq!((by_sam.stack.as_deref(), by_sam.endpoint), (Some("sam"), None));
        assert_eq!(by_sam.region.as_deref(), Some("eu-west-1"));
        let local = name(&["--local"], Some("variable"));
        assert_eq!(local.stack.as_deref(), Some("here"));
        assert_eq!(local.endpoint.as_deref(), Some("http://127.0.0.1:9"));
        let only_local = folder("local", &[(LOCAL, STACK)]);
        assert_eq!(chosen(&only_local, &[], None).unwrap(), local);
        for folder in [both, only_local] {
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn without_any_name_the_account_has_to_tell() {
        let empty = folder("empty", &[]);
        assert_eq!(chosen(&empty, &[], None).unwrap(), Target::default());
        assert_eq!(chosen(&empty, &["--local"], None).unwrap_err().code, "no_stack");
        fs::remove_dir_all(empty).unwrap();
        let names =
            |names: &[&str]| only(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["a-sweeper"]).unwrap(), "a");
        assert_eq!(names(&[]).unwrap_err().exit(), Exit::Unreachable);
        let several = names(&["b-sweeper", "a-sweeper"]).unwrap_err();
        assert_eq!(
            (several.code.as_str(), several.message.as_str()),
            ("several_stacks", "2 stacks: a, b")
        );
    }

    #[test]
    fn a_description_that_cannot_be_read_is_named() {
        let broken = folder("broken", &[(LOCAL, "{}")]);
        let failure = chosen(&broken, &[], None).unwrap_err();
        assert!(
            failure.message.contains("stack.json: expected the description"),
            "{}",
            failure.message
        );
        fs::remove_dir_all(broken).unwrap();
    }
}
