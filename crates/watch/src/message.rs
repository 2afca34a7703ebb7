//! What is sent, in the shapes in which it is taken.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use emp_findings::Moment;

use super::Seen;

/// What a message says of its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has begun.
    Open,
    /// It is over.
    Resolved,
}

impl State {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
        }
    }
}

/// A message about an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Of the incident.
    pub incident: String,
    /// What is said.
    pub state: State,
    /// When that was noticed, ms since the epoch.
    pub at_ms: i64,
    /// When the incident was noticed first.
    pub begun_ms: i64,
    /// What it was seen as.
    pub seen: Seen,
}

impl Message {
    /// The same for each attempt at sending it: whoever has taken it may leave out another one.
    pub fn id(&self) -> String {
        format!("{}-{}", self.incident, self.state.as_str())
    }

    /// The address of the page that shows it.
    fn link(&self, page: Option<&str>) -> Option<String> {
        Some(format!("{}/{}", page?.trim_end_matches('/'), self.seen.path))
    }

    /// As JSON, for whoever takes it apart.
    pub fn as_json(&self, page: Option<&str>) -> Value {
        let Seen { kind, is_alert, verdict, who, since_ms, jobs, examples, message, command, .. } = &self.seen;
        json!({
            "id": self.id(),
            "incident": self.incident,
            "state": self.state,
            "severity": if *is_alert { "alert" } else { "note" },
            "kind": kind,
            "verdict": verdict,
            "who": who,
            "since": Moment(since_ms.unwrap_or(self.begun_ms)),
            "noticed": Moment(self.begun_ms),
            "ended": (self.state == State::Resolved).then_some(Moment(self.at_ms)),
            "jobs": jobs,
            "examples": examples,
            "message": message,
            "command": command,
            "link": self.link(page),
        })
    }

    /// For a person, in one line.
    pub fn headline(&self) -> String {
        let Seen { kind, verdict, who, jobs, .. } = &self.seen;
        let what = verdict.as_ref().unwrap_or(kind).replace('_', " ");
        let who = who.as_ref().map(|who| format!(": {who}")).unwrap_or_default();
        let jobs = match jobs {
            0 => String::new(),
            1 => ", 1 job".to_owned(),
            jobs => format!(", {jobs} jobs"),
        };
        match self.state {
            State::Open => format!("{what}{who}{jobs}"),
            State::Resolved => format!("over: {what}{who}{jobs}"),
        }
    }

    /// As Slack takes it, and those who took its shape over.
    pub fn as_slack(&self, page: Option<&str>) -> Value {
        let sign = match (self.state, self.seen.is_alert) {
            (State::Resolved, _) => ":white_check_mark:",
            (State::Open, true) => ":rotating_light:",
            (State::Open, false) => ":information_source:",
        };
        let since = Moment(self.seen.since_ms.unwrap_or(self.begun_ms)).time();
        let mut text = format!("{sign} *{}*\n{}\n", escaped(&self.headline()), escaped(&self.seen.message));
        text += &format!("since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"));
        if self.state == State::Resolved {
            text += &format!(", until {}", Moment(self.at_ms).time().strftime("%Y-%m-%d %H:%M:%S UTC"));
        }
        // A backtick in an id must not end what is to be typed.
        text += &format!("\n`{}`", escaped(&self.seen.command).replace('`', "'"));
        if let Some(link) = self.link(page) {
            text += &format!("\n<{}|Look at it>", escaped(&link).replace('|', "%7C"));
        }
        json!({ "text": text })
    }

    /// As Alertmanager takes it: what is open lasts until `until_ms` unless it is told again.
    pub fn as_alert(&self, page: Option<&str>, until_ms: i64) -> Value {
        let Seen { kind, is_alert, verdict, who, jobs, message, command, since_ms, .. } = &self.seen;
        let time = |ms: i64| Moment(ms).time().to_string();
        let ends_ms = if self.state == State::Resolved { self.at_ms } else { until_ms };
        json!({
            // What may change while it lasts is no label: Alertmanager knows an alert by its labels.
            "labels": {
                "alertname": "EmpEventsIncident",
                "incident": self.incident,
                "severity": if *is_alert { "critical" } else { "info" },
            },
            "annotations": {
                "summary": self.headline(),
                "description": message,
                "kind": kind,
                "verdict": verdict.clone().unwrap_or_default(),
                "who": who.clone().unwrap_or_default(),
                "jobs": jobs.to_string(),
                "command": command,
                "page": self.link(page).unwrap_or_default(),
            },
            "startsAt": time(since_ms.unwrap_or(self.begun_ms).min(self.begun_ms)),
            "endsAt": time(ends_ms),
            "generatorURL": self.link(page).unwrap_or_default(),
        })
    }
}

/// Slack reads three characters as more than they are.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
