use proptest::collection::vec;
use proptest::prelude::*;
use redis::Value;

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
    let mut parser = Parser::default();
    assert_eq!(parser.advance(&bytes, 1), Ok(true));
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
    let (entries, trimmed) = Entries::take(answer(&reply), 0).unwrap();
    assert_eq!(trimmed, [EntryId::new(4, 2)]);
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
    let (entries, trimmed) = Entries::take(answer(&Value::Nil), 0).unwrap();
    assert!(entries.is_empty() && trimmed.is_empty());
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
        assert!(Parser::default().advance(bytes, 1).is_err(), "{}", String::from_utf8_lossy(bytes));
    }
    let deep = b"*1\r\n".repeat(20);
    assert!(Parser::default().advance(&deep, 1).is_err());
}

#[test]
fn connections_are_known_by_their_names() {
    let list = bulk("id=7 addr=127.0.0.1:5 laddr=x name= age=1\nid=12 addr=x name=emp-events:s:c db=0\n");
    let found: Vec<_> = clients(list).into_iter().map(|client| (client.id, client.name)).collect();
    assert_eq!(found, [(7, String::new()), (12, "emp-events:s:c".to_owned())]);
}

#[test]
fn the_password_is_never_shown() {
    let wrong = RedisAddress::parse("http://user:secret@host").unwrap_err().to_string();
    assert!(!wrong.contains("secret"), "{wrong}");
    let address = RedisAddress::parse("redis://user:secret@host:6380/2").unwrap();
    assert_eq!(address.to_string(), "host:6380");
}

#[test]
fn what_was_delivered_and_lost_makes_the_position() {
    let hash = Value::Array(vec![bulk("-3"), bulk("7"), bulk("100"), bulk("20"), Value::Nil, Value::Nil]);
    let pending = Value::Array(vec![Value::Int(13), bulk("1-0"), bulk("9-0"), Value::Nil]);
    let accounts = Accounts::read(hash, pending).unwrap();
    assert_eq!((accounts.position(), accounts.begun, accounts.own_lost), (Some(130), 7, 0));
    assert_eq!(accounts.lost_up_to(130), Some(20));
    assert_eq!(accounts.lost_up_to(135), Some(25));
    assert_eq!(accounts.base_for(130), -3);
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
        let mut parser = Parser::default();
        for place in places {
            prop_assert_eq!(parser.advance(&bytes[..place], replies.len()), Ok(false));
        }
        prop_assert_eq!(parser.advance(&bytes, replies.len()), Ok(true));
        let answer = parser.finish(bytes);
        let mut at = 0;
        for reply in &replies {
            prop_assert_eq!(&answer.value(at), reply);
            at = answer.behind(at);
        }
    }

    #[test]
    fn any_bytes_are_an_answer_or_are_refused(bytes in vec(any::<u8>(), 0..200), kind in "[*$:+-]") {
        let mut all = kind.into_bytes();
        all.extend(bytes);
        let mut parser = Parser::default();
        if parser.advance(&all, 1) == Ok(true) {
            let answer = parser.finish(all);
            let _ = (answer.value(0), answer.error().map(<[u8]>::len));
        }
    }
}
