//! Finds, stops and kills other processes by their ids.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// Kills a process (SIGKILL).
pub fn kill(pid: u32) -> Result<()> {
    send(pid, Signal::SIGKILL)
}

/// Asks a process to end (SIGTERM).
pub fn ask_to_end(pid: u32) -> Result<()> {
    send(pid, Signal::SIGTERM)
}

/// Stops a process until [`cont`] (SIGSTOP).
pub fn stop(pid: u32) -> Result<()> {
    send(pid, Signal::SIGSTOP)
}

/// Continues a stopped process (SIGCONT).
pub fn cont(pid: u32) -> Result<()> {
    send(pid, Signal::SIGCONT)
}

/// Kills every process of a group. A group that has ended already is no error.
pub fn kill_group(leader: u32) -> Result<()> {
    match signal::killpg(id(leader)?, Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        // macOS answers so if all processes of the group are zombies.
        Err(Errno::EPERM) if !alive(leader) => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("process group {leader}: kill")),
    }
}

/// Kills a process and all its descendants. Processes that have ended already are no error.
pub fn kill_tree(pid: u32) {
    // A stopped process starts no others while they are listed.
    let _ = stop(pid);
    let started = children(pid);
    let _ = kill(pid);
    started.into_iter().for_each(kill_tree);
}

/// Whether any process of the group still runs.
#[must_use]
pub fn group_alive(leader: u32) -> bool {
    if proc_exists() {
        return processes().any(|pid| stat(pid).is_some_and(|stat| stat.group == leader));
    }
    id(leader).is_ok_and(|leader| signal::killpg(leader, None).is_ok())
}

/// Whether the process still runs. A zombie does not.
#[must_use]
pub fn alive(pid: u32) -> bool {
    birth(pid).is_some()
}

/// When a running process was started, in a unit of the system's choice. Process ids are reused;
/// the pair of id and birth is unique.
#[must_use]
pub fn birth(pid: u32) -> Option<String> {
    if proc_exists() {
        return Some(stat(pid)?.birth);
    }
    ask("ps", &["-o", "lstart=", "-p", &pid.to_string()])
}

/// Memory that a process holds, in MiB; none if it has ended.
#[must_use]
pub fn memory_mib(pid: u32) -> Option<u64> {
    let kib = if proc_exists() {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.to_owned();
        line.trim_end_matches("kB").trim().to_owned()
    } else {
        ask("ps", &["-o", "rss=", "-p", &pid.to_string()])?
    };
    Some(kib.parse::<u64>().ok()? / 1_024)
}

/// The processes that a process has started and that still run, in the order of their ids.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    if proc_exists() {
        let mut found: Vec<u32> = processes()
            .filter(|child| stat(*child).is_some_and(|stat| stat.parent == pid))
            .collect();
        found.sort_unstable();
        return found;
    }
    let said = ask("pgrep", &["-P", &pid.to_string()]).unwrap_or_default();
    said.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// The process that holds the TCP connection with this local port, as a server sees it in its
/// peer's address. Works for connections over loopback, which is all that a local stack has.
#[must_use]
pub fn pid_of_local_port(port: u16) -> Option<u32> {
    if proc_exists() { owner_of_socket(&inode_of_port(port)?) } else { lsof(port) }
}

fn send(pid: u32, signal: Signal) -> Result<()> {
    signal::kill(id(pid)?, signal).with_context(|| format!("process {pid}: {signal}"))
}

/// Rejects ids that address a whole process group: zero and negative ones.
fn id(pid: u32) -> Result<Pid> {
    let raw = i32::try_from(pid).ok().filter(|raw| *raw > 1);
    raw.map(Pid::from_raw).with_context(|| format!("{pid}: expected the id of one process"))
}

fn proc_exists() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// What Linux tells about a running process.
struct Stat {
    parent: u32,
    group: u32,
    birth: String,
}

/// None if there is no such process, or if it is a zombie.
fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may contain anything; the fields after it contain no spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let [state, parent, group, ..] = fields.as_slice() else { return None };
    (*state != "Z").then_some(Stat {
        parent: parent.parse().ok()?,
        group: group.parse().ok()?,
        birth: (*fields.get(19)?).to_owned(),
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Lines of `/proc/net/tcp`: number, local `ADDRESS:PORT` in hex, remote, state, …, inode tenth.
fn inode_of_port(port: u16) -> Option<String> {
    let suffix = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).ok());
    tables.iter().flatten().flat_map(|table| table.lines().skip(1)).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let inode = fields.get(9).filter(|inode| **inode != "0")?;
        fields.get(1)?.ends_with(&suffix).then(|| (*inode).to_owned())
    })
}

fn owner_of_socket(inode: &str) -> Option<u32> {
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok()).find(|pid| {
        let handles = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        handles
            .filter_map(|handle| fs::read_link(handle.path()).ok())
            .any(|target| target.as_os_str() == socket.as_str())
    })
}

/// `lsof` names both ends of a loopback connection; ours is the one whose name begins with it.
fn lsof(port: u16) -> Option<u32> {
    let said = ask("lsof", &["-nP", &format!("-iTCP:{port}"), "-Fpn"])?;
    let mut pid = None;
    for line in said.lines() {
        match line.split_at_checked(1)? {
            ("p", number) => pid = number.parse().ok(),
            ("n", name) if name.split("->").next()?.ends_with(&format!(":{port}")) => return pid,
            _ => {}
        }
    }
    None
}

fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program).args(arguments).output().ok()?;
    let said = String::from_utf8(done.stdout).ok()?.trim().to_owned();
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::{alive, birth, children, id, kill, kill_tree, memory_mib, pid_of_local_port};

    #[test]
    fn a_group_is_never_addressed_by_accident() {
        for wrong in [0, 1, u32::MAX] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_leads_to_the_process_that_holds_its_socket() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("bound"))
            .expect("a connection");
        let port = client.local_addr().expect("connected").port();
        assert_eq!(pid_of_local_port(port), Some(std::process::id()));
    }

    #[test]
    fn memory_is_that_of_a_running_process() {
        assert!(memory_mib(std::process::id()).is_some_and(|mib| (1..100_000).contains(&mib)));
        assert_eq!(memory_mib(u32::MAX), None);
    }

    #[test]
    fn a_tree_is_killed_to_its_leaves() {
        let mut shell = std::process::Command::new("sh");
        let mut root = shell.args(["-c", "sleep 60 & wait"]).spawn().expect("sh");
        let leaf = loop {
            if let [leaf] = children(root.id()).as_slice() {
                break *leaf;
            }
            std::thread::yield_now();
        };
        kill_tree(root.id());
        root.wait().expect("it has ended");
        while alive(leaf) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_child_is_seen_until_it_is_killed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        assert!(children(std::process::id()).contains(&child.id()));
        assert!(birth(child.id()).is_some());
        kill(child.id()).expect("our own child");
        while alive(child.id()) {
            std::thread::yield_now();
        }
        assert!(!children(std::process::id()).contains(&child.id()), "it was not waited for");
        child.wait().expect("it has ended");
        assert_eq!(birth(child.id()), None);
    }
}
