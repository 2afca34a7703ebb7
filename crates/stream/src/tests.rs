use proptest::collection::vec;
use proptest::prelude::*;
use redis::Value;

use super::address::{Place, without_secrets};
use super::entries::{Cut, Taken};
use super::pace::Pace;
use super::reply::{clients, consumers, entry_ids, last_delivered, numbers, pending_count, pending_ids, stream_state};
use super::resp::{Answer, Parser};
use super::*;
use emp_event::EntryId;

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

/// The answer that Redis sends for a value.
fn wire(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Array(parts) => {
            bytes.extend(format!("*{}\r\n", parts.len()).into_bytes());
            parts.iter().for_each(|part| wire(part, bytes));
        }
        Value::BulkString(text) => {
            bytes.extend(format!("${}\r\n", text.len()).into_bytes());
            bytes.extend(text);
            bytes.extend(b"\r\n");
        }
        Value::Int(number) => bytes.extend(format!(":{number}\r\n").into_bytes()),
        _ => bytes.extend(b"*-1\r\n"),
    }
}

fn answer(value: &Value) -> Answer {
    let mut bytes = Vec::new();
    wire(value, &mut bytes);
    taken_apart(bytes, usize::MAX)
}

fn taken_apart(mut bytes: Vec<u8>, kept: usize) -> Answer {
    let mut parser = Parser::new(0, kept);
    assert_eq!(parser.advance(&mut bytes, 1), Ok(true));
    parser.finish(bytes)
}

fn entry(id: &str, fields: &[&str]) -> Value {
    Value::Array(vec![bulk(id), Value::Array(fields.iter().map(|text| bulk(text)).collect())])
}

fn of_stream(entries: Vec<Value>) -> Value {
    Value::Array(vec![Value::Array(vec![bulk("emp:events"), Value::Array(entries)])])
}

#[test]
fn reads_entries_and_names_those_that_were_trimmed() {
    let gone = Value::Array(vec![bulk("4-2"), Value::Nil]);
    let reply = of_stream(vec![gone, entry("5-0", &["service", "worker", "", "ü"]), entry("6-1", &[])]);
    let Taken { entries, trimmed, cut } = Entries::take(answer(&reply), 0).unwrap();
    assert_eq!((trimmed, cut), (vec![EntryId::new(4, 2)], None));
    assert_eq!(
        (entries.len(), entries.first_id(), entries.last_id()),
        (2, EntryId::parse(b"5-0"), EntryId::parse(b"6-1"))
    );
    let fields =
        |entry: Entry<'_>| entry.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect::<Vec<_>>();
    let all: Vec<_> = entries.above(EntryId::ZERO).map(fields).collect();
    assert_eq!(all[0], [(b"service".to_vec(), b"worker".to_vec()), (b"".to_vec(), "ü".as_bytes().to_vec())]);
    assert_eq!(entries.above(EntryId::new(5, 0)).map(|entry| entry.id).collect::<Vec<_>>(), [EntryId::new(6, 1)]);
}

#[test]
fn nothing_to_read_is_no_error() {
    let Taken { entries, trimmed, cut } = Entries::take(answer(&Value::Nil), 0).unwrap();
    assert!(entries.is_empty() && trimmed.is_empty() && cut.is_none());
}

#[test]
fn an_answer_of_another_shape_is_named() {
    let error = Entries::take(answer(&of_stream(vec![entry("soon", &[])])), 0).unwrap_err();
    assert_eq!(error.to_string(), "Redis gave an answer to XREADGROUP that makes no sense: an entry ID was expected");
    for wrong in [Value::Array(vec![Value::Int(7)]), of_stream(vec![entry("5-0", &["odd"])])] {
        assert!(Entries::take(answer(&wrong), 0).is_err());
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for bytes in [&b"hello\r\n"[..], b"*x\r\n", b"$99999999999999999999\r\n", b"*9999999999\r\n", b":\r\n"] {
        for kept in [0, usize::MAX] {
            let tried = Parser::new(0, kept).advance(&mut bytes.to_vec(), 1);
            assert!(tried.is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
    // Whoever never ends a line is not Redis, and is not read until the memory is full.
    let endless = [b"-".as_slice(), &[b'x'; 100_000]].concat();
    for kept in [0, usize::MAX] {
        assert!(Parser::new(0, kept).advance(&mut endless.clone(), 1).is_err());
        assert!(Parser::new(0, kept).advance(&mut endless[1..].to_vec(), 1).is_err());
    }
    let mut deep = b"*1\r\n".repeat(20);
    assert!(Parser::new(0, usize::MAX).advance(&mut deep, 1).is_err());
}

#[test]
fn connections_are_known_by_their_names() {
    let list = bulk("id=7 addr=127.0.0.1:5 laddr=x name= age=1\nid=12 addr=x name=emp-events:s:c idle=4 db=0\n");
    let found: Vec<_> =
        clients(list).into_iter().map(|client| (client.id, client.name, client.idle.as_secs())).collect();
    assert_eq!(found, [(7, String::new(), 0), (12, "emp-events:s:c".to_owned(), 4)]);
}

/// Whatever stands in an answer behind so many bytes, IDs are there, and large fields are not.
#[test]
fn of_an_answer_that_is_too_long_the_first_entries_and_the_other_ids_are_kept() {
    let large = "x".repeat(1_000);
    let gone = |id: &str| Value::Array(vec![bulk(id), Value::Nil]);
    let fields = ["data", large.as_str()];
    let entries =
        vec![entry("5-0", &fields), gone("5-1"), entry("5-2", &fields), entry("6-0", &["a", "b"]), gone("7-0")];
    let mut bytes = Vec::new();
    wire(&of_stream(entries), &mut bytes);
    let Taken { entries, trimmed, cut } = Entries::take(taken_apart(bytes, 500), 0).unwrap();
    assert_eq!(entries.ids().collect::<Vec<_>>(), [EntryId::new(5, 0)]);
    assert_eq!(trimmed, [EntryId::new(5, 1)], "those behind are asked for again as well");
    assert_eq!(cut, Some(Cut { first: EntryId::new(5, 2), last: EntryId::new(7, 0), sizes: vec![1_004, 2, 0] }));
}

#[test]
fn so_many_are_asked_for_as_fit_into_an_answer() {
    let of = |count: usize, bytes: usize| {
        let text = "x".repeat(bytes);
        let entries = (0..count).map(|seq| entry(&format!("5-{seq}"), &["data", &text])).collect();
        Entries::take(answer(&of_stream(entries)), 0).unwrap().entries
    };
    let cut = |sizes: &[usize]| Cut { first: EntryId::new(6, 0), last: EntryId::new(7, 0), sizes: sizes.to_vec() };
    let mut pace = Pace::new();
    assert_eq!((pace.count(1_000), pace.count(3)), (16, 3));
    pace.learn(&of(16, 100), None);
    assert_eq!(pace.count(1_000), 64, "more only step by step");
    pace.learn(&of(64, 100), None);
    pace.learn(&of(256, 100), None);
    assert_eq!(pace.count(1_000), 1_000);
    pace.learn(&of(900, 100), Some(&cut(&[1 << 20, 100, 1 << 19, 1 << 20])));
    assert_eq!(pace.count(1_000), 3, "as many of those behind as fit");
    pace.learn(&of(3, 1 << 20), None);
    assert_eq!(pace.count(1_000), 1);
    pace.learn(&of(1, 100), Some(&cut(&[100 << 20])));
    assert_eq!(Pace::kept_bytes(pace.count(1_000)), usize::MAX, "one alone is kept, however large it is");
}

#[test]
fn a_redis_that_does_not_count_what_was_added_is_too_old() {
    let old = Value::Array(vec![bulk("length"), Value::Int(3), bulk("last-generated-id"), bulk("5-1")]);
    assert_eq!(stream_state(old).unwrap(), None);
}

#[test]
fn nothing_of_a_password_is_ever_shown() {
    let secrets = [
        "http://user:s3cret@host",
        "user:s3cret@host:6379",
        "redis:/user:s3cret@host:6379",
        "redis://user:s3#cret@host:6379",
        "redis://user:12#s3cret@host:6379",
        "redis://user:12/s3cret@host:6379",
        "redis://user:s3?cret@host:6379",
        "redis://user:x@s3cret@host:port",
        "redis+sentinel://user:s3cret@host:26379/master",
        "unix:///run/redis.sock?pass=s3cret",
        "redis://host:port?pass=s3cret",
        "://x:s3cret@host",
    ];
    for url in secrets {
        let said = match RedisAddress::parse(url) {
            Ok(address) => address.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(!said.contains("s3") && !said.contains("cret") && !said.contains("12"), "{url}: {said}");
    }
    let address = RedisAddress::parse("redis://user:secret@host:6380/2").unwrap();
    assert_eq!(address.to_string(), "host:6380");
    assert_eq!(without_secrets("https://user:secret@host/path"), "https://***@host/path");
    assert_eq!(without_secrets("localhost"), "localhost");
}

#[test]
fn of_a_cluster_the_first_node_is_asked() {
    let shown = |url: &str| RedisAddress::parse(url).unwrap().to_string();
    assert_eq!(shown("redis+cluster://a:7001,b:7002"), "a:7001");
    assert_eq!(shown("rediss+cluster://user:x,y@a:7001,b:7002"), "a:7001");
}

#[test]
fn of_sentinels_all_are_asked_for_the_master() {
    let url = "rediss+sentinel://ann:p%40ss@a:1,b,[::1]:3/main/2";
    let address = RedisAddress::parse(url).unwrap();
    let Place::Sentinels { addresses, master, is_tls } = address.place() else { panic!("{address:?}") };
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    assert_eq!((shown.join(" "), master.as_str(), is_tls), ("a:1 b:26379 ::1:3".to_owned(), "main", &true));
    assert_eq!((address.login().password(), address.login().db()), (Some("p@ss"), 2));
    assert_eq!(address.to_string(), "a:1,b,[::1]:3 (sentinels of main)");
    let refused = RedisAddress::parse("redis+sentinel://ann:secret@a:1").unwrap_err().to_string();
    assert!(refused.contains("the master's name is missing") && !refused.contains("secret"), "{refused}");
}

#[test]
fn an_answer_of_a_cluster_says_what_to_do() {
    let said = |line: &str| StreamError::from_answer(line, "a:7001", "emp:events", "g");
    let apart = said("CROSSSLOT Keys in request don't hash to the same slot");
    assert!(apart.is_final() && apart.to_string().contains("`--stream {emp}:events`"), "{apart}");
    let moved = said("MOVED 1234 10.0.0.2:7002");
    assert!(moved.is_final() && moved.to_string().ends_with("set --redis redis://10.0.0.2:7002"), "{moved}");
}

#[test]
fn what_was_delivered_and_lost_makes_the_position() {
    let hash = Value::Array(vec![bulk("-3"), bulk("7"), bulk("100"), bulk("20"), Value::Nil, Value::Nil, Value::Nil]);
    let pending = Value::Array(vec![Value::Int(13), bulk("1-0"), bulk("9-0"), Value::Nil]);
    let accounts = Accounts::read(hash, pending).unwrap();
    assert_eq!((accounts.position(), accounts.begun, accounts.own_lost), (Some(130), 7, 0));
    assert_eq!(accounts.lost_up_to(130), Some(20));
    assert_eq!(accounts.lost_up_to(135), Some(25));
    assert_eq!(accounts.base_for(130), -3);
}

/// An answer as it is taken apart where its bytes come up to these places, one after the other.
fn in_pieces(bytes: &[u8], places: &[usize], answers: usize, kept: usize) -> Result<Answer, TestCaseError> {
    let mut parser = Parser::new(0, kept);
    let (mut here, mut from) = (Vec::new(), 0);
    for place in places {
        here.extend(&bytes[from..*place]);
        from = *place;
        prop_assert_eq!(parser.advance(&mut here, answers), Ok(false));
    }
    here.extend(&bytes[from..]);
    prop_assert_eq!(parser.advance(&mut here, answers), Ok(true));
    Ok(parser.finish(here))
}

fn any_reply() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Int),
        vec(any::<u8>(), 0..8).prop_map(Value::BulkString),
        "name|length|entries-added|first-entry|last-generated-id|last-delivered-id|5-1|g|idle"
            .prop_map(|text| bulk(&text)),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| vec(inner, 0..6).prop_map(Value::Array))
}

proptest! {
    #[test]
    fn any_answer_gives_a_result_or_an_error(reply in any_reply()) {
        let _ = Entries::take(answer(&reply), 0);
        let _ = entry_ids(reply.clone());
        let _ = stream_state(reply.clone());
        let _ = last_delivered(reply.clone(), "g");
        let _ = numbers::<3>(reply.clone(), "HMGET");
        let _ = pending_count(reply.clone());
        let _ = pending_ids(reply.clone());
        let _ = consumers(reply.clone());
        let _ = clients(reply);
    }

    /// However an answer is cut into pieces, it is the same answer.
    #[test]
    fn an_answer_may_come_in_pieces(replies in vec(any_reply(), 1..4), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let mut bytes = Vec::new();
        replies.iter().for_each(|reply| wire(reply, &mut bytes));
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        places.sort_unstable();
        let answer = in_pieces(&bytes, &places, replies.len(), usize::MAX)?;
        let mut at = 0;
        for reply in &replies {
            prop_assert_eq!(&answer.value(at), reply);
            at = answer.behind(at);
        }
    }

    /// However it is cut into pieces, the same is kept of an answer that is too long.
    #[test]
    fn a_long_answer_may_come_in_pieces(
        lengths in vec(0_usize..200, 1..20),
        kept in 0_usize..1_000,
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut bytes = Vec::new();
        wire(&Value::Array(lengths.iter().map(|length| bulk(&"x".repeat(*length))).collect()), &mut bytes);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        places.sort_unstable();
        let whole = taken_apart(bytes.clone(), kept);
        let answer = in_pieces(&bytes, &places, 1, kept)?;
        let tokens = |answer: &Answer| (0..=lengths.len()).map(|at| answer.token(at)).collect::<Vec<_>>();
        prop_assert_eq!(tokens(&answer), tokens(&whole));
        prop_assert!(answer.size().0 <= kept + 220 + 80 * lengths.len());
    }

    #[test]
    fn any_bytes_are_an_answer_or_are_refused(bytes in vec(any::<u8>(), 0..200), kind in "[*$:+-]") {
        let mut all = kind.into_bytes();
        all.extend(bytes);
        let mut parser = Parser::new(0, usize::MAX);
        if parser.advance(&mut all, 1) == Ok(true) {
            let answer = parser.finish(all);
            let _ = (answer.value(0), answer.error().map(<[u8]>::len));
        }
    }
}

#[test]
fn an_address_of_ipv6_is_shown_in_brackets() {
    let shown = |url: &str| RedisAddress::parse(url).unwrap().to_string();
    assert_eq!(shown("redis://[::1]:7000/3"), "[::1]:7000");
    assert_eq!(shown("redis://db.test"), "db.test:6379");
    assert_eq!(RedisAddress::from_parts(Some("fe80::1"), Some("1")).unwrap().to_string(), "[fe80::1]:1");
}
