//! `evenkeel submit`: checks every row, and then sends them in order. Sending a message twice is harmless, so an
//! interrupted command goes on with the line that it has named.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Context,
    noted::{Intent, Noted, Outcome},
};
use crate::{
    args::{Form, Submit},
    deployment::{Deployment, queue_name},
    exit::{Exit, Failure},
    output::Answer,
    ports::{Outgoing, Ports},
    rows::{self, Checked, Common, GoodRow, RawRow},
    schema::{self, Schema},
    shapes::{Row, RowProblem, Submitted},
    table::{BAD, GOOD, styled, table},
};

/// Messages of one call, SQS's limit.
const MESSAGES_A_CALL: usize = 10;

/// Bytes of the bodies of one call: SQS's limit of 262,144 for a batch, where a queue still has it.
const BYTES_A_CALL: usize = 250_000;

/// How often a message is sent that the queue does not accept at once.
const MOST_ROUNDS: u32 = 4;

/// The pause before it is sent again. It doubles with each round.
const PAUSE: Duration = Duration::from_millis(200);

/// Problems that are reported one by one.
const MOST_PROBLEMS: usize = 1_000;

/// Sent rows that are named.
const FIRST: usize = 10;

/// Checks the rows and sends the good ones.
pub(super) async fn run<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &Submit,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let job = stack.job_type(&given.kind)?;
    let schema = Schema::of(&given.kind).ok_or_else(|| {
        let known: Vec<&str> = schema::kinds().collect();
        let message = format!("type: this version has no schema of {:?}", given.kind);
        Failure::usage(message).hint(format!("it has those of {}", known.join(", ")))
    })?;
    let common = Common { kind: &given.kind, schema: &schema, group: given.group.as_deref() };
    let mut raw = read(given, &schema)?;
    raw.retain(|row| row.line >= given.from_line);
    let rows = u64::try_from(raw.len()).unwrap_or(u64::MAX);
    let checked = rows::check(raw, &common);
    let queue = if given.high { &job.high } else { &job.normal };
    let mut submitted = Submitted {
        queue: queue_name(queue).to_owned(),
        dry_run: given.dry_run,
        rows,
        duplicates: checked.duplicates,
        bad: checked.bad,
        ..Submitted::default()
    };
    let Checked { good, problems, bad: wrong, .. } = checked;
    submitted.problems = problems;
    let mut remark = None;
    if given.dry_run || good.is_empty() {
        submitted.sent = u64::try_from(good.len()).unwrap_or(u64::MAX);
    } else {
        let about = format!("{} messages to {}", good.len(), submitted.queue);
        let intent = Intent { what: "submit", about, reason: given.reason.as_deref() };
        let noted = Noted::begin(ports, stack, intent).await?;
        submitted.operation = Some(noted.id.clone());
        let sent = send(ports, queue, &good, context, &mut submitted).await;
        remark = noted.end(ports, stack, &outcome(&submitted, &sent, wrong)).await;
        if let Some(exit) = sent? {
            return answer(submitted, exit, remark);
        }
    }
    let exit = exit(&submitted, wrong);
    answer(submitted, exit, remark)
}

/// The exit status if all rows were dealt with. `wrong` counts those that are wrong themselves; the queue has refused
/// the others that were not sent.
fn exit(submitted: &Submitted, wrong: u64) -> Exit {
    match (submitted.bad, submitted.sent) {
        (0, _) => Exit::Done,
        (bad, 0) if bad == wrong => Exit::Usage,
        (_, 0) => Exit::Failed,
        _ => Exit::Partly,
    }
}

/// What the operations log says of the result.
fn outcome(submitted: &Submitted, sent: &Result<Option<Exit>, Failure>, wrong: u64) -> Outcome {
    let refused = submitted.bad - wrong;
    let counts = [("sent", submitted.sent), ("refused", refused), ("wrong", wrong)];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let counts: BTreeMap<String, u64> = counts.map(|(name, n)| (name.to_owned(), n)).collect();
    match sent {
        Err(failure) => Outcome::failed(&failure.message, counts),
        Ok(Some(Exit::Interrupted)) => Outcome { state: "stopped", why: None, counts },
        Ok(Some(_)) => Outcome::failed("a call failed, and the rest was not sent", counts),
        Ok(None) if refused > 0 => Outcome::failed("the queue did not accept all messages", counts),
        Ok(None) => Outcome::done(counts),
    }
}

fn answer(mut submitted: Submitted, exit: Exit, remark: Option<String>) -> Result<Answer, Failure> {
    submitted.problems.truncate(MOST_PROBLEMS);
    let answer = Answer::one(&submitted, text(&submitted))?.exit(exit);
    Ok(match remark {
        Some(remark) => answer.remark(remark),
        None => answer,
    })
}

/// The rows of the file, or the one of the command line.
fn read(given: &Submit, schema: &Schema) -> Result<Vec<RawRow>, Failure> {
    if let Some(payload) = &given.payload {
        let message = rows::one(payload).map(|mut fields| {
            if let Some(id) = &given.id {
                fields.insert("id".to_owned(), id.as_str().into());
            }
            fields
        });
        return Ok(vec![RawRow { line: 1, message }]);
    }
    let path = given.file.clone().unwrap_or_else(|| PathBuf::from("-"));
    let text = file(&path)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => rows::csv(&text, schema),
        "" | "jsonl" | "ndjson" | "json" => Ok(rows::json_lines(&text)),
        other => {
            let message = format!("{}: .{other}, expected .jsonl, .ndjson or .csv", path.display());
            Err(Failure::usage(message))
        }
    }
}

fn file(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// The rows of one call: as many from the beginning as fit.
fn fitting(rows: &[GoodRow]) -> usize {
    let mut bytes = 0;
    let fits = |row: &&GoodRow| {
        bytes += row.message.body.len();
        bytes <= BYTES_A_CALL
    };
    rows.iter().take(MESSAGES_A_CALL).take_while(fits).count().max(1)
}

/// Sends the rows in order. Returns the exit status if they were not all dealt with.
async fn send<P: Ports>(
    ports: &P,
    queue: &str,
    rows: &[GoodRow],
    context: &Context<'_>,
    submitted: &mut Submitted,
) -> Result<Option<Exit>, Failure> {
    let progress = progress(context.form, rows.len());
    let mut rest = rows;
    while let Some(next) = rest.first() {
        if context.stop.is_requested() {
            submitted.resume_at_line = Some(next.line);
            return Ok(Some(Exit::Interrupted));
        }
        let (chunk, later) = rest.split_at(fitting(rest));
        match deliver(ports, queue, chunk, submitted).await {
            Ok(()) => {}
            // Nothing was sent at all: the fault is the answer.
            Err(failure) if submitted.sent == 0 => return Err(failure),
            Err(failure) => {
                submitted.resume_at_line = Some(next.line);
                let problem = failure.message;
                submitted
                    .problems
                    .insert(0, RowProblem { line: next.line, field: "row".to_owned(), problem });
                return Ok(Some(Exit::Partly));
            }
        }
        progress.inc(u64::try_from(chunk.len()).unwrap_or_default());
        rest = later;
    }
    progress.finish_and_clear();
    Ok(None)
}

/// Sends some rows in one call, and those that the queue does not accept once more. Counts what has become of them.
async fn deliver<P: Ports>(
    ports: &P,
    queue: &str,
    rows: &[GoodRow],
    submitted: &mut Submitted,
) -> Result<(), Failure> {
    let mut left: Vec<&GoodRow> = rows.iter().collect();
    let mut pause = PAUSE;
    for round in 1..=MOST_ROUNDS {
        let messages: Vec<Outgoing> = left.iter().map(|row| row.message.clone()).collect();
        let results = ports.send(queue, &messages).await?;
        let mut refused = Vec::new();
        for (row, result) in left.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    submitted.sent += 1;
                    if submitted.first.len() < FIRST {
                        submitted.first.push(Row { line: row.line, id: row.id.clone() });
                    }
                }
                Err(why) if round == MOST_ROUNDS => {
                    submitted.bad += 1;
                    let problem = format!("the queue did not accept it: {why}");
                    submitted.problems.push(RowProblem {
                        line: row.line,
                        field: "row".to_owned(),
                        problem,
                    });
                }
                Err(_) => refused.push(row),
            }
        }
        if refused.is_empty() {
            break;
        }
        left = refused;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Ok(())
}

/// A bar on standard error, for people on a terminal.
fn progress(form: Form, rows: usize) -> ProgressBar {
    let target = match form {
        Form::Text => ProgressDrawTarget::stderr(),
        Form::Json | Form::Jsonl => ProgressDrawTarget::hidden(),
    };
    let progress =
        ProgressBar::with_draw_target(Some(u64::try_from(rows).unwrap_or_default()), target);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} sent, {per_sec}, {eta} left");
    // A template that is wrong leaves the bar's own.
    if let Ok(style) = style { progress.with_style(style) } else { progress }
}

fn text(submitted: &Submitted) -> String {
    let verb = if submitted.dry_run { "would be sent" } else { "sent" };
    let mut text = styled(GOOD, &format!("{} {verb} to {}", submitted.sent, submitted.queue));
    text += "\n";
    if submitted.duplicates > 0 {
        text += &crate::text::clean(&format!("{} not sent, as repetitions", submitted.duplicates));
        text += "\n";
    }
    if submitted.bad > 0 {
        text += &styled(BAD, &format!("{} not sent, because of problems", submitted.bad));
        text += "\n";
    }
    let row = |found: &RowProblem| {
        vec![found.line.to_string(), found.field.clone(), found.problem.clone()]
    };
    text += &table(&["LINE", "FIELD", "PROBLEM"], submitted.problems.iter().map(row).collect());
    if let Some(line) = submitted.resume_at_line {
        text += &styled(BAD, &format!("not finished: go on with --from-line {line}"));
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use evenkeel::base::time::Time;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        args::TimeForm, memory::MemoryPorts, moment::Moment, ports::Called, stack, stack::Target,
        stop::Stop,
    };

    fn payload(n: usize) -> String {
        format!(
            r#"{{"destination":"https://www.example.com/{n}","dealer_slug":"a","vin":"1M8GDM9AXKP042788"}}"#
        )
    }

    /// An answer of the operators' function, which a test needs not look at.
    fn noted() -> Called {
        Called::Answer(json!({ "id": "9-a", "at": 1, "by": "", "reason": "", "state": "intent",
            "act": { "do": "note", "what": "submit" } }))
    }

    fn ports() -> MemoryPorts {
        let ports = MemoryPorts::stack("s", r#"[{"type":"url_shortening"}]"#);
        ports.answering((0..4).map(|_| noted()))
    }

    /// What the operations log was told, without who it was.
    fn logged(ports: &MemoryPorts) -> Vec<Value> {
        ports.invoked().into_iter().map(|(_, request)| request).collect()
    }

    fn given(file: Option<PathBuf>) -> Submit {
        Submit {
            kind: "url_shortening".into(),
            payload: file.is_none().then(|| payload(0)),
            file,
            id: None,
            high: false,
            group: None,
            from_line: 1,
            reason: None,
            dry_run: false,
        }
    }

    fn lines(name: &str, lines: &[String]) -> PathBuf {
        let path = std::env::temp_dir()
            .join(format!("evenkeel-submit-{}-{name}.jsonl", std::process::id()));
        fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    async fn told(ports: &MemoryPorts, given: &Submit, stop: &Stop) -> String {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let moment = Moment { now: Time::default(), form: TimeForm::Relative };
        let context = Context { form: Form::Json, moment, stop };
        format!("{:?}", run(ports, &stack, given, &context).await.unwrap())
    }

    #[tokio::test]
    async fn one_payload_is_sent_to_the_queue_that_is_asked_for() {
        let ports = ports();
        let given = Submit { high: true, id: Some("x".into()), ..given(None) };
        let told = told(&ports, &given, &Stop::default()).await;
        assert!(told.contains("exit: Done"), "{told}");
        let sent = ports.sent();
        assert_eq!(sent.len(), 1);
        assert!(
            sent[0].0.ends_with("s-url-shortening-high") && sent[0].1.body.contains(r#""id":"x""#)
        );
    }

    #[tokio::test]
    async fn good_rows_go_in_order_and_a_bad_one_is_reported() {
        let ports = ports();
        let mut rows: Vec<String> = (0..25).map(payload).collect();
        rows.insert(3, "{}".into());
        let file = lines("bad", &rows);
        let told = told(&ports, &given(Some(file.clone())), &Stop::default()).await;
        assert!(told.contains("exit: Partly") && told.contains("payload.vin"), "{told}");
        let sent = ports.sent();
        assert_eq!(sent.len(), 25);
        assert!((0..25).all(|n| sent[n].1.body.contains(&format!("example.com/{n}\""))));
        fs::remove_file(file).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_the_queue_refuses_is_tried_again_and_then_reported() {
        let ports = ports().refusing("example.com/1\"");
        let file = lines("refused", &[payload(0), payload(1), payload(2)]);
        let told = told(&ports, &given(Some(file.clone())), &Stop::default()).await;
        assert!(
            told.contains("did not accept it: InternalError") && told.contains("exit: Partly"),
            "{told}"
        );
        assert_eq!(ports.sent().len(), 2);
        let [_, result]: [Value; 2] = logged(&ports).try_into().unwrap();
        assert_eq!(result["state"], "failed");
        assert_eq!(result["counts"], json!({ "sent": 2, "refused": 1 }));
        fs::remove_file(file).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_refuses_all_has_failed_and_the_rows_are_not_to_blame() {
        let ports = ports().refusing("example.com");
        let file = lines("all-refused", &[payload(0), payload(1)]);
        let told = told(&ports, &given(Some(file.clone())), &Stop::default()).await;
        assert!(told.contains("exit: Failed"), "{told}");
        fs::remove_file(file).unwrap();
        let wrong = Submit { payload: Some("{}".into()), ..given(None) };
        let ports = self::ports();
        let told = self::told(&ports, &wrong, &Stop::default()).await;
        assert!(told.contains("exit: Usage") && logged(&ports).is_empty(), "{told}");
    }

    #[tokio::test]
    async fn what_is_sent_is_logged_before_and_after_and_else_nothing_is_sent() {
        let ports = ports();
        let given = Submit { reason: Some("as tested".into()), ..given(None) };
        let told = told(&ports, &given, &Stop::default()).await;
        assert!(told.contains("9-a"), "{told}");
        let [intent, result]: [Value; 2] = logged(&ports).try_into().unwrap();
        assert_eq!(intent["act"]["about"], "1 messages to s-url-shortening");
        assert_eq!(intent["reason"], "as tested");
        assert_eq!((&result["report"], &result["state"]), (&json!("9-a"), &json!("done")));
        let silent = MemoryPorts::stack("s", r#"[{"type":"url_shortening"}]"#);
        let stack = stack::find(&silent, &Target::default()).await.unwrap();
        let moment = Moment { now: Time::default(), form: TimeForm::Relative };
        let stop = Stop::default();
        let context = Context { form: Form::Json, moment, stop: &stop };
        assert!(run(&silent, &stack, &given, &context).await.is_err());
        assert!(silent.sent().is_empty());
    }

    #[tokio::test]
    async fn an_interrupted_command_names_the_line_to_go_on_with() {
        let ports = ports();
        let file = lines("stopped", &[payload(0), payload(1)]);
        let stop = Stop::default();
        stop.request();
        let told_first = told(&ports, &given(Some(file.clone())), &stop).await;
        assert!(
            told_first.contains("exit: Interrupted") && told_first.contains("--from-line 1"),
            "{told_first}"
        );
        let given = Submit { from_line: 2, ..given(Some(file.clone())) };
        let told_then = told(&ports, &given, &Stop::default()).await;
        assert!(
            told_then.contains("exit: Done") && ports.sent()[0].1.body.contains("example.com/1"),
            "{told_then}"
        );
        fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn a_dry_run_sends_nothing() {
        let ports = ports();
        let told = told(&ports, &Submit { dry_run: true, ..given(None) }, &Stop::default()).await;
        assert!(told.contains("would be sent") && ports.sent().is_empty(), "{told}");
    }

    #[test]
    fn a_call_has_ten_messages_at_most_and_stays_below_its_bytes() {
        let row = |bytes: usize| {
            let message = Outgoing { body: "b".repeat(bytes), group: None };
            GoodRow { line: 1, id: None, message }
        };
        assert_eq!(fitting(&vec![row(10); 12]), 10);
        assert_eq!(fitting(&vec![row(65_000); 10]), 3);
        assert_eq!(fitting(&[row(300_000)]), 1);
    }
}
