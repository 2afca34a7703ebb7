//! Questions that two workers help with: real processes, over TCP.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::bucket::server::Bucket;
use crate::bucket::{archive, few_hours, sample, succeeds};
use crate::support::{Ended, Lines, emp_events, make_certificates, run};

const TOKEN: &str = "a-token-of-these-tests";

/// A worker in the background, which ends with its owner.
struct Helper {
    process: Child,
    lines: Lines,
    url: String,
}

impl Helper {
    fn start(command: &mut Command, more: &[&str]) -> Self {
        command.args(["worker", "--listen", "127.0.0.1:0"]).args(more).env("EMP_EVENTS_WORKER_TOKEN", TOKEN);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Lines::of(process.stderr.take().unwrap());
        let line = lines.next().expect("it listens");
        let (_, url) = line.split_once("whoever asks at ").unwrap_or_else(|| panic!("{line}"));
        Self { process, lines, url: url.to_owned() }
    }

    fn of(store: &Path) -> Self {
        Self::start(emp_events().arg("--store").arg(store), &[])
    }

    /// Waits until it has been given a part of a question.
    fn is_at_work(&self) {
        while !self.lines.next().expect("it lives").contains("a part of a question") {}
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The command with these workers, for every question that reads a file.
fn with<'a>(command: &'a mut Command, workers: &[&Helper]) -> &'a mut Command {
    let urls: Vec<&str> = workers.iter().map(|worker| worker.url.as_str()).collect();
    command.arg("--workers").arg(urls.join(",")).args(["--worker-bytes", "1"]).env("EMP_EVENTS_WORKER_TOKEN", TOKEN)
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// How many tasks each worker had, by what is said beside the answer.
fn tasks(ended: &Ended) -> Vec<usize> {
    let lines = ended.stderr.lines().filter_map(|line| line.split_once(" tasks, ")?.0.rsplit(' ').next()?.parse().ok());
    lines.collect()
}

/// Statements in all their variety: whether the order is part of the answer, whether workers have to do with it, and what is
/// asked.
const STATEMENTS: [(bool, bool, &str); 16] = [
    (false, true, "select service, level, count(*), count(distinct job_id) from events where data <> '' group by 1, 2"),
    (false, true, "select event_type, sum(duration_ms), min(timestamp), max(id) from events where id > '1' group by 1"),
    (true, true, "select id, timestamp, service from events order by timestamp desc, id limit 25"),
    (true, true, "select id, data from events where level = 'error' order by id"),
    (
        true,
        true,
        "select id, data->>'status' as status from events where data->>'status' is not null order by id limit 40",
    ),
    (false, true, "select data->>'status' as status, count(*) from events group by 1"),
    (false, true, "select count(*), sum(json_length(data)) from events where json_contains(data, 'status')"),
    (
        false,
        true,
        "select service, approx_quantile(duration_ms, 0.95), quantile_cont(duration_ms, 0.5) from events group by 1",
    ),
    (false, true, "select count(*) from (select distinct trace_id from events where data like '%a%')"),
    (
        false,
        true,
        "select e.service, count(*) from events e join (select job_id from events where level = 'error') f on e.job_id = f.job_id group by 1",
    ),
    (
        false,
        true,
        "select count(*) from events where duration_ms > (select avg(duration_ms) from events where data <> '')",
    ),
    (
        true,
        true,
        "select id, gap_ms(timestamp) over (partition by job_id order by ingested_at, id) as gap from events order by id limit 50",
    ),
    (
        false,
        true,
        "select service, count(*) from events where timestamp >= since('2000-01-01') and data <> '' group by 1 having count(*) > 10",
    ),
    (
        true,
        true,
        "select id, format_duration(duration_ms) from events where duration_ms is not null order by id limit 30",
    ),
    (false, false, "select count(*) from events"),
    // The walk is done here, and so is what is asked about clocks before it.
    (false, false, "select job_id, count(*) from transitions group by 1"),
];

#[test]
fn two_workers_answer_as_one_process_does() {
    for store in [sample(), few_hours()] {
        let store = store.path().join("store");
        let (one, other) = (Helper::of(&store), Helper::of(&store));
        let ask = |words: &[&str]| {
            let alone = run(emp_events().arg("--store").arg(&store).args(words));
            let together = run(with(emp_events().arg("--store").arg(&store), &[&one, &other]).args(words));
            assert_eq!((together.status, alone.status), (0, 0), "{words:?}: {}{}", alone.stderr, together.stderr);
            assert!(!together.stderr.contains("failed"), "{words:?}: {}", together.stderr);
            (alone, together)
        };
        for (is_ordered, is_spread, sql) in STATEMENTS {
            let (alone, together) = ask(&["--format", "csv", "sql", sql]);
            assert!(alone.stdout.lines().count() > 1, "{sql}");
            match is_ordered {
                true => assert_eq!(together.stdout, alone.stdout, "{sql}"),
                false => assert_eq!(sorted(&together.stdout), sorted(&alone.stdout), "{sql}"),
            }
            // Each of them had a part of it.
            assert_eq!(tasks(&together).len(), if is_spread { 2 } else { 0 }, "{sql}: {}", together.stderr);
        }
        let listed = run(emp_events().args(["query", "--list", "--format", "json"])).stdout;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let job = "select job_id from events where event_type = 'job.completed' order by ingested_at limit 1";
        let job = run(emp_events().arg("--store").arg(&store).args(["--format", "csv", "sql", job])).stdout;
        let job = format!("job_id={}", job.lines().nth(1).unwrap());
        let queries = listed.as_array().unwrap();
        assert!(queries.len() >= 7);
        for query in queries {
            let name = query["name"].as_str().unwrap();
            let mut words = vec!["--format", "csv", "query", name];
            let needs_job = query["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .any(|parameter| parameter["name"] == "job_id" && parameter["required"] == true);
            if needs_job {
                words.extend(["--param", &job]);
            }
            let (alone, together) = ask(&words);
            assert_eq!(together.stdout, alone.stdout, "{name}");
        }
        for words in
            [vec!["perf"], vec!["anomalies"], vec!["search", "--level", "error", "--limit", "20"], vec!["report"]]
        {
            let (alone, together) = ask(&words);
            assert_eq!(together.stdout, alone.stdout, "{words:?}");
        }
    }
}

const ALL: &str = "select count(*), count(distinct id), sum(length(data)), max(id) from events where data <> ''";

/// Both read from a bucket, whose answers take long enough that one is killed before it has what it needs.
#[test]
fn who_dies_costs_a_retry_and_then_it_is_answered_here() {
    let (bucket, folder) = (Bucket::new("workers"), few_hours());
    let store = folder.path().join("store");
    let url = bucket.url("p");
    succeeds(&run(&mut archive(&bucket, &store, &url)));
    let alone = run(emp_events().arg("--store").arg(&store).args(["--format", "csv", "sql", ALL]));
    // Each has a cache of its own, as on machines of their own.
    let helper = |name: &str| {
        let mut command = emp_events();
        bucket.know(&mut command).env("XDG_CACHE_HOME", folder.path().join(name));
        Helper::start(command.arg("--store").arg(&url), &[])
    };
    let ask = |workers: &[&Helper]| {
        let mut command = emp_events();
        bucket.know(&mut command).env("XDG_CACHE_HOME", folder.path().join("asking"));
        with(command.arg("--store").arg(&url), workers).args(["--format", "csv", "sql", ALL]);
        command
    };
    let (one, mut other) = (helper("one"), helper("other"));
    let warm = run(&mut ask(&[&one, &other]));
    assert_eq!(warm.stdout, alone.stdout, "{}", warm.stderr);
    std::fs::remove_dir_all(folder.path().join("one")).unwrap();
    std::fs::remove_dir_all(folder.path().join("other")).unwrap();
    bucket.delay(Duration::from_secs(2));
    std::thread::scope(|scope| {
        let mut command = ask(&[&one, &other]);
        let asked = scope.spawn(move || run(&mut command));
        other.is_at_work();
        other.is_at_work();
        other.kill();
        let ended = asked.join().unwrap();
        assert_eq!((ended.status, &ended.stdout), (0, &alone.stdout), "{}", ended.stderr);
        assert!(ended.stderr.contains("; asking again"), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("{} does not answer", other.url)), "{}", ended.stderr);
        assert!(!ended.stderr.contains("answering here"), "the other one does it all: {}", ended.stderr);
    });
    bucket.delay(Duration::ZERO);
    drop(one);
    let gone = Helper {
        process: Command::new("true").spawn().unwrap(),
        lines: Lines::of(std::io::empty()),
        url: other.url.clone(),
    };
    let ended = run(&mut ask(&[&gone]));
    assert_eq!((ended.status, &ended.stdout), (0, &alone.stdout), "{}", ended.stderr);
    assert!(ended.stderr.contains("no worker answers: answering here"), "{}", ended.stderr);
}

/// Its files are not those of whoever asks.
#[test]
fn a_worker_of_another_store_is_no_help_and_the_answer_is_right() {
    let (asked, others) = (few_hours(), sample());
    let (asked, others) = (asked.path().join("store"), others.path().join("store"));
    let helper = Helper::of(&others);
    let alone = run(emp_events().arg("--store").arg(&asked).args(["--format", "csv", "sql", ALL]));
    let ended = run(with(emp_events().arg("--store").arg(&asked), &[&helper]).args(["--format", "csv", "sql", ALL]));
    assert_eq!((ended.status, &ended.stdout), (0, &alone.stdout), "{}", ended.stderr);
    assert!(ended.stderr.contains("; answering here"), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("the workers failed").count(), 1, "it is asked once: {}", ended.stderr);
}

#[test]
fn a_token_and_a_certificate_are_asked_for() {
    let folder = sample();
    let store = folder.path().join("store");
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name);
    let (certificate, key) = (file("server.crt"), file("server.key"));
    let tls = ["--tls-certificate", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let helper = Helper::start(emp_events().arg("--store").arg(&store).env("SSL_CERT_FILE", file("ca.crt")), &tls);
    let url = helper.url.replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    let ask = |url: &str, authority: &Path, token: &str| {
        let mut command = emp_events();
        command.arg("--store").arg(&store).args(["--workers", url, "--worker-bytes", "1", "--worker-token", token]);
        run(command.env("SSL_CERT_FILE", authority).args(["--format", "csv", "sql", ALL]))
    };
    let alone = run(emp_events().arg("--store").arg(&store).args(["--format", "csv", "sql", ALL]));
    let known = ask(&url, &file("ca.crt"), TOKEN);
    assert_eq!((known.status, &known.stdout), (0, &alone.stdout), "{}", known.stderr);
    assert_eq!(tasks(&known).len(), 1, "{}", known.stderr);

    let stranger = ask(&url, &file("ca.crt"), "a-token-of-somebody-else");
    assert_eq!((stranger.status, stranger.stdout.as_str()), (1, ""), "{}", stranger.stderr);
    assert!(stranger.stderr.contains("does not take this token"), "{}", stranger.stderr);

    // Neither is the token shown to whom no certificate vouches for, nor in the clear.
    for url in [url.as_str(), &url.replace("https", "http")] {
        let unknown = ask(url, Path::new("/dev/null"), TOKEN);
        assert_eq!((unknown.status, &unknown.stdout), (0, &alone.stdout), "{}", unknown.stderr);
        assert!(unknown.stderr.contains("no worker answers: answering here"), "{}", unknown.stderr);
    }
    for wrong in ["short", "with a space in the middle"] {
        let ended = run(emp_events().arg("--store").arg(&store).args(["worker", "--token", wrong]));
        assert_eq!(ended.status, 2, "{}", ended.stderr);
    }
}
