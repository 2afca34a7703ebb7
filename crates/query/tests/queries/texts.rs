//! The index of words skips files that do not mention a text, and none that does: beside looking into all of them.

use emp_catalog::{IndexingPace, bring_up_to_date};
use proptest::prelude::*;

use crate::support::*;

/// Characters that words, numbers and JSON are made of, and some that fold into others.
const CHARACTERS: &[char] = &[
    'a', 'b', 'e', 'k', 's', 'E', 'K', 'S', 'o', 'r', '1', '_', '-', ' ', '"', '\\', '/', '\n', '%', 'Ü', 'ü', 'ſ',
    '\u{212a}', 'ß', 'İ', '漢', '😀', '\'',
];

fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(&["error", "errors", "OOM", "ECONNREFUSED", "timeout 503", "a.b.created"][..]);
    let some = prop::collection::vec(prop::sample::select(CHARACTERS), 0..12);
    let part = prop_oneof![2 => some.prop_map(String::from_iter), 1 => word.prop_map(str::to_owned)];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

/// As JSON, with everything escaped that may be, or only what must be.
fn json(text: &str, escape_all: bool) -> String {
    if !escape_all {
        return format!(r#"{{"error":{}}}"#, serde_json::Value::from(text));
    }
    let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!(r#"{{"error":"{escaped}"}}"#)
}

/// A piece of a text, in one case or the other.
fn piece(text: &str, (from, until): (f64, f64), upper: bool) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = |share: f64| (share * characters.len() as f64) as usize;
    let piece: String = characters[at(from.min(until))..at(from.max(until))].iter().collect();
    if upper { piece.to_uppercase() } else { piece }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_mentioned_is_found(
        texts in prop::collection::vec((text(), any::<bool>()), 1..10),
        wanted in prop::collection::vec((any::<prop::sample::Index>(), (0.0..1.0_f64, 0.0..1.0_f64), any::<bool>()), 4),
        calm in any::<bool>(),
    ) {
        let store = TestStore::new();
        let events = texts.iter().enumerate().map(|(hour, (text, escape_all))| {
            event(hour as i64 * HOUR, "worker", &format!("step.{}", hour % 3), "j1").data(&json(text, *escape_all))
        });
        store.sealed(&events.collect::<Vec<_>>());
        bring_up_to_date(&store.layout, if calm { IndexingPace::CALM } else { IndexingPace::hurried() }).unwrap();
        for (of, range, upper) in wanted {
            let piece = piece(&texts[of.index(texts.len())].0, range, upper).replace('\'', "''");
            for filter in [
                format!("mentions(DATA, '{piece}') or mentions(event_type, '{piece}')"),
                format!("mentions(DATA, '{piece}') and event_type like 'step.%'"),
                format!("DATA like '%{piece}%'"),
                format!("DATA ilike '%{piece}_%' or event_type = 'step.1'"),
                format!("DATA->>'error' = '{piece}'"),
                format!("DATA->>'error' ilike '{piece}%'"),
                format!("DATA not like '%{piece}%'"),
            ] {
                // What is put together is not looked up.
                let ids = |data: &str| store.ask(&format!("select id from events where {} order by id", filter.replace("DATA", data)));
                prop_assert_eq!(ids("data"), ids("(data || '')"), "{}", filter);
            }
        }
    }
}

/// How many of the files need not be read for the rows for which a condition holds.
fn skipped(store: &TestStore, condition: &str) -> usize {
    let plan = store.ask(&format!("explain analyze select id from events where {condition}"));
    let Some((_, count)) = plan.split_once("files_skipped_by_index=") else { return usize::MAX };
    count.split([',', ']']).next().unwrap().parse().unwrap()
}

#[test]
fn files_that_lack_a_word_are_skipped() {
    let store = TestStore::new();
    let hours: Vec<TestEvent> = (0..50_i64)
        .map(|hour| {
            let error = match hour {
                7 => r"tokenizer_config.json is missing",
                8 => r"OOM command not allowed \u00dcberlast",
                _ => "timed out after 503 ms",
            };
            event(hour * HOUR, "worker", "job.failed", &format!("j{hour}")).data(&format!(r#"{{"error":"{error}"}}"#))
        })
        .collect();
    store.sealed(&hours);
    // The first question learns the words of all.
    let ids = |condition: &str| store.ask(&format!("select id from events where {condition}"));
    assert_eq!(ids("mentions(data, 'tokenizer')"), format!("{}-0", BASE + 7 * HOUR));
    for (condition, others) in [
        ("mentions(data, 'tokenizer')", 49),
        ("mentions(data, 'KENIZER_con')", 49),
        ("mentions(data, 'oom')", 49),
        ("mentions(data, 'OOM c')", 49),
        ("mentions(data, 'überlast')", 49),
        ("data->>'error' = 'OOM command'", 49),
        ("data like '%OOM%allowed%'", 49),
        ("mentions(data, 'nothing of the kind')", usize::MAX),
        ("mentions(data, 'timed out') or mentions(data, 'tokenizer')", 1),
        ("mentions(data, 'timed out') and job_id = 'j3'", 49),
        // These may be anywhere.
        ("mentions(data, '503')", 0),
        ("mentions(data, 'ti')", 0),
        ("data not like '%tokenizer%'", 0),
    ] {
        assert_eq!(skipped(&store, condition), others, "{condition}");
    }
    // Without a file there is nothing to scan.
    assert_eq!(ids("mentions(data, 'nothing of the kind')"), "");
}

#[test]
fn words_that_are_none_and_an_index_that_is_damaged_skip_nothing() {
    let store = TestStore::new();
    // More groups of letters than any language has: the first hour's texts are looked into for whatever it is.
    let of_random = |from: u32| -> String {
        let letters = (0..60_000_u32).map(|at| (from + at).wrapping_mul(2_654_435_761).rotate_left(9) % 26);
        letters.map(|letter| char::from(b'a' + letter as u8)).collect()
    };
    let mut events: Vec<TestEvent> = (0..4_u32)
        .map(|part| {
            event(i64::from(part), "worker", "blob.sent", "j0")
                .data(&format!(r#"{{"blob":"{}"}}"#, of_random(part * 60_000)))
        })
        .collect();
    events.push(event(5, "worker", "job.failed", "j0").data(r#"{"error":"quota exceeded"}"#));
    events.push(event(HOUR, "worker", "job.failed", "j1").data(r#"{"error":"quota exceeded"}"#));
    events.push(event(2 * HOUR, "worker", "job.failed", "j2").data(r#"{"error":"disk full"}"#));
    store.sealed(&events);
    let found = || store.ask("select job_id from events where mentions(data, 'quota exceeded') order by 1");
    assert_eq!(found(), "j0\nj1");
    bring_up_to_date(&store.layout, IndexingPace::CALM).unwrap();
    assert_eq!(found(), "j0\nj1");
    assert_eq!(skipped(&store, "mentions(data, 'quota exceeded')"), 1);
    for entry in std::fs::read_dir(store.layout.index()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(40)) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x5a;
            std::fs::write(&path, &damaged).unwrap();
            assert_eq!(found(), "j0\nj1", "{} at {at}", path.display());
        }
        std::fs::write(&path, &bytes).unwrap();
    }
}
