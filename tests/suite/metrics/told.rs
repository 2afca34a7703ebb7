//! What is told, whoever tells it.

use super::prometheus::{exchange, get, promtool};
use crate::forwarding::scene::Scene;
use crate::serve::scene::Server;
use crate::support::{Port, Redis, Store, eventually, file};

/// One of the numbers that a daemon tells; `None` where it does not.
pub fn told(port: u16, name: &str) -> Option<f64> {
    let (_, text) = get(port, "/metrics")?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Promtool looks at names, units, helps and types.
fn is_as_prometheus_asks(text: &str) {
    assert_eq!(promtool(&["check", "metrics"], &file("."), Some(text)), "", "{text}");
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 200, "{series} series");
}

#[test]
fn a_collector_and_a_forwarder_tell_how_they_do() {
    let (scene, port) = (Scene::with_events(40), Port::claim());
    let listen = format!("127.0.0.1:{}", port.number);
    let environment = [
        ("DASH0_ENABLED", "true".into()),
        ("DASH0_OTEL_ENDPOINT", scene.stub.url().into()),
        ("DASH0_API_KEY", "a-key".into()),
    ];
    let collector = scene.store.collect_with(&["--metrics-listen", &listen], &environment);
    let all = |name: &str, expected: f64| {
        let name = format!("emp_events_{name}");
        eventually(&format!("{name} is {expected}"), || told(port.number, &name) == Some(expected));
    };
    for name in ["collector_read_total", "collector_stored_total", "collector_acknowledged_total"] {
        all(name, 40.0);
    }
    all("forwarder_sent_total", 40.0);
    all("forwarder_oldest_unsent_seconds", 0.0);
    all("collector_lag_seconds", 0.0);
    all("collector_unread_entries", 0.0);
    all("collector_active", 1.0);
    all("redis_up", 1.0);
    all("stream_entries", 40.0);
    scene.redis.command::<String>("XADD emp:events * nonsense 1");
    all("collector_quarantined_total", 1.0);
    let (status, text) = get(port.number, "/metrics").unwrap();
    assert_eq!(status, 200);
    is_as_prometheus_asks(&text);
    assert!(!text.contains("job_1"), "no ids of jobs: {text}");
    assert_eq!(collector.stop(), 0);
}

#[test]
fn a_forwarder_alone_tells_how_it_does() {
    let (scene, port) = (Scene::with_events(7), Port::claim());
    let forwarder = scene.start(&["--metrics-listen", &format!("127.0.0.1:{}", port.number)]);
    eventually("it has sent them", || told(port.number, "emp_events_forwarder_sent_total") == Some(7.0));
    let (_, text) = get(port.number, "/metrics").unwrap();
    is_as_prometheus_asks(&text);
    assert!(!text.contains("emp_events_collector"), "{text}");
    assert_eq!(forwarder.stop(), 0);
}

#[test]
fn the_page_tells_how_it_does() {
    let server = Server::over_sample(&[]);
    assert_eq!(server.get("/api/v1/perf").status, 200);
    is_as_prometheus_asks(&server.get("/metrics").text());
}

#[test]
fn nothing_else_is_answered_there_and_a_redis_that_is_away_is_told() {
    let (mut redis, port) = (Redis::start(), Port::claim());
    let store = Store::of(&redis);
    let collector = store.collect(&["--metrics-listen", &format!("127.0.0.1:{}", port.number)]);
    collector.says("metrics are at http://127.0.0.1:");
    assert_eq!(get(port.number, "/healthz").unwrap(), (200, "ok\n".to_owned()));
    assert_eq!(get(port.number, "/metrics/../../etc/passwd").unwrap().0, 404);
    assert_eq!(exchange(port.number, "POST /metrics HTTP/1.1\r\n\r\n").unwrap().0, 405);
    let endless = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20 << 10));
    assert_eq!(exchange(port.number, &endless), None, "a head that is too long is not read to its end");
    eventually("Redis is there", || told(port.number, "emp_events_redis_up") == Some(1.0));
    redis.stop();
    eventually("Redis is away", || told(port.number, "emp_events_redis_up") == Some(0.0));
    assert_eq!(told(port.number, "emp_events_collector_lag_seconds"), None, "what is not known is not zero");
    eventually("that is counted", || {
        told(port.number, "emp_events_collector_errors_total{kind=\"redis\"}").is_some_and(|errors| errors > 0.0)
    });
    redis.start_again();
    eventually("Redis is there again", || told(port.number, "emp_events_redis_up") == Some(1.0));
    let other = store.collect(&["--metrics-listen", &format!("127.0.0.1:{}", port.number)]);
    other.says("choose another address with --metrics-listen");
    assert_eq!(other.ended(), 1);
    assert_eq!(collector.stop(), 0);
}

/// Told four times a minute for months.
#[test]
fn being_asked_again_and_again_takes_no_more_memory() {
    let (redis, port) = (Redis::start(), Port::claim());
    let store = Store::of(&redis);
    redis.add(100, 1_000);
    let collector = store.collect(&["--metrics-listen", &format!("127.0.0.1:{}", port.number)]);
    eventually("it is at work", || told(port.number, "emp_events_collector_stored_total") == Some(100.0));
    let ask = |times: usize| (0..times).for_each(|_| assert_eq!(get(port.number, "/metrics").unwrap().0, 200));
    ask(100);
    let before = collector.peak_kb();
    ask(2_000);
    let after = collector.peak_kb();
    assert!(after <= before + 512, "{before} kB, then {after} kB");
    assert_eq!(collector.stop(), 0);
}
