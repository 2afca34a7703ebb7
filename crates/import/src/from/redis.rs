use serde_json::{Map, Value};

/// An entry of a stream as `redis-cli --json XRANGE` prints it: `["<id>", ["name", "value", …]]`, or
/// with an object in place of the list.
pub(super) fn entry(entry: Vec<Value>) -> Option<Map<String, Value>> {
    let [id, fields] = <[Value; 2]>::try_from(entry).ok()?;
    let mut object = Map::from_iter([("id".to_owned(), id)]);
    match fields {
        Value::Object(fields) => object.extend(fields),
        Value::Array(fields) => {
            for pair in fields.chunks_exact(2) {
                object.insert(pair[0].as_str()?.to_owned(), pair[1].clone());
            }
        }
        _ => return None,
    }
    Some(object)
}
