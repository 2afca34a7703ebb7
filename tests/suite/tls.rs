//! A Redis behind TLS, whose certificate is by an authority that few know.

use crate::support::{Port, Redis, Store, make_certificates, run};

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
