use proptest::collection::vec;
use proptest::prelude::*;
use redis::Value;

use super::reply::{consumers, last_delivered, numbers, pending_count, pending_ids, read_entries, stream_state};
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
fn what_was_delivered_and_lost_makes_the_position() {
    let hash = Value::Array(vec![bulk("-3"), bulk("7"), bulk("100"), bulk("20"), Value::Nil]);
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
        let _ = read_entries(reply.clone());
        let _ = stream_state(reply.clone());
        let _ = last_delivered(reply.clone(), "g");
        let _ = numbers::<3>(reply.clone(), "HMGET");
        let _ = pending_count(reply.clone());
        let _ = pending_ids(reply.clone());
        let _ = consumers(reply);
    }
}
