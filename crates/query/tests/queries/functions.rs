//! Functions of our own, through SQL.

use insta::assert_snapshot;

use crate::support::*;

#[test]
fn quantiles_are_exact_or_within_a_thousandth() {
    let store = TestStore::new();
    let values = "(select value * 1.5 as x, value % 3 as g from generate_series(1, 10001))";
    let ask = |sql: &str| store.ask(&sql.replace("VALUES", values));
    // The values of each group rise by 4.5.
    let both = "select g, abs(quantile_cont(x, 0.95) - (min(x) + 4.5 * 0.95 * (count(*) - 1))) < 1e-6 as exact, \
                abs(approx_quantile(x, 0.95) / quantile_cont(x, 0.95) - 1) < 0.001 as near \
                from VALUES group by g order by g";
    assert_snapshot!(ask(both), @r"
    0 | true | true
    1 | true | true
    2 | true | true
    ");
    assert_eq!(
        ask("select quantile_cont(x, 0.5), quantile_cont(x, 0), quantile_cont(x, 1) from VALUES"),
        "7501.5 | 1.5 | 15001.5"
    );
    assert_eq!(ask("select quantile_cont(x, 0.5) filter (where x < 4) from VALUES"), "2.25");
    assert_eq!(ask("select quantile_cont(x, 0.5) from VALUES where x < 0"), "null");
    assert_eq!(ask("select quantile_cont(-x, 0), approx_quantile(0, 0.5) from VALUES"), "-15001.5 | 0.0");
    assert_eq!(ask("select quantile_cont(x, 0.5) from (values (cast(null as double)), (3.0)) t(x)"), "3.0");
    assert_snapshot!(store.refusal("select quantile_cont(duration_ms, 2) from events"), @"the second argument of quantile_cont is a number from 0 to 1, such as 0.95");
}

#[test]
fn quantiles_of_infinite_and_of_enormous_values_are_numbers() {
    let store = TestStore::new();
    let ask = |function: &str, values: &str, q: &str| {
        store.ask(&format!("select {function}(x, {q}) from (values {values}) t(x)"))
    };
    for function in ["quantile_cont", "approx_quantile"] {
        let infinite = "(1.0), (cast('inf' as double)), (cast('inf' as double))";
        assert_eq!(ask(function, infinite, "1"), "inf", "{function}");
        assert_eq!(ask(function, infinite, "0.75"), "inf", "{function}");
        assert_eq!(ask(function, "(cast('-inf' as double)), (5.0)", "0"), "-inf", "{function}");
        assert_eq!(ask(function, "(cast('inf' as double))", "0.5"), "inf", "{function}");
    }
    assert_eq!(ask("quantile_cont", "(-1.7e308), (1.7e308)", "0.5"), "0.0");
}

#[test]
fn a_quantile_of_distinct_values_is_refused() {
    let store = TestStore::new();
    let values = "(values (1.0), (1.0), (1.0), (5.0)) t(x)";
    for sql in [
        "select quantile_cont(distinct x, 0.5) from VALUES",
        "select x > 2, quantile_cont(distinct x, 0.5) from VALUES group by 1",
        "select approx_quantile(distinct x, 0.5) from VALUES",
    ] {
        let message = store.refusal(&sql.replace("VALUES", values));
        assert!(message.contains("takes no DISTINCT"), "{sql}: {message}");
    }
    assert_eq!(store.ask(&format!("select quantile_cont(x, 0.5) from (select distinct x from {values})")), "3.0");
}

#[test]
fn since_is_a_time_that_rules_files_out() {
    let store = TestStore::new();
    store.sealed(&[event(0, "worker", "job.created", "j1"), event(HOUR, "worker", "job.created", "j2")]);
    assert_eq!(store.ask("select job_id from events where timestamp >= since('2025-09-27T15:00Z')"), "j2");
    let plan = store.ask("explain select job_id from events where timestamp >= since('2025-09-27T15:00Z')");
    assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
    assert_eq!(store.ask("select count(*) from events where timestamp >= since('1h')"), "0");
    assert_eq!(store.ask("select now() - since('1h') between interval '59 minutes' and interval '61 minutes'"), "true");
    assert!(store.refusal("select since('soon')").starts_with("`soon` is not a time: try `1h`"));
}

#[test]
fn gaps_and_durations() {
    let store = TestStore::new();
    store.sealed(&[
        event(0, "worker", "job.created", "j1"),
        event(1_500, "worker", "job.claimed", "j1"),
        event(1_600, "worker", "job.created", "j2"),
        event(157_500, "worker", "job.completed", "j1"),
    ]);
    let sql = "select job_id, gap_ms(timestamp) over (partition by job_id order by id) as gap from events order by id";
    assert_snapshot!(store.ask(sql), @r"
    j1 | null
    j1 | 1500
    j2 | null
    j1 | 156000
    ");
    assert_eq!(
        store.ask("select format_duration(156000), format_duration(8200), format_duration(null)"),
        "2 m 36 s | 8.2 s | null"
    );
    let bucket =
        "select time_bucket(interval '1 minute', timestamp) as minute, count(*) from events group by 1 order by 1";
    assert_snapshot!(store.ask(bucket), @r"
    2025-09-27T14:00:00Z | 3
    2025-09-27T14:02:00Z | 1
    ");
}

/// What `search --text` finds in the store, and what a tail finds among events that come, by the same filter.
#[test]
fn a_text_is_found_as_a_person_reads_it() {
    let store = TestStore::new();
    let texts = [
        r#"{"error":"\u00dcberlast bei https:\/\/x.example\/a"}"#,
        r#"{"error":"Überlast"}"#,
        r#"{"error":"said \"no\"\nand left \ud83d\ude00"}"#,
        r#"{"path":"C:\\temp"}"#,
        r#"{"progress":50,"note":"STRASSE"}"#,
    ];
    let events: Vec<_> =
        (0..).zip(texts).map(|(at, data)| event(at, "w", &format!("job.step{at}"), "j").data(data)).collect();
    store.sealed(&events[..3]);
    store.journal(&events[3..]);
    let engine = store.engine();
    let columns = emp_query::EVENT_COLUMNS;
    let all = block_on(async {
        engine.sql(&format!("select {columns} from events")).await.unwrap().batches().await.unwrap()
    });
    let all = emp_query::read_events(&all).unwrap();
    let found = |text: &str| {
        let mut filter = emp_query::Filter::default();
        filter.text(text);
        let stored = ask(&engine, &format!("select event_type from events where {} order by id", filter.sql()));
        let coming = all.iter().filter(|event| filter.holds(event)).map(|event| &*event.event_type);
        assert_eq!(stored, coming.collect::<Vec<_>>().join("\n"), "{text}");
        stored.replace("job.step", "").replace('\n', " ")
    };
    assert_eq!(found("überlast"), "0 1");
    assert_eq!(found("https://x.example/A"), "0");
    assert_eq!(found("said \"no\""), "2");
    assert_eq!(found("no\"\nand"), "2");
    assert_eq!(found("left 😀"), "2");
    assert_eq!(found("c:\\temp"), "3");
    assert_eq!(found("strasse"), "4");
    assert_eq!(found("\"progress\":50"), "4");
    assert_eq!(found("JOB.STEP3"), "3");
    assert_eq!(found("nowhere"), "");
    assert_eq!(found(&"x".repeat(3_000_000)), "");
}
