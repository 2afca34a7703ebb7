//! SQL over PostgreSQL's protocol, by psql and by psycopg.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use super::scene::{Server, TOKEN};
use crate::support::{Ended, PATIENCE, Port, emp_events, file, run};

fn served() -> (Server, Port) {
    let port = Port::claim();
    let server = Server::over_sample(&["--pg-listen", &format!("127.0.0.1:{}", port.number)]);
    (server, port)
}

fn psql(port: u16, password: &str, words: &[&str]) -> Ended {
    let mut command = Command::new("psql");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "any", "-X", "-A", "-t", "events"]).args(words);
    run(command.env("PGPASSWORD", password).env("PGCONNECT_TIMEOUT", "60"))
}

#[track_caller]
fn said(port: u16, statement: &str) -> String {
    let ended = psql(port, TOKEN, &["-c", statement]);
    assert_eq!(ended.status, 0, "{statement}: {} (make test installs psql)", ended.stderr);
    ended.stdout.trim_end().to_owned()
}

#[test]
fn psql_asks_what_emp_events_sql_asks() {
    let (_server, port) = served();
    let port = port.number;
    let own = |statement: &str| {
        let ended =
            run(emp_events().arg("--store").arg(file("data/sample")).args(["sql", "--format", "csv", statement]));
        ended.stdout.lines().nth(1).unwrap().to_owned()
    };
    let count = "select count(*) from events";
    assert_eq!(said(port, count), own(count));
    assert_eq!(said(port, "select service, 1.5, true, null from events order by id limit 1").split('|').count(), 4);
    assert!(said(port, "select min(timestamp) from events").ends_with("+00"));
    assert_eq!(said(port, "select 'a;b'; select 2"), "a;b\n2");
    assert_eq!(said(port, "begin; set statement_timeout = 0; select 3; commit").lines().last().unwrap(), "COMMIT");
    assert!(said(port, "show server_version").starts_with("16.0"));
    assert!(said(port, "select version()").starts_with("PostgreSQL 16.0"));
    for (statement, why) in [
        ("select * from nowhere", "nowhere"),
        ("create table x as select 1", ""),
        ("delete from events", ""),
        ("copy (select 1) to '/tmp/x'", ""),
    ] {
        let ended = psql(port, TOKEN, &["-c", statement]);
        assert_eq!(ended.status, 1, "{statement}: {}", ended.stdout);
        assert!(ended.stderr.starts_with("ERROR:") && ended.stderr.contains(why), "{}", ended.stderr);
    }
    assert!(!std::path::Path::new("/tmp/x").exists());
    let ended = psql(port, "not-the-token-at-all", &["-c", "select 1"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("password authentication failed"), "{}", ended.stderr);
}

#[test]
fn psycopg_asks_with_parameters_in_text_and_in_binary() {
    let (_server, port) = served();
    let mut command = Command::new("python3");
    command.arg(file("tests/suite/serve/ask_postgres.py")).arg(port.number.to_string()).arg(TOKEN);
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{} (make test installs what it needs)", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["names"], serde_json::json!(["service", "count(*)"]));
    assert!(told["errors"].as_array().unwrap().len() > 1, "{told}");
    assert_eq!(told["none"], 0);
    assert_eq!(told["binary"], told["text"], "both forms say the same");
    assert!(told["binary"][0].as_str().unwrap().starts_with("2025-09-2"), "{told}");
    assert!(told["rows"].as_u64().unwrap() > 10_000);
    assert!(told["refused"].is_string(), "{told}");
    assert_eq!(told["after"], 1);
    assert!(told["wrong"].as_str().unwrap().contains("password authentication failed"), "{told}");
}

/// What is none of the protocol ends the connection, and nothing else.
#[test]
fn nonsense_ends_its_connection_alone() {
    let (_server, port) = served();
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0, 0, 0, 3],
        &[0xff; 64],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        b"\0\0\0\x08\0\x03\0\0Qx",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port.number)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert_eq!(said(port.number, "select 1"), "1");
}

#[test]
fn without_a_token_it_is_for_this_machine_alone() {
    let words = ["serve", "--no-token", "--listen", "127.0.0.1:0", "--pg-listen", "0.0.0.0:0"];
    let ended = run(emp_events().arg("--store").arg(file("data/sample")).args(words));
    assert_eq!(ended.status, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("--no-token would show all events"), "{}", ended.stderr);
}
