use std::fmt::Write as _;

/// How a number goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Up alone, from zero at each start; its name ends in `_total`.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A text in Prometheus' format of version 0.0.4.
///
/// What is not known is left out: a number that is missing is not zero.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// The type of the content.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins the numbers of a name: what they are, in one line.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
    }

    /// One number of the name that was begun, with its labels.
    pub fn number(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let begin = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{begin}{label}=\"{}\"", escaped(value));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = match value {
            _ if value == f64::INFINITY => writeln!(self.0, "{end} +Inf"),
            _ => writeln!(self.0, "{end} {value}"),
        };
    }

    /// A name with a single number.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: f64) {
        self.family(name, kind, help);
        self.number(name, &[], value);
    }

    /// The same of a number that may not be known.
    pub fn known(&mut self, name: &str, kind: Kind, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.single(name, kind, help, value);
        }
    }

    /// All of it.
    pub fn into_string(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_names_told_once() {
        let mut text = Text::default();
        text.family("a_total", Kind::Counter, "As.");
        text.number("a_total", &[("kind", "x\"\\\n"), ("b", "c")], 2.0);
        text.number("a_total", &[], f64::INFINITY);
        text.known("b", Kind::Gauge, "Bs.", None);
        let expected =
            "# HELP a_total As.\n# TYPE a_total counter\na_total{kind=\"x\\\"\\\\\\n\",b=\"c\"} 2\na_total +Inf\n";
        assert_eq!(text.into_string(), expected);
    }
}
