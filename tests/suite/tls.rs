//! A Redis behind TLS, whose certificate is by an authority that few know.

use std::process::{Child, Command, Stdio};

use crate::support::{Lines, Port, Redis, Store, file, make_certificates, run};

#[test]
fn a_redis_behind_tls_is_drained_where_its_certificate_is_known() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let redis = Redis::start();
    let claimed = Port::claim();
    let port = claimed.number;
    let _: () = redis.command(&format!(
        "CONFIG SET tls-cert-file {} tls-key-file {} tls-ca-cert-file {} tls-auth-clients no tls-port {port}",
        file("server.crt"),
        file("server.key"),
        file("ca.crt"),
    ));
    redis.add(1_000, 1_000);
    let store = Store::at(format!("rediss://localhost:{port}"));
    let collect = || {
        let mut command = store.command(&["collect", "--once"]);
        command.env("SSL_CERT_FILE", "/dev/null");
        command
    };

    let stranger = run(&mut collect());
    assert_eq!(stranger.status, 1, "{}", stranger.stderr);
    assert!(stranger.stderr.contains("certificate"), "{}", stranger.stderr);

    let trusting = run(collect().env("SSL_CERT_FILE", file("ca.crt")));
    assert_eq!(trusting.status, 0, "{}", trusting.stderr);
    store.assert_accounts_for(1_000);

    let careless = run(Store::at(format!("rediss://localhost:{port}/#insecure"))
        .command(&["collect", "--once"])
        .env("SSL_CERT_FILE", file("ca.crt")));
    assert_eq!(careless.status, 2, "{}", careless.stderr);
    assert!(careless.stderr.contains("SSL_CERT_FILE"), "{}", careless.stderr);
}

/// A line over TLS to a server that may have been built without it, ended when dropped.
struct TlsLine {
    process: Child,
    url: String,
}

impl TlsLine {
    fn to(redis: &Redis, certificates: &std::path::Path) -> Self {
        let mut line = Command::new("python3");
        line.arg(file("tests/suite/tls_line.py")).arg(certificates).arg(redis.port().to_string());
        let mut process = line.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let port = Lines::of(process.stdout.take().unwrap()).next().expect("it listens");
        Self { process, url: format!("rediss://localhost:{port}") }
    }
}

impl Drop for TlsLine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn whichever_server_is_behind_a_line_over_tls_it_is_read_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let redis = Redis::start();
    let line = TlsLine::to(&redis, folder.path());
    let store = Store::at(line.url.clone());
    let trusting = |words: &[&str]| {
        let ended = run(store.command(words).env("SSL_CERT_FILE", folder.path().join("ca.crt")));
        assert_eq!(ended.status, 0, "{words:?}: {}", ended.stderr);
        ended.stdout
    };
    for round in 1..=2 {
        redis.add(1_000, 10_000);
        let large = "x".repeat(3 << 20);
        redis.command::<String>(&format!("XADD emp:events * service worker eventType job.completed text {large}"));
        trusting(&["collect", "--once"]);
        store.assert_accounts_for(round * 1_001);
        assert!(trusting(&["verify", "--law"]).contains("the law holds"));
    }
    assert!(trusting(&["emit", "job.created", "--service", "api-server"]).contains('-'));
    let stranger = run(store.command(&["collect", "--once"]).env("SSL_CERT_FILE", "/dev/null"));
    assert!(stranger.status == 1 && stranger.stderr.contains("certificate"), "{}", stranger.stderr);
}
