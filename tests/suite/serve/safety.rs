//! Who may ask, and what: each rule with a request that breaks it.

use super::scene::{Server, TOKEN};
use crate::support::{emp_events, file, run};

/// One path of each kind.
const PATHS: [&str; 9] = [
    "/",
    "/job/job_1",
    "/assets/nothing.js",
    "/healthz",
    "/metrics",
    "/api/v1/meta",
    "/api/v1/tail",
    "/api/v1/session",
    "/nothing/here",
];

fn asked(server: &Server, path: &str, headers: &[&str]) -> u16 {
    let line = format!("GET {path} HTTP/1.0");
    // What goes on is broken off: its status says enough.
    let stream = server.send(&[&[line.as_str()][..], headers].concat(), "");
    status_of(stream)
}

fn status_of(mut stream: std::net::TcpStream) -> u16 {
    let mut begun = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut begun).unwrap();
    String::from_utf8_lossy(&begun)[9..12].parse().unwrap()
}

/// A page of another site whose name is led to this machine asks under that name.
#[test]
fn it_answers_by_its_own_names_alone() {
    let server = Server::over_sample(&["--allow-host", "Events.example.org"]);
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let port = server.number();
    let strange = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "localhost:1".to_owned(),
        "events.example.org:1".to_owned(),
        String::new(),
    ];
    for path in PATHS {
        for host in &strange {
            let host = format!("Host: {host}");
            assert_eq!(asked(&server, path, &[&host, &authorization]), 403, "{path} {host}");
        }
        assert_eq!(asked(&server, path, &[&authorization]), 403, "{path} without a host");
        for host in
            [format!("localhost:{port}"), format!("[::1]:{port}"), server.host(), "events.example.org".to_owned()]
        {
            let host = format!("Host: {host}");
            assert_ne!(asked(&server, path, &[&host, &authorization]), 403, "{path} {host}");
        }
        let twice = [&*format!("Host: {}", server.host()), "Host: evil.example", &authorization];
        assert!([400, 403].contains(&asked(&server, path, &twice)), "{path} with two hosts");
    }
}

#[test]
fn what_another_site_sends_is_refused() {
    let server = Server::over_sample(&[]);
    let (host, own) = (format!("Host: {}", server.host()), format!("Origin: http://{}", server.host()));
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let of_others = [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://localhost:1",
    ];
    for header in of_others {
        for path in ["/api/v1/meta", "/api/v1/tail", "/api/v1/session", "/api/v1/openapi.json"] {
            assert_eq!(asked(&server, path, &[&host, &authorization, header]), 403, "{path} {header}");
        }
        let session = server.exchange(
            &["POST /api/v1/session HTTP/1.0", &host, header, "Content-Type: application/json", "Content-Length: 2"],
            "{}",
        );
        assert_eq!(session.status, 403, "{header}");
        // The shell itself tells nothing, so that a link in a chat works.
        assert_eq!(asked(&server, "/job/job_1", &[&host, header]), 200, "{header}");
    }
    for header in ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", &own] {
        assert_eq!(asked(&server, "/api/v1/meta", &[&host, &authorization, header]), 200, "{header}");
    }
    // Nothing is ever shared with another origin.
    let preflight = server.exchange(&["OPTIONS /api/v1/sql HTTP/1.0", &host, "Origin: http://evil.example"], "");
    assert_eq!(preflight.status, 403);
    for response in [preflight, server.get_with("/api/v1/meta", &[&own])] {
        assert!(response.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{response:?}");
    }
}

#[test]
fn only_who_knows_the_token_is_answered() {
    let server = Server::over_sample(&[]);
    let host = format!("Host: {}", server.host());
    let wrong = [
        format!("Authorization: Bearer {TOKEN}x"),
        format!("Authorization: Bearer {}", &TOKEN[1..]),
        "Authorization: Bearer ".to_owned(),
        format!("Authorization: Basic {TOKEN}"),
        format!("Cookie: emp-events-{}=nothing", server.number()),
        // The cookie of a server at another port.
        format!("Cookie: emp-events-1={TOKEN}"),
        "X-Nothing: 1".to_owned(),
    ];
    let guarded =
        ["/api/v1/meta", "/api/v1/sql", "/api/v1/tail", "/api/v1/live", "/api/v1/openapi.json", "/api/v1/nothing"];
    for header in &wrong {
        for path in guarded.iter().chain(&["/metrics"]) {
            assert_eq!(asked(&server, path, &[&host, header]), 401, "{path} {header}");
        }
    }
    // Addresses are written into logs and histories.
    assert_eq!(asked(&server, &format!("/api/v1/meta?token={TOKEN}"), &[&host]), 401);
    for path in ["/", "/healthz", "/api/v1/session"] {
        assert_eq!(asked(&server, path, &[&host]), 200, "{path}");
    }
    assert_eq!(server.get("/api/v1/meta").status, 200);
}

#[test]
fn signing_in_sets_a_cookie_that_no_script_reads() {
    let server = Server::over_sample(&[]);
    let refused = server.post("/api/v1/session", r#"{"token":"not-the-token-at-all"}"#);
    assert_eq!((refused.status, refused.header("set-cookie")), (401, None));
    let signed_in = server.post("/api/v1/session", &format!(r#"{{"token":"{TOKEN}"}}"#));
    assert_eq!((signed_in.status, signed_in.text().as_str()), (200, r#"{"signed_in":true}"#));
    let cookie = signed_in.header("set-cookie").unwrap();
    assert_eq!(cookie, format!("emp-events-{}={TOKEN}; Path=/; HttpOnly; SameSite=Strict", server.number()));
    let (host, cookie) =
        (format!("Host: {}", server.host()), format!("Cookie: a=b; {}", cookie.split(';').next().unwrap()));
    assert_eq!(asked(&server, "/api/v1/meta", &[&host, &cookie]), 200);
    let state = server.exchange(&["GET /api/v1/session HTTP/1.0", &host], "");
    assert_eq!(state.text(), r#"{"signed_in":false}"#);
}

#[test]
fn every_response_says_what_a_browser_may_do_with_it() {
    let server = Server::over_sample(&[]);
    for path in PATHS.iter().filter(|path| **path != "/api/v1/tail").chain(&["/api/v1/gaps", "/api/nothing"]) {
        let response = server.get(path);
        let policy = response.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        let is_kept = ["/", "/job/job_1", "/nothing/here"].contains(path);
        assert_eq!(response.header("cache-control"), Some(if is_kept { "no-cache" } else { "no-store" }), "{path}");
    }
    // What a producer wrote is text in JSON, and in headers no more than ASCII.
    let marked = server.get("/api/v1/timeline?job=%3Cscript%3Ealert(1)%3C/script%3E%C3%A4");
    assert_eq!((marked.status, marked.header("content-type")), (404, Some("application/json")));
}

#[test]
fn nothing_is_written_run_or_read_that_is_not_of_the_store() {
    let server = Server::over_sample(&[]);
    let there = server.folder().join("out.csv");
    let statements = [
        "insert into events values (1)".to_owned(),
        "drop table events".to_owned(),
        "create table a as select 1".to_owned(),
        format!("copy events to '{}'", there.display()),
        "create external table t stored as csv location '/etc/passwd'".to_owned(),
        "select * from '/etc/passwd'".to_owned(),
        "set datafusion.execution.batch_size = 1".to_owned(),
    ];
    for statement in statements {
        let asked = serde_json::json!({"statement": statement}).to_string();
        let refused = server.post("/api/v1/sql", &asked);
        assert_eq!((refused.status, refused.kind().as_str()), (400, "usage"), "{statement}: {}", refused.text());
    }
    let path = there.display().to_string();
    let options = [
        format!("report?output={path}"),
        format!("sql?output={path}"),
        "anomalies?backtest=true&truth=/etc/passwd".to_owned(),
        "search?store=/etc".to_owned(),
        "search?redis=redis://127.0.0.1:1".to_owned(),
        "search?vocabulary=/etc/passwd".to_owned(),
        "diagnose?job=-".to_owned(),
        format!("gaps?limit=--output={path}"),
    ];
    for option in options {
        let refused = server.get(&format!("/api/v1/{option}"));
        assert!([400, 405].contains(&refused.status), "{option}: {} {}", refused.status, refused.text());
    }
    for name in
        ["collect", "forward", "retain", "compact", "seal", "import", "simulate", "verify", "serve", "top", "man"]
    {
        assert_eq!(server.get(&format!("/api/v1/{name}")).status, 404, "{name}");
    }
    assert!(!there.exists());
    let host = format!("Host: {}", server.host());
    let authorization = format!("Authorization: Bearer {TOKEN}");
    for method in ["PUT", "DELETE", "PATCH", "POST"] {
        let refused = server.exchange(&[&format!("{method} /api/v1/gaps HTTP/1.0"), &host, &authorization], "");
        assert_eq!(refused.status, 405, "{method}");
    }
}

#[test]
fn a_statement_comes_as_json_alone_and_no_larger_than_it_may_be() {
    let server = Server::over_sample(&[]);
    let (host, authorization) = (format!("Host: {}", server.host()), format!("Authorization: Bearer {TOKEN}"));
    let body = r#"{"statement":"select 1"}"#;
    let length = format!("Content-Length: {}", body.len());
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let kind = format!("Content-Type: {kind}");
        let refused = server.exchange(&["POST /api/v1/sql HTTP/1.0", &host, &authorization, &kind, &length], body);
        assert_eq!(refused.status, 415, "{kind}");
    }
    assert_eq!(server.get("/api/v1/sql?query=select+1").status, 405);
    for wrong in ["", "[]", "{}", r#"{"statement":1}"#, r#"{"statement":"select 1","output":"x"}"#] {
        assert_eq!(server.post("/api/v1/sql", wrong).status, 400, "{wrong}");
    }
    let large = format!(r#"{{"statement":"select '{}'"}}"#, "x".repeat(64 << 10));
    assert_eq!(server.post("/api/v1/sql", &large).status, 413);
    let sent = server.post("/api/v1/sql", body);
    assert_eq!((sent.status, sent.text().as_str()), (200, "[{\"Int64(1)\":1}]\n"), "{}", sent.text());
}

#[test]
fn the_page_has_no_way_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let assets = folder.path().join("page");
    std::fs::create_dir_all(assets.join("assets")).unwrap();
    std::fs::write(assets.join("index.html"), "<!doctype html><html><head></head></html>").unwrap();
    std::fs::write(assets.join("assets/main.js"), "export {};").unwrap();
    std::fs::write(assets.join("assets/.hidden"), "secret").unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    let server = Server::over_sample(&["--assets", assets.to_str().unwrap()]);
    assert_eq!(server.get("/assets/main.js").text(), "export {};");
    let ways = [
        "../../secret",
        "..%2f..%2fsecret",
        "%2e%2e/%2e%2e/secret",
        "./../../secret",
        ".hidden",
        "/etc/passwd",
        "a/../../../secret",
    ];
    for way in ways {
        let response = server.get(&format!("/assets/{way}"));
        assert!(!response.text().contains("secret") || response.status == 404, "{way}: {response:?}");
        assert!(!response.text().contains("root:"), "{way}");
    }
}

#[test]
fn no_secret_is_said() {
    let server = Server::over_sample(&["--metrics-token", "a-token-for-a-scraper"]);
    let host = format!("Host: {}", server.host());
    let scraper = "Authorization: Bearer a-token-for-a-scraper";
    assert_eq!(asked(&server, "/metrics", &[&host, scraper]), 200);
    assert_eq!(asked(&server, "/api/v1/meta", &[&host, scraper]), 401);
    server.post("/api/v1/session", &format!(r#"{{"token":"{TOKEN}"}}"#));
    server.get(&format!("/api/v1/nothing?token={TOKEN}"));
    for response in [server.get("/metrics"), server.get("/api/v1/meta"), server.get("/")] {
        assert!(!response.text().contains(TOKEN) && !response.text().contains("scraper"));
    }
    let said = server.said();
    assert!(said.contains("the token that signs in is in"), "{said}");
    assert!(!said.contains(TOKEN) && !said.contains("scraper"), "{said}");
}

#[test]
fn a_server_that_others_reach_needs_a_token_and_a_name() {
    let serve = |more: &[&str]| run(emp_events().arg("--store").arg(file("data/sample")).arg("serve").args(more));
    let nameless = serve(&["--listen", "0.0.0.0:0"]);
    assert_eq!(nameless.status, 2);
    assert!(nameless.stderr.contains("say by --allow-host under which name"), "{}", nameless.stderr);
    let open = serve(&["--listen", "0.0.0.0:0", "--allow-host", "example.org", "--no-token"]);
    assert_eq!(open.status, 2);
    assert!(open.stderr.contains("--no-token would show all events to whoever reaches"), "{}", open.stderr);
    for (option, value) in [("--base-path", "events"), ("--base-path", "/a/../b"), ("--metrics-token", "short")] {
        assert_eq!(serve(&[option, value]).status, 2, "{option} {value}");
    }
}
