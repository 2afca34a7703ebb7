//! Where it can be: below a path, at a socket, behind TLS; and that it says where it is.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use super::scene::{Response, Server};
use crate::support::{Lines, Port, emp_events, eventually, file, make_certificates, run};

#[test]
fn below_a_path_everything_is_below_it() {
    let server = Server::over_sample(&["--base-path", "/tools/events"]);
    let page = server.get("/tools/events/job/job_1");
    assert!(page.text().contains("<base href=\"/tools/events/\">"), "{}", page.text());
    for path in ["/tools/events", "/tools/events/", "/tools/events/healthz", "/tools/events/api/v1/meta"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for path in ["/", "/healthz", "/api/v1/meta", "/tools/eventsapi/v1/meta", "/tools"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    let signed_in = server.post("/tools/events/api/v1/session", &format!(r#"{{"token":"{}"}}"#, super::scene::TOKEN));
    assert!(signed_in.header("set-cookie").unwrap().contains("; Path=/tools/events; HttpOnly"));
    let line = format!("Host: {}", server.host());
    assert_eq!(server.exchange(&["GET /tools/events/api/v1/meta HTTP/1.0", &line], "").status, 401);
}

#[test]
fn a_socket_is_there_while_the_server_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("serve.sock");
    let serve = || {
        let mut command = emp_events();
        command.arg("--store").arg(file("data/sample")).args([
            "serve",
            "--no-token",
            "--allow-host",
            "example.org",
            "--socket",
        ]);
        command.arg(&socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ask = |host: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        write!(stream, "GET /api/v1/meta HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
        Response::read(stream)
    };
    let is_there = || UnixStream::connect(&socket).is_ok();
    let mut killed = serve();
    eventually("the socket is there", is_there);
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!((ask("example.org").status, ask("localhost").status, ask("evil.example").status), (200, 200, 403));
    // A second one leaves the first alone.
    let mut second = serve();
    assert_eq!(second.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("cannot listen at"), "{said}");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut next = serve();
    eventually("its place is taken by the next one", is_there);
    assert_eq!(ask("example.org").status, 200);
    assert!(Command::new("kill").arg(next.id().to_string()).status().unwrap().success());
    assert_eq!(next.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn by_a_certificate_it_speaks_https_alone() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("server.crt"), path("server.key"));
    let server = Server::over_sample(&["--tls-certificate", &certificate, "--tls-key", &key]);
    let script = format!(
        "import ssl, urllib.request\n\
         context = ssl.create_default_context(cafile={:?})\n\
         request = urllib.request.Request('https://localhost:{}/api/v1/session', headers={{'Origin': 'https://localhost:{}'}})\n\
         print(urllib.request.urlopen(request, context=context).read().decode())",
        path("ca.crt"),
        server.number(),
        server.number()
    );
    let asked = run(Command::new("python3").args(["-c", &script]));
    assert_eq!(asked.stdout.trim(), r#"{"signed_in":false}"#, "{}", asked.stderr);
    let mut plain = server.open("/healthz", &[]);
    let mut text = String::new();
    let _ = plain.read_to_string(&mut text);
    assert!(!text.contains("200 OK"), "{text}");
    let missing = run(emp_events().args(["serve", "--tls-certificate", "/nothing", "--tls-key", &key]));
    assert_eq!(missing.status, 1);
    assert!(missing.stderr.contains("/nothing cannot be used for TLS"), "{}", missing.stderr);
}

#[test]
fn it_says_where_it_is_by_a_link_that_signs_in() {
    let (folder, port) = (tempfile::tempdir().unwrap(), Port::claim());
    let token = folder.path().join("token");
    let listen = format!("127.0.0.1:{}", port.number);
    let start = |more: &[&str]| {
        let mut command = emp_events();
        command.arg("--store").arg(file("data/sample")).args(["serve", "--listen", &listen]).args(more);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, said) = (Lines::of(process.stdout.take().unwrap()), Lines::of(process.stderr.take().unwrap()));
        let said = (out.next().unwrap(), said.next().unwrap());
        process.kill().unwrap();
        process.wait().unwrap();
        said
    };
    let (first, said) = start(&[]);
    assert!(said.contains("open this link, which signs in whoever has it"), "{said}");
    let (second, _) = start(&[]);
    let secret = |link: &str| link.strip_prefix(&format!("http://{listen}/#token=")).unwrap().to_owned();
    assert_ne!(secret(&first), secret(&second), "a token for each start");
    assert_eq!(secret(&first).len(), 32, "128 bits");
    // What is kept in a file is for its owner alone, and is not printed where a log may keep it.
    let kept = token.display().to_string();
    let (link, said) = start(&["--token-file", &kept]);
    assert_eq!(link, format!("http://{listen}/"));
    assert!(said.contains(&format!("the token that signs in is in {kept}")), "{said}");
    assert_eq!(std::fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&token).unwrap();
    start(&["--token-file", &kept]);
    assert_eq!(std::fs::read_to_string(&token).unwrap(), before);
    let (_, said) = start(&["--no-token"]);
    assert!(said.contains("WITHOUT A TOKEN: every user and program of this machine can read all events"), "{said}");
}

#[test]
fn files_of_the_page_are_sent_packed_and_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    std::fs::write(folder.path().join("index.html"), "<head></head>").unwrap();
    std::fs::write(folder.path().join("assets/a.js"), "export const a = 1;\n".repeat(200)).unwrap();
    let server = Server::over_sample(&["--assets", folder.path().to_str().unwrap()]);
    let plain = server.get("/assets/a.js");
    assert_eq!(plain.header("content-type"), Some("text/javascript; charset=utf-8"));
    let packed = server.get_with("/assets/a.js", &["Accept-Encoding: br, gzip;q=0.8"]);
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), (Some("gzip"), Some("Accept-Encoding")));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
    let known = format!("If-None-Match: {}", packed.header("etag").unwrap());
    assert_eq!(server.get_with("/assets/a.js", &[&known]).status, 304);
    std::fs::write(folder.path().join("assets/a.js"), "export const a = 2;").unwrap();
    assert_eq!(server.get_with("/assets/a.js", &[&known]).text(), "export const a = 2;");
}
