//! A job as one file to keep.

use super::scene::Server;
use crate::support::{emp_events, run};

#[test]
fn a_job_is_one_file_that_needs_nothing_and_says_what_an_event_says_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "</style></td><script>alert(1)</script><img src=x onerror=alert(2)>";
    let event = |at: u32, event_type: &str, extra: serde_json::Value| {
        let mut event = serde_json::json!({
            "timestamp": format!("2025-09-27T12:00:{at:02}Z"), "service": evil, "eventType": event_type, "jobId": "job_<b>", "workerId": evil,
        });
        event.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        event.to_string()
    };
    let lines = [
        event(0, "job.created", serde_json::json!({})),
        event(1, "job.claimed", serde_json::json!({"note": evil})),
        event(9, "job.failed", serde_json::json!({"level": "error", "error": evil})),
    ];
    let (file, store) = (folder.path().join("events.jsonl"), folder.path().join("store"));
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let imported = run(emp_events().arg("--store").arg(&store).arg("import").arg(&file));
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    let mut command = emp_events();
    command.arg("--store").arg(&store);
    let server = Server::start(command, &[]);
    let kept = server.get("/api/v1/export?job=job_%3Cb%3E");
    assert_eq!(kept.status, 200, "{}", kept.text());
    assert_eq!(kept.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(kept.header("content-disposition"), Some("attachment; filename=\"job__b_.html\""));
    let page = kept.text();
    for tag in ["<script", "<img", "<b>", "src=\"http", "href=\"http", "@import", "url("] {
        assert!(!page.contains(tag), "{tag}: {page}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    // All of its events are there, and the verdict.
    for said in ["job.created", "job.claimed", "job.failed", "failed", "Where its time went"] {
        assert!(page.contains(said), "{said}");
    }
    assert_eq!(server.get("/api/v1/export?job=nothing").status, 404);
    assert_eq!(server.get("/api/v1/export?job=job_%3Cb%3E&format=csv").status, 400);
}
