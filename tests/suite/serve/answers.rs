//! What the API answers is what the command prints.

use super::scene::Server;
use crate::support::{emp_events, file, run};

/// Each question, and the command that asks the same.
const QUESTIONS: [(&str, &[&str]); 27] = [
    ("needs-a-look", &["diagnose", "--all"]),
    ("needs-a-look?last=1d", &["diagnose", "--all", "--last", "1d"]),
    ("diagnose?job=JOB", &["diagnose", "JOB"]),
    ("diagnose?job=JOB&job=nothing", &["diagnose", "JOB", "nothing"]),
    ("diagnose?job=nothing", &["diagnose", "nothing"]),
    ("timeline?job=JOB", &["timeline", "JOB"]),
    ("timeline?job=JOB&format=ndjson", &["timeline", "JOB"]),
    ("timeline?job=JOB&compare=typical", &["timeline", "JOB", "--compare", "typical"]),
    ("timeline?job=JOB&format=csv&raw-clocks=true", &["timeline", "JOB", "--format", "csv", "--raw-clocks"]),
    ("correlate?job=JOB", &["correlate", "JOB"]),
    ("search?limit=20", &["search", "--limit", "20"]),
    (
        "search?limit=20&filter=service%3Dworker&filter=level!%3Dinfo",
        &["search", "--limit", "20", "-f", "service=worker", "-f", "level!=info"],
    ),
    ("search?errors=true&histogram=true", &["search", "--errors", "--histogram"]),
    ("gaps", &["gaps"]),
    ("gaps?by=class&last=1d&limit=3", &["gaps", "--by", "class", "--last", "1d", "--limit", "3"]),
    ("handoffs?last=1d", &["handoffs", "--last", "1d"]),
    ("perf?last=6h&by=worker_id", &["perf", "--last", "6h", "--by", "worker_id"]),
    ("changes?last=2h", &["changes", "--last", "2h"]),
    ("changes?format=csv", &["changes", "--format", "csv"]),
    ("anomalies", &["anomalies"]),
    ("why-slow?last=1d", &["why-slow", "--last", "1d"]),
    ("workers", &["workers"]),
    ("check-names", &["check-names"]),
    ("query", &["query", "--list"]),
    ("query/gaps?last=1d&param=limit%3D3", &["query", "gaps", "--last", "1d", "--param", "limit=3"]),
    ("report?last=1d", &["report", "--last", "1d", "-o", "-"]),
    ("report?last=1d&format=markdown", &["report", "--last", "1d", "-o", "-", "--format", "markdown"]),
];

fn sample(words: &[&str]) -> String {
    run(emp_events().arg("--store").arg(file("data/sample")).args(words)).stdout
}

#[test]
fn each_question_is_answered_as_its_command_answers_it() {
    let server = Server::over_sample(&[]);
    let job = sample(&["search", "--errors", "--limit", "1", "--format", "json"]);
    let job: serde_json::Value = serde_json::from_str(&job).unwrap();
    let job = job[0]["job_id"].as_str().unwrap().to_owned();
    for (path, words) in QUESTIONS {
        let answered = server.get(&format!("/api/v1/{}", path.replace("JOB", &job)));
        let mut words: Vec<&str> = words.iter().map(|word| if *word == "JOB" { job.as_str() } else { word }).collect();
        let has_form = words.contains(&"--format") || words[0] == "report" || path.contains("format=");
        words.extend((!has_form).then_some(["--format", "json"]).into_iter().flatten());
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
        assert_eq!(answered.text(), sample(&words), "{path}");
    }
}

#[test]
fn an_answer_names_the_command_and_the_statement_that_ask_the_same() {
    let server = Server::over_sample(&[]);
    let decoded = |response: &super::scene::Response, name: &str| {
        let text = response.header(name).unwrap_or_default().as_bytes();
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let is_coded = text[at] == b'%';
            let hex = is_coded.then(|| std::str::from_utf8(&text[at + 1..at + 3]).unwrap());
            out.push(hex.map_or(text[at], |hex| u8::from_str_radix(hex, 16).unwrap()));
            at += if is_coded { 3 } else { 1 };
        }
        String::from_utf8(out).unwrap()
    };
    let searched = server.get("/api/v1/search?errors=true&limit=2&text=%C3%A4");
    let line = decoded(&searched, "emp-events-command");
    assert!(line.starts_with("emp-events search --errors --limit 2 --text 'ä' --store"), "{line}");
    let words = shlex::split(&line).unwrap();
    let again = run(emp_events().args(&words[1..]).args(["--format", "json"]));
    assert_eq!(again.stdout, searched.text());
    let counted = server.get("/api/v1/histogram?buckets=4&by=service&last=1d");
    let statement = serde_json::json!({"statement": decoded(&counted, "emp-events-sql")}).to_string();
    assert_eq!(server.post("/api/v1/sql", &statement).text(), counted.text());
    // Also of a query that is kept in a file: with its parameters in it.
    for question in ["gaps?last=1d&limit=3", "handoffs?last=1d", "query/gaps?last=1d&param=min_gap%3D30s"] {
        let asked = server.get(&format!("/api/v1/{question}"));
        let statement = decoded(&asked, "emp-events-sql");
        assert!(statement.starts_with("with ") || statement.starts_with("select "), "{statement}");
        let again = server.post("/api/v1/sql", &serde_json::json!({"statement": statement}).to_string());
        assert_eq!(again.text(), asked.text(), "{question}: {statement}");
    }
    let notes = decoded(&searched, "emp-events-notes");
    assert!(notes.starts_with("[\"no event matches"), "{notes}");
}

#[test]
fn pages_of_events_leave_none_out_and_show_none_twice() {
    let server = Server::over_sample(&[]);
    let all = sample(&[
        "sql",
        "--format",
        "csv",
        "select id from events where service = 'worker' \
        order by ingested_at desc, length(id) desc, id desc limit 2500",
    ]);
    let all: Vec<&str> = all.lines().skip(1).collect();
    let ids = |page: &serde_json::Value| -> Vec<String> {
        page.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let (mut seen, mut before) = (Vec::new(), String::new());
    while seen.len() < all.len() {
        let page = ids(&server.get(&format!("/api/v1/events?service=worker&limit=500{before}")).json());
        before = format!("&before={}", page.last().unwrap());
        seen.extend(page);
    }
    assert_eq!(seen, all);
    let back = ids(&server.get(&format!("/api/v1/events?service=worker&limit=300&after={}", all[700])).json());
    assert_eq!(back, all[400..700]);
    for wrong in ["limit=0", "limit=1001", "before=x", "after=1"] {
        assert_eq!(server.get(&format!("/api/v1/events?{wrong}")).status, 400, "{wrong}");
    }
}

#[test]
fn what_is_counted_over_time_and_by_facet_adds_up() {
    let server = Server::over_sample(&[]);
    let meta = server.get("/api/v1/meta").json();
    let range = format!("since={}&until={}", meta["first_event_ms"], meta["last_event_ms"].as_i64().unwrap() + 1);
    let all = meta["events"].as_u64().unwrap();
    let sum = |rows: &serde_json::Value| -> u64 {
        rows.as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum()
    };
    for by in ["level", "service", "event_type"] {
        let rows = server.get(&format!("/api/v1/histogram?{range}&by={by}&buckets=37")).json();
        assert_eq!(sum(&rows), all, "{by}");
        assert!(rows.as_array().unwrap().iter().all(|row| row["from_ms"].as_i64() < row["until_ms"].as_i64()));
    }
    // Long parts are whole hours, and nothing is counted that lies outside of the range.
    let begins_late = meta["first_event_ms"].as_i64().unwrap() + 90 * 60_000;
    let part = format!("since={begins_late}&until={}", meta["last_event_ms"].as_i64().unwrap() + 1);
    let rows = server.get(&format!("/api/v1/histogram?{part}&buckets=3")).json();
    let counted = format!("select count(*) as n from events where timestamp >= to_timestamp_millis({begins_late})");
    let counted = server.post("/api/v1/sql", &serde_json::json!({"statement": counted}).to_string()).json();
    assert_eq!(counted[0]["n"], sum(&rows));
    let hours = |row: &serde_json::Value, key: &str| row[key].as_i64().unwrap() % 3_600_000 == 0;
    assert!(rows.as_array().unwrap().iter().all(|row| hours(row, "from_ms") && hours(row, "until_ms")), "{rows}");
    let facets = server.get(&format!("/api/v1/facets?{range}")).json();
    let some = server.get(&format!("/api/v1/facets?{range}&of=level")).json();
    assert!(some.as_array().unwrap().iter().all(|row| row["facet"] == "level") && sum(&some) == all, "{some}");
    let of = |facet: &str| -> serde_json::Value {
        facets.as_array().unwrap().iter().filter(|row| row["facet"] == facet).cloned().collect::<Vec<_>>().into()
    };
    assert_eq!((sum(&of("service")), sum(&of("level"))), (all, all));
    let services = of("service");
    assert_eq!(services.as_array().unwrap().len(), meta["services"].as_array().unwrap().len());
    let job =
        server.get("/api/v1/events?limit=1&filter=job_id~%3Djob_").json()[0]["job_id"].as_str().unwrap().to_owned();
    let found = server.get(&format!("/api/v1/resolve?q={}", &job[..job.len() - 1])).json();
    assert!(found.as_array().unwrap().contains(&serde_json::json!({"kind": "job", "id": job})), "{found}");
}

#[test]
fn a_statement_is_answered_in_each_form() {
    let server = Server::over_sample(&[]);
    let statement = "select service, count(*) as events from events group by 1 order by 1";
    for (form, kind) in
        [("json", "application/json"), ("ndjson", "application/x-ndjson"), ("csv", "text/csv; charset=utf-8")]
    {
        let asked = serde_json::json!({"statement": statement, "format": form}).to_string();
        let answered = server.post("/api/v1/sql", &asked);
        assert_eq!(answered.header("content-type"), Some(kind));
        assert_eq!(answered.text(), sample(&["sql", statement, "--format", form]));
    }
    let limited = serde_json::json!({"statement": "select id from events", "limit": 7}).to_string();
    let limited = server.post("/api/v1/sql", &limited);
    assert_eq!(limited.json().as_array().unwrap().len(), 7);
    assert!(limited.header("emp-events-notes").unwrap().contains("the first 7 rows of more"));
    let parquet =
        server.post("/api/v1/sql", &serde_json::json!({"statement": statement, "format": "parquet"}).to_string());
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    assert_eq!(parquet.header("content-disposition"), Some("attachment; filename=\"answer.parquet\""));
    let wrong = server.post("/api/v1/sql", r#"{"statement":"select nothing from events"}"#);
    assert_eq!((wrong.status, wrong.kind().as_str()), (400, "usage"));
    assert!(wrong.text().contains("there is no column `nothing`"));
}

#[test]
fn what_makes_no_sense_is_said_and_what_is_not_there_is_not_found() {
    let server = Server::over_sample(&[]);
    for path in [
        "gaps?last=nonsense",
        "gaps?nonsense=1",
        "search?errors=maybe",
        "timeline",
        "diagnose",
        "gaps?tz=Mars",
        "gaps?format=table",
        "perf?limit=x",
    ] {
        let refused = server.get(&format!("/api/v1/{path}"));
        assert_eq!((refused.status, refused.kind().as_str()), (400, "usage"), "{path}: {}", refused.text());
    }
    for path in [
        "timeline?job=nothing",
        "timeline?trace=nothing",
        "correlate?job=nothing",
        "gaps?job-id=nothing",
        "query/nothing",
        "nothing",
    ] {
        let refused = server.get(&format!("/api/v1/{path}"));
        assert_eq!((refused.status, refused.kind().as_str()), (404, "not_found"), "{path}: {}", refused.text());
    }
}

#[test]
fn its_description_names_every_question() {
    let server = Server::over_sample(&[]);
    let described = server.get("/api/v1/openapi.json").json();
    for (path, _) in QUESTIONS {
        let path = path.split('?').next().unwrap().replace("query/gaps", "query/{name}");
        let parameters = &described["paths"][format!("/api/v1/{path}")]["get"]["parameters"];
        assert!(parameters.as_array().is_some_and(|parameters| parameters.len() > 2), "{path}");
    }
    assert!(described["paths"]["/api/v1/sql"]["post"]["requestBody"].is_object());
}

/// The sample has a hundred jobs of each kind, and more.
#[test]
fn what_is_typical_is_a_range_where_enough_is_known() {
    let server = Server::over_sample(&[]);
    let job =
        sample(&["sql", "--format", "csv", "select job_id from events where event_type = 'job.completed' limit 1"]);
    let line = server.get(&format!("/api/v1/timeline?job={}", job.lines().nth(1).unwrap())).json();
    for list in ["spans", "budget"] {
        let ranges: Vec<(f64, f64)> = line[list]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| Some((one["typical_ms"].as_f64()?, one["typical_p99_ms"].as_f64()?)))
            .collect();
        assert!(!ranges.is_empty() && ranges.iter().all(|(median, p99)| median <= p99), "{list}: {line}");
    }
}
