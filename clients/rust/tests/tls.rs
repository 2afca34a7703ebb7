//! TLS, and sockets of the file system.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{SECOND, Server, builder, client, emit, free_port};

#[test]
fn tls_with_an_authority_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificates(folder.path()) {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let port = free_port();
    let server = Server::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &file("server.crt"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.crt"),
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://127.0.0.1:{port}");
    let trusting = builder(&url).tls_root_certificate(std::fs::read(file("ca.crt")).unwrap()).build().unwrap();
    emit(&trusting, 10);
    assert!(trusting.flush(5 * SECOND), "{:?}", trusting.stats());
    assert_eq!(server.length(), 10);

    // Whoever does not know the authority sends nothing.
    let stranger = client(&url);
    emit(&stranger, 10);
    assert!(!stranger.flush(SECOND / 2));
    assert_eq!((stranger.stats().queued, server.length()), (10, 10));
}

#[test]
fn a_socket_of_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let server = Server::start(&["--unixsocket", &socket.to_string_lossy()]);
    let client = client(&format!("unix://{}", socket.display()));
    emit(&client, 10);
    assert!(client.flush(5 * SECOND), "{:?}", client.stats());
    assert_eq!(server.length(), 10);
}

/// `false`: there is no openssl.
fn make_certificates(folder: &Path) -> bool {
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let steps = [
        format!("req -x509 {key} -keyout ca.key -out ca.crt -subj /CN=authority -days 2"),
        format!("req {key} -keyout server.key -out server.csr -subj /CN=server"),
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names"
            .to_owned(),
    ];
    steps.iter().all(|step| {
        let mut openssl = Command::new("openssl");
        openssl.args(step.split(' ')).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        openssl.status().is_ok_and(|status| status.success())
    })
}
