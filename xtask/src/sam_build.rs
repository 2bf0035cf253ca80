//! `cargo xtask sam-build`: SAM's build of the template, with the pinned SAM and cargo-lambda.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use crate::architecture::Architecture;
use crate::cargo_lambda::CargoLambda;
use crate::file;
use crate::progress;
use crate::stack_name;
use crate::template;
use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// The beginning of the line of template.yaml that chooses the processor.
const ARCHITECTURES: &str = "    Architectures: [";

/// Builds into `.aws-sam/build`, from where `sam deploy` takes binaries and template. The template there
/// names the processor that was built for, so the two cannot differ. Fails early if the stack's name in
/// infra/samconfig.toml is too long.
pub async fn run(workspace: &Workspace, architecture: Architecture) -> Result<()> {
    let settings = fs::read_to_string(workspace.root().join("infra/samconfig.toml"))
        .context("infra/samconfig.toml: cannot be read")?;
    let template = template::load(&workspace.template())?;
    stack_name::expect(&template, stack_of(&settings)?).context("infra/samconfig.toml")?;
    let cargo = CargoLambda::ready(workspace, architecture).await?;
    let venv = Venv::ready(workspace, Tools::Check).await?;

    let text = fs::read_to_string(workspace.template())?;
    let text = with_architecture(&text, architecture)?;
    let folder = workspace.target().join("sam");
    file::create_folder(&folder)?;
    let copy = folder.join("template.yaml");
    file::write(&copy, &text)?;

    println!("Building for {architecture} …");
    let mut sam = cargo.first_on_path(tool::command(venv.program("sam")));
    sam.current_dir(workspace.root()).arg("build").arg("--template-file").arg(&copy);
    sam.arg("--base-dir").arg(workspace.root());
    sam.args(["--build-dir", ".aws-sam/build"]);
    sam.env("AWS_DEFAULT_REGION", crate::aws::REGION).env("SAM_CLI_TELEMETRY", "0");
    let done = progress::shown(|| "building".to_owned(), tool::shown(&mut sam)).await?;
    ensure!(done, "sam build failed");
    Ok(())
}

/// The template's text with another processor.
fn with_architecture(text: &str, architecture: Architecture) -> Result<String> {
    let parts: Vec<&str> = text.split(ARCHITECTURES).collect();
    let [before, after] = parts[..] else {
        bail!("template.yaml: expected one line that begins with {ARCHITECTURES:?}");
    };
    let (_, rest) = after.split_once(']').context("template.yaml: expected a ] after it")?;
    Ok(format!("{before}{ARCHITECTURES}{architecture}]{rest}"))
}

/// The stack's name in samconfig.toml.
fn stack_of(settings: &str) -> Result<&str> {
    let line = settings.lines().find_map(|line| line.strip_prefix("stack_name = \""));
    let name = line.and_then(|rest| rest.split('"').next());
    name.context("infra/samconfig.toml: expected a line such as stack_name = \"evenkeel\"")
}

#[cfg(test)]
mod tests {
    use super::{stack_of, with_architecture};
    use crate::architecture::Architecture;

    #[test]
    fn the_stacks_name_is_read_from_the_settings() {
        let name = stack_of("version = 0.1\n\n[default.global.parameters]\nstack_name = \"x-y\"\n");
        assert_eq!(name.expect("a name"), "x-y");
        let noted = stack_of("stack_name = \"x\" # a note\n");
        assert_eq!(noted.expect("a name"), "x");
        assert!(stack_of("# stack_name\n").is_err() && stack_of("stack_name_x = \"y\"").is_err());
    }

    #[test]
    fn the_processor_is_chosen_whichever_it_was() {
        for was in ["arm64", "x86_64"] {
            let text = format!("a:\n    Architectures: [{was}]\n    b: [c]\n");
            let changed = with_architecture(&text, Architecture::X86_64).expect("one line");
            assert_eq!(changed, "a:\n    Architectures: [x86_64]\n    b: [c]\n");
        }
        assert!(with_architecture("a: [arm64]\n", Architecture::Arm64).is_err());
    }
}
