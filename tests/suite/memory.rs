//! Memory: of Redis, which is watched before it is full, and the collector's own, which is bounded by bytes.

use std::process::{Command, Stdio};

use crate::forwarding::scene::Scene;
use crate::forwarding::stub::Answer;
use crate::proxy::{self, Line};
use crate::support::{Ended, Lines, Redis, Store, eventually, run};

const WARNING: &str = "a full Redis refuses events";

#[test]
fn a_stream_that_grows_too_large_is_said_and_when_that_is_over() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(3_000, 5_000);
    let collector = store.collect(&["--stream-warn", "100kB"]);
    collector.says("the stream takes ");
    collector.says(", more than 100.0 kB; raise maxmemory");
    redis.command::<i64>("XTRIM emp:events MAXLEN 10");
    collector.says("Redis' memory is within its limits again");
    assert_eq!(collector.stop(), 0);
}

#[test]
fn a_redis_that_is_nearly_full_is_said() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.command::<i64>("SETRANGE filler 30000000 x");
    redis.command::<String>("CONFIG SET maxmemory 36000000");
    let collector = store.collect(&[]);
    collector.says("of its 36.0 MB, more than 80 %; raise maxmemory");
    eventually("it collects all the same", || {
        redis.add(1, 100);
        store.events() > 0
    });
    let health = |limit: &str| -> Ended {
        run(store.command(&["health", "--format", "json"]).env("EMP_EVENTS_MEMORY_WARN", limit))
    };
    let ended = health("80%");
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains(WARNING), "{}", ended.stdout);
    eventually("with other limits health is good", || {
        let ended = health("99%");
        ended.status == 0 && ended.stdout.contains("by the stream")
    });
    assert!(health("1MB").stdout.contains(", more than 1.0 MB"));
    let ended = health("lots");
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("expected a share such as 80%"), "{}", ended.stderr);
    assert_eq!(collector.stop(), 0);
}

/// Adds so many events of half a megabyte, of two jobs in turn.
fn add_large(redis: &Redis, events: usize) {
    add_large_at(redis, events, |_| "*".to_owned());
}

/// The same under IDs of their own.
fn add_large_at(redis: &Redis, events: usize, id: impl Fn(usize) -> String) {
    let data = format!(r#"{{"text":"{}"}}"#, "x".repeat(512 << 10));
    let mut connection = redis.connection();
    for number in 0..events {
        let mut add = redis::cmd("XADD");
        add.arg("emp:events").arg(id(number)).arg("service").arg("worker").arg("eventType").arg("job.completed");
        add.arg("jobId").arg(format!("job_{}", number % 2));
        add.arg("data").arg(&data).query::<()>(&mut connection).unwrap();
    }
}

/// Redis sends whatever was asked for: entries that are large after a thousand small ones were asked for, too.
#[test]
fn large_entries_take_the_collector_no_more_memory_than_small_ones() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    add_large(&redis, 200);
    redis.add(3_000, 10_000);
    add_large(&redis, 200);
    redis.add(100, 10_000);
    let collector = store.collect(&[]);
    eventually("all is stored", || store.path().exists() && redis.has_read_all() && redis.pending() == 0);
    let peak_kb = collector.peak_kb();
    assert!(peak_kb <= 64 << 10, "{peak_kb} kB");
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(3_500);
    assert!(store.output(&["verify", "--law"]).contains("the law holds"));
}

/// A line that breaks after so many bytes, every time.
struct ShortLived;

impl Line for ShortLived {
    fn breaks_after(&self) -> usize {
        8 << 20
    }
}

/// What gets through is kept, and not asked for again: else it would never end.
#[test]
fn large_entries_get_through_a_line_that_breaks_again_and_again() {
    let redis = Redis::start();
    add_large(&redis, 40);
    let store = Store::at(proxy::before(redis.port(), ShortLived));
    let collector = store.collect(&[]);
    eventually("all is stored", || store.path().exists() && redis.has_read_all() && redis.pending() == 0);
    drop(collector);
    store.assert_accounts_for(40);
}

/// What the events of these tests take together, in kB. Whoever has them all in memory needs more than that.
const LARGE_KB: u64 = 400 << 9;

#[test]
fn a_tail_that_begins_with_many_large_events_has_few_of_them_in_memory() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    add_large(&redis, 400);
    store.output(&["collect", "--once"]);
    for from in ["store", "redis"] {
        let mut tail = store.command(&["tail", "--from", from, "--last", "400", "--format", "ndjson"]);
        let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let shown = Lines::of(tail.stdout.take().unwrap());
        (0..400).for_each(|_| drop(shown.next().expect("it shows them all")));
        let status = std::fs::read_to_string(format!("/proc/{}/status", tail.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        tail.kill().unwrap();
        tail.wait().unwrap();
        assert!(peak_kb <= LARGE_KB * 3 / 4, "{from}: {peak_kb} kB");
    }
}

/// Of an hour that was put together into one file, too: by `verify`, and by a forwarder that makes up for what the
/// stream has trimmed.
#[test]
fn of_a_file_of_large_events_a_few_are_in_memory() {
    let scene = Scene::new();
    let id = |number: usize| format!("1758981600000-{}", number + 1);
    scene.redis.command::<String>(&format!("XADD emp:events {} service worker eventType job.created", id(0)));
    scene.forward_all(&[]);
    add_large_at(&scene.redis, 400, |number| id(number + 1));
    scene.store.output(&["collect", "--once"]);
    scene.store.output(&["compact"]);
    assert_eq!(scene.store.number("select count(*) from files where kind = 'parquet'"), 1);
    let peak_kb = peak_kb_of(&scene.store.command(&["verify"]));
    assert!(peak_kb <= 64 << 10, "verified: {peak_kb} kB");
    scene.redis.command::<i64>("XTRIM emp:events MAXLEN 0");
    let peak_kb = peak_kb_of(&scene.forward(&["--once"]));
    assert!(peak_kb <= 96 << 10, "forwarded: {peak_kb} kB");
}

#[test]
fn jobs_with_large_data_are_compared_without_it() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    add_large(&redis, 400);
    store.output(&["collect", "--once"]);
    let peak_kb = peak_kb_of(&store.command(&["timeline", "job_0", "--compare", "job_1"]));
    assert!(peak_kb <= LARGE_KB * 3 / 4, "{peak_kb} kB");
}

#[test]
fn questions_about_all_jobs_hold_no_large_data() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    add_large(&redis, 300);
    store.output(&["collect", "--once"]);
    for sealed in [false, true] {
        if sealed {
            store.output(&["seal"]);
        }
        for question in
            ["workers", "why-slow --last 1h", "diagnose --all", "anomalies", "report --last 1h -o -", "diagnose job_0"]
        {
            let words: Vec<&str> = question.split(' ').collect();
            let peak_kb = peak_kb_of(&store.command(&words));
            assert!(peak_kb <= 160 << 10, "{question}, sealed: {sealed}: {peak_kb} kB");
        }
    }
}

#[test]
fn of_large_dead_letters_one_is_in_memory() {
    let scene = Scene::new();
    add_large(&scene.redis, 100);
    scene.stub.answer(|_| Answer::Refuse(400));
    scene.forward_all(&[]);
    assert_eq!(scene.store.number("select count(*) from dead_letters"), 100);
    let peak_kb = peak_kb_of(&scene.store.command(&["sql", "select count(*) from dead_letters"]));
    assert!(peak_kb <= 96 << 10, "asked for: {peak_kb} kB");
    scene.stub.answer(|_| Answer::Accept);
    let peak_kb = peak_kb_of(&scene.forward(&["--replay-dead-letters"]));
    assert!(peak_kb <= 40 << 10, "sent again: {peak_kb} kB");
    assert_eq!(scene.store.number("select count(*) from dead_letters"), 0);
}

/// The most memory that a command used until its end, in kB, as the system says then.
fn peak_kb_of(command: &Command) -> u64 {
    const MEASURE: &str = "import resource, subprocess, sys\n\
                           subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                           print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut measured = Command::new("python3");
    crate::support::without_settings(&mut measured);
    measured.args(["-c", MEASURE]).arg(command.get_program()).args(command.get_args());
    measured.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = run(&mut measured);
    assert_eq!(ended.status, 0, "{command:?}: {}", ended.stderr);
    ended.stdout.trim().parse().unwrap()
}
