//! What the command prints where it needs no AWS, and how its process ends.
//!
//! `TRYCMD=overwrite cargo test -p evenkeel-cli` writes the files of `tests/cmd/` anew.

use std::{
    fs,
    io::Read as _,
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
    thread,
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

#[test]
fn the_command_prints_what_the_files_say() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}

/// The command without any environment but this.
fn evenkeel(words: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.args(words).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null());
    command
}

/// Whether a process has written colours to standard error.
fn is_colored(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("\u{1b}[")
}

#[test]
fn no_color_is_heard_unless_the_command_line_says_otherwise() {
    // Without a terminal, only this variable asks for colours.
    let (forced, none) = (("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1"));
    for (environment, option, expected) in [
        (vec![forced], "auto", true),
        (vec![forced, none], "auto", false),
        (vec![forced, none], "always", true),
        (vec![forced], "never", false),
        (vec![], "auto", false),
        (vec![], "always", true),
    ] {
        // It fails, and so writes a word in colour.
        let words = ["schema", "nope", "--color", option];
        let output = evenkeel(&words, &environment).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(is_colored(&output), expected, "{environment:?} {option}: {output:?}");
    }
}

#[test]
fn without_credentials_the_status_is_4_and_nothing_is_asked() {
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REGION", "eu-west-1"),
        // If it asked, nobody would answer.
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("HOME", "/nonexistent"),
    ];
    let words = ["--stack", "s", "health", "--json"];
    let output = evenkeel(&words, &environment).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("\"no_credentials\"") && output.stdout.is_empty(), "{told}");
}

#[test]
fn over_a_socket_ctrl_c_ends_a_command_with_status_130() {
    // An AWS that takes a request and never answers it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = std::env::temp_dir().join(format!("evenkeel-interrupted-{}", std::process::id()));
    fs::create_dir_all(folder.join("target/local")).unwrap();
    let stack = format!(
        r#"{{"endpoint":"http://{address}","region":"eu-west-1","outputs":{{"SweeperFunctionName":"s-sweeper"}}}}"#
    );
    fs::write(folder.join("target/local/stack.json"), stack).unwrap();
    let mut command = evenkeel(&["--local", "health"], &[]);
    command.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let ended = thread::spawn(move || {
        let status = child.wait();
        // If it has ended without a request, this takes the place of one.
        drop(TcpStream::connect(address));
        status
    });
    let (mut request, _) = listener.accept().unwrap();
    // It hears Ctrl-C by the time that it sends.
    let read = request.read(&mut [0; 1]).unwrap();
    assert_eq!(read, 1, "it asks AWS");
    signal::kill(id, Signal::SIGINT).unwrap();
    let status = ended.join().unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    fs::remove_dir_all(folder).unwrap();
}
