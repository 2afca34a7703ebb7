//! TLS, and sockets of the file system.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::process::Command;

use common::{PATIENCE, SECOND, Server, builder, client, emit, free_port};

#[test]
fn tls_with_an_authority_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/certificates.sh");
    assert!(Command::new(script).arg(folder.path()).status().unwrap().success(), "openssl (make test installs it)");
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
    assert!(trusting.flush(PATIENCE), "{:?}", trusting.stats());
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
    assert!(client.flush(PATIENCE), "{:?}", client.stats());
    assert_eq!(server.length(), 10);
}
