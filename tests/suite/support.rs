//! What the tests stand on: Redis servers and collectors of their own, ended by their own
//! process ids, and stores in folders of their own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test waits for something that has to happen, on a slow machine beside other work: it
/// is over as soon as that has happened.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// The binary, free of what the tester's own environment sets.
pub fn emp_events() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emp-events"));
    without_settings(&mut command);
    // Nothing is counted for the tester.
    command.env("EMP_EVENTS_TZ", "UTC").env("EMP_EVENTS_USAGE", "off");
    command
}

/// Takes what the tester's own environment sets for this project out of a command's.
pub fn without_settings(command: &mut Command) {
    let is_setting = |name: &str| {
        let prefixes = ["DASH0_", "EMP_EVENTS_", "OTEL_EXPORTER_OTLP_", "REDIS_", "TELEMETRY"];
        prefixes.iter().any(|prefix| name.starts_with(prefix))
            || matches!(name, "COLUMNS" | "NODE_ENV" | "NO_COLOR" | "RUST_LOG")
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_setting) {
            command.env_remove(name);
        }
    }
}

/// A file of the project.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The TypeScript client, built once.
pub fn typescript_client() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        // Of all processes that run tests, one at a time builds it.
        let one_at_a_time = File::open(file("clients/typescript/package.json")).unwrap();
        one_at_a_time.lock().unwrap();
        let mut npm = Command::new("npm");
        let built = run(npm.args(["run", "--silent", "build"]).current_dir(file("clients/typescript")));
        assert_eq!(built.status, 0, "{}{} (make test installs what it needs)", built.stdout, built.stderr);
        file("clients/typescript/dist/esm/index.js")
    };
    BUILT.get_or_init(build).clone()
}

/// Makes an authority and a server's certificate by it in that folder: see `tests/certificates.sh`.
#[allow(dead_code, reason = "not for the chaos tests")]
pub fn make_certificates(folder: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates.sh");
    assert!(Command::new(script).arg(folder).status().unwrap().success(), "openssl (make test installs it)");
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

impl Ended {
    /// What it said on stderr, but for the line that a clock is ahead: two hosts of the sample have such clocks.
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn said(&self) -> String {
        self.stderr.lines().filter(|line| !line.starts_with("emp-events: the clock of ")).collect()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap_or(-1),
        }
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ended {
    command.stdin(Stdio::null()).output().unwrap().into()
}

/// A command on a terminal: it waits for each pattern, and types what belongs to it. What it prints is
/// what the terminal showed.
#[allow(dead_code, reason = "not for the chaos tests")]
pub fn type_into(words: &[&str], steps: &[(&str, &str)]) -> Command {
    let mut typed = Command::new("python3");
    typed.arg(format!("{}/tests/suite/type_into.py", env!("CARGO_MANIFEST_DIR")));
    typed.arg((words.len() + 1).to_string()).arg(env!("CARGO_BIN_EXE_emp-events")).args(words);
    typed.args(steps.iter().flat_map(|(seen, typed)| [seen, typed]));
    typed
}

/// Waits until something has happened, or fails the test.
#[track_caller]
pub fn eventually(what: &str, mut has_happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !has_happened() {
        assert!(begun.elapsed() < PATIENCE, "waited {} s in vain: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Does something again and again, with that pause between, while the rest is at work.
pub fn beside<T>(pause: Duration, mut again: impl FnMut() + Send, work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A test that fails ends it too.
        let _over = SetOnDrop(&is_over);
        scope.spawn(|| {
            while !is_over.load(SeqCst) {
                again();
                std::thread::sleep(pause);
            }
        });
        work()
    })
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// What a process prints, line by line.
pub struct Lines(Receiver<String>);

impl Lines {
    pub fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // Also those that nobody waits for: a process that cannot print fails.
            BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        Self(lines)
    }

    /// Leaves out those that have come so far.
    pub fn skip(&self) {
        self.0.try_iter().for_each(drop);
    }

    /// The next one; `None` where none will come any more.
    #[track_caller]
    pub fn next(&self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("waited {} s in vain for a line", PATIENCE.as_secs()),
        }
    }
}

/// A port that no other test is given, whichever process it runs in. A server may leave it and come back.
pub struct Port {
    pub number: u16,
    /// The system lets one socket at a time have a name, and takes it back from a process that dies.
    _claim: UnixListener,
}

impl Port {
    pub fn claim() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            // Below 32,768 the system takes none for a connection by itself, which would be one that
            // a server finds taken when it comes back.
            let place = std::process::id().wrapping_mul(101).wrapping_add(NEXT.fetch_add(1, SeqCst));
            let number = 16_000 + (place % 16_000) as u16;
            let name = SocketAddr::from_abstract_name(format!("emp-events-tests-{number}")).unwrap();
            if let Ok(claim) = UnixListener::bind_addr(&name)
                && TcpListener::bind(("127.0.0.1", number)).is_ok()
            {
                return Self { number, _claim: claim };
            }
        }
    }
}

/// The variable that names the program of the Redis servers; the system's where it is not set.
pub const REDIS_SERVER: &str = "EMP_EVENTS_TEST_REDIS";

/// A Redis server on a port and in a folder of its own.
pub struct Redis {
    program: String,
    port: Port,
    server: Child,
    folder: TempDir,
    persistence: Persistence,
    options: Vec<String>,
}

/// What a Redis server has when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    None,
    /// All that it had answered.
    Full,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(Persistence::None)
    }

    pub fn start_with(persistence: Persistence) -> Self {
        Self::start_as(persistence, &[])
    }

    /// One with options of its own, as on its command line.
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn start_configured(options: &[&str]) -> Self {
        Self::start_as(Persistence::None, options)
    }

    /// One of that program, whatever the tests run on.
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn start_program(program: &str) -> Self {
        Self::start_by(program, Persistence::None, &[])
    }

    fn start_as(persistence: Persistence, options: &[&str]) -> Self {
        let program = std::env::var(REDIS_SERVER);
        Self::start_by(program.as_deref().unwrap_or("redis-server"), persistence, options)
    }

    fn start_by(program: &str, persistence: Persistence, options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        // Another program may take the port between its choice and its use: then try another.
        for _ in 0..10 {
            let port = Port::claim();
            let mut server = spawn_server(program, port.number, folder.path(), persistence, &options);
            if is_up(port.number, &mut server) {
                return Self { program: program.to_owned(), port, server, folder, persistence, options };
            }
        }
        panic!("no {program} could be started (make test installs it)");
    }

    #[allow(dead_code, reason = "the chaos tests put a proxy before it")]
    pub fn port(&self) -> u16 {
        self.port.number
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port.number)
    }

    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Sends one command, its words as one text.
    pub fn command<T: redis::FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query(&mut self.connection()).unwrap()
    }

    /// Adds so many events to the stream, kept at exactly `length` entries.
    pub fn add(&self, events: usize, length: usize) {
        let mut pipeline = redis::pipe();
        for number in 0..events {
            pipeline.cmd("XADD").arg("emp:events").arg("MAXLEN").arg(length).arg("*");
            pipeline.arg("service").arg("worker").arg("eventType").arg("job.claimed");
            pipeline.arg("jobId").arg(format!("job_{number}")).ignore();
        }
        pipeline.query::<()>(&mut self.connection()).unwrap();
    }

    /// The IDs of all entries that the stream holds.
    pub fn ids(&self) -> Vec<String> {
        let entries: redis::streams::StreamRangeReply = self.command("XRANGE emp:events - +");
        entries.ids.into_iter().map(|entry| entry.id).collect()
    }

    /// How many entries were ever added to the stream.
    pub fn added(&self) -> u64 {
        let fields: std::collections::HashMap<String, redis::Value> = self.command("XINFO STREAM emp:events");
        match fields["entries-added"] {
            redis::Value::Int(added) => added.unsigned_abs(),
            ref other => panic!("{other:?}"),
        }
    }

    /// The consumers of the collectors' group.
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn consumers(&self) -> Vec<String> {
        let reply: redis::streams::StreamInfoConsumersReply = self.command("XINFO CONSUMERS emp:events emp-collector");
        reply.consumers.into_iter().map(|consumer| consumer.name).collect()
    }

    /// Has the collectors' group been given every entry?
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn has_read_all(&self) -> bool {
        let groups: redis::streams::StreamInfoGroupsReply = self.command("XINFO GROUPS emp:events");
        let newest: redis::streams::StreamRangeReply = self.command("XREVRANGE emp:events + - COUNT 1");
        let last = newest.ids.into_iter().next().map(|entry| entry.id).unwrap_or_default();
        groups.groups.iter().any(|group| group.name == "emp-collector" && group.last_delivered_id == last)
    }

    /// How many entries were delivered to a consumer and not acknowledged.
    pub fn pending(&self) -> usize {
        let reply: redis::streams::StreamPendingReply = self.command("XPENDING emp:events emp-collector");
        reply.count()
    }

    /// How many entries the collectors have acknowledged, by their accounts.
    pub fn acknowledged(&self) -> u64 {
        self.command::<Option<u64>>("HGET emp:events:accounts:emp-collector acknowledged").unwrap_or_default()
    }

    /// How often this command was given to the server since it started.
    pub fn calls(&self, command: &str) -> u64 {
        let stats: String = self.command("INFO commandstats");
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
    }

    /// Starts the server again after [`Self::stop`], with what its persistence has kept.
    pub fn start_again(&mut self) {
        let Self { program, port, folder, persistence, options, .. } = self;
        self.server = spawn_server(program, port.number, folder.path(), *persistence, options);
        assert!(is_up(self.port.number, &mut self.server), "another program took the port while Redis was down");
    }

    /// Sends the server a signal by name: STOP, CONT.
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn signal(&self, name: &str) {
        signal(&self.server, name);
    }

    /// Ends the server at once, as a crash would.
    pub fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn signal(process: &Child, name: &str) {
    // The shell's own `kill`: a bare system has no other.
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", process.id())).status();
    assert!(sent.unwrap().success());
    if name == "STOP" {
        // One thread hears of it first, and the others run on until it has told them.
        eventually("all its threads stand still", || is_stopped(process));
    }
}

fn is_stopped(process: &Child) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat"))).all(|stat| {
        // Behind the name, which is in parentheses and may hold some: stopped, or ended.
        stat.map_or(true, |stat| stat.rsplit_once(") ").unwrap().1.starts_with(['T', 'Z', 'X']))
    })
}

fn spawn_server(program: &str, port: u16, folder: &Path, persistence: Persistence, options: &[String]) -> Child {
    let mut command = Command::new(program);
    let appends = if persistence == Persistence::Full { "yes" } else { "no" };
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", appends, "--loglevel", "warning"]);
    command.args(["--appendfsync", "always"]);
    command.arg("--port").arg(port.to_string()).arg("--dir").arg(folder).args(options);
    let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    server.unwrap_or_else(|error| panic!("{program}: {error} (make test installs it)"))
}

fn is_up(port: u16, server: &mut Child) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && server.try_wait().unwrap().is_none() {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        // It refuses a PING as long as it loads what it had.
        let mut questions = redis::pipe();
        questions.cmd("PING").ignore().cmd("INFO").arg("server");
        let answer = client.get_connection().and_then(|mut connection| questions.query::<(String,)>(&mut connection));
        // One that found the port taken may be about to end, while another server answers there.
        if answer.is_ok_and(|(info,)| info.contains(&format!("process_id:{}\r\n", server.id()))) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = server.kill();
    false
}

/// A store in a folder of its own, and the commands that work on it.
pub struct Store {
    folder: TempDir,
    url: String,
}

impl Store {
    pub fn of(redis: &Redis) -> Self {
        Self::at(redis.url())
    }

    /// A store whose commands go to the Redis at that address.
    pub fn at(url: String) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// A command on this store and its Redis.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = emp_events();
        command.arg("--store").arg(self.path()).arg("--redis").arg(&self.url).args(words);
        command.current_dir(self.folder.path());
        command
    }

    pub fn run(&self, words: &[&str]) -> Ended {
        run(&mut self.command(words))
    }

    /// Runs a command that has to succeed; what it printed.
    #[track_caller]
    pub fn output(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert_eq!(ended.status, 0, "{words:?}: {}", ended.stderr);
        ended.stdout
    }

    /// The one number that a query answers.
    #[track_caller]
    pub fn number(&self, query: &str) -> u64 {
        let csv = self.output(&["sql", "--format", "csv", query]);
        csv.lines().nth(1).unwrap_or_default().parse().unwrap_or_else(|_| panic!("{query}: {csv}"))
    }

    pub fn events(&self) -> u64 {
        if self.path().exists() { self.number("select count(*) from events") } else { 0 }
    }

    /// Nothing lost, nothing doubled: all that was ever added is stored, quarantined, or
    /// known to be lost.
    #[track_caller]
    pub fn assert_accounts_for(&self, added: u64) {
        let stored = self.events();
        assert_eq!(self.number("select count(distinct id) from events"), stored, "no event is stored twice");
        let quarantined = self.number("select count(*) from quarantine");
        let lost = self.number("select coalesce(sum(lost), 0) from losses");
        assert_eq!(stored + quarantined + lost, added, "{stored} stored, {quarantined} quarantined, {lost} lost");
    }

    /// The consumer that the store's collector is by that name: the store's id belongs to it.
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn consumer(&self, name: &str) -> String {
        let identity = emp_store::Identity::read(&emp_store::Layout::new(self.path())).unwrap();
        identity.expect("a collector has opened the store").consumer(name)
    }

    /// Starts a collector in the background.
    pub fn collect(&self, more: &[&str]) -> Daemon {
        self.collect_with(more, &[])
    }

    /// The same with more in its environment.
    pub fn collect_with(&self, more: &[&str], environment: &[(&str, PathBuf)]) -> Daemon {
        let mut command = self.command(&["--color", "never", "collect"]);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        self.background(command.args(more))
    }

    /// Starts a command of this store's in the background.
    pub fn background(&self, command: &mut Command) -> Daemon {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let log = self.folder.path().join(format!("daemon-{}.log", NEXT.fetch_add(1, SeqCst)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Daemon { process: command.spawn().unwrap(), log }
    }
}

/// A collector or a forwarder in the background.
pub struct Daemon {
    process: Child,
    log: PathBuf,
}

impl Daemon {
    /// What it has said so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        File::open(&self.log).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[track_caller]
    pub fn says(&self, words: &str) {
        eventually(&format!("the daemon says `{words}`"), || self.log().contains(words));
    }

    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory it has used so far, in kB.
    #[allow(dead_code, reason = "not for the chaos tests")]
    pub fn peak_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends a signal by name: TERM, INT, STOP, CONT.
    pub fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    /// Ends it as an operator would; its exit status.
    #[track_caller]
    pub fn stop(self) -> i32 {
        self.signal("TERM");
        self.ended()
    }

    /// Ends it as a crash would: kill -9.
    pub fn crash(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for it to end by itself; its exit status.
    #[track_caller]
    pub fn ended(mut self) -> i32 {
        eventually("the daemon ends", || self.process.try_wait().unwrap().is_some());
        self.process.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
