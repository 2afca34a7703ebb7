//! What changed: told where something did, not told where nothing did.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, emp_events, run};

/// 2025-09-15T00:00:00Z, a Monday.
const DAY_MS: i64 = 1_757_894_400_000;
const HOUR_MS: i64 = 3_600_000;

fn ask(store: &Path, words: &[&str]) -> Ended {
    run(emp_events().env("EMP_EVENTS_STORE", store).args(["--tz", "UTC", "changes"]).args(words))
}

/// What is answered as JSON.
#[track_caller]
fn answer(store: &Path, words: &[&str]) -> Value {
    let ended = ask(store, &[words, &["--format", "json"]].concat());
    assert_eq!(ended.status, 0, "{words:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// What changed, in words of three: `new error_text KeyError`.
fn told(answer: &Value) -> Vec<String> {
    let changes = answer["changes"].as_array().unwrap().iter();
    let text = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    changes.map(|one| [text(one, "change"), text(one, "kind"), text(one, "what")].join(" ")).collect()
}

/// A store of the simulation.
fn simulated(words: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let mut command = emp_events();
    command.arg("simulate").arg("--into").arg(&store).args(["--from", "2025-09-15T00:00:00Z", "--healthy"]);
    let made = run(command.args(words));
    assert_eq!(made.status, 0, "{}", made.stderr);
    (folder, store)
}

/// Jobs that a test makes up, and what is told of them.
struct Load {
    lines: String,
    chance: u64,
    jobs: usize,
}

impl Load {
    fn new() -> Self {
        Self { lines: String::new(), chance: 7, jobs: 0 }
    }

    /// From 0 to 1: Knuth's generator.
    fn chance(&mut self) -> f64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn event(&mut self, at_ms: i64, event_type: &str, fields: &str) {
        let at_ms = DAY_MS + at_ms;
        writeln!(
            self.lines,
            r#"{{"timestamp":{at_ms},"service":"{}","eventType":"{event_type}"{fields}}}"#,
            event_type.split('.').next().unwrap()
        )
        .unwrap();
    }

    /// Jobs that begin at random, so many an hour, in that range of hours; each is told of by `tell`.
    fn jobs(&mut self, hours: (f64, f64), per_hour: impl Fn(f64) -> f64, tell: impl Fn(&mut Self, i64, &str)) {
        let most = (0..240).map(|tenth| per_hour(f64::from(tenth) / 10.0)).fold(0.0, f64::max);
        let mut at = hours.0;
        loop {
            at -= (1.0 - self.chance()).ln() / most;
            if at >= hours.1 {
                return;
            }
            if self.chance() * most < per_hour(at) {
                self.jobs += 1;
                let job = format!("job_{}", self.jobs);
                tell(self, (at * HOUR_MS as f64) as i64, &job);
            }
        }
    }

    /// A job as it mostly goes: it takes a second or two.
    fn healthy(&mut self, at_ms: i64, job: &str) {
        let took_ms = (1_000.0 * (self.chance() + self.chance())) as i64 + 200;
        let worker = (self.chance() * 4.0) as usize;
        self.event(at_ms, "job.created", &format!(r#","jobId":"{job}""#));
        let of_worker = format!(r#","jobId":"{job}","workerId":"w{worker}""#);
        self.event(at_ms + 100, "work.started", &of_worker);
        let data = format!(r#"{of_worker},"data":{{"durationMs":{took_ms}}}"#);
        self.event(at_ms + 100 + took_ms, "work.completed", &data);
        self.event(at_ms + 110 + took_ms, "job.completed", &of_worker);
    }

    /// A beat each minute.
    fn beats(&mut self, hours: (i64, i64)) {
        (hours.0 * 60..hours.1 * 60).for_each(|minute| self.event(minute * 60_000, "monitor.beat", ""));
    }

    fn store(self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (store, events) = (folder.path().join("store"), folder.path().join("events.ndjson"));
        let mut lines: Vec<&str> = self.lines.lines().collect();
        // Their times are of one length, and stand at the beginning.
        lines.sort_unstable();
        fs::write(&events, lines.join("\n") + "\n").unwrap();
        let imported = run(emp_events().arg("--store").arg(&store).arg("import").arg(&events));
        assert_eq!(imported.status, 0, "{}", imported.stderr);
        (folder, store)
    }
}

const TWO_HOURS: [&str; 4] = ["--since", "2025-09-15T02:00Z", "--until", "2025-09-15T04:00Z"];

#[test]
fn nothing_is_told_of_a_healthy_load() {
    for seed in ["1", "2", "3"] {
        let (_folder, store) = simulated(&["--hours", "10", "--seed", seed]);
        for last in ["30m", "1h", "2h", "5h"] {
            let answer = answer(&store, &["--last", last]);
            assert_eq!(told(&answer), [""; 0], "seed {seed}, {last}: {answer:#}");
            assert!(answer["tests"].as_u64().unwrap() > 20, "{answer:#}");
        }
        let screen = ask(&store, &["--format", "table"]);
        assert!(screen.stdout.starts_with("Nothing significant has changed\n"), "{}", screen.stdout);
    }
}

#[test]
fn the_course_of_a_day_is_no_change() {
    let mut load = Load::new();
    let course = |hour: f64| 300.0 * (1.0 + 0.75 * (hour * std::f64::consts::PI / 12.0).sin());
    load.jobs((0.0, 24.0), course, Load::healthy);
    load.beats((0, 24));
    let (_folder, store) = load.store();
    for hour in ["04:00", "08:00", "12:00", "16:00", "20:00"] {
        let answer = answer(&store, &["--last", "2h", "--now", &format!("2025-09-15T{hour}Z")]);
        assert_eq!(told(&answer), [""; 0], "{hour}: {answer:#}");
    }
}

#[test]
fn the_cause_comes_first_and_what_follows_under_it() {
    let at = "2025-09-15T09:00Z";
    let incidents = [
        ("new-error", "new error_text KeyError: 'tokenizer_config' in /srv/connector/loader.py"),
        ("silent-worker", "gone worker worker-gpu03-1"),
        ("slow-connector", "slower connector openai"),
        ("slow-worker", "slower worker_speed worker-gpu01-2"),
        ("silent-service", "gone service webhook-service"),
        ("full-queue", "gone worker worker-gpu03-1"),
    ];
    for (kind, first) in incidents {
        let (_folder, store) = simulated(&["--hours", "10", "--seed", "1", "--incident", &format!("{kind}@{at}")]);
        // Workers are back, and the service is, before what is slow has shown it.
        let until = if kind.starts_with("slow") { "2025-09-15T09:40Z" } else { "2025-09-15T09:20Z" };
        let answer =
            answer(&store, &["--since", at, "--until", until, "--against", &format!("2025-09-15T05:00Z..{at}")]);
        assert_eq!(told(&answer).first().map(String::as_str), Some(first), "{kind}: {answer:#}");
        let implied = &answer["changes"][0]["implies"];
        match kind {
            "new-error" => assert!(implied.to_string().contains("connector.processing_failed"), "{implied:#}"),
            "silent-service" => assert!(implied.to_string().contains("webhook.delivered"), "{implied:#}"),
            "full-queue" => assert!(told(&answer).contains(&"more jobs jobs (job.created)".to_owned()), "{answer:#}"),
            _ => {}
        }
    }
}

#[test]
fn types_of_events_are_more_less_new_and_gone() {
    let mut load = Load::new();
    load.jobs(
        (0.0, 4.0),
        |_| 200.0,
        |load, at_ms, job| {
            let is_after = at_ms >= 2 * HOUR_MS;
            load.healthy(at_ms, job);
            let of_job = format!(r#","jobId":"{job}""#);
            let mut often = |event_type: &str, before: f64, after: f64| {
                let often = if is_after { after } else { before };
                if load.chance() < often {
                    load.event(at_ms + 50, event_type, &of_job);
                }
            };
            often("cache.missed", 0.1, 0.4);
            often("cache.hit", 0.9, 0.3);
            often("cache.warmed", 0.2, 0.0);
            often("cache.evicted", 0.0, 0.2);
            often("cache.read", 0.5, 0.5);
        },
    );
    load.beats((0, 4));
    let (_folder, store) = load.store();
    let answer = answer(&store, &TWO_HOURS);
    let mut told = told(&answer);
    told.sort_unstable();
    let expected = ["gone cache.warmed", "less cache.hit", "more cache.missed", "new cache.evicted"];
    assert_eq!(told, expected.map(|one| one.replace(' ', " event_type ")), "{answer:#}");
    let missed = answer["changes"].as_array().unwrap().iter().find(|one| one["what"] == "cache.missed").unwrap();
    let factor = missed["factor"].as_f64().unwrap();
    assert!((3.0..5.5).contains(&factor), "{missed:#}");
    let (before, after) = (&missed["before_count"], &missed["after_count"]);
    assert!(before.as_u64().unwrap() > 20 && after.as_u64().unwrap() > 100, "{missed:#}");
    assert!(missed["q_value"].as_f64().unwrap() < 0.01 && missed["test"] == "quasi_poisson", "{missed:#}");
    assert!(missed["words"].as_str().unwrap().starts_with("cache.missed of cache: "), "{missed:#}");
}

/// Jobs of two kinds, each with a letter that tells of its end; `sends` says how often those of a kind do.
fn letters(sends: impl Fn(&str, bool) -> f64) -> (TempDir, PathBuf) {
    let mut load = Load::new();
    load.jobs(
        (0.0, 4.0),
        |_| 250.0,
        |load, at_ms, job| {
            let kind = if load.chance() < 0.3 { "statement" } else { "reminder" };
            let of_job = format!(r#","jobId":"{job}""#);
            load.event(at_ms, "job.created", &format!(r#"{of_job},"data":{{"jobType":"{kind}"}}"#));
            load.event(at_ms + 100, "work.started", &of_job);
            load.event(at_ms + 900, "work.completed", &of_job);
            load.event(at_ms + 910, "job.completed", &of_job);
            if load.chance() < sends(kind, at_ms >= 2 * HOUR_MS) {
                load.event(at_ms + 1_000, "letter.printed", &of_job);
                load.event(at_ms + 30_000, "letter.posted", &of_job);
            }
        },
    );
    load.beats((0, 4));
    load.store()
}

#[test]
fn a_step_that_jobs_of_a_kind_lack_now_is_told_with_both_counts() {
    // Of all letters an eighth is missing, which is no change of their number.
    let (_folder, store) = letters(|kind, is_after| if kind == "statement" && is_after { 0.6 } else { 1.0 });
    let answer = answer(&store, &TWO_HOURS);
    assert_eq!(told(&answer), ["more missing_step letter.posted"], "{answer:#}");
    let change = &answer["changes"][0];
    let count = |key: &str| change[key].as_u64().unwrap();
    assert!(count("before_count") == 0 && (100..200).contains(&count("before_of")), "{change:#}");
    let share = count("after_count") as f64 / count("after_of") as f64;
    assert!((0.3..0.5).contains(&share) && change["test"] == "fisher", "{change:#}");
    assert!(change["q_value"].as_f64().unwrap() < 0.01 && change["service"] == "letter", "{change:#}");
    let words = change["words"].as_str().unwrap();
    assert!(words.contains("completed jobs of kind statement lack letter.posted"), "{words}");
    assert!(change["implies"].to_string().contains("letter.printed"), "{change:#}");
}

#[test]
fn a_step_that_is_rarer_as_jobs_lack_it_is_told_once() {
    let (_folder, store) = letters(|_, is_after| if is_after { 0.55 } else { 1.0 });
    let found = answer(&store, &TWO_HOURS);
    let kinds: Vec<&str> =
        found["changes"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["missing_step", "missing_step"], "once for each kind: {found:#}");
    assert!(found["changes"].to_string().contains(r#""kind":"event_type""#), "{found:#}");
    // What was missing and is there again is told last.
    let (_folder, store) = letters(|_, is_after| if is_after { 1.0 } else { 0.7 });
    let found = answer(&store, &TWO_HOURS);
    let words = found["changes"].to_string();
    assert!(words.contains("letter.posted is there again") && !words.contains(r#""change":"more""#), "{found:#}");
}

#[test]
fn what_only_some_jobs_have_is_no_step() {
    let (_folder, store) = letters(|_, is_after| if is_after { 0.6 } else { 0.7 });
    let answer = answer(&store, &TWO_HOURS);
    assert_eq!(told(&answer), [""; 0], "{answer:#}");
}

#[test]
fn a_burst_is_no_change_of_the_rate() {
    let mut load = Load::new();
    load.jobs((0.0, 4.0), |_| 200.0, Load::healthy);
    // Once an hour a sweep, each of another size: 3 and 2 in the two ranges would be 300 events more.
    for (minute, events) in [(20, 150), (80, 120), (130, 200), (150, 180), (200, 190)] {
        (0..events).for_each(|one| load.event(minute * 60_000 + one * 20, "disk.swept", ""));
    }
    let (_folder, store) = load.store();
    let answer = answer(&store, &TWO_HOURS);
    assert_eq!(told(&answer), [""; 0], "{answer:#}");
}

#[test]
fn ranges_may_be_of_different_lengths() {
    let mut load = Load::new();
    load.jobs((0.0, 5.0), |_| 150.0, Load::healthy);
    load.beats((0, 5));
    // Twice as often in the last hour.
    load.jobs((4.0, 5.0), |_| 60.0, |load, at_ms, _| load.event(at_ms, "page.viewed", ""));
    load.jobs((0.0, 4.0), |_| 20.0, |load, at_ms, _| load.event(at_ms, "page.viewed", ""));
    let (_folder, store) = load.store();
    let words = ["--since", "2025-09-15T04:00Z", "--until", "2025-09-15T05:00Z"];
    let answer = answer(&store, &[&words[..], &["--against", "2025-09-15T00:00Z..2025-09-15T04:00Z"]].concat());
    assert_eq!(told(&answer), ["more event_type page.viewed"], "{answer:#}");
    let hours = |key: &str| answer[key].as_f64().unwrap();
    assert!((hours("after_hours") - 1.0).abs() < 0.02 && (hours("before_hours") - 4.0).abs() < 0.02, "{answer:#}");
    let change = &answer["changes"][0];
    let rate = |key: &str| change[key].as_f64().unwrap();
    assert!((12.0..28.0).contains(&rate("before_per_hour")), "{change:#}");
    assert!((45.0..75.0).contains(&rate("after_per_hour")), "{change:#}");
}

#[test]
fn what_the_store_does_not_cover_is_said_and_not_taken_for_nothing() {
    let mut load = Load::new();
    load.jobs((1.25, 4.0), |_| 200.0, Load::healthy);
    load.beats((2, 4));
    let (_folder, store) = load.store();
    let begun_later = answer(&store, &TWO_HOURS);
    let notes = begun_later["notes"].to_string();
    assert!(notes.contains("the store begins 1 h 15 m after the earlier range does"), "{notes}");
    let of_jobs: Vec<String> = told(&begun_later).into_iter().filter(|one| !one.contains("monitor")).collect();
    assert_eq!(of_jobs, [""; 0], "{begun_later:#}");
    assert!(begun_later["before_hours"].as_f64().unwrap() < 0.8, "{begun_later:#}");
    for (words, said) in [
        (["--since", "2025-09-15T00:00Z", "--until", "2025-09-15T01:00Z"], "the later range has no events"),
        (["--since", "2025-09-15T01:00Z", "--until", "2025-09-15T03:00Z"], "the earlier range has no events"),
        (["--since", "2025-09-16T01:00Z", "--until", "2025-09-16T03:00Z"], "the later range has no events"),
    ] {
        let answer = answer(&store, &words);
        assert!(answer["changes"].as_array().unwrap().is_empty(), "{answer:#}");
        assert!(answer["notes"].to_string().contains(said), "{words:?}: {answer:#}");
    }
    let screen = ask(&store, &["--since", "2025-09-16T01:00Z", "--until", "2025-09-16T03:00Z", "--format", "table"]);
    assert!(screen.stdout.starts_with("Nothing to compare\n"), "{}", screen.stdout);
}

#[test]
fn an_outage_of_the_store_is_no_change() {
    let mut load = Load::new();
    for hours in [(0.0, 1.0), (1.5, 4.0)] {
        load.jobs(hours, |_| 400.0, Load::healthy);
    }
    let (_folder, store) = load.store();
    let answer = answer(&store, &TWO_HOURS);
    assert_eq!(told(&answer), [""; 0], "{answer:#}");
    assert!(answer["notes"].to_string().contains("of the earlier range have no event of any kind"), "{answer:#}");
    assert!(answer["before_hours"].as_f64().unwrap() < 1.7, "{answer:#}");
}

#[test]
fn what_cannot_be_compared_is_said_in_a_line() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    for (against, said) in [
        ("1h", "has to lie before"),
        ("2030-01-01..2030-01-02", "has to lie before"),
        ("2025-09-27T02:00Z..2025-09-27T01:00Z", "has no length"),
        ("then", "neither `before`, nor a duration"),
        ("0", "neither `before`, nor a duration"),
        ("yesterday..", "time"),
    ] {
        let ended = ask(&store, &["--last", "2h", "--against", against]);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{against}");
        assert!(ended.stderr.contains(said) && ended.stderr.lines().count() == 1, "{against}: {}", ended.stderr);
    }
}

#[test]
fn every_format_has_the_same_changes() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let words = [
        "--since",
        "2025-09-27T10:00Z",
        "--until",
        "2025-09-27T10:20Z",
        "--against",
        "2025-09-27T06:00Z..2025-09-27T10:00Z",
    ];
    let of = |format: &str| {
        let mut command = emp_events();
        command.env("EMP_EVENTS_STORE", &store).args(["--tz", "UTC", "changes"]).args(words);
        let ended = run(command.args(["--format", format]).env("COLUMNS", "80"));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        ended.stdout
    };
    let answer: Value = serde_json::from_str(&of("json")).unwrap();
    let changes = answer["changes"].as_array().unwrap();
    assert_eq!(changes[0]["what"], "connect ECONNREFUSED 127.0.0.1:8188", "{answer:#}");
    assert_eq!(answer["after"][0], "2025-09-27T10:00:00.000Z");
    let lines: Vec<Value> = of("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&lines, changes);
    assert_eq!(of("csv").lines().count(), changes.len() + 1);
    assert_eq!(of("markdown").lines().count(), changes.len() + 2);
    let screen = of("table");
    let widest = screen.lines().filter(|line| !line.contains("emp-events")).map(|line| line.chars().count()).max();
    assert!(widest.unwrap() <= 80, "{screen}");
    insta::assert_snapshot!("changes_80", screen);
}

/// A job by a connector that a key of another name names.
fn of_provider(load: &mut Load, at_ms: i64, job: &str, takes: impl Fn(&str) -> f64) {
    let provider = if load.chance() < 0.5 { "ink" } else { "toner" };
    let took_ms = (takes(provider) * (0.5 + load.chance())) as i64;
    let worker = (load.chance() * 4.0) as usize;
    load.event(at_ms, "job.created", &format!(r#","jobId":"{job}""#));
    let of_worker = format!(r#","jobId":"{job}","workerId":"w{worker}","data":{{"provider":"{provider}""#);
    load.event(at_ms + 100, "render.started", &format!("{of_worker}}}"));
    load.event(at_ms + 100 + took_ms, "render.completed", &format!(r#"{of_worker},"durationMs":{took_ms}}}"#));
    load.event(at_ms + 110 + took_ms, "job.completed", &format!(r#","jobId":"{job}""#));
}

#[test]
fn a_connector_is_known_by_whichever_key_names_it() {
    let mut load = Load::new();
    load.jobs(
        (0.0, 4.0),
        |_| 300.0,
        |load, at_ms, job| {
            of_provider(load, at_ms, job, |provider| match provider {
                "ink" if at_ms >= 2 * HOUR_MS => 6_000.0,
                "ink" => 1_500.0,
                _ => 600.0,
            });
        },
    );
    load.beats((0, 4));
    let (_folder, store) = load.store();
    let answer = answer(&store, &TWO_HOURS);
    assert_eq!(told(&answer), ["slower connector ink"], "no worker is faster or slower for it: {answer:#}");
    assert_eq!(answer["changes"][0]["key"], "provider");
    let screen = ask(&store, &[&TWO_HOURS[..], &["--format", "table"]].concat()).stdout;
    assert!(screen.contains("emp-events perf --by provider"), "{screen}");
    let counted = run(emp_events().env("EMP_EVENTS_STORE", &store).args([
        "sql",
        "--format",
        "csv",
        "select distinct connector_key(data) as key, connector_name(data) as name from events \
         where event_type = 'render.completed' order by 2",
    ]));
    assert_eq!(counted.stdout, "key,name\nprovider,ink\nprovider,toner\n", "{}", counted.stderr);
}

#[test]
fn the_slowest_are_told_where_half_are_as_before() {
    let mut load = Load::new();
    load.jobs(
        (0.0, 4.0),
        |_| 400.0,
        |load, at_ms, job| {
            let is_slow = at_ms >= 2 * HOUR_MS && load.chance() < 0.08;
            of_provider(load, at_ms, job, |provider| if is_slow && provider == "ink" { 9_000.0 } else { 1_000.0 });
        },
    );
    load.beats((0, 4));
    let (_folder, store) = load.store();
    let answer = answer(&store, &TWO_HOURS);
    assert_eq!(told(&answer), ["slower connector ink"], "{answer:#}");
    let words = answer["changes"][0]["words"].as_str().unwrap();
    assert!(words.starts_with("ink: the slowest render.completed take longer, half of them do not: "), "{words}");
}

#[test]
fn the_exit_code_tells_whether_something_has_changed() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let of = |(since, until): (&str, &str), words: &[&str]| {
        let range = ["--since", since, "--until", until];
        ask(&store, &[&range[..], &["--against", "2025-09-27T04:00Z..2025-09-27T08:00Z"], words].concat()).status
    };
    let (incident, calm) = (("2025-09-27T10:00Z", "2025-09-27T10:20Z"), ("2025-09-27T08:00Z", "2025-09-27T08:20Z"));
    assert_eq!((of(incident, &[]), of(incident, &["--exit-code"]), of(calm, &["--exit-code"])), (0, 1, 0));
}

#[test]
fn the_slowest_of_a_slow_worker_stand_under_it() {
    let mut load = Load::new();
    load.jobs(
        (0.0, 4.0),
        |_| 500.0,
        |load, at_ms, job| {
            let worker = (load.chance() * 5.0) as usize;
            let slow = if worker == 3 && at_ms >= 2 * HOUR_MS { 5.0 } else { 1.0 };
            let took_ms = (1_000.0 * slow * (0.5 + load.chance())) as i64;
            load.event(at_ms, "job.created", &format!(r#","jobId":"{job}""#));
            let data = format!(
                r#","jobId":"{job}","workerId":"w{worker}","data":{{"provider":"ink","durationMs":{took_ms}}}"#
            );
            load.event(at_ms + took_ms, "render.completed", &data);
        },
    );
    load.beats((0, 4));
    let (_folder, store) = load.store();
    let answer = answer(&store, &TWO_HOURS);
    assert_eq!(told(&answer), ["slower worker_speed w3"], "{answer:#}");
}
