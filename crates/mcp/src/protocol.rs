use std::io::{self, BufRead, Write};

use serde_json::{Map, Value, json};

/// Versions of the protocol that are spoken, the newest last. Between them nothing changes that is used here.
const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// Of one message.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

const PARSE_ERROR: i64 = -32_700;
const INVALID_REQUEST: i64 = -32_600;
const METHOD_NOT_FOUND: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;

/// A tool, as an assistant is told of it.
#[derive(Debug, Clone)]
pub struct Tool {
    /// By which it is called.
    pub name: &'static str,
    /// What it answers, and when to use it.
    pub description: &'static str,
    /// What it takes: a schema of JSON.
    pub takes: Value,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Does it say why there is no answer?
    pub is_error: bool,
}

/// What can be called.
pub trait Tools {
    /// All of them.
    fn tools(&self) -> Vec<Tool>;

    /// What to know before calling any.
    fn instructions(&self) -> &'static str;

    /// Calls one of them.
    fn call(&self, name: &str, arguments: &Map<String, Value>) -> Answer;
}

/// Answers each message of the input until it ends.
///
/// # Errors
/// Where nothing can be read or written any more.
pub fn serve(tools: &dyn Tools, mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MESSAGE_BYTES_MAX as u64 + 1;
        if io::Read::take(&mut input, limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() > MESSAGE_BYTES_MAX {
            // Its rest would be taken for messages of their own.
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is longer than 4 MiB"));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match serde_json::from_slice::<Value>(&line) {
            Ok(message) => answer_to(tools, &message),
            Err(error) => Some(failure(Value::Null, PARSE_ERROR, &error.to_string())),
        };
        if let Some(answer) = answer {
            writeln!(output, "{answer}")?;
            output.flush()?;
        }
    }
}

/// The answer to a message; a notification has none.
fn answer_to(tools: &dyn Tools, message: &Value) -> Option<Value> {
    let Some(method) = message["method"].as_str() else {
        // An answer to what we have not asked, or no message at all.
        let is_answer = message.get("result").is_some() || message.get("error").is_some();
        return (!is_answer).then(|| failure(Value::Null, INVALID_REQUEST, "a request has a `method`"));
    };
    let id = message.get("id").filter(|id| !id.is_null())?.clone();
    let params = &message["params"];
    let result = match method {
        "initialize" => initialized(tools, params),
        "ping" => json!({}),
        "tools/list" => json!({ "tools": tools.tools().iter().map(described).collect::<Vec<_>>() }),
        "tools/call" => {
            let name = params["name"].as_str().unwrap_or_default();
            if !tools.tools().iter().any(|tool| tool.name == name) {
                return Some(failure(id, INVALID_PARAMS, &format!("there is no tool `{name}`")));
            }
            let none = Map::new();
            let Answer { text, is_error } = tools.call(name, params["arguments"].as_object().unwrap_or(&none));
            json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
        }
        _ => return Some(failure(id, METHOD_NOT_FOUND, &format!("there is no method `{method}`"))),
    };
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn initialized(tools: &dyn Tools, params: &Value) -> Value {
    let asked = params["protocolVersion"].as_str().unwrap_or_default();
    let spoken = VERSIONS.iter().find(|version| **version == asked).or(VERSIONS.last());
    json!({
        "protocolVersion": spoken,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "emp-events", "version": env!("CARGO_PKG_VERSION") },
        "instructions": tools.instructions(),
    })
}

fn described(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.takes,
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    })
}

fn failure(id: Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Tools for Echo {
        fn tools(&self) -> Vec<Tool> {
            vec![Tool { name: "echo", description: "Says it again.", takes: json!({"type": "object"}) }]
        }

        fn instructions(&self) -> &'static str {
            "none"
        }

        fn call(&self, _: &str, arguments: &Map<String, Value>) -> Answer {
            Answer { text: Value::Object(arguments.clone()).to_string(), is_error: false }
        }
    }

    fn answers(input: &str) -> Vec<Value> {
        let mut output = Vec::new();
        serve(&Echo, input.as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn requests_are_answered_and_notifications_are_not() {
        let all = answers(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}\n\
             {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n\n\
             {\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"x\":1}}}\n\
             {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n",
        );
        assert_eq!(all.len(), 2);
        assert_eq!(all[0]["result"]["protocolVersion"], "2025-06-18");
        assert_eq!((&all[1]["id"], &all[1]["result"]["content"][0]["text"]), (&json!("a"), &json!("{\"x\":1}")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let all = answers(
            "nonsense\n{}\n{\"id\":1,\"method\":\"resources/list\"}\n{\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}}\n\
             {\"id\":3,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"1999-01-01\"}}\n",
        );
        let codes: Vec<i64> = all[..4].iter().map(|answer| answer["error"]["code"].as_i64().unwrap()).collect();
        assert_eq!(codes, [PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS]);
        assert_eq!(all[4]["result"]["protocolVersion"], "2025-11-25");
    }
}
