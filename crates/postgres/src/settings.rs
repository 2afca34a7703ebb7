//! What a client asks about the server itself, and what it is told.

use std::collections::HashMap;

use pgwire::api::auth::ServerParameterProvider;
use pgwire::api::{ClientInfo, METADATA_APPLICATION_NAME, METADATA_USER};

/// By the names that `show` takes.
const SETTINGS: [(&str, &str); 18] = [
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, MDY"),
    ("intervalstyle", "postgres"),
    ("integer_datetimes", "on"),
    ("timezone", "UTC"),
    ("time zone", "UTC"),
    ("standard_conforming_strings", "on"),
    ("transaction_isolation", "read committed"),
    ("transaction isolation level", "read committed"),
    ("transaction_read_only", "on"),
    ("default_transaction_read_only", "on"),
    ("search_path", "public"),
    ("max_identifier_length", "63"),
    ("extra_float_digits", "1"),
    ("statement_timeout", "0"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
];

/// Those that are told without being asked for, under the names that clients look for.
const TOLD: [(&str, &str); 9] = [
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("integer_datetimes", "on"),
    ("TimeZone", "UTC"),
    ("standard_conforming_strings", "on"),
    ("default_transaction_read_only", "on"),
    ("is_superuser", "off"),
];

/// What `show` is answered, where it is about the server.
pub(crate) fn shown(statement: &str, version: (&str, &str)) -> Option<(&'static str, String)> {
    let asked = statement.trim_end_matches(';').trim().to_ascii_lowercase();
    let name = asked.strip_prefix("show ")?.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.as_str() {
        "server_version" => Some(("server_version", said(version))),
        "server_version_num" => Some(("server_version_num", version.1.to_owned())),
        _ => {
            let (known, value) = SETTINGS.into_iter().find(|(known, _)| *known == name)?;
            Some((known, value.to_owned()))
        }
    }
}

/// As the server says it.
fn said((version, _): (&str, &str)) -> String {
    format!("{version} (emp-events)")
}

/// Tells each client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// The version, and its number.
    pub version: (&'static str, &'static str),
}

impl ServerParameterProvider for Told {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let mut told: HashMap<String, String> =
            TOLD.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        told.insert("server_version".to_owned(), said(self.version));
        let own = [("application_name", METADATA_APPLICATION_NAME), ("session_authorization", METADATA_USER)];
        for (name, said) in own {
            if let Some(value) = client.metadata().get(said) {
                told.insert(name.to_owned(), value.clone());
            }
        }
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_in_whatever_letters_they_are_asked_for() {
        let shown = |statement: &str| shown(statement, ("17.2", "170002"));
        assert_eq!(shown("SHOW  Transaction  Isolation LEVEL;").unwrap().1, "read committed");
        assert_eq!(shown("show TimeZone").unwrap(), ("timezone", "UTC".to_owned()));
        assert_eq!(shown("show server_version").unwrap().1, "17.2 (emp-events)");
        assert_eq!(shown("show server_version_num").unwrap().1, "170002");
        assert_eq!(shown("show tables"), None);
        assert_eq!(shown("select 1"), None);
    }
}
