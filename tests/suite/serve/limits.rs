//! What one who asks, and all of them together, can have.

use std::io::Read as _;
use std::net::TcpStream;

use super::scene::{Response, Server, Stream};
use crate::support::eventually;

/// A statement that does not end by itself.
const ENDLESS: &str =
    r#"{"statement":"select count(*) from generate_series(1, 1000000000000000) where value % 7 = 3"}"#;

fn is_at_work(server: &Server, questions: f64) -> bool {
    server.metric("emp_events_questions_running") == questions
}

#[test]
fn a_question_ends_when_its_socket_closes() {
    let server = Server::over_sample(&["--time-limit", "1h"]);
    let asked = server.open_post("/api/v1/sql", ENDLESS);
    eventually("it is being answered", || is_at_work(&server, 1.0));
    drop(asked);
    eventually("it is given up", || is_at_work(&server, 0.0));
    assert_eq!(server.get("/api/v1/gaps?limit=1").status, 200);
}

#[test]
fn a_question_ends_when_its_time_is_over() {
    let server = Server::over_sample(&["--time-limit", "1s"]);
    let refused = server.post("/api/v1/sql", ENDLESS);
    assert_eq!((refused.status, refused.kind().as_str()), (504, "limit"));
    assert!(refused.text().contains("no answer within 1 s: ask for a shorter time"), "{}", refused.text());
    eventually("it is given up", || is_at_work(&server, 0.0));
}

/// Statements that compute without a pause, each of another kind: rows that nobody wants, rows that never come, and one
/// value that takes for ever.
const WITHOUT_A_PAUSE: [&str; 3] = [
    "select sum(length(a.id) * length(b.id) + length(c.id)) from events a, events b, events c",
    "with many as (select id, data from events, generate_series(1, 10)) select count(*) from many a join many b on a.id > b.id || 'x' and a.data like '%' || b.id || '%' and b.data like '%' || a.id || '%'",
    "select levenshtein(repeat('a', 5000000), repeat('b', 5000000))",
];

#[test]
fn what_computes_without_a_pause_uses_no_processor_once_its_time_is_over() {
    for statement in WITHOUT_A_PAUSE {
        let server = Server::over_sample(&["--time-limit", "1s", "--memory", "2GiB"]);
        let refused = server.post("/api/v1/sql", &serde_json::json!({"statement": statement}).to_string());
        assert_eq!((refused.status, refused.kind().as_str()), (504, "limit"), "{statement}: {}", refused.text());
        // Each would compute for an hour at least, which is longer than this waits.
        eventually("it is given up", || is_at_work(&server, 0.0));
        assert_eq!(server.children(), 0, "{statement}");
        // A second may be too short on a busy machine.
        eventually("it answers others", || server.get("/api/v1/gaps?limit=1").status == 200);
    }
}

#[test]
fn what_computes_without_a_pause_ends_when_its_socket_closes_and_when_the_server_is_killed() {
    let mut server = Server::over_sample(&["--time-limit", "1h"]);
    let ask = |server: &Server| {
        server.open_post("/api/v1/sql", &serde_json::json!({"statement": WITHOUT_A_PAUSE[0]}).to_string())
    };
    let asked = ask(&server);
    eventually("it is being answered", || server.children() == 1);
    drop(asked);
    eventually("it is given up", || server.children() == 0 && is_at_work(&server, 0.0));
    let _asked = ask(&server);
    eventually("it is being answered", || server.children() == 1);
    let child = server.child().unwrap();
    server.kill();
    eventually("what it had begun ends with it", || !std::path::Path::new(&format!("/proc/{child}")).exists());
}

#[test]
fn a_question_that_wants_too_much_memory_ends_alone() {
    let server = Server::over_sample(&["--memory", "400MiB"]);
    // No operator counts this: each text is 100,000 times as long as what an event says.
    let large = r#"{"statement":"select sum(length(repeat(data, 100000))) from events"}"#;
    let refused = server.post("/api/v1/sql", large);
    assert_eq!((refused.status, refused.kind().as_str()), (413, "limit"), "{}", refused.text());
    assert!(refused.text().contains("--memory"), "{}", refused.text());
    assert_eq!(server.get("/api/v1/gaps?limit=1").status, 200);
}

/// A day with an app that asks everything leaves the server as it was: what questions need goes with them.
#[test]
fn it_is_as_small_after_many_questions_as_before() {
    let server = Server::over_sample(&[]);
    let before = server.resident_kb();
    for _ in 0..5 {
        for question in ["needs-a-look", "perf?last=1d", "changes", "anomalies", "search?limit=1000", "report?last=1d"]
        {
            assert_eq!(server.get(&format!("/api/v1/{question}")).status, 200, "{question}");
        }
    }
    let after = server.resident_kb();
    assert!(after <= 60 << 10 && after < before + (20 << 10), "{before} kB, then {after} kB");
}

#[test]
fn an_answer_is_no_larger_than_it_may_be_and_is_never_taken_for_whole() {
    let server = Server::over_sample(&[]);
    let large = r#"{"statement":"select a.data || a.data || a.data, b.id from events a, events b","format":"ndjson","limit":1000000}"#;
    let answered = server.open_post("/api/v1/sql", large);
    let answered = Response::read(answered);
    assert_eq!(answered.status, 200);
    // Its end is missing: neither the last chunk, nor as many bytes as would fill the limit.
    assert!(answered.body.len() <= 64 << 20, "{}", answered.body.len());
    eventually("it is given up", || is_at_work(&server, 0.0));
    let memory = server.resident_kb();
    assert!(memory < 1 << 20, "{memory} kB");
}

#[test]
fn whoever_asks_too_much_at_once_waits_and_then_hears_so() {
    let server = Server::over_sample(&["--time-limit", "1h"]);
    let asked: Vec<TcpStream> = (0..4).map(|_| server.open_post("/api/v1/sql", ENDLESS)).collect();
    eventually("four are being answered", || is_at_work(&server, 4.0));
    let refused = server.get("/api/v1/gaps");
    assert_eq!((refused.status, refused.kind().as_str()), (503, "limit"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(asked);
    eventually("others have their turn", || server.get("/api/v1/gaps?limit=1").status == 200);
}

#[test]
fn one_connection_too_many_is_refused_and_hurts_nobody_else() {
    let server = Server::over_sample(&[]);
    let silent: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(("127.0.0.1", server.number())).unwrap()).collect();
    eventually("there is no room left", || {
        let mut stream = TcpStream::connect(("127.0.0.1", server.number())).unwrap();
        let mut text = String::new();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
        let _ = stream.read_to_string(&mut text);
        text.starts_with("HTTP/1.1 503")
    });
    drop(silent);
    eventually("there is room again", || {
        let mut stream = server.open("/healthz", &[]);
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text.contains("200 OK")
    });
    assert!(server.metric("emp_events_serve_connections_refused_total") >= 1.0);
}

/// A page in ten tabs, and fifty programs that ask at once.
#[test]
fn ten_tabs_and_fifty_programs_are_served() {
    let server = Server::over_sample(&[]);
    let idle = server.resident_kb();
    assert!(idle <= 60 << 10, "{idle} kB");
    let mut tabs: Vec<Stream> = (0..10)
        .map(|_| Stream::of(server.open("/api/v1/live?views=needs-a-look,health&tail=level%3Derror", &[])))
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                eventually("it is its turn", || server.get("/api/v1/perf?last=1h").status == 200);
            });
        }
    });
    for tab in &mut tabs {
        let mut views: Vec<String> = Vec::new();
        while views.len() < 2 {
            let view = tab.next().expect("the stream goes on").event;
            if !views.contains(&view) {
                views.push(view);
            }
        }
        views.sort();
        assert_eq!(views, ["health", "needs-a-look"]);
    }
    assert_eq!(server.metric("emp_events_serve_streams"), 10.0);
    drop(tabs);
    eventually("the streams have ended", || server.metric("emp_events_serve_streams") == 0.0);
}

#[test]
fn it_ends_at_once_though_somebody_follows() {
    let server = Server::over_sample(&[]);
    let _followed = Stream::of(server.open("/api/v1/live?views=needs-a-look", &[]));
    assert_eq!(server.stop(), 0);
}
