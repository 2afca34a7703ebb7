//! What events contribute to a comparison of two ranges: by what is kept of files, beside what the events say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use emp_event::Level;
use emp_query::{Compared, Cut, HAPPENED_MS};
use emp_rollup::hash_of_job;

use crate::happenings::{CHANGES, change, go_through, kept, seventy_days};
use crate::support::*;

const HOURS: i64 = 30;
const NAME_START: &str = "compared-";
const SERVICES: [&str; 2] = ["api", "worker"];
const TYPES: [&str; 4] = ["job.created", "job.claimed", "job.completed", "upload.completed"];
/// What an event may say beside its type.
const DATA: [&str; 6] = [
    "{}",
    r#"{"workerId":"w1","machineId":"m1","durationMs":1200,"connectorType":"pdf"}"#,
    r#"{"workerId":"w2","durationMs":0,"connector":"image","jobType":"small"}"#,
    r#"{"machineId":"m1","durationMs":90000.5,"jobType":"large"}"#,
    r#"{"workerId":"","jobType":""}"#,
    r#"{"workerId":"w1","durationMs":1201,"jobType":"\u006carge"}"#,
];

fn events() -> impl Strategy<Value = Vec<TestEvent>> {
    let ahead = prop_oneof![4 => -50..50_i64, 1 => -2 * HOUR..0, 1 => 0..HOUR];
    let one = (0..HOURS * HOUR, ahead, 0..SERVICES.len(), 0..TYPES.len(), 0..8_u8, 0..DATA.len(), 0..5_u8);
    prop::collection::vec(one, 1..120).prop_map(|mut events| {
        events.sort_by_key(|(at, ..)| *at);
        let event = |(number, (at, ahead, service, event_type, job, data, error))| {
            let job: u8 = job;
            let job = if job == 0 { String::new() } else { format!("job_{job}") };
            let told: TestEvent = event(at, SERVICES[service], TYPES[event_type], &job).seq(number as u64).ahead(ahead);
            match error {
                0 => told.level(Level::Error).data(&format!(r#"{{"error":"broke {} times","x":1}}"#, number % 3)),
                1 => told.level(Level::Error).data(DATA[data]),
                _ => told.data(DATA[data]),
            }
        };
        events.into_iter().enumerate().map(event).collect()
    })
}

/// Two ranges, the first of so many ms, with so many ms between them, in slots of so many ms each.
#[derive(Debug, Clone, Copy)]
struct Ranges {
    since_ms: i64,
    length_ms: i64,
    between_ms: i64,
    slot_ms: i64,
}

impl Ranges {
    fn cut(self, put_right: bool) -> Cut {
        let Self { since_ms, length_ms, between_ms, slot_ms } = self;
        let later_ms = since_ms + length_ms + between_ms;
        let ranges = vec![(since_ms, since_ms + length_ms), (later_ms, later_ms + length_ms)];
        let slot_of = {
            let ranges = ranges.clone();
            move |ms| {
                let at = ranges.iter().position(|(since_ms, until_ms)| (*since_ms..*until_ms).contains(&ms))?;
                Some(at * 1_000_000 + usize::try_from((ms - ranges[at].0) / slot_ms).unwrap())
            }
        };
        Cut { ranges, slot_of: Arc::new(slot_of), put_right }
    }
}

fn ranges() -> impl Strategy<Value = Ranges> {
    let slot = prop_oneof![HOUR / 4..3 * HOUR, 3 * HOUR..20 * HOUR];
    (-HOUR..HOURS * HOUR, 1..HOURS * HOUR, prop_oneof![Just(0), 0..5 * HOUR], slot).prop_map(
        |(since, length_ms, between_ms, slot_ms)| Ranges { since_ms: BASE + since, length_ms, between_ms, slot_ms },
    )
}

/// What is counted, each once, in words.
#[derive(Debug, Default)]
struct Counted {
    put_right: bool,
    counts: BTreeMap<String, u64>,
    /// Of each job in each slot.
    jobs: BTreeMap<(usize, u64), (String, BTreeSet<String>)>,
    units: BTreeSet<String>,
    examples: BTreeMap<String, String>,
}

impl Counted {
    fn count(&mut self, what: String, events: u64) {
        if events > 0 {
            *self.counts.entry(what).or_default() += events;
        }
    }

    fn add_job(&mut self, slot: usize, hash: u64, kind: &str, event_types: impl Iterator<Item = String>) {
        let job = self.jobs.entry((slot, hash)).or_default();
        job.1.extend(event_types);
        if kind > job.0.as_str() {
            kind.clone_into(&mut job.0);
        }
    }

    fn add_example(&mut self, of: String, text: &str) {
        let known = self.examples.entry(of).or_default();
        if !text.is_empty() && (known.is_empty() || text < known.as_str()) {
            text.clone_into(known);
        }
    }

    /// A piece of what the engine tells.
    fn add(&mut self, slot: usize, compared: &Compared) {
        let name = |number: u32| match number {
            0 => "-".to_owned(),
            number => format!("'{}'", compared.names[number as usize - 1]),
        };
        let text = |number: u32| name(number).trim_matches(['\'', '-']).to_owned();
        let rows = &compared.rows;
        for row in &rows.types {
            let of = format!("{slot} {} {}", name(row.service), name(row.event_type));
            self.count(format!("events {of}"), row.events);
            self.count(format!("errors {of}"), row.errors);
            self.count(format!("of jobs {of}"), row.of_jobs);
        }
        rows.machines.iter().for_each(|(one, events)| self.count(format!("machine {slot} {}", name(*one)), *events));
        rows.workers.iter().for_each(|(one, events)| self.count(format!("worker {slot} {}", name(*one)), *events));
        for row in &rows.works {
            let of = [row.event_type, row.connector, row.worker].map(name).join(" ");
            row.each_step(|step, events| self.count(format!("took {slot} {of} {step}"), events));
        }
        for row in &rows.jobs {
            let types = || row.event_types.iter().map(|number| name(*number));
            row.jobs.iter().for_each(|hash| self.add_job(slot, hash, &text(row.kind), types()));
        }
        for row in &rows.errors {
            let of = format!("{slot} {} {} '{}'", name(row.service), name(row.event_type), text(row.fingerprint));
            self.count(format!("error {of}"), row.events);
            let minutes = &row.minutes[usize::from(self.put_right)];
            self.units.extend(row.jobs.iter().map(|hash| format!("{of} job {hash}")));
            self.units.extend(minutes.iter().map(|minute| format!("{of} minute {minute}")));
            self.add_example(of, &text(row.example));
        }
    }

    /// An event as SQL tells it.
    fn add_event(&mut self, cells: &[&str], cut: &Cut) {
        let [ms, service, event_type, level, job, worker, machine, duration, connector, kind, said, kind_of_error] =
            cells.try_into().unwrap();
        let Some(slot) = ms.parse().ok().and_then(|ms| (cut.slot_of)(ms)) else { return };
        let name = |cell: &str| if cell == "null" { "-".to_owned() } else { format!("'{cell}'") };
        let text = |cell: &str| if cell == "null" { String::new() } else { cell.to_owned() };
        let hash = (job != "null").then(|| hash_of_job(job));
        let of = format!("{slot} {} {}", name(service), name(event_type));
        self.count(format!("events {of}"), 1);
        self.count(format!("errors {of}"), u64::from(level == "error"));
        self.count(format!("of jobs {of}"), u64::from(hash.is_some()));
        for (what, cell) in [("machine", machine), ("worker", worker)].into_iter().filter(|(_, cell)| *cell != "null") {
            self.count(format!("{what} {slot} {}", name(cell)), 1);
        }
        if let Ok(ms) = duration.parse::<f64>() {
            let step = (ms.max(0.01).ln() / 1.02_f64.ln()).floor() as i32;
            let of = [event_type, connector, worker].map(name).join(" ");
            self.count(format!("took {slot} {of} {step}"), 1);
        }
        if let Some(hash) = hash {
            let kind = if event_type == "job.created" { text(kind) } else { String::new() };
            self.add_job(slot, hash, &kind, [name(event_type)].into_iter());
        }
        if level == "error" {
            let of = format!("{of} '{}'", text(kind_of_error));
            self.count(format!("error {of}"), 1);
            let minute = ms.parse::<i64>().unwrap().div_euclid(60_000);
            self.units.insert(hash.map_or(format!("{of} minute {minute}"), |hash| format!("{of} job {hash}")));
            self.add_example(of, &text(said));
        }
    }
}

fn assert_agree(store: &TestStore, ranges: Ranges, put_right: bool) {
    let (engine, cut) = (store.engine(), ranges.cut(put_right));
    let begin = || Counted { put_right, ..Counted::default() };
    let found = block_on(engine.compared(&cut, begin, Counted::add)).unwrap();
    let ms = if put_right { HAPPENED_MS } else { "cast(timestamp as bigint)" };
    let sql = format!(
        "select {ms}, service, event_type, level, job_id, worker_id, machine_id, duration_ms, connector_name(data), \
         job_type(data), error_text(data), error_fingerprint(data) from events"
    );
    let (since_ms, until_ms) = (cut.ranges[0].0, cut.ranges[1].1);
    let said =
        block_on(async { rows(engine.sql_within(&sql, Some(since_ms), Some(until_ms)).await.unwrap()).await.unwrap() });
    let mut expected = begin();
    said.lines().for_each(|line| expected.add_event(&line.split(" | ").collect::<Vec<_>>(), &cut));
    assert_eq!(found.counts, expected.counts);
    assert_eq!(found.jobs, expected.jobs);
    assert_eq!(found.units, expected.units);
    assert_eq!(found.examples, expected.examples);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_say_what_their_events_say(
        events in events(),
        late in events(),
        cuts in (0.0..1.0_f64, 0.0..1.0_f64),
        asked in prop::collection::vec((ranges(), any::<bool>()), 3),
        changes in prop::collection::vec(change(&CHANGES), 2),
    ) {
        go_through((&events, &late), cuts, (&changes, NAME_START), |store| {
            asked.iter().for_each(|(ranges, put_right)| assert_agree(store, *ranges, *put_right));
        });
    }
}

/// All of two days, in slots of six hours each.
const TWO_DAYS: Ranges = Ranges { since_ms: BASE - HOUR, length_ms: 24 * HOUR, between_ms: 0, slot_ms: 6 * HOUR };

#[test]
fn where_a_clock_is_behind_events_are_of_the_slot_in_which_they_happened() {
    let store = TestStore::new();
    let late = -20 * 60_000;
    let events = (0..480_i64).flat_map(|at| {
        let (ms, job) = (at * 15_000, format!("job_{at}"));
        let told = |after, service: &str, event_type, worker: &str| {
            let data = format!(r#"{{"workerId":"{worker}","durationMs":{at}}}"#);
            event(ms + after, service, event_type, &job).data(&data).level(Level::Error)
        };
        [
            told(0, "api", "job.created", "w0"),
            told(1_000, "worker", "job.claimed", "w9").ahead(late),
            told(2_000, "worker", "upload.completed", "w1"),
            told(3_000, "worker", "upload.completed", "w2"),
            event(ms + 4_000, "worker", "worker.stuck", "")
                .data(r#"{"workerId":"w9"}"#)
                .level(Level::Error)
                .ahead(late),
        ]
    });
    store.sealed(&events.collect::<Vec<_>>());
    let offsets = block_on(store.engine().offsets(Some(BASE), Some(BASE + 2 * HOUR))).unwrap();
    assert!(offsets.is_behind("w9"));
    for slot_ms in [HOUR, 6 * HOUR] {
        for put_right in [true, true, false] {
            assert_agree(&store, Ranges { slot_ms, ..TWO_DAYS }, put_right);
        }
    }
}

#[test]
fn of_the_last_days_they_are_kept_and_of_older_ones_they_are_read() {
    let store = seventy_days();
    let day = 24 * HOUR;
    let all = Ranges { since_ms: BASE, length_ms: 35 * day, between_ms: 0, slot_ms: 2 * day };
    assert_agree(&store, all, false);
    assert_eq!(kept(&store, NAME_START).len(), 62, "seventy days have events");
    assert_agree(&store, all, true);
}

#[test]
fn what_is_kept_is_not_derived_again() {
    let store = TestStore::new();
    store.sealed(&[event(0, "api", "job.created", "j1"), event(HOUR, "api", "job.created", "j2")]);
    assert_agree(&store, TWO_DAYS, true);
    let [kept] = &kept(&store, NAME_START)[..] else { panic!("both hours are of one day") };
    let told = std::fs::read(kept).unwrap();
    assert_agree(&store, Ranges { length_ms: 12 * HOUR, ..TWO_DAYS }, false);
    assert_eq!(std::fs::read(kept).unwrap(), told);
}
