//! `cargo xtask sam-build`: SAM's build of the template, with the pinned SAM and cargo-lambda.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::architecture::Architecture;
use crate::cargo_lambda::CargoLambda;
use crate::elf;
use crate::file;
use crate::progress;
use crate::stack_name;
use crate::template;
use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// Builds into `.aws-sam/build`, from where `sam deploy` takes binaries and template. The template there
/// names the processor that was built for, so the two cannot differ. Fails early if the stack's name in
/// infra/samconfig.toml is too long.
pub async fn run(workspace: &Workspace, chosen: Option<Architecture>) -> Result<()> {
    let settings = fs::read_to_string(workspace.root().join("infra/samconfig.toml"))
        .context("infra/samconfig.toml: cannot be read")?;
    let template = template::load(&workspace.template())?;
    stack_name::expect(&template, stack_of(&settings)?).context("infra/samconfig.toml")?;
    let architecture = chosen.map_or_else(|| template::architecture(&template), Ok)?;
    let cargo = CargoLambda::ready(workspace, architecture).await?;
    let venv = Venv::ready(workspace, Tools::Check).await?;

    let text = fs::read_to_string(workspace.template())?;
    let text = template::with_architecture(&text, architecture)?;
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
    for function in template::functions(&template)? {
        // For x86_64, SAM names no target, and on another machine cargo-lambda could choose another.
        let folder = workspace.root().join(".aws-sam/build").join(&function.logical_id);
        elf::check(&folder.join("bootstrap"), architecture).context(function.logical_id)?;
    }
    Ok(())
}

/// The stack's name in samconfig.toml.
fn stack_of(settings: &str) -> Result<&str> {
    let line = settings.lines().find_map(|line| line.strip_prefix("stack_name = \""));
    let name = line.and_then(|rest| rest.split('"').next());
    name.context("infra/samconfig.toml: expected a line such as stack_name = \"evenkeel\"")
}

#[cfg(test)]
mod tests {
    use super::stack_of;

    #[test]
    fn the_stacks_name_is_read_from_the_settings() {
        let name = stack_of("version = 0.1\n\n[default.global.parameters]\nstack_name = \"x-y\"\n");
        assert_eq!(name.expect("a name"), "x-y");
        let noted = stack_of("stack_name = \"x\" # a note\n");
        assert_eq!(noted.expect("a name"), "x");
        assert!(stack_of("# stack_name\n").is_err() && stack_of("stack_name_x = \"y\"").is_err());
    }
}
