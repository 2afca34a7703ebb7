//! A backend behind TLS, whose certificate is by an authority that few know.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::{read_body, read_head};
use super::scene::{KEY, Scene, forward};
use crate::support::{make_certificates, run};

/// Takes what comes over TLS and hands it to the stub as it is; its address.
fn front(scene: &Scene, folder: &std::path::Path) -> String {
    make_certificates(folder);
    let certificate = CertificateDer::from_pem_file(folder.join("server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(versions.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let stub = scene.stub.url().replace("http://", "");
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let connection = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), connection);
            let stub = stub.clone();
            std::thread::spawn(move || pass_on(connection, &stub));
        }
    });
    url
}

/// One request after the other, until the client goes.
fn pass_on(connection: StreamOwned<ServerConnection, TcpStream>, stub: &str) -> Option<()> {
    let mut client = BufReader::new(connection);
    loop {
        let head = read_head(&mut client)?;
        let body = read_body(&mut client, &head)?;
        let mut request = format!("POST {} HTTP/1.1\r\nconnection: close\r\n", head.path);
        for (name, value) in head.headers.iter().filter(|(name, _)| !name.starts_with("content-")) {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n", body.len());
        let mut behind = TcpStream::connect(stub).ok()?;
        behind.write_all(&[request.as_bytes(), &body].concat()).ok()?;
        read_head(&mut BufReader::new(behind))?;
        client.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

#[test]
fn only_a_backend_whose_certificate_is_known_gets_events_and_key() {
    let scene = Scene::with_events(10);
    let folder = tempfile::tempdir().unwrap();
    let url = front(&scene, folder.path());

    let stranger = scene.store.background(&mut forward(&scene.store, &["--endpoint", &url]));
    stranger.says("certificate");
    assert_eq!(scene.stub.request_count(), 0);
    stranger.crash();

    let mut trusting = forward(&scene.store, &["--once", "--endpoint", &url]);
    let ended = run(trusting.env("SSL_CERT_FILE", folder.path().join("ca.crt")));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    scene.assert_arrived_once(0..10);
    assert!(scene.stub.requests().iter().all(|request| request.header("authorization") == format!("Bearer {KEY}")));
}
