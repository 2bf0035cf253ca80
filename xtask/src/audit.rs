//! The template as others judge it: checkov its settings, parliament its policies, and a copy of AWS's Service
//! Authorization Reference its actions.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::environment;
use crate::expansion;
use crate::template;
use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// checkov on the template. infra/checkov.yaml names each check that is left out, and why. Returns how much it
/// has checked; fails with what it has found.
pub(crate) async fn settings(workspace: &Workspace) -> Result<String> {
    let venv = Venv::ready(workspace, Tools::Audit).await?;
    let mut checkov = tool::command(venv.program("checkov"));
    checkov.current_dir(workspace.root()).args(["--config-file", "infra/checkov.yaml"]);
    checkov.args(["--file", "template.yaml", "--output", "json", "--soft-fail"]);
    let said = tool::output(&mut checkov, "run checkov").await?;
    judged(&said)
}

/// checkov's exit status is 0 also for a file that it cannot read, so its counts decide.
fn judged(said: &str) -> Result<String> {
    let report: Value = serde_json::from_str(said).context("checkov: expected a report")?;
    let count = |name: &str| report["summary"][name].as_u64();
    let passed = count("passed").context("checkov: expected a summary")?;
    let failed = report["results"]["failed_checks"].as_array();
    let failed = failed.into_iter().flatten().map(|check| {
        let text = |name: &str| check[name].as_str().unwrap_or_default();
        format!("{} {} {}", text("check_id"), text("resource"), text("check_name"))
    });
    let failed: Vec<String> = failed.collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    let clean = [count("failed"), count("parsing_errors")] == [Some(0), Some(0)] && passed > 0;
    ensure!(clean, "checkov: expected nothing but passed checks: {}", report["summary"]);
    Ok(format!("{passed} checks passed"))
}

/// parliament, and the list of actions, on every policy of the expanded template. Returns how much they have
/// read; fails with what they have found.
pub(crate) async fn policies(workspace: &Workspace) -> Result<String> {
    let template = template::load(&workspace.template())?;
    let expanded = expansion::expand(workspace, &template, &BTreeMap::new()).await?;
    let venv = Venv::ready(workspace, Tools::Audit).await?;
    let mut python = tool::command(venv.program("python"));
    python.args(["-W", "ignore", "-c", include_str!("audit/policies.py")]);
    python.env_clear().envs(environment::kept());
    tool::answer(&mut python, &expanded.to_string(), "examine the policies").await
}

#[cfg(test)]
mod tests {
    use super::judged;

    fn report(passed: u64, failed: &str, unread: u64) -> String {
        let count = u64::from(!failed.is_empty());
        format!(
            r#"{{"results":{{"failed_checks":[{failed}]}},
                "summary":{{"passed":{passed},"failed":{count},"parsing_errors":{unread}}}}}"#
        )
    }

    #[test]
    fn only_passed_checks_are_good() {
        assert_eq!(judged(&report(60, "", 0)).expect("good"), "60 checks passed");
        let failed = r#"{"check_id":"CKV_1","resource":"Queue","check_name":"encrypted"}"#;
        let error = judged(&report(60, failed, 0)).expect_err("a finding").to_string();
        assert_eq!(error, "CKV_1 Queue encrypted");
        // What checkov says of a file that is no YAML, and of one without resources.
        assert!(judged(&report(0, "", 1)).is_err() && judged(&report(0, "", 0)).is_err());
        assert!(judged("[]").is_err() && judged("no JSON").is_err());
    }
}
