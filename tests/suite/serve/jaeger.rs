//! Jobs as traces in Jaeger's shape.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::scene::Server;

/// A job that failed, by its id.
fn failed_job(server: &Server) -> String {
    let found = server.get("/api/v1/search?errors=true&limit=1&filter=job_id~%3Djob").json();
    found[0]["job_id"].as_str().unwrap().to_owned()
}

fn micros(at: &Value) -> i64 {
    let at: jiff::Timestamp = at.as_str().unwrap().parse().unwrap();
    at.as_microsecond()
}

#[test]
fn a_job_is_a_trace_with_the_spans_of_its_time_line() {
    let server = Server::over_sample(&[]);
    let job = failed_job(&server);
    let line = server.get(&format!("/api/v1/timeline?job={job}")).json();
    let answered = server.get(&format!("/api/traces/{job}"));
    assert_eq!(answered.status, 200, "{}", answered.text());
    let trace = &answered.json()["data"][0];
    assert_eq!(trace["traceID"], job.as_str());
    let spans = trace["spans"].as_array().unwrap();
    let ids: BTreeSet<&str> = spans.iter().map(|span| span["spanID"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), spans.len(), "no two spans have one id");
    let service = |span: &Value| {
        trace["processes"][span["processID"].as_str().unwrap()]["serviceName"].as_str().unwrap().to_owned()
    };
    let whole = &spans[0];
    assert_eq!((&whole["operationName"], &whole["startTime"]), (&"job".into(), &micros(&line["from"]).into()));
    assert_eq!(whole["references"], serde_json::json!([]));
    // Each piece of work, and each unusual silence, below the whole.
    let mut wanted: Vec<(String, String, i64, i64)> = Vec::new();
    for span in line["spans"].as_array().unwrap() {
        let from = micros(&span["from"]);
        let until = if span["until"].is_null() { micros(&line["until"]) } else { micros(&span["until"]) };
        let (name, service) = (span["name"].as_str().unwrap(), span["service"].as_str().unwrap());
        wanted.push((name.to_owned(), service.to_owned(), from, until - from));
    }
    for gap in line["gaps"].as_array().unwrap() {
        let (from, until) = (micros(&gap["from"]), micros(&gap["until"]));
        wanted.push((gap["kind"].as_str().unwrap().replace('-', " "), "(silence)".to_owned(), from, until - from));
    }
    let number = |value: &Value| value.as_i64().unwrap();
    let shown: Vec<_> = spans[1..]
        .iter()
        .map(|span| {
            assert_eq!(span["references"][0]["spanID"], whole["spanID"]);
            let name = span["operationName"].as_str().unwrap().to_owned();
            (name, service(span), number(&span["startTime"]), number(&span["duration"]))
        })
        .collect();
    assert_eq!(shown, wanted);
    // Each event is told of once.
    let logged: Vec<i64> =
        spans.iter().flat_map(|span| span["logs"].as_array().unwrap()).map(|log| number(&log["timestamp"])).collect();
    let (mut logged, mut happened) = (
        logged,
        line["events"].as_array().unwrap().iter().map(|event| micros(&event["happened_at"])).collect::<Vec<_>>(),
    );
    logged.sort_unstable();
    happened.sort_unstable();
    assert_eq!(logged, happened);
}

#[test]
fn services_have_operations_by_which_their_jobs_are_found() {
    let server = Server::over_sample(&[]);
    let meta = server.get("/api/v1/meta").json();
    assert_eq!(server.get("/api/services").json()["data"], meta["services"]);
    let (start, end) =
        (meta["first_event_ms"].as_i64().unwrap() * 1_000, meta["last_event_ms"].as_i64().unwrap() * 1_000);
    let operations = server.get("/api/services/worker/operations").json();
    let mut found = BTreeMap::new();
    for operation in operations["data"].as_array().unwrap() {
        let operation = operation.as_str().unwrap();
        let path =
            format!("/api/traces?service=worker&operation={operation}&start={start}&end={end}&limit=3&lookback=custom");
        let traces = server.get(&path).json();
        for trace in traces["data"].as_array().unwrap() {
            let has = |span: &&Value| {
                let process = &trace["processes"][span["processID"].as_str().unwrap()];
                span["operationName"] == operation && (operation == "job" || process["serviceName"] == "worker")
            };
            assert!(trace["spans"].as_array().unwrap().iter().any(|span| has(&span)), "{operation}: {trace}");
        }
        found.insert(operation.to_owned(), traces["data"].as_array().unwrap().len());
    }
    // What a worker does without a job is no job's.
    assert!(found.values().all(|count| *count <= 3), "{found:?}");
    assert!(found["job"] == 3 && found["connector.processing"] == 3, "{found:?}");
    let job = failed_job(&server);
    let of_job = format!(
        "/api/traces?service=worker&start={start}&end={end}&tags=%7B%22job.id%22%3A%22{job}%22%2C%22error%22%3A%22true%22%7D"
    );
    let of_job = server.get(&of_job).json();
    assert_eq!((&of_job["total"], &of_job["data"][0]["traceID"]), (&1.into(), &job.as_str().into()));
    let took = server.get(&format!("/api/traces/{job}")).json()["data"][0]["spans"][0]["duration"].as_i64().unwrap();
    for (bound, count) in [(took - 2_000, 1), (took + 2_000, 0)] {
        let path = format!(
            "/api/traces?service=worker&start={start}&end={end}&minDuration={bound}us&tags=%7B%22job.id%22%3A%22{job}%22%7D"
        );
        assert_eq!(server.get(&path).json()["total"], count, "{bound} of {took}");
    }
}

#[test]
fn what_is_not_there_and_who_may_not_ask_is_said_as_jaeger_says_it() {
    let server = Server::over_sample(&[]);
    let missing = server.get("/api/traces/nothing");
    assert_eq!((missing.status, missing.json()["errors"][0]["code"].as_u64()), (404, Some(404)), "{}", missing.text());
    for wrong in ["", "?service=a&start=x", "?service=a&tags=x", "?service=a&minDuration=x"] {
        let refused = server.get(&format!("/api/traces{wrong}"));
        assert_eq!((refused.status, refused.kind().as_str()), (400, "usage"), "{wrong}: {}", refused.text());
    }
    let host = format!("Host: {}", server.host());
    for path in ["/api/services", "/api/traces/job_1", "/api/traces?service=a"] {
        assert_eq!(server.exchange(&[&format!("GET {path} HTTP/1.0"), &host], "").status, 401, "{path}");
    }
}
