//! What the policies for people name of every job type.

use crate::JobType;

/// Resources of the statement about queues that may be looked at: all three of a type by the beginning of their names,
/// because three lines for each of twenty types would not fit into a policy.
pub(crate) fn queue_patterns(job: &JobType) -> String {
    let arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}";
    format!("              - !Sub {arn}-{}*\n", job.folder)
}

/// Resources of the statement about functions whose configuration may be read.
pub(crate) fn functions(job: &JobType) -> String {
    let arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function";
    format!("              - !Sub {arn}:${{AWS::StackName}}-{}\n", job.folder)
}

/// Resources of the statement about queues that jobs may be sent to.
pub(crate) fn queues(job: &JobType) -> String {
    let [normal, high] = ["Queue", "HighQueue"].map(|ending| job.logical_id(ending));
    format!("              - !GetAtt {normal}.Arn\n              - !GetAtt {high}.Arn\n")
}
