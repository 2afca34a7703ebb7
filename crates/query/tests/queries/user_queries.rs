//! Queries in a folder of the user's own.

use std::fs;

use insta::assert_snapshot;

use emp_query::{CannedQuery, Kind, Need, QueryError, canned_queries, find};

use crate::support::*;

fn with_file(name: &str, sql: &str) -> (tempfile::TempDir, Result<Vec<CannedQuery>, QueryError>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), sql).unwrap();
    let queries = canned_queries(Some(folder.path()));
    (folder, queries)
}

fn header_error(header: &str) -> String {
    let (folder, queries) = with_file("mine.sql", header);
    queries.unwrap_err().to_string().replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn the_own_queries_describe_themselves() {
    let queries = canned_queries(None).unwrap();
    assert_eq!(
        queries.iter().map(|query| query.name.as_str()).collect::<Vec<_>>(),
        ["clocks", "event-names", "gap-classes", "gaps", "handoffs", "perf", "timeline"]
    );
    for query in &queries {
        assert!(!query.summary.is_empty() && !query.columns.is_empty(), "{}", query.name);
        assert!(query.parameters.iter().all(|parameter| !parameter.meaning.is_empty()), "{}", query.name);
    }
    let timeline = find(&queries, "timeline").unwrap();
    let kinds: Vec<_> = timeline.parameters.iter().map(|p| (p.name.as_str(), p.kind, p.need.clone())).collect();
    assert_eq!(
        kinds,
        [
            ("job_id", Kind::Text, Need::Required),
            ("min_gap", Kind::Duration, Need::Default("5s".to_owned())),
            ("clocks", Kind::Text, Need::Default("corrected".to_owned())),
        ]
    );
    assert_snapshot!(find(&queries, "timelin").unwrap_err(), @"there is no query `timelin`; did you mean `timeline`?");
    assert_snapshot!(find(&queries, "x").unwrap_err(), @"there is no query `x`");
}

#[test]
fn the_described_columns_are_those_of_the_answer() {
    let store = TestStore::new();
    store.journal(&[event(0, "worker", "job.created", "j1")]);
    for query in canned_queries(None).unwrap() {
        let given = if query.name == "timeline" { vec![("job_id".to_owned(), "j1".to_owned())] } else { Vec::new() };
        let answer = block_on(store.engine().canned(&query, &given)).unwrap();
        let columns: Vec<_> = answer.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let described: Vec<_> = query.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, described, "{}", query.name);
    }
}

#[test]
fn a_users_query_replaces_the_canned_one() {
    let (_folder, queries) = with_file("perf.sql", "-- My own.\nselect 7");
    let queries = queries.unwrap();
    let perf = find(&queries, "perf").unwrap();
    assert_eq!((perf.summary.as_str(), queries.len()), ("My own.", canned_queries(None).unwrap().len()));
    let answer = block_on(async { rows(TestStore::new().engine().canned(perf, &[]).await.unwrap()).await.unwrap() });
    assert_eq!(answer, "7");
}

#[test]
fn without_a_header_every_placeholder_is_a_required_text() {
    let (_folder, queries) =
        with_file("mine.sql", "select count(*) from events where service = $service -- $no\n and level <> '$no'");
    let queries = queries.unwrap();
    let mine = find(&queries, "mine").unwrap();
    assert_eq!(mine.parameters.len(), 1);
    let store = TestStore::new();
    store.journal(&[event(0, "worker", "job.created", "j1")]);
    let run = |given: &[(String, String)]| {
        block_on(async {
            match store.engine().canned(mine, given).await {
                Ok(answer) => rows(answer).await.unwrap(),
                Err(error) => error.to_string(),
            }
        })
    };
    assert_eq!(run(&[("service".to_owned(), "worker".to_owned())]), "1");
    assert_snapshot!(run(&[]), @"`mine` needs `service`: a text");
}

#[test]
fn other_files_are_no_queries() {
    let (folder, _) = with_file("readme.md", "");
    fs::write(folder.path().join(".hidden.sql"), "-- parameters:\n--  broken").unwrap();
    assert_eq!(canned_queries(Some(folder.path())).unwrap().len(), canned_queries(None).unwrap().len());
}

#[test]
fn a_broken_header_names_the_file_and_the_line() {
    assert_snapshot!(header_error("-- x\n-- parameters:\n--   a txt required"), @"FOLDER/mine.sql:3: `txt` is no type for the parameter `a`: use text, timestamp, duration or integer");
    assert_snapshot!(header_error("-- parameters:\n--   a text maybe"), @"FOLDER/mine.sql:2: after the type of the parameter `a` comes `required`, `optional` or `default …`, not `maybe`");
    assert_snapshot!(header_error("-- parameters:\n--   a text"), @"FOLDER/mine.sql:2: after the type of the parameter `a` comes `required`, `optional` or `default …`, not nothing");
    assert_snapshot!(header_error("-- parameters:\n--   a duration default"), @"FOLDER/mine.sql:2: the default of the parameter `a` is missing");
    assert_snapshot!(header_error("-- parameters:\n--   a duration default soon  x"), @"FOLDER/mine.sql:2: a: `soon` is not a duration: try `500ms`, `5s`, `1m30s`, `2h` or `3d`");
    assert_snapshot!(header_error("-- parameters:\n--   a-b text required"), @"FOLDER/mine.sql:2: `a-b` cannot name a parameter: use letters, digits and `_`");
    assert_snapshot!(header_error("-- parameters:\n--   a text required\n--   a text required"), @"FOLDER/mine.sql:3: the parameter `a` is described twice");
}

#[test]
fn a_folder_that_is_not_there() {
    let error = canned_queries(Some(std::path::Path::new("/nowhere"))).unwrap_err();
    assert_snapshot!(error, @"cannot read /nowhere: No such file or directory (os error 2)");
}
