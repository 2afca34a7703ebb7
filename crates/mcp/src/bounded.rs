use serde_json::Value;

/// How many parts of each list are kept, at first and at last.
const KEPT: [usize; 8] = [200, 100, 50, 25, 12, 6, 3, 1];
/// How long texts are kept with each of them.
const TEXT_CHARS: [usize; 8] = [2_000, 1_000, 500, 400, 300, 200, 150, 100];

/// A value as text that is no longer than that: of long lists only the beginning, and a word of how many more there are.
/// What was left out is said by the second value.
pub fn bounded(value: &Value, bytes_max: usize) -> (String, bool) {
    let whole = value.to_string();
    if whole.len() <= bytes_max {
        return (whole, false);
    }
    let mut text = String::new();
    for (kept, chars) in KEPT.into_iter().zip(TEXT_CHARS) {
        text = cut(value, kept, chars).to_string();
        if text.len() <= bytes_max {
            return (text, true);
        }
    }
    // Of too many names, rather than of long lists.
    text.truncate(text.floor_char_boundary(bytes_max));
    (text, true)
}

fn cut(value: &Value, kept: usize, chars: usize) -> Value {
    match value {
        Value::Array(all) => {
            let mut some: Vec<Value> = all.iter().take(kept).map(|one| cut(one, kept, chars)).collect();
            if all.len() > kept {
                some.push(Value::String(format!("… {} more", all.len() - kept)));
            }
            Value::Array(some)
        }
        Value::Object(all) => all.iter().map(|(name, one)| (name.clone(), cut(one, kept, chars))).collect(),
        Value::String(text) => match text.char_indices().nth(chars) {
            Some((at, _)) => Value::String(format!("{}… ({} more bytes)", &text[..at], text.len() - at)),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_short_is_whole_and_what_is_long_says_how_much_more_there_is() {
        let short = json!({"a": [1, 2, 3]});
        assert_eq!(bounded(&short, 100), (short.to_string(), false));
        let long = json!({"rows": (0..10_000).collect::<Vec<_>>(), "text": "é".repeat(5_000)});
        let (text, is_cut) = bounded(&long, 1_000);
        assert!(is_cut && text.len() <= 1_000, "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        let rows = read["rows"].as_array().unwrap();
        let left_out = 10_000 - (rows.len() - 1);
        assert_eq!(rows.last().unwrap(), &json!(format!("… {left_out} more")));
        assert!(read["text"].as_str().unwrap().ends_with(" more bytes)"));
    }

    #[test]
    fn whatever_it_is_it_is_no_longer_than_that() {
        let names: serde_json::Map<String, Value> = (0..1_000).map(|name| (format!("é{name}"), json!(1))).collect();
        assert!(bounded(&Value::Object(names), 501).0.len() <= 501);
    }
}
