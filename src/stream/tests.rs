use proptest::collection::vec;
use proptest::prelude::*;
use redis::Value;

use super::reply::{last_delivered, read_entries, stream_state};
use super::*;
use crate::event::EntryId;

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

#[test]
fn reads_entries_and_names_those_that_were_trimmed() {
    let entry = Value::Array(vec![bulk("5-0"), Value::Array(vec![bulk("service"), bulk("worker")])]);
    let trimmed = Value::Array(vec![bulk("4-2"), Value::Nil]);
    let reply = Value::Array(vec![Value::Array(vec![bulk("emp:events"), Value::Array(vec![trimmed, entry])])]);
    let (entries, trimmed) = read_entries(reply).unwrap();
    assert_eq!(trimmed, [EntryId::new(4, 2)]);
    assert_eq!(entries, [Entry { id: EntryId::new(5, 0), fields: vec![(b"service".to_vec(), b"worker".to_vec())] }]);
}

#[test]
fn nothing_to_read_is_no_error() {
    assert_eq!(read_entries(Value::Nil).unwrap(), (vec![], vec![]));
}

#[test]
fn an_answer_of_another_shape_is_named() {
    let error = read_entries(Value::Array(vec![Value::Int(7)])).unwrap_err();
    assert_eq!(error.to_string(), "Redis gave an answer to XREADGROUP that makes no sense: a list was expected, not 7");
}

#[test]
fn the_password_is_never_shown() {
    let wrong = RedisAddress::parse("http://user:secret@host").unwrap_err().to_string();
    assert!(!wrong.contains("secret"), "{wrong}");
    let address = RedisAddress::parse("redis://user:secret@host:6380/2").unwrap();
    assert_eq!(address.to_string(), "host:6380");
}

#[test]
fn what_was_removed_before_it_was_read_is_counted_once() {
    let mut position = Position::resume(100);
    let state = StreamState { added: 150, length: 30, last: None };
    assert_eq!(position.skip_removed(&state), 20);
    assert_eq!(position.skip_removed(&state), 0);
    position.advance(30);
    assert_eq!(position.accounted(), 150);
    assert!(position.is_beyond(&StreamState { added: 149, ..state }));
}

fn any_reply() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Int),
        vec(any::<u8>(), 0..8).prop_map(Value::BulkString),
        "name|length|entries-added|last-generated-id|last-delivered-id|5-1|g".prop_map(|text| bulk(&text)),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| vec(inner, 0..6).prop_map(Value::Array))
}

proptest! {
    #[test]
    fn any_answer_gives_a_result_or_an_error(reply in any_reply()) {
        let _ = read_entries(reply.clone());
        let _ = stream_state(reply.clone());
        let _ = last_delivered(reply, "g");
    }
}
