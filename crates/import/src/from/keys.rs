//! Finding members of a JSON object by their names.

use serde_json::{Map, Value};

/// Names of members, the first that is there counts. `a.b` is a member of that name, else the member
/// `b` of the object `a`.
pub(super) type Keys = Vec<String>;

/// Takes the first member that is there and says something out of the object.
pub(super) fn take(object: &mut Map<String, Value>, keys: &Keys) -> Option<Value> {
    keys.iter().find_map(|key| take_one(object, key))
}

/// The text of the first member that is a text or a number, which stays where it is.
pub(super) fn text(object: &Map<String, Value>, keys: &Keys) -> Option<String> {
    keys.iter().find_map(|key| as_text(find(object, key)?))
}

/// The text of a text or a number that says anything.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn find<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).or_else(|| {
        let (outer, inner) = key.split_once('.')?;
        find(object.get(outer)?.as_object()?, inner)
    })
}

fn take_one(object: &mut Map<String, Value>, key: &str) -> Option<Value> {
    as_text(find(object, key)?)?;
    if let Some(value) = object.shift_remove(key) {
        return Some(value);
    }
    let (outer, inner) = key.split_once('.')?;
    let nested = object.get_mut(outer)?.as_object_mut()?;
    let taken = take_one(nested, inner);
    if nested.is_empty() {
        object.shift_remove(outer);
    }
    taken
}
