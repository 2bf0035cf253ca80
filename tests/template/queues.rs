//! The queues of each job type, and the event sources that read them.

use evenkeel::policy::{
    BATCH_SIZE, EARLIEST_RETURN, LONGEST_MESSAGE_LIFE, MAX_RECEIVES, QUEUE_RETENTION,
};

use super::*;

const DAY_S: u64 = 24 * 60 * 60;

#[test]
fn queues_keep_messages_long_enough_and_records_outlive_them() {
    let template = load();
    for job in &job_types() {
        let timeout = number(&properties(&template, &job.name("Function"))["Timeout"]);
        let [normal, high, dead] = job.queues();
        let dead_retention = number(&properties(&template, &dead)["MessageRetentionPeriod"]);
        assert_eq!(dead_retention, 14 * DAY_S, "{dead}");
        assert_eq!(dead_retention, LONGEST_MESSAGE_LIFE.as_secs());
        for queue in [&normal, &high] {
            let properties = properties(&template, queue);
            let visibility = number(&properties["VisibilityTimeout"]);
            assert!(visibility >= 6 * timeout, "{queue}: AWS asks for six function time-outs");
            let earliest = EARLIEST_RETURN.as_secs();
            assert!(visibility > earliest, "{queue}: a message would come back too early");
            let retention = number(&properties["MessageRetentionPeriod"]);
            assert_eq!(retention, QUEUE_RETENTION.as_secs(), "{queue}");
            assert!(job.policy.retention().as_secs() > retention.max(dead_retention), "{queue}");
            let redrive = &properties["RedrivePolicy"];
            assert_eq!(number(&redrive["maxReceiveCount"]), u64::from(MAX_RECEIVES), "{queue}");
            assert_eq!(redrive["deadLetterTargetArn"]["Fn::GetAtt"][0], dead, "{queue}");
        }
    }
}

#[test]
fn names_in_aws_tell_the_job_type_and_the_priority() {
    let template = load();
    for job in &job_types() {
        let [normal, high, dead] = job.queues();
        for (queue, ending) in [(&normal, ""), (&high, "-high"), (&dead, "-dlq")] {
            let name = &properties(&template, queue)["QueueName"]["Fn::Sub"];
            assert_eq!(*name, job.name_in_aws(ending), "{queue}");
        }
        // By name, because references would go in a circle; so a wrong one is not noticed in AWS
        // until a message should move.
        let arn = |ending: &str| {
            let queue = job.name_in_aws(ending);
            let account = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}";
            json!({ "Fn::Sub": format!("{account}:{queue}") })
        };
        let allow = &properties(&template, &dead)["RedriveAllowPolicy"];
        assert_eq!(allow["redrivePermission"], "byQueue", "{dead}");
        assert_eq!(allow["sourceQueueArns"], json!([arn(""), arn("-high")]), "{dead}");

        let function = job.name("Function");
        let name = &properties(&template, &function)["FunctionName"]["Fn::Sub"];
        assert_eq!(*name, job.name_in_aws(""), "{function}");
        let group = job.name("LogGroup");
        let name = &properties(&template, &group)["LogGroupName"]["Fn::Sub"];
        assert_eq!(*name, format!("/aws/lambda/{}", job.name_in_aws("")), "{group}");
    }
}

#[test]
fn every_event_source_reports_partial_batches_and_is_bounded() {
    let template = load();
    for job in &job_types() {
        let function = job.name("Function");
        let mut sources = BTreeSet::new();
        for name in ["Normal", "High"].map(|end| format!("{function}{end}")) {
            let properties = properties(&template, &name);
            // Unless updates are gradual, the function itself: a version would not see a new setting.
            let alias = json!({ "Ref": format!("{function}.Alias") });
            let called = json!({ "Fn::If": ["Gradual", alias, { "Ref": function }] });
            assert_eq!(properties["FunctionName"], called, "{name}");
            assert_eq!(number(&properties["BatchSize"]), BATCH_SIZE as u64, "{name}");
            assert!(job.policy.concurrency <= BATCH_SIZE, "{name}");
            // Without it everything is deleted, whatever the function answers.
            let reported = &properties["FunctionResponseTypes"];
            assert_eq!(*reported, json!(["ReportBatchItemFailures"]), "{name}");
            let parameter = reference(&properties["ScalingConfig"]["MaximumConcurrency"]);
            let least = number(&template["Parameters"][parameter]["MinValue"]);
            assert_eq!(least, 2, "{name}: SQS knows no maximum of 1");
            // Filters delete what they do not match, for good.
            assert!(properties["FilterCriteria"].is_null(), "{name}");
            sources.insert((
                reference(&properties["EventSourceArn"]).to_owned(),
                parameter.to_owned(),
            ));
        }
        let own = [("Queue", "Concurrency"), ("HighQueue", "HighConcurrency")];
        let own = own.map(|(queue, parameter)| (job.name(queue), job.name(parameter)));
        assert_eq!(sources, BTreeSet::from(own), "{function}");
    }
}
