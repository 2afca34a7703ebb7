//! SQL over PostgreSQL's protocol, by psql and by psycopg.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::scene::{Server, TOKEN};
use crate::support::{Ended, PATIENCE, Port, emp_events, eventually, file, make_certificates, run};

pub fn served() -> (Server, Port) {
    let port = Port::claim();
    let server = Server::over_sample(&["--pg-listen", &format!("127.0.0.1:{}", port.number)]);
    (server, port)
}

pub fn psql(port: u16, password: &str, words: &[&str]) -> Ended {
    let mut command = Command::new("psql");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "any", "-X", "-A", "-t", "events"]).args(words);
    run(command.env("PGPASSWORD", password).env("PGCONNECT_TIMEOUT", "60"))
}

#[track_caller]
pub fn said(port: u16, statement: &str) -> String {
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
    assert!(said(port, "show server_version").starts_with("15.0"));
    assert!(said(port, "select version()").starts_with("PostgreSQL 15.0"));
    assert_eq!(said(port, "select current_database(), current_schema()"), "events|public");
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("written");
    let copy = format!("copy (select 1) to '{}'", written.display());
    for (statement, why) in [
        ("select * from nowhere", "nowhere"),
        ("create table x as select 1", ""),
        ("delete from events", ""),
        (copy.as_str(), ""),
    ] {
        let ended = psql(port, TOKEN, &["-c", statement]);
        assert_eq!(ended.status, 1, "{statement}: {}", ended.stdout);
        assert!(ended.stderr.starts_with("ERROR:") && ended.stderr.contains(why), "{}", ended.stderr);
    }
    assert!(!written.exists());
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

/// What nobody could wait for.
const ENDLESS: &str = "select sum(length(a.id) * length(b.id) + length(c.id)) from events a, events b, events c";

/// psql's Ctrl-C ends what computes; that a connection goes on after it, asyncpg shows (`catalog`).
#[test]
fn ctrl_c_ends_a_statement_and_nothing_else() {
    let (server, port) = served();
    let mut command = Command::new("psql");
    command.args(["-h", "127.0.0.1", "-p", &port.number.to_string(), "-U", "any", "-X", "-A", "-t", "events"]);
    command.args(["-c", ENDLESS]).env("PGPASSWORD", TOKEN);
    let psql = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the statement is asked", || server.children() == 1);
    let signalled = Command::new("kill").args(["-INT", &psql.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let ended = psql.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(stderr.contains("canceling statement due to user request"), "{stderr}");
    eventually("nothing computes any more", || server.children() == 0);
    assert_eq!(said(port.number, "select 7"), "7");
}

#[test]
fn a_statement_has_its_time_and_says_by_which_code_it_failed() {
    let port = Port::claim();
    let at = format!("127.0.0.1:{}", port.number);
    let server = Server::over_sample(&["--time-limit", "1s", "--pg-listen", &at]);
    let code_of = |statement: &str| {
        let ended = psql(port.number, TOKEN, &["-v", "VERBOSITY=sqlstate", "-c", statement]);
        ended.stderr.trim_end().trim_start_matches("ERROR:").trim().to_owned()
    };
    assert_eq!(code_of(ENDLESS), "57014");
    eventually("nothing computes any more", || server.children() == 0);
    drop(server);
    let _server = Server::over_sample(&["--pg-listen", &at]);
    for (statement, code) in [
        ("selec 1", "42601"),
        ("select * from nowhere", "42P01"),
        ("select nothing from events", "42703"),
        ("select nothing()", "42883"),
        ("delete from events", "25006"),
        ("select * from '/etc/passwd'", "42501"),
        ("select 'x'::int", "22P02"),
    ] {
        assert_eq!(code_of(statement), code, "{statement}");
    }
    let failed = ["-c", "begin; select * from nowhere", "-c", "select 1", "-c", "commit", "-c", "select 2"];
    let ended = psql(port.number, TOKEN, &failed);
    assert!(ended.stderr.contains("the transaction has failed"), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("ROLLBACK\n2\n"), "{}", ended.stdout);
}

#[test]
fn a_certificate_encrypts_and_the_proof_of_the_password_is_bound_to_it() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let of = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, authority) = (of("server.crt"), of("server.key"), of("ca.crt"));
    let asked = |port: u16, more: &str| {
        let at = format!("host=localhost port={port} user=any dbname=events sslrootcert={authority} {more}");
        let mut command = Command::new("psql");
        command.args(["-X", "-A", "-t", "-c", "\\conninfo", "-c", "select 1", at.as_str()]);
        run(command.env("PGPASSWORD", TOKEN))
    };
    for names in [["--pg-tls-certificate", "--pg-tls-key"], ["--tls-certificate", "--tls-key"]] {
        let port = Port::claim();
        let address = format!("127.0.0.1:{}", port.number);
        let words = ["--pg-listen", &address, names[0], &certificate, names[1], &key];
        let _server = Server::over_sample(&words);
        let ended = asked(port.number, "sslmode=verify-full channel_binding=require");
        assert!(ended.stdout.contains("SSL connection (protocol: TLSv1.3"), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.ends_with("\n1\n"), "{}", ended.stdout);
        assert_eq!(asked(port.number, "sslmode=disable").status, 0, "this very machine may ask in the clear");
    }
    let (_server, port) = served();
    let ended = asked(port.number, "sslmode=require");
    assert!(ended.stderr.contains("server does not support SSL"), "{}", ended.stderr);
    let words = ["serve", "--pg-listen", "127.0.0.1:0", "--pg-tls-certificate", &authority, "--pg-tls-key", &authority];
    let ended = run(emp_events().arg("--store").arg(file("data/sample")).args(words));
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot be used for TLS"), "{}", ended.stderr);
}

/// Neither whoever has not shown the password nor a client that has gone is given more than little.
#[test]
fn what_is_longer_than_it_may_be_ends_its_connection() {
    let (server, port) = served();
    let before = server.resident_kb();
    let mut stream = TcpStream::connect(("127.0.0.1", port.number)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"\0\0\0\x12\0\x03\0\0user\0any\0\0").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    // A message of a gigabyte, before the password was shown.
    stream.write_all(b"Q\x3f\xff\xff\xf0").unwrap();
    let part = vec![b'x'; 1 << 20];
    let sent = (0..200).take_while(|_| stream.write_all(&part).is_ok()).count();
    assert!(sent < 200, "it took all of it");
    assert!(server.resident_kb() < before + (30 << 10));
    assert_eq!(said(port.number, "select 1"), "1");
}
