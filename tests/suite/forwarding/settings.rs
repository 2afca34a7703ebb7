//! Where the settings come from, which are refused, and who never sees the key.

use std::process::Command;

use super::scene::{KEY, Scene, forward};
use super::stub::{Answer, Stub};
use crate::support::run;

/// The forwarder without an endpoint and a key of its own.
fn bare(scene: &Scene) -> Command {
    let mut command = forward(&scene.store, &["--once"]);
    command.env_remove("DASH0_API_KEY");
    command
}

/// Runs what has to be refused as wrong usage; what it said.
#[track_caller]
fn refusal(command: &mut Command) -> String {
    let ended = run(command);
    assert_eq!(ended.status, 2, "{command:?}: {}", ended.stderr);
    assert!(ended.stdout.is_empty() && !ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(KEY), "{}", ended.stderr);
    ended.stderr
}

#[test]
fn plain_http_goes_to_this_machine_alone_unless_allowed() {
    let scene = Scene::with_events(5);
    // This machine by an address that does not say so.
    let elsewhere = scene.stub.url().replace("127.0.0.1", "0.0.0.0");
    for endpoint in [elsewhere.as_str(), "http://ingress.eu-west-1.dash0.com"] {
        let said = refusal(&mut forward(&scene.store, &["--once", "--endpoint", endpoint]));
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("--allow-http"), "{said}");
    }
    assert_eq!(scene.stub.request_count(), 0);
    let ended = run(&mut forward(&scene.store, &["--once", "--endpoint", &elsewhere, "--allow-http"]));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    scene.add(5..10, 100);
    let local = scene.stub.url().replace("127.0.0.1", "localhost");
    let ended = run(&mut forward(&scene.store, &["--once", "--endpoint", &local]));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    scene.assert_arrived_once(0..10);
}

#[test]
fn nobody_but_the_backend_sees_the_key() {
    let scene = Scene::with_events(5);
    scene.stub.answer(|_| Answer::Refuse(401));
    let mut command = scene.forward(&[]);
    command.env("RUST_LOG", "trace");
    let forwarder = scene.store.background(&mut command);
    forwarder.says("401");
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", forwarder.id())).unwrap();
    assert!(arguments.contains("forward") && !arguments.contains(KEY), "{arguments}");
    assert!(!scene.health().to_string().contains(KEY));
    let kept: Vec<String> = scene.redis.command("HGETALL emp:events:forward:emp-dash0");
    assert!(!kept.concat().contains(KEY), "{kept:?}");
    assert!(!forwarder.log().contains(KEY), "{}", forwarder.log());
    drop(forwarder);

    let help = run(&mut scene.forward(&["--help"]));
    assert_eq!(help.status, 0);
    assert!(help.stdout.contains("DASH0_API_KEY") && !help.stdout.contains(KEY), "{}", help.stdout);
    // What no header can hold is refused, and not shown either.
    for (name, value) in [
        ("DASH0_API_KEY", format!("{KEY}\nmore")),
        ("DASH0_DATASET", "production\n".to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", format!("x-key={KEY}%0A")),
    ] {
        let said = refusal(scene.forward(&["--once"]).env(name, value));
        assert!(said.contains(&format!("{name} holds characters that no HTTP header can carry")), "{said}");
    }
}

#[test]
fn the_key_may_be_in_a_file() {
    let scene = Scene::with_events(5);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
    let mut command = bare(&scene);
    command.env("DASH0_OTEL_ENDPOINT", scene.stub.url()).env("DASH0_API_KEY_FILE", file.path());
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(scene.stub.requests()[0].header("authorization"), format!("Bearer {KEY}"));
    let said = refusal(command.env("DASH0_API_KEY_FILE", "/nowhere/key"));
    assert!(said.contains("/nowhere/key"), "{said}");
}

#[test]
fn the_settings_of_opentelemetry_hold_where_dash0_has_none() {
    let scene = Scene::with_events(5);
    let mut command = bare(&scene);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", scene.stub.url());
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20other, x-tenant=a%2Cb");
    command.env("OTEL_EXPORTER_OTLP_COMPRESSION", "none");
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let [request] = scene.stub.requests().try_into().unwrap();
    assert_eq!(request.path, "/v1/logs");
    assert_eq!((request.header("authorization"), request.header("x-tenant")), ("Bearer other", "a,b"));
    assert_eq!(request.header("content-encoding"), "");
    scene.assert_arrived_once(0..5);
}

#[test]
fn an_endpoint_of_one_signal_is_used_as_it_is() {
    let scene = Scene::with_events(5);
    let mut command = bare(&scene);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    command.env("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", format!("{}/intake", scene.stub.url()));
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(scene.stub.requests()[0].path, "/intake");
}

#[test]
fn the_settings_of_dash0_come_first() {
    let scene = Scene::with_events(5);
    let mut command = bare(&scene);
    command.env("DASH0_OTEL_ENDPOINT", format!("{}/", scene.stub.url())).env("DASH0_API_KEY", KEY);
    command.env("DASH0_DATASET", "production");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20other");
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let [request] = scene.stub.requests().try_into().unwrap();
    assert_eq!(request.path, "/v1/logs", "one slash, not two");
    assert_eq!(request.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(request.header("dash0-dataset"), "production");
}

#[test]
fn the_time_limit_of_opentelemetry_is_in_milliseconds() {
    let scene = Scene::with_events(5);
    scene.stub.answer_next([Answer::NeverEnding]);
    let ended = run(scene.forward(&["--once"]).env("OTEL_EXPORTER_OTLP_TIMEOUT", "300"));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    // An answer that a busy machine gives too late has been to no avail, too.
    assert!(scene.stub.request_count() >= 2);
    scene.assert_all_arrived(0..5);
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let scene = Scene::with_events(5);
    for words in [
        ["--batch-events", "0"],
        ["--batch-events", "many"],
        ["--batch-bytes", "-1"],
        ["--batch-wait", "soon"],
        ["--requests", "0"],
        ["--max-age", "young"],
        ["--min-level", "loud"],
        ["--sample", "job.claimed"],
        ["--sample", "job.claimed=2"],
        ["--signals", "smoke"],
        ["--timeout", "0s"],
        ["--endpoint", "ingress"],
        ["--endpoint", "ftp://127.0.0.1"],
    ] {
        let mut command = forward(&scene.store, &[&["--once"], &words[..]].concat());
        let said = refusal(command.env("DASH0_OTEL_ENDPOINT", scene.stub.url()));
        assert!(said.contains(words[1]), "{said}");
    }
    for (name, value) in [
        ("DASH0_OTEL_ENDPOINT", "ingress"),
        ("DASH0_SIGNALS", "smoke"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no header"),
    ] {
        let said = refusal(bare(&scene).env("OTEL_EXPORTER_OTLP_ENDPOINT", scene.stub.url()).env(name, value));
        assert!(said.contains(name) || said.contains(value), "{said}");
    }
    assert_eq!(scene.stub.request_count(), 0);
}

#[test]
fn without_an_endpoint_it_says_which_setting_is_missing() {
    let scene = Scene::new();
    let said = refusal(&mut bare(&scene));
    assert!(said.contains("DASH0_OTEL_ENDPOINT"), "{said}");
    let said = refusal(&mut scene.store.command(&["collect", "--once", "--forward"]));
    assert!(said.contains("DASH0_OTEL_ENDPOINT"), "{said}");
}

#[test]
fn an_endpoint_keeps_its_query_and_is_not_doubled() {
    for (endpoint, path) in [
        ("/otlp?tenant=a", "/otlp/v1/logs?tenant=a"),
        ("/v1/logs", "/v1/logs"),
        ("/otlp/v1/traces/?tenant=a#part", "/otlp/v1/logs?tenant=a"),
    ] {
        let scene = Scene::with_events(5);
        let endpoint = format!("{}{endpoint}", scene.stub.url());
        let ended = run(&mut forward(&scene.store, &["--once", "--endpoint", &endpoint]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert_eq!(scene.stub.requests()[0].path, path);
    }
}

#[test]
fn what_is_on_this_machine_is_asked_without_a_proxy() {
    let scene = Scene::with_events(5);
    let proxy = Stub::start();
    for host in ["127.0.0.1", "localhost"] {
        let mut command =
            forward(&scene.store, &["--once", "--endpoint", &scene.stub.url().replace("127.0.0.1", host)]);
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            command.env(name, proxy.url());
        }
        let ended = run(command.env_remove("NO_PROXY").env_remove("no_proxy"));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
    }
    scene.assert_arrived_once(0..5);
    assert_eq!((proxy.connections(), scene.stub.request_count()), (0, 1));
}

#[test]
fn plain_http_may_be_allowed_in_several_words() {
    let scene = Scene::with_events(5);
    let elsewhere = scene.stub.url().replace("127.0.0.1", "0.0.0.0");
    let with =
        |value: &str| run(forward(&scene.store, &["--once", "--endpoint", &elsewhere]).env("DASH0_ALLOW_HTTP", value));
    for (value, status) in [("1", 0), ("YES", 0), ("on", 0), ("true", 0), ("0", 2), ("off", 2), ("maybe", 2)] {
        let ended = with(value);
        assert_eq!(ended.status, status, "{value}: {}", ended.stderr);
    }
}
