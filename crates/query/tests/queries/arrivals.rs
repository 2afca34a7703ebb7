//! When what each producer sent has arrived: by what is kept of files, beside what the events say.

use proptest::prelude::*;

use crate::happenings::{CHANGES, change, go_through, kept, seventy_days};
use crate::support::*;

const HOURS: i64 = 30;
/// What an event may say of whoever sent it.
const SENDERS: [&str; 4] =
    ["{}", r#"{"workerId":"w1","machineId":"m1"}"#, r#"{"workerId":"w2"}"#, r#"{"machineId":"m1"}"#];
const SERVICES: [&str; 2] = ["api", "worker"];
const NAME_START: &str = "arrivals-";

fn events() -> impl Strategy<Value = Vec<TestEvent>> {
    let ahead = prop_oneof![4 => -50..50_i64, 1 => -5 * HOUR..0, 1 => 0..HOUR];
    let one = (0..HOURS * HOUR, ahead, 0..SENDERS.len(), 0..SERVICES.len());
    prop::collection::vec(one, 1..120).prop_map(|mut events| {
        events.sort_by_key(|(at, ..)| *at);
        let event = |(number, (at, ahead, sender, service)): (usize, (i64, i64, usize, usize))| {
            event(at, SERVICES[service], "job.created", "").seq(number as u64).ahead(ahead).data(SENDERS[sender])
        };
        events.into_iter().enumerate().map(event).collect()
    })
}

fn assert_agree(store: &TestStore, (since_ms, until_ms): (i64, i64)) {
    let engine = store.engine();
    let arrivals = block_on(engine.arrivals(since_ms, until_ms)).unwrap();
    let mut found: Vec<String> = Vec::new();
    for (producer, minutes) in arrivals.iter() {
        let name = |name: &Option<Box<str>>| name.as_deref().unwrap_or("-").to_owned();
        let names = [name(&producer.worker), name(&producer.machine), name(&producer.service)].join(" | ");
        assert!(minutes.is_sorted_by(|a, b| a.minute < b.minute), "{names}: {minutes:?}");
        let of_minute = minutes
            .iter()
            .map(|one| format!("{names} | {} | {} | {} | {}", one.minute, one.events, one.ahead, one.ahead_ms));
        found.extend(of_minute);
    }
    found.sort();
    let ahead = "cast(timestamp as bigint) - cast(ingested_at as bigint)";
    let said = ask(
        &engine,
        &format!(
            "select coalesce(worker_id, '-'), coalesce(machine_id, '-'), service, \
             cast(ingested_at as bigint) / 60000, count(*), count(*) filter (where {ahead} > 20), max({ahead}) \
             from events where cast(ingested_at as bigint) between {since_ms} and {until_ms} group by 1, 2, 3, 4"
        ),
    );
    let mut expected: Vec<&str> = said.lines().collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn minutes_say_what_their_events_say(
        events in events(),
        late in events(),
        cuts in (0.0..1.0_f64, 0.0..1.0_f64),
        ranges in prop::collection::vec((-HOUR..HOURS * HOUR, 0..HOURS * HOUR), 2),
        changes in prop::collection::vec(change(&CHANGES), 2),
    ) {
        go_through((&events, &late), cuts, (&changes, NAME_START), |store| {
            assert_agree(store, (i64::MIN, i64::MAX));
            ranges.iter().for_each(|(since, length)| assert_agree(store, (BASE + since, BASE + since + length)));
        });
    }
}

#[test]
fn of_the_last_days_they_are_kept_and_of_older_ones_they_are_read() {
    let store = seventy_days();
    assert_agree(&store, (i64::MIN, i64::MAX));
    assert_eq!(kept(&store, NAME_START).len(), 62, "seventy days have events");
    assert_agree(&store, (i64::MIN, i64::MAX));
}
