//! Schedules of `EventBridge` Scheduler.
//!
//! Their target is the API call `SendMessage`, and not the queue: Scheduler's own target for queues takes a message
//! group for FIFO queues only, and fair queues are none.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_scheduler::{
    operation::get_schedule::GetScheduleOutput,
    types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target},
};
use serde::{Deserialize, Serialize};

use super::{
    AwsPorts,
    fault::{code, fault},
};
use crate::ports::{Fault, Outgoing, Schedule, Schedules};

/// How the ARN of the API call ends, as a target.
const SEND_MESSAGE: &str = ":scheduler:::aws-sdk:sqs:sendMessage";

/// Codes of errors that say that the values are wrong, or that the name is taken.
const REFUSED: [&str; 3] =
    ["ConflictException", "ServiceQuotaExceededException", "ValidationException"];

/// The parameters of `SendMessage`, which are the target's input.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    message_body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_group_id: Option<String>,
}

/// What the error of the call with this IAM action means.
fn failed<E, R>(action: &str, error: &SdkError<E, R>) -> Fault
where
    E: Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (code(error), error.as_service_error().and_then(ProvideErrorMetadata::message)) {
        (Some(code), why) if REFUSED.contains(&code) => {
            Fault::Refused(why.unwrap_or(code).to_owned())
        }
        _ => fault(action, error),
    }
}

/// The schedule as Scheduler describes it.
fn read(name: &str, found: GetScheduleOutput) -> Result<Schedule, Fault> {
    let target = found.target.as_ref().filter(|target| target.arn().ends_with(SEND_MESSAGE));
    let input = target.and_then(Target::input);
    let sends = input.and_then(|input| serde_json::from_str::<SendMessage>(input).ok());
    let Some(SendMessage { queue_url, message_body, message_group_id }) = sends else {
        let why = format!("schedule {name}: expected one that sends a message to a queue");
        return Err(Fault::Unreadable(why));
    };
    Ok(Schedule {
        name: name.to_owned(),
        expression: found.schedule_expression.unwrap_or_default(),
        time_zone: found.schedule_expression_timezone.unwrap_or_else(|| "UTC".to_owned()),
        enabled: found.state != Some(ScheduleState::Disabled),
        queue: queue_url.rsplit('/').next().unwrap_or_default().to_owned(),
        message: Outgoing { body: message_body, group: message_group_id },
    })
}

const fn state(enabled: bool) -> ScheduleState {
    if enabled { ScheduleState::Enabled } else { ScheduleState::Disabled }
}

/// A schedule runs at its time, and not within a window around it.
fn window() -> Result<FlexibleTimeWindow, Fault> {
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off);
    window.build().map_err(|error| Fault::Refused(error.to_string()))
}

impl AwsPorts {
    async fn described(&self, group: &str, name: &str) -> Result<Option<GetScheduleOutput>, Fault> {
        match self.scheduler.get_schedule().group_name(group).name(name).send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(failed("scheduler:GetSchedule", &error)),
        }
    }

    async fn target(&self, role: &str, schedule: &Schedule) -> Result<Target, Fault> {
        let sends = SendMessage {
            queue_url: self.queue_url(&schedule.queue).await?,
            message_body: schedule.message.body.clone(),
            message_group_id: schedule.message.group.clone(),
        };
        let input = serde_json::to_string(&sends).map_err(|error| error.to_string());
        let partition = role.split(':').nth(1).unwrap_or("aws");
        let target = Target::builder()
            .arn(format!("arn:{partition}{SEND_MESSAGE}"))
            .role_arn(role)
            .input(input.map_err(Fault::Refused)?);
        target.build().map_err(|error| Fault::Refused(error.to_string()))
    }
}

impl Schedules for AwsPorts {
    async fn schedules(&self, group: &str, most: usize) -> Result<Vec<String>, Fault> {
        let list = self.scheduler.list_schedules().group_name(group);
        let mut found = list.into_paginator().items().send();
        let mut names = Vec::new();
        while names.len() < most
            && let Some(schedule) = found.next().await
        {
            let schedule = schedule.map_err(|error| failed("scheduler:ListSchedules", &error))?;
            names.extend(schedule.name);
        }
        names.sort();
        Ok(names)
    }

    async fn schedule(&self, group: &str, name: &str) -> Result<Option<Schedule>, Fault> {
        self.described(group, name).await?.map(|found| read(name, found)).transpose()
    }

    async fn create_schedule(
        &self,
        group: &str,
        role: &str,
        schedule: &Schedule,
    ) -> Result<(), Fault> {
        let create = self
            .scheduler
            .create_schedule()
            .group_name(group)
            .name(&schedule.name)
            .schedule_expression(&schedule.expression)
            .schedule_expression_timezone(&schedule.time_zone)
            .state(state(schedule.enabled))
            .flexible_time_window(window()?)
            .target(self.target(role, schedule).await?);
        let created = create.send().await;
        created.map(drop).map_err(|error| failed("scheduler:CreateSchedule", &error))
    }

    async fn replace_schedule(
        &self,
        group: &str,
        role: &str,
        schedule: &Schedule,
    ) -> Result<(), Fault> {
        let update = self
            .scheduler
            .update_schedule()
            .group_name(group)
            .name(&schedule.name)
            .schedule_expression(&schedule.expression)
            .schedule_expression_timezone(&schedule.time_zone)
            .state(state(schedule.enabled))
            .flexible_time_window(window()?)
            .target(self.target(role, schedule).await?);
        let updated = update.send().await;
        updated.map(drop).map_err(|error| failed("scheduler:UpdateSchedule", &error))
    }

    async fn enable_schedule(&self, group: &str, name: &str, enabled: bool) -> Result<(), Fault> {
        let found = self.described(group, name).await?;
        let found = found.ok_or_else(|| Fault::Missing(format!("no schedule {name}")))?;
        // An update that leaves something out resets it.
        let update = self
            .scheduler
            .update_schedule()
            .group_name(group)
            .name(name)
            .set_schedule_expression(found.schedule_expression)
            .set_schedule_expression_timezone(found.schedule_expression_timezone)
            .set_start_date(found.start_date)
            .set_end_date(found.end_date)
            .set_description(found.description)
            .set_kms_key_arn(found.kms_key_arn)
            .set_target(found.target)
            .set_flexible_time_window(found.flexible_time_window)
            .set_action_after_completion(found.action_after_completion)
            .state(state(enabled));
        let updated = update.send().await;
        updated.map(drop).map_err(|error| failed("scheduler:UpdateSchedule", &error))
    }

    async fn delete_schedule(&self, group: &str, name: &str) -> Result<(), Fault> {
        match self.scheduler.delete_schedule().group_name(group).name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(()),
            Err(error) => Err(failed("scheduler:DeleteSchedule", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arn: &str, input: &str) -> GetScheduleOutput {
        let target = Target::builder().arn(arn).role_arn("arn:aws:iam::1:role/r").input(input);
        GetScheduleOutput::builder()
            .schedule_expression("rate(6 hours)")
            .state(ScheduleState::Disabled)
            .target(target.build().unwrap())
            .build()
    }

    #[test]
    fn a_schedule_is_read_as_it_was_written() {
        let sends = SendMessage {
            queue_url: "https://sqs.eu-west-1.amazonaws.com/1/s-webhook".into(),
            message_body: "{}".into(),
            message_group_id: Some("g".into()),
        };
        let input = serde_json::to_string(&sends).unwrap();
        assert!(input.starts_with(r#"{"QueueUrl":"#) && input.contains(r#""MessageGroupId":"g""#));
        let read = read("n", found(&format!("arn:aws-cn{SEND_MESSAGE}"), &input)).unwrap();
        let message = Outgoing { body: "{}".into(), group: Some("g".into()) };
        let expected = Schedule {
            name: "n".into(),
            expression: "rate(6 hours)".into(),
            time_zone: "UTC".into(),
            enabled: false,
            queue: "s-webhook".into(),
            message,
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_schedule_of_another_tool_is_told_as_such() {
        for (arn, input) in
            [("arn:aws:lambda:eu-west-1:1:function:f", "{}"), (SEND_MESSAGE, "not JSON")]
        {
            let fault = read("n", found(arn, input)).unwrap_err();
            assert!(
                matches!(fault, Fault::Unreadable(why) if why.contains("schedule n: expected"))
            );
        }
    }
}
