use std::fmt::Write as _;

/// A JSON object under construction, written straight into its text.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub fn new() -> Self {
        // Nearly every `data` fits: one allocation an event.
        let mut text = String::with_capacity(128);
        text.push('{');
        Self { text }
    }

    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        push_string(&mut self.text, value);
        self
    }

    pub fn number(mut self, key: &str, value: i64) -> Self {
        self.key(key);
        // Writing into a string cannot fail.
        let _ = write!(self.text, "{value}");
        self
    }

    pub fn boolean(mut self, key: &str, value: bool) -> Self {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    pub fn texts(mut self, key: &str, values: &[&str]) -> Self {
        self.key(key);
        self.text.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            push_string(&mut self.text, value);
        }
        self.text.push(']');
        self
    }

    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    /// Keys are our own words: none needs escapes.
    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }
}

fn push_string(into: &mut String, value: &str) {
    into.push('"');
    if value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        into.push_str(value);
    } else {
        push_escaped(into, value);
    }
    into.push('"');
}

fn push_escaped(into: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\t' => into.push_str("\\t"),
            control if control < ' ' => {
                // Writing into a string cannot fail.
                let _ = write!(into, "\\u{:04x}", u32::from(control));
            }
            other => into.push(other),
        }
    }
}
