//! Where every entry is, asked over HTTP.

use super::scene::Server;
use crate::support::{Persistence, Redis, Store, eventually};

#[test]
fn the_law_is_a_sum_over_http_and_tells_how_soon_the_first_entry_would_be_lost() {
    let redis = Redis::start_with(Persistence::None);
    let store = Store::of(&redis);
    let server_of = |store: &Store| Server::start(store.command(&[]), &[]);
    let mut collector = store.collect(&[]);
    eventually("the store is there", || store.path().exists());
    let mut connection = redis.connection();
    let mut add = |entries: usize, field: &str| {
        for _ in 0..entries {
            let mut add = redis::cmd("XADD");
            add.arg("emp:events").arg("*").arg(field).arg("job.created").arg("service").arg("a");
            add.exec(&mut connection).unwrap();
        }
    };
    add(40, "eventType");
    // It has no type, and is no event.
    add(2, "nothing");
    eventually("all is read", || redis.has_read_all() && redis.pending() == 0);
    assert_eq!(collector.stop(), 0);
    add(30, "eventType");
    redis.command::<u64>("XTRIM emp:events MAXLEN 25");
    let server = server_of(&store);
    let law = server.get("/api/v1/law").json();
    let of = |name: &str| law[name].as_i64().unwrap_or_else(|| panic!("{name}: {law}"));
    assert_eq!((of("added"), of("stored"), of("quarantined"), of("unread")), (72, 40, 2, 25), "{law}");
    // Nobody has noticed yet what was trimmed.
    assert_eq!((of("trimmed"), of("lost"), of("in_flight"), of("unaccounted")), (5, 0, 0, 0), "{law}");
    assert_eq!(law["holds"], true);
    let stream = &law["stream"];
    assert_eq!((stream["entries"].as_u64(), stream["unread"].as_u64()), (Some(25), Some(25)), "{stream}");
    // As fast as those came, so soon the stream is full of what nobody has read.
    let (pace, left) = (stream["added_per_second"].as_f64().unwrap(), 10_000.0 - 25.0);
    let first_loss_ms = stream["first_loss_ms"].as_f64().unwrap();
    assert!((first_loss_ms - left / pace * 1_000.0).abs() <= 1.0, "{stream}");
    assert!(stream["bytes"].as_u64().unwrap() > 0 && stream["answered_ms"].as_f64().unwrap() > 0.0, "{stream}");
    collector = store.collect(&[]);
    eventually("all is read", || redis.has_read_all() && redis.pending() == 0);
    let law = server.get("/api/v1/law").json();
    assert_eq!((&law["stored"], &law["lost"], &law["unread"]), (&65.into(), &5.into(), &0.into()), "{law}");
    drop(collector);
}

#[test]
fn where_nobody_reads_or_redis_is_away_there_is_no_sum_and_it_is_said_why() {
    let redis = Redis::start_with(Persistence::None);
    let store = Store::of(&redis);
    std::fs::create_dir_all(store.path()).unwrap();
    let refused = Server::start(store.command(&[]), &[]).get("/api/v1/law");
    assert_eq!((refused.status, refused.kind().as_str()), (404, "not_found"), "{}", refused.text());
    let refused = Server::over_sample(&["--redis", "redis://127.0.0.1:1"]).get("/api/v1/law");
    assert_eq!((refused.status, refused.kind().as_str()), (500, "failed"), "{}", refused.text());
}
