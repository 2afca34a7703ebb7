//! A service that emits with one of the clients, as a process of its own, and notes what became of its events.
//!
//! The one in Rust is this very test binary, asked for the one test that is none.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use emp_events_client::{EventClient, Reason};
use serde::Deserialize;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::support::{eventually, typescript_client, without_settings};

/// Events that wait, at most: few, so that an outage soon fills the spool.
pub const QUEUE_EVENTS: usize = 60;
/// Events emitted at once, with that pause behind them.
const BURST: u64 = 3;
const PAUSE: Duration = Duration::from_millis(10);
/// The name of the service, and where it notes what became of its events.
const NAME: &str = "EMP_CHAOS_SERVICE";
const NOTES: &str = "EMP_CHAOS_NOTES";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    TypeScript,
}

/// How a service is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By SIGKILL: it can do nothing any more.
    Kill,
    /// By SIGTERM: in Rust its handler closes the client, in TypeScript there is none but the client's own.
    Terminate,
    /// It ends at once, by itself: in Rust it closes the client, with no time to send, in TypeScript it calls
    /// `process.exit`. Asked for by SIGINT.
    Exit,
}

/// What has become of a service's events, as it has noted last.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Note {
    /// How many it has numbered; the client has events of its own beside them.
    pub calls: u64,
    pub emitted: u64,
    pub sent: u64,
    pub spooled: u64,
    pub dropped: u64,
    pub unanswered: u64,
    pub queued: u64,
    /// Has the client ended before?
    pub is_last: bool,
}

pub struct Service {
    pub name: String,
    pub language: Language,
    process: Child,
    notes: PathBuf,
}

impl Service {
    pub fn start(language: Language, name: String, redis: &str, folder: &Path) -> Self {
        let mut command = match language {
            Language::Rust => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", "service::a_process_of_its_own", "--ignored"]);
                command
            }
            Language::TypeScript => {
                let mut command = Command::new("node");
                command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chaos/service.mjs"));
                command.arg(typescript_client()).arg(QUEUE_EVENTS.to_string());
                command
            }
        };
        without_settings(&mut command);
        let notes = folder.join(format!("{name}.notes"));
        command.env("REDIS_URL", redis).env("EMP_EVENTS_SPOOL", folder.join("spool"));
        command.env(NAME, &name).env(NOTES, &notes);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(folder.join(format!("{name}.log"))).unwrap());
        Self { process: command.spawn().unwrap(), name, language, notes }
    }

    /// Waits until it emits.
    pub fn is_up(&self) {
        eventually(&format!("{} emits", self.name), || self.last_note().is_some_and(|note| note.calls > 0));
    }

    /// Ends it, and waits until it has ended; what it had noted last.
    pub fn end(mut self, end: End) -> Note {
        match end {
            End::Kill => self.process.kill().unwrap(),
            End::Terminate => self.signal("TERM"),
            End::Exit => self.signal("INT"),
        }
        eventually(&format!("{} ends", self.name), || self.process.try_wait().unwrap().is_some());
        self.last_note().unwrap_or_default()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// A line that was being written when it was killed is none.
    fn last_note(&self) -> Option<Note> {
        let text = std::fs::read_to_string(&self.notes).ok()?;
        let whole = &text[..text.rfind('\n')?];
        Some(serde_json::from_str(whole.rsplit('\n').next()?).unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "the tests of clients run it as a process of its own"]
fn a_process_of_its_own() {
    let name = std::env::var(NAME).unwrap();
    let notes = OpenOptions::new().append(true).create(true).open(std::env::var(NOTES).unwrap()).unwrap();
    let client = EventClient::builder(name).rate_limit(0, 0).stream_length(u32::MAX).queue(QUEUE_EVENTS, 1 << 20);
    let client = client.answer_timeout(Duration::from_millis(300)).memory_check(Duration::from_millis(100));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(emit_until_ended(&client.build().unwrap(), notes));
}

async fn emit_until_ended(client: &EventClient, mut notes: File) {
    let [mut terminate, mut exit] =
        [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).unwrap());
    let mut calls = 0;
    let time_to_send = loop {
        for _ in 0..BURST {
            client.job_event(format!("job_{calls}"), "job.claimed").data(json!({"number": calls})).emit();
            calls += 1;
        }
        note(&mut notes, client, calls, false);
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = terminate.recv() => break Duration::from_secs(2),
            _ = exit.recv() => break Duration::ZERO,
        }
    };
    client.close_async(time_to_send).await;
    note(&mut notes, client, calls, true);
    std::process::exit(0);
}

/// In one write: it is there whole, or not at all.
fn note(notes: &mut File, client: &EventClient, calls: u64, is_last: bool) {
    let stats = client.stats();
    let note = json!({
        "calls": calls,
        "emitted": stats.emitted,
        "sent": stats.sent,
        "spooled": stats.spooled,
        "dropped": stats.dropped,
        "unanswered": stats.dropped_by(Reason::Unanswered),
        "queued": stats.queued,
        "is_last": is_last,
    });
    notes.write_all(format!("{note}\n").as_bytes()).unwrap();
}
