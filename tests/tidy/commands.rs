//! Every `evenkeel` command in a document is one that the command line takes. Those that only read also run, on a stack
//! in memory that has what they name.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use evenkeel::{
    base::time::Time,
    message::{Flaw, RejectedMessage, Rejection},
    record::Phase,
    testing::TestClock,
};
use evenkeel_cli::{
    Exit, Failure, Stop, Streams, Surroundings,
    args::{CarsCommand, Cli, Command, JobsCommand, OpsCommand, RejectedCommand},
    memory::MemoryPorts,
    ports::{Attributes, Kept},
};
use serde_json::json;

use super::{
    documents::{documents, prose, spans},
    files::root,
};
use crate::operators::record;

/// A command as a document writes it.
struct Documented {
    document: String,
    /// Its words, the first of which is `evenkeel`.
    words: Vec<String>,
    /// Whether it stands between backticks in a sentence, where a command may lack its arguments.
    is_inline: bool,
}

impl Documented {
    fn text(&self) -> String {
        format!("{}: {}", self.document, self.words.join(" "))
    }
}

/// Splits the first line of a shell script into commands and their words. Quotation marks and a backslash at its end
/// continue the line; what follows a `>` counts as a command of its own, which is none of ours.
fn split(script: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let end = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>, is_last: bool| {
        if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
            command.push(word);
        }
        if is_last {
            commands.push(Vec::new());
        }
    };
    let mut characters = script.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => match characters.next() {
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\n') => break,
            (None, '#') if word.is_none() => break,
            (None, '|' | '&' | ';' | '>' | '<' | ')') => end(&mut word, &mut commands, true),
            (None, c) if c.is_whitespace() => end(&mut word, &mut commands, false),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut commands, false);
    commands
}

/// The blocks of code of a document.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with("```") {
            fenced = !fenced;
            blocks.push(String::new());
        } else if let Some(block) = blocks.last_mut().filter(|_| fenced) {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

/// The commands of a block of code: of each line that begins with `evenkeel`, also after a prompt.
fn of_block(block: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in block.split_inclusive('\n') {
        let command = line.strip_prefix("$ ").unwrap_or(line);
        if command.starts_with("evenkeel ") {
            found.extend(split(&block[start + line.len() - command.len()..]));
        }
        start += line.len();
    }
    found
}

/// The `evenkeel` commands of every document, except those that leave something out with `…`.
fn documented() -> Vec<Documented> {
    let mut found = Vec::new();
    for document in documents() {
        let lines = blocks(&document.text).iter().flat_map(|block| of_block(block)).collect();
        let prose = prose(&document.text);
        let spans = spans(&prose).into_iter().filter(|span| span.starts_with("evenkeel "));
        let spans: Vec<_> = spans.flat_map(|span| split(&span.replace('\n', " "))).collect();
        let both: [(bool, Vec<Vec<String>>); 2] = [(false, lines), (true, spans)];
        for (is_inline, commands) in both {
            for words in commands {
                let is_ours = words.first().is_some_and(|word| word == "evenkeel");
                if is_ours && !words.iter().any(|word| word.contains('…')) {
                    let document = document.path.clone();
                    found.push(Documented { document, words, is_inline });
                }
            }
        }
    }
    found
}

/// Whether the words after the first are the name of a command: `evenkeel jobs retry`.
fn is_name(words: &[String]) -> bool {
    let mut command = Cli::command();
    words.iter().skip(1).all(|word| {
        let below = command.find_subcommand(word).cloned();
        let is_known = below.is_some();
        command = below.unwrap_or_default();
        is_known
    })
}

/// What is wrong with a command. In a sentence it may be a name alone, or end with an option that has no value.
fn problem(found: &Documented) -> Option<String> {
    let Err(error) = Cli::try_parse_from(&found.words) else { return None };
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let with_value = || Cli::try_parse_from(found.words.iter().map(String::as_str).chain(["1"]));
    if is_help || found.is_inline && (is_name(&found.words) || with_value().is_ok()) {
        return None;
    }
    Some(format!("{}: {error}", found.text()))
}

/// Whether what stands between backticks is a command of `evenkeel`, or the name of one.
pub(super) fn is_command(span: &str) -> bool {
    let words = split(span).into_iter().next().unwrap_or_default();
    let is_ours = words.first().is_some_and(|word| word == "evenkeel");
    is_ours && problem(&Documented { document: String::new(), words, is_inline: true }).is_none()
}

#[test]
fn every_evenkeel_command_in_a_document_is_one_that_the_command_line_takes() {
    let found = documented();
    let problems: Vec<String> = found.iter().filter_map(problem).collect();
    assert_eq!(problems, Vec::<String>::new());
    let inline = found.iter().filter(|found| found.is_inline).count();
    assert!(inline > 30 && found.len() - inline > 50, "{inline} of {} inline", found.len());
}

/// The job types of the stack in memory.
const TYPES: &str = r#"[{"type":"url_shortening","dependency":"rebrandly"},
    {"type":"dealer_com_feed"},{"type":"product_detail_scraping"}]"#;

/// How long a command runs that does not end by itself, such as one with `--watch`.
const LONG_ENOUGH: Duration = Duration::from_mins(1);

const NOW: Time = Time::from_millis(1_800_000_000_000);

fn rejected(key: &str) -> RejectedMessage {
    RejectedMessage {
        trace: None,
        key: key.to_owned(),
        kind: "url_shortening".into(),
        queue: "arn:aws:sqs:eu-west-1:123456789012:s-url-shortening".into(),
        message_id: "message".into(),
        head: "not a message".into(),
        length: 13,
        rejection: Rejection::new(Flaw::Malformed, "body: expected JSON"),
        group: None,
        at: NOW,
        expires_at: NOW,
    }
}

/// A stack that has the job, the message, the car or the operation that a command names.
fn stack(command: &Command) -> MemoryPorts {
    let ports = MemoryPorts::stack("s", TYPES);
    let with_job = |ports: MemoryPorts, id: &str| {
        let key = if id.contains('#') { id.to_owned() } else { format!("url_shortening#g:{id}") };
        ports.with_record(&record(&key, Phase::Dead { at: NOW, why: "refused".into() }))
    };
    match command {
        Command::Jobs(JobsCommand::Show(job) | JobsCommand::Explain(job)) => {
            with_job(ports, &job.id)
        }
        Command::Jobs(JobsCommand::Wait(wait)) => with_job(ports, &wait.job.id),
        Command::Rejected(RejectedCommand::Show(message)) => {
            let kept = Kept::Rejected(Box::new(rejected(&message.key)));
            ports.with_item(&message.key, kept)
        }
        Command::Cars(CarsCommand::Show(car)) => {
            let vin = format!("car#{}", car.vin);
            let keys = [("dealer", json!(car.dealer)), ("vin", json!(vin))];
            let item = keys.map(|(name, value)| (name.to_owned(), value));
            ports.with_other(Attributes::from(item))
        }
        Command::Ops(OpsCommand::Show(operation)) => {
            let entry = json!({ "id": operation.op.id, "at": 0, "by": "arn", "reason": "a test",
                "act": { "do": "retry" }, "state": "done" });
            ports.with_note("ops", &operation.op.id, &entry.to_string())
        }
        Command::Feeds(_) => {
            let feeds = json!({ "group": "s", "role": "arn", "types": ["dealer_com_feed"] });
            ports.with_parameter("/s/feeds", &feeds.to_string())
        }
        _ => ports,
    }
}

/// Runs a command that reads; its exit status and what it has printed.
async fn run(cli: &Cli) -> (Exit, String) {
    let named = [("EVENKEEL_STACK".to_owned(), "s".to_owned())];
    let environment = named.into_iter().collect();
    let surroundings = Surroundings { environment, folder: PathBuf::new() };
    let ports = stack(&cli.command);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut out, &mut err);
    let connect = async |_: evenkeel_cli::Target| Ok::<_, Failure>(ports);
    let (stop, clock) = (Stop::default(), TestClock::default());
    let run = evenkeel_cli::run(cli, &surroundings, &clock, &stop, connect, &mut streams);
    // What goes on until it is interrupted has been told enough by then.
    let exit = tokio::time::timeout(LONG_ENOUGH, run).await.unwrap_or(Exit::Done);
    (exit, String::from_utf8_lossy(&[out, err].concat()).into_owned())
}

/// Whether a command only reads, and ends by itself.
fn reads(command: &Command) -> bool {
    let has_its_file = match command {
        Command::Dashboard(_) => false,
        Command::Lint(lint) => lint.path.is_file(),
        _ => true,
    };
    has_its_file && !command.writes()
}

#[tokio::test(start_paused = true)]
async fn every_documented_command_that_reads_gets_an_answer() {
    let mut count = 0;
    for found in documented() {
        let words = found.words.iter().filter(|word| *word != "--local");
        let words = words.map(|word| match word.as_str() {
            "TYPE" => "url_shortening".into(),
            // The tests do not run in the folder that the documents speak of.
            word if root().join(word).is_file() => root().join(word).into_os_string(),
            word => word.into(),
        });
        let Ok(cli) = Cli::try_parse_from(words.collect::<Vec<OsString>>()) else { continue };
        if !reads(&cli.command) {
            continue;
        }
        count += 1;
        let (exit, text) = run(&cli).await;
        assert!(matches!(exit, Exit::Done | Exit::No), "{}: {exit:?}\n{text}", found.text());
    }
    assert!(count > 30, "{count} commands were run");
}

#[test]
fn a_line_is_split_as_a_shell_does() {
    let line =
        "evenkeel a 'b c' \\\n  --d=\"e 'f'\" q#1 > month.md || evenkeel g  # h's\nevenkeel i";
    let found: Vec<String> =
        split(line).iter().map(|words| words.join("+")).filter(|words| !words.is_empty()).collect();
    assert_eq!(found, ["evenkeel+a+b c+--d=e 'f'+q#1", "month.md", "evenkeel+g"]);
    let block = "x=1\n$ evenkeel health\nevenkeel jobs \\\n  list\n";
    let found: Vec<String> = of_block(block).iter().map(|words| words.join(" ")).collect();
    assert_eq!(found.join(";"), "evenkeel health;evenkeel jobs list");
}

#[test]
fn a_wrong_command_is_found_and_a_name_in_a_sentence_is_not() {
    let of = |text: &str, is_inline| {
        let words = split(text).swap_remove(0);
        problem(&Documented { document: "a.md".into(), words, is_inline }).is_some()
    };
    for wrong in ["evenkeel jobs nope", "evenkeel jobs list --nope", "evenkeel nope"] {
        assert!(of(wrong, false) && of(wrong, true), "{wrong}");
    }
    for name in ["evenkeel jobs retry", "evenkeel ops", "evenkeel jobs list --group"] {
        assert!(!of(name, true), "{name}");
    }
    assert!(of("evenkeel breaker open", false) && !of("evenkeel --help", false));
}
