//! What the sweeper and the operator must know of every job type.

use std::fmt::Write as _;

use crate::JobType;

/// Resources of the statement about the queues that messages are sent back to.
pub(crate) fn queues(job: &JobType) -> String {
    let [normal, high] = ["Queue", "HighQueue"].map(|ending| job.logical_id(ending));
    format!("                  - !GetAtt {normal}.Arn\n                  - !GetAtt {high}.Arn\n")
}

/// Resources of the statement about the dead-letter queues.
pub(crate) fn dead_letter_queues(job: &JobType) -> String {
    format!("                  - !GetAtt {}.Arn\n", job.logical_id("DeadLetterQueue"))
}

/// Resources of the statement about the event source mappings.
pub(crate) fn mappings(job: &JobType) -> String {
    let arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:event-source-mapping";
    let line = |event| {
        let id = job.logical_id(&format!("Function{event}"));
        format!("              - !Sub {arn}:${{{id}}}\n")
    };
    line("Normal") + &line("High")
}

/// The value of the parameter of mapping ids, by the names of the queues without the stack's name.
pub(crate) fn mapping_ids(types: &[JobType]) -> String {
    let entries = types.iter().map(|job| {
        let [normal, high] =
            ["FunctionNormal", "FunctionHigh"].map(|ending| job.logical_id(ending));
        let queue = &job.folder;
        format!(
            "          \"{queue}\": \"${{{normal}}}\",\n          \"{queue}-high\": \"${{{high}}}\""
        )
    });
    let entries = entries.collect::<Vec<_>>().join(",\n");
    format!("      Value: !Sub |\n        {{\n{entries}\n        }}\n")
}

/// The variable of job types: what does not follow from their names.
pub(crate) fn job_types(types: &[JobType]) -> String {
    let entries = types.iter().map(|job| {
        let [normal, high] =
            ["Concurrency", "HighConcurrency"].map(|ending| job.logical_id(ending));
        let mut entry = format!("              {{ \"type\": \"{}\",", job.kind);
        if let Some(dependency) = &job.dependency {
            let _ = write!(entry, " \"dependency\": \"{dependency}\",");
        }
        if let Some(rate) = &job.function.rate_per_second {
            let _ = write!(entry, " \"per_second\": ${{{rate}}},");
        }
        if job.function.weight != 1 {
            let _ = write!(entry, " \"weight\": {},", job.function.weight);
        }
        let _ = write!(entry, " \"concurrency\": [${{{normal}}}, ${{{high}}}] }}");
        entry
    });
    let entries = entries.collect::<Vec<_>>().join(",\n");
    format!("          JOB_TYPES: !Sub |\n            [\n{entries}\n            ]\n")
}
