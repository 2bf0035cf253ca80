//! `evenkeel cars import-links`: asks the function of `url_shortening`, which has the key, to take over links of
//! another system. Each request is short, and its answer is the state to go on with; the function keeps none.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Context,
    noted::{Intent, Noted, Outcome},
};
use crate::{
    args::{Form, ImportLinks},
    deployment::Deployment,
    exit::{Exit, Failure},
    output::Answer,
    ports::{Called, Ports},
    shapes::{AmbiguousCar, ImportedLink, LinksImported},
    stop::Stop,
    table::{Fields, table},
    text::redact,
};

/// The job type whose function imports links.
const KIND: &str = "url_shortening";

/// How long a request may take: the function's time-out and the way.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// Requests of one command: five million links at the least.
const MOST_REQUESTS: usize = 10_000;

/// How often in a row a request is made again that failed for a reason that passes.
const MOST_TRIES: u32 = 5;

/// The pause before that, if no other was asked for, and the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often a pause asks whether the operator wants the end.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// Classes of failures that pass.
const PASSING: [&str; 5] = ["transient", "throttled", "deferred", "contended", "unstarted"];

/// What a request has brought.
enum Step {
    /// The state to go on with.
    On(Value),
    /// A failure that passes, perhaps after this time.
    Wait(Duration, Failure),
}

/// Imports the links of a dealer's cars. Unless it only tells what it would keep, the operations log has the intent
/// before the first request, and the result after the last one.
pub(super) async fn run<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &ImportLinks,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let function = stack.function(stack.job_type(KIND)?);
    let mut import = begun(given)?;
    if given.dry_run {
        let is_done = go_on(ports, &function, &mut import, given, context).await?;
        return answer(&import, None, is_done, given, None);
    }
    let about = format!("links of {}", given.dealer);
    let intent = Intent { what: "import-links", about, reason: given.reason.as_deref() };
    let noted = Noted::begin(ports, stack, intent).await?;
    let before = counts(&import);
    let ended = go_on(ports, &function, &mut import, given, context).await;
    let remark = noted.end(ports, stack, &outcome(&ended, &before, &import)).await;
    answer(&import, Some(noted.id), ended?, given, remark)
}

/// Makes requests until all is done, or until the operator asks for the end; whether all is done.
async fn go_on<P: Ports>(
    ports: &P,
    function: &str,
    import: &mut Value,
    given: &ImportLinks,
    context: &Context<'_>,
) -> Result<bool, Failure> {
    let progress = progress(context.form);
    let mut tries = 0;
    for _ in 0..MOST_REQUESTS {
        if import["done"] == true {
            break;
        }
        if context.stop.is_requested() {
            return Ok(false);
        }
        match request(ports, function, import).await.map_err(|failure| hinted(failure, given))? {
            Step::On(next) => {
                (*import, tries) = (next, 0);
                save(given, import)?;
            }
            Step::Wait(_, failure) if tries == MOST_TRIES => {
                return Err(hinted(failure, given));
            }
            Step::Wait(span, _) => {
                tries += 1;
                pause(span, context.stop).await;
            }
        }
        let read = import["read"].as_u64().unwrap_or_default();
        progress.set_message(format!("{read} links read"));
        progress.tick();
    }
    progress.finish_and_clear();
    if import["done"] != true {
        let message = format!("not finished after {MOST_REQUESTS} requests");
        return Err(Failure::new(Exit::Failed, "not_finished", message).hint(how_to_go_on(given)));
    }
    Ok(true)
}

/// Waits for this long, or until the operator asks for the end: there must be time left to note the result.
async fn pause(span: Duration, stop: &Stop) {
    let mut left = span;
    while !left.is_zero() && !stop.is_requested() {
        let part = left.min(ASKED_EVERY);
        tokio::time::sleep(part).await;
        left = left.saturating_sub(part);
    }
}

/// What an import has done so far, by outcome.
fn counts(import: &Value) -> BTreeMap<String, u64> {
    let report = &import["report"];
    let listed = |name: &str| report[name].as_array().map_or(0, Vec::len);
    let ambiguous = report["ambiguous"].as_object().map_or(0, serde_json::Map::len);
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    BTreeMap::from([
        ("read".to_owned(), import["read"].as_u64().unwrap_or_default()),
        ("kept".to_owned(), number(listed("kept"))),
        ("known".to_owned(), number(listed("known"))),
        ("left_alone".to_owned(), number(ambiguous)),
    ])
}

/// What the operations log says of the result: what was done since `before`, the state that a file had.
fn outcome(
    ended: &Result<bool, Failure>,
    before: &BTreeMap<String, u64>,
    import: &Value,
) -> Outcome {
    let mut counts = counts(import);
    for (name, count) in &mut counts {
        *count = count.saturating_sub(before.get(name).copied().unwrap_or_default());
    }
    counts.retain(|_, count| *count > 0);
    match ended {
        Ok(true) => Outcome::done(counts),
        Ok(false) => Outcome { state: "stopped", why: None, counts },
        Err(failure) => Outcome::failed(&failure.message, counts),
    }
}

/// The state at the beginning, or as the file has it.
fn begun(given: &ImportLinks) -> Result<Value, Failure> {
    let fresh = json!({
        "dealer": given.dealer,
        "names": given.names,
        "dry_run": given.dry_run,
    });
    let Some(path) = &given.progress else { return Ok(fresh) };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fresh),
        Err(error) => return Err(unusable(path, &error.to_string())),
    };
    let stored: Value =
        serde_json::from_str(&text).map_err(|error| unusable(path, &error.to_string()))?;
    for field in ["dealer", "names", "dry_run"] {
        if stored[field] != fresh[field] {
            let why = format!("{field} is {}, expected {}", stored[field], fresh[field]);
            return Err(unusable(path, &why));
        }
    }
    // A finished import is no state to go on from: the next one begins anew.
    Ok(if stored["done"] == true { fresh } else { stored })
}

fn unusable(path: &Path, why: &str) -> Failure {
    Failure::usage(format!("--progress: {}: {why}", path.display()))
        .hint("name another file, or remove this one to begin anew")
}

fn save(given: &ImportLinks, import: &Value) -> Result<(), Failure> {
    let Some(path) = &given.progress else { return Ok(()) };
    fs::write(path, import.to_string()).map_err(|error| unusable(path, &error.to_string()))
}

fn how_to_go_on(given: &ImportLinks) -> String {
    match &given.progress {
        Some(path) => format!("the same command goes on where {} says", path.display()),
        None => "the same command begins anew, and does nothing twice".to_owned(),
    }
}

/// The failure, with how to go on if it has no other hint.
fn hinted(failure: Failure, given: &ImportLinks) -> Failure {
    if failure.hint.is_some() { failure } else { failure.hint(how_to_go_on(given)) }
}

/// Makes one request.
async fn request<P: Ports>(ports: &P, function: &str, import: &Value) -> Result<Step, Failure> {
    let request = json!({ "request": { "import_links": import } });
    let answer = match ports.invoke(function, &request, ANSWERS_WITHIN).await? {
        Called::Answer(answer) => answer,
        Called::Failed(why) => {
            return Err(Failure::new(
                Exit::Failed,
                "function_failed",
                format!("{function}: {why}"),
            ));
        }
    };
    if answer["answer"].is_object() {
        return Ok(Step::On(answer["answer"].clone()));
    }
    let failure = &answer["failure"];
    let text = |field: &str| failure[field].as_str().unwrap_or_default().to_owned();
    let (class, code, message) = (text("class"), text("code"), text("message"));
    if code.is_empty() {
        let message = format!("{function} has given an answer of another form");
        return Err(Failure::new(Exit::Failed, "unreadable", message));
    }
    if PASSING.contains(&class.as_str()) {
        let asked = failure["retry_after_ms"].as_u64().map_or(PAUSE, Duration::from_millis);
        let failure = Failure::new(Exit::Failed, &code, message);
        return Ok(Step::Wait(asked.min(LONGEST_PAUSE), failure));
    }
    let exit = if code == "invalid_request" { Exit::Usage } else { Exit::Failed };
    Err(Failure::new(exit, &code, message))
}

/// A line on standard error, for people on a terminal.
fn progress(form: Form) -> ProgressBar {
    let target = match form {
        Form::Text => ProgressDrawTarget::stderr(),
        Form::Json | Form::Jsonl => ProgressDrawTarget::hidden(),
    };
    let progress = ProgressBar::with_draw_target(None, target);
    // A template that is wrong leaves the bar's own.
    match ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}

/// The answer to an import that is done, or was interrupted. `remark` says that the log lacks the result.
fn answer(
    import: &Value,
    operation: Option<String>,
    is_done: bool,
    given: &ImportLinks,
    remark: Option<String>,
) -> Result<Answer, Failure> {
    let texts = |list: &Value| {
        let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect::<Vec<_>>()
    };
    let text = |value: &Value| redact(value.as_str().unwrap_or_default());
    let link = |link: &Value| ImportedLink {
        link_id: text(&link["id"]),
        short_url: text(&link["short_url"]),
        destination: text(&link["destination"]),
    };
    let report = &import["report"];
    let ambiguous = report["ambiguous"].as_object().into_iter().flatten();
    let ambiguous = ambiguous.map(|(vin, links)| AmbiguousCar {
        vin: vin.clone(),
        links: links.as_array().into_iter().flatten().map(link).collect(),
    });
    let imported = LinksImported {
        operation,
        dealer: text(&import["dealer"]),
        dry_run: import["dry_run"] == true,
        done: import["done"] == true,
        links_read: import["read"].as_u64().unwrap_or_default(),
        kept: texts(&report["kept"]),
        known: texts(&report["known"]),
        ambiguous: ambiguous.collect(),
    };
    let answer = Answer::one(&imported, shown(&imported))?;
    let left_alone =
        "cars with several links, or with one that may be another dealer's, were left alone";
    let (exit, note) = match (is_done, imported.ambiguous.is_empty()) {
        (false, _) => (Exit::Interrupted, Some(how_to_go_on(given))),
        (true, false) => (Exit::Partly, Some(left_alone.to_owned())),
        (true, true) => (Exit::Done, None),
    };
    let remarks: Vec<String> = note.into_iter().chain(remark).collect();
    let answer = answer.exit(exit);
    Ok(if remarks.is_empty() { answer } else { answer.remark(remarks.join("; ")) })
}

fn shown(imported: &LinksImported) -> String {
    let LinksImported { dry_run, links_read, kept, known, ambiguous, .. } = imported;
    let mut fields = Fields::default();
    fields.add("links read", links_read.to_string());
    fields.add(if *dry_run { "would be kept" } else { "kept" }, kept.len().to_string());
    fields.add("kept before", known.len().to_string());
    fields.add("left alone", ambiguous.len().to_string());
    let row = |car: &AmbiguousCar, link: &ImportedLink| {
        vec![car.vin.clone(), link.short_url.clone(), link.destination.clone()]
    };
    let rows = ambiguous.iter().flat_map(|car| car.links.iter().map(move |link| row(car, link)));
    fields.text() + &table(&["VIN", "LINK", "LEADS TO"], rows.collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use evenkeel::base::time::Time;

    use super::*;
    use crate::{
        args::TimeForm, memory::MemoryPorts, moment::Moment, stack, stack::Target, stop::Stop,
    };

    const TYPES: &str = r#"[{"type":"url_shortening"}]"#;

    fn given(progress: Option<PathBuf>) -> ImportLinks {
        let reason = Some("the old system is left".into());
        ImportLinks { dealer: "acme".into(), names: vec![], reason, dry_run: false, progress }
    }

    /// The answers of a whole command: the operators' function is called before the others and after them.
    fn logged(answers: impl IntoIterator<Item = Called>) -> Vec<Called> {
        let noted = || {
            Called::Answer(json!({ "id": "9-a", "at": 1, "by": "", "reason": "",
                "state": "intent", "act": { "do": "note", "what": "import-links" } }))
        };
        [noted()].into_iter().chain(answers).chain([noted()]).collect()
    }

    fn ports(answers: impl IntoIterator<Item = Called>) -> MemoryPorts {
        MemoryPorts::stack("s", TYPES).answering(logged(answers))
    }

    /// What the function with this name was asked.
    fn asked(ports: &MemoryPorts, function: &str) -> Vec<Value> {
        let calls = ports.invoked().into_iter().filter(|(called, _)| called == function);
        calls.map(|(_, request)| request).collect()
    }

    /// The imports that were asked for.
    fn imports(ports: &MemoryPorts) -> Vec<Value> {
        let requests = asked(ports, "s-url-shortening").into_iter();
        requests.map(|request| request["request"]["import_links"].clone()).collect()
    }

    fn answered(import: &Value) -> Called {
        Called::Answer(json!({ "answer": import }))
    }

    fn failed(class: &str, code: &str) -> Called {
        Called::Answer(
            json!({ "failure": { "class": class, "code": code, "message": "as asked" } }),
        )
    }

    fn state(read: u64, done: bool) -> Value {
        let link = json!({
            "id": "1",
            "short_url": "go.example/b-1",
            "destination": "https://b.example/",
        });
        json!({
            "dealer": "acme",
            "names": [],
            "dry_run": false,
            "read": read,
            "done": done,
            "report": {
                "kept": ["1M8GDM9AXKP042788"],
                "known": [],
                "ambiguous": { "1HGCM82633A004352": [link] },
            },
        })
    }

    async fn told(
        ports: &MemoryPorts,
        given: &ImportLinks,
        stop: &Stop,
    ) -> Result<String, Failure> {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let moment = Moment { now: Time::default(), form: TimeForm::Relative };
        let context = Context { form: Form::Json, moment, stop };
        Ok(format!("{:?}", run(ports, &stack, given, &context).await?))
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_goes_on_with_the_answer_of_the_last_one() {
        let ports = ports([
            answered(&state(500, false)),
            failed("transient", "http_503"),
            answered(&state(612, true)),
        ]);
        let told = told(&ports, &given(None), &Stop::default()).await.unwrap();
        assert!(told.contains("go.example/b-1") && told.contains("exit: Partly"), "{told}");
        let begun = json!({ "dealer": "acme", "names": [], "dry_run": false });
        assert_eq!(imports(&ports), [begun, state(500, false), state(500, false)]);
        assert_eq!(ports.invoked().len(), 5, "and the log twice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_lasts_ends_the_command_at_once_and_one_that_passes_after_some_tries() {
        let systemic = ports([failed("systemic", "http_401")]);
        let failure = told(&systemic, &given(None), &Stop::default()).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.exit()), ("http_401", Exit::Failed));
        let passing = ports(std::iter::repeat_n(failed("deferred", "breaker_open"), 6));
        let failure = told(&passing, &given(None), &Stop::default()).await.unwrap_err();
        assert_eq!((failure.code.as_str(), imports(&passing).len()), ("breaker_open", 6));
        let wrong = ports([failed("permanent", "invalid_request")]);
        let failure = told(&wrong, &given(None), &Stop::default()).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_has_how_far_it_got() {
        let path =
            std::env::temp_dir().join(format!("evenkeel-import-{}.json", std::process::id()));
        let given = given(Some(path.clone()));
        let ports = ports([answered(&state(500, false)), failed("systemic", "http_401")])
            .answering(logged([]));
        let failure = told(&ports, &given, &Stop::default()).await.unwrap_err();
        assert!(failure.hint.is_some_and(|hint| hint.contains("goes on where")));
        let stop = Stop::default();
        stop.request();
        let interrupted = told(&ports, &given, &stop).await.unwrap();
        assert!(interrupted.contains("exit: Interrupted"), "{interrupted}");
        let again = self::ports([answered(&state(612, true))]);
        told(&again, &given, &Stop::default()).await.unwrap();
        assert_eq!(imports(&again), [state(500, false)]);
        let done = asked(&again, "s-operator").pop().unwrap();
        assert_eq!(done["counts"], json!({ "read": 112 }), "the rest was done before: {done}");
        let other = ImportLinks { dry_run: true, ..given };
        let failure = told(&again, &other, &Stop::default()).await.unwrap_err();
        assert!(failure.message.contains("dry_run is false, expected true"), "{}", failure.message);
        fs::remove_file(path).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_import_is_logged_before_and_after_and_else_nothing_is_imported() {
        let counts = json!({ "read": 500, "kept": 1, "left_alone": 1 });
        let systemic = failed("systemic", "http_401");
        for (answers, state, why, counts) in [
            (vec![answered(&state(500, true))], "done", Value::Null, counts.clone()),
            (vec![answered(&state(500, false)), systemic], "failed", json!("as asked"), counts),
        ] {
            let ports = ports(answers);
            let told = told(&ports, &given(None), &Stop::default()).await;
            assert!(told.is_err() || told.is_ok_and(|told| told.contains("9-a")), "{state}");
            let [intent, result]: [Value; 2] = asked(&ports, "s-operator").try_into().unwrap();
            let act = json!({ "do": "note", "what": "import-links", "about": "links of acme" });
            assert_eq!(
                (&intent["act"], &intent["reason"]),
                (&act, &json!("the old system is left"))
            );
            assert_eq!((&result["report"], &result["state"]), (&json!("9-a"), &json!(state)));
            assert_eq!((&result["why"], &result["counts"]), (&why, &counts));
            let order: Vec<String> = ports.invoked().into_iter().map(|(name, _)| name).collect();
            let ends = [order.first(), order.last()].map(Option::unwrap);
            assert_eq!(ends, ["s-operator", "s-operator"], "{order:?}");
        }
        let silent = MemoryPorts::stack("s", TYPES);
        told(&silent, &given(None), &Stop::default()).await.unwrap_err();
        assert_eq!((silent.invoked().len(), imports(&silent).len()), (1, 0));
        let dry = ImportLinks { dry_run: true, ..given(None) };
        let ports = MemoryPorts::stack("s", TYPES).answering([answered(&state(500, true))]);
        told(&ports, &dry, &Stop::default()).await.unwrap();
        assert!(asked(&ports, "s-operator").is_empty(), "nothing is to be stored");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_when_the_end_is_asked_for_so_that_the_log_has_the_result() {
        let ports = ports([failed("transient", "http_503")]);
        let stop = Stop::default();
        let began = tokio::time::Instant::now();
        let ask = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            stop.request();
        };
        let import = given(None);
        let (told, ()) = tokio::join!(told(&ports, &import, &stop), ask);
        assert!(told.unwrap().contains("exit: Interrupted"));
        assert!(began.elapsed() <= ASKED_EVERY, "{:?}", began.elapsed());
        let result = asked(&ports, "s-operator").pop().unwrap();
        assert_eq!((&result["state"], &result["counts"]), (&json!("stopped"), &json!({})));
    }
}
