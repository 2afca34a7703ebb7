//! A replica that was behind becomes the master, or an older state is restored: the stream has forgotten what was
//! collected, and the law holds for what it goes on with.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Port, REDIS_SERVER, Redis, Store, eventually};

/// A sentinel that knows a master as `main`.
struct Sentinel {
    port: Port,
    process: Child,
    _folder: TempDir,
}

impl Sentinel {
    fn of(master: &Redis) -> Self {
        let (port, folder) = (Port::claim(), tempfile::tempdir().unwrap());
        let config = folder.path().join("sentinel.conf");
        // A replica that has heard nothing from its master for ten times that long is not taken for its successor.
        let after_ms = 60_000;
        let lines = [
            format!("port {}\nbind 127.0.0.1", port.number),
            format!("sentinel monitor main 127.0.0.1 {} 1", master.port()),
            format!("sentinel down-after-milliseconds main {after_ms}\n"),
        ];
        std::fs::write(&config, lines.join("\n")).unwrap();
        let program = std::env::var(REDIS_SERVER).unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(program);
        command.arg(&config).arg("--sentinel").current_dir(folder.path()).stdout(Stdio::null());
        let sentinel = Self { port, process: command.spawn().unwrap(), _folder: folder };
        eventually("the sentinel answers", || sentinel.ask("PING").is_ok());
        sentinel
    }

    fn ask(&self, words: &str) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port.number))?;
        let (name, arguments) = words.split_once(' ').unwrap_or((words, ""));
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        redis::cmd(name).arg(arguments).query(&mut client.get_connection()?)
    }

    fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/main", self.port.number)
    }

    /// Makes the replica the master.
    fn fail_over_to(&self, replica: &Redis) {
        eventually("the sentinel has a replica to promote", || self.ask("SENTINEL FAILOVER main").is_ok());
        // It ends the connections of whoever asks just then.
        let info = || -> redis::RedisResult<String> {
            let mut connection = redis::Client::open(replica.url())?.get_connection()?;
            redis::cmd("INFO").arg("replication").query(&mut connection)
        };
        eventually("the replica is the master", || info().is_ok_and(|info| info.contains("role:master")));
        eventually("the sentinel names it", || {
            let named = format!("{:?}", self.ask("SENTINEL get-master-addr-by-name main"));
            named.contains(&replica.port().to_string())
        });
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A master, and a replica that it can be parted from.
struct Pair {
    master: Redis,
    replica: Redis,
}

impl Pair {
    fn start() -> Self {
        let master = Redis::start();
        master.command::<()>("ACL SETUSER replica on >secret +psync +replconf +ping");
        let login = ["--masteruser", "replica", "--masterauth", "secret"];
        let replica = Redis::start_configured(&login);
        replica.command::<()>(&format!("REPLICAOF 127.0.0.1 {}", master.port()));
        let pair = Self { master, replica };
        pair.sync();
        pair
    }

    /// Waits until the replica has all that the master has.
    fn sync(&self) {
        let offset = |redis: &Redis| {
            let info: String = redis.command("INFO replication");
            let line = info.lines().find(|line| line.starts_with("master_repl_offset:"));
            (line.map(str::to_owned), info.contains("role:master") || info.contains("master_link_status:up"))
        };
        eventually("the replica is in step", || {
            let ((master, _), (replica, is_linked)) = (offset(&self.master), offset(&self.replica));
            is_linked && master == replica
        });
    }

    /// What happens from now on, the replica does not learn.
    fn part(&self) {
        self.master.command::<()>("ACL SETUSER replica off");
        self.master.command::<i64>("CLIENT KILL TYPE replica");
        eventually("the link is down", || {
            self.replica.command::<String>("INFO replication").contains("master_link_status:down")
        });
    }
}

#[track_caller]
fn assert_law(store: &Store) {
    let ended = store.run(&["verify", "--law"]);
    assert!(ended.status == 0 && ended.stdout.contains("the law holds"), "{}{}", ended.stdout, ended.stderr);
}

/// All that is in the store, each once.
#[track_caller]
fn assert_events(store: &Store, events: u64) {
    assert_eq!(store.number("select count(distinct id) from events"), store.events(), "no event is stored twice");
    assert_eq!(store.events(), events);
    assert_eq!(store.number("select count(*) from losses"), 0);
}

const ONCE: [&str; 4] = ["collect", "--once", "--consumer", "c1"];

#[test]
fn after_a_fail_over_to_a_replica_that_is_behind_the_law_holds() {
    let pair = Pair::start();
    let sentinel = Sentinel::of(&pair.master);
    let store = Store::at(sentinel.url());
    pair.master.add(50, 1_000);
    store.output(&ONCE);
    // The replica has ten entries that were not read yet, and five that were, and not acknowledged.
    pair.master.add(15, 1_000);
    let consumer = store.consumer("c1");
    let read = format!("XREADGROUP GROUP emp-collector {consumer} COUNT 5 STREAMS emp:events >");
    pair.master.command::<redis::Value>(&read);
    pair.sync();
    pair.part();
    pair.master.add(20, 1_000);
    store.output(&ONCE);
    assert_events(&store, 85);
    // These were never read, and go with the master.
    pair.master.add(3, 1_000);
    sentinel.fail_over_to(&pair.replica);
    // The new master goes on, under higher IDs, before anybody looks.
    pair.replica.add(30, 1_000);
    let ended = store.run(&ONCE);
    assert!(ended.stderr.contains("the stream went back, as after a fail-over"), "{}", ended.stderr);
    assert_events(&store, 85 + 30);
    assert_law(&store);
    pair.replica.add(7, 1_000);
    store.output(&ONCE);
    assert_events(&store, 85 + 37);
    assert_eq!(pair.replica.pending(), 0);
    assert_law(&store);
}

#[test]
fn a_collector_follows_its_sentinels_to_the_next_master() {
    let pair = Pair::start();
    let sentinel = Sentinel::of(&pair.master);
    let store = Store::at(sentinel.url());
    let collector = store.collect(&[]);
    pair.master.add(50, 1_000);
    eventually("they are stored", || store.events() == 50 && pair.master.pending() == 0);
    pair.sync();
    sentinel.fail_over_to(&pair.replica);
    pair.replica.add(30, 1_000);
    eventually("the new master's are stored", || store.events() == 80);
    eventually("health is good", || store.run(&["health"]).status == 0);
    let log = collector.log();
    assert_eq!(collector.stop(), 0);
    assert!(!log.contains("the stream went back"), "the replica was in step: {log}");
    assert_events(&store, 80);
    assert_law(&store);
}

#[test]
fn stores_that_share_a_stream_that_goes_back_all_keep_the_law() {
    let mut redis = Redis::start();
    let stores = [Store::of(&redis), Store::of(&redis)];
    for store in &stores {
        redis.add(40, 1_000);
        store.output(&ONCE);
    }
    // What was saved is what the server has when it starts again.
    redis.command::<()>("SAVE");
    for store in &stores {
        redis.add(40, 1_000);
        store.output(&ONCE);
    }
    redis.stop();
    redis.start_again();
    redis.add(30, 1_000);
    for store in &stores {
        store.output(&ONCE);
        assert_law(store);
    }
    let sum = || stores.iter().map(Store::events).sum::<u64>();
    assert_eq!(sum(), 160 + 30);
    redis.add(30, 1_000);
    for store in stores.iter().rev() {
        store.output(&ONCE);
        assert_law(store);
    }
    assert_eq!(sum(), 160 + 60);
}
