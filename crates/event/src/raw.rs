use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

/// The fields of an entry as one JSON object: how an entry that is no event is kept whole.
///
/// Text stays text; bytes that are no UTF-8 become `{"base64": "…"}`. Of several fields of
/// one name all values are kept, as an array.
pub fn fields_as_json<N, V>(fields: &[(N, V)]) -> String
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let mut object = Map::new();
    for (name, value) in fields {
        let name = match std::str::from_utf8(name.as_ref()) {
            Ok(name) => name.to_owned(),
            Err(_) => format!("base64:{}", BASE64.encode(name)),
        };
        let value = match std::str::from_utf8(value.as_ref()) {
            Ok(text) => Value::from(text),
            Err(_) => json!({ "base64": BASE64.encode(value) }),
        };
        match object.get_mut(&name) {
            None => drop(object.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Value::Object(object).to_string()
}
