//! What is said about the names of events.

use arrow::array::{Array as _, AsArray as _};

use emp_event::{Draft, EntryId};
use emp_investigate::check_names;
use emp_query::{Engine, canned_queries, find};
use emp_store::{Batch, Item, Layout, StoreWriter};

use crate::{FROM_MS, block_on};

/// The problem and the suggestion for each of these names that breaks the standard.
fn found(names: &[&str]) -> Vec<(String, String, Option<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let drafts: Vec<Draft> = names
        .iter()
        .map(|name| Draft {
            timestamp: FROM_MS,
            service: "api-server".to_owned(),
            event_type: (*name).to_owned(),
            job_id: Some("job_1".to_owned()),
            worker_id: Some("worker-1".to_owned()),
            machine_id: Some("machine-1".to_owned()),
            ..Draft::default()
        })
        .collect();
    let fields: Vec<_> = drafts.iter().map(Draft::fields).collect();
    let ids = (0..).map(|seq| EntryId::new(FROM_MS as u64, seq));
    let items: Vec<Item<'_>> =
        ids.zip(&fields).map(|(id, fields)| Item::Event(emp_event::decode(id, fields).unwrap())).collect();
    let mut store = StoreWriter::open(&layout, "c0").unwrap();
    store.commit(&Batch { items: &items, position: 0, loss: None }).unwrap();

    let engine = Engine::open(&layout).unwrap();
    let queries = canned_queries(None).unwrap();
    let mut answer = block_on(engine.canned(find(&queries, "event-names").unwrap(), &[])).unwrap();
    let findings = block_on(check_names(&mut answer)).unwrap().findings;
    let column = |name: &str| findings.column_by_name(name).unwrap().as_string::<i32>().clone();
    let (types, problems, suggestions) = (column("event_type"), column("problem"), column("suggestion"));
    let finding = |row: usize| {
        let suggestion = suggestions.is_valid(row).then(|| suggestions.value(row).to_owned());
        (types.value(row).to_owned(), problems.value(row).to_owned(), suggestion)
    };
    (0..findings.num_rows()).map(finding).collect()
}

#[test]
fn names_in_use_keep_to_the_standard() {
    let names = [
        "job.created",
        "job.progress_updated",
        "connector.processing_failed",
        "redis_function.executing",
        "pm2.service_starting",
        "worker.ready",
        "api.error",
        "job.retry",
        "monitor.workers_counted",
    ];
    assert_eq!(found(&names), []);
}

#[test]
fn others_are_told_what_is_wrong_and_what_was_meant() {
    let good = ["job.created", "redis_function.failed", "job.progress_updated"];
    let cases = [
        ("jobCreated", "no dot between entity and action", Some("job.created")),
        ("job.Created", "not in lower snake case", Some("job.created")),
        ("job.progress.updated", "more than one dot", Some("job.progress_updated")),
        ("redis_function_failed", "no dot between entity and action", Some("redis_function.failed")),
        ("worker:Status-Update", "no dot between entity and action", Some("worker.status_updated")),
        ("job.failed_processing", "`failed` belongs at the end of the action", Some("job.processing_failed")),
        ("job.create", "`create` should be `created`", Some("job.created")),
        ("job.craeted ", "not in lower snake case", Some("job.created")),
        ("HTTPServer.Start", "not in lower snake case", Some("httpserver.started")),
        (".", "no entity or no action beside the dot", None),
        ("job", "no dot between entity and action", None),
        ("7.created", "not in lower snake case", None),
    ];
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).chain(good).collect();
    let mut expected: Vec<_> = cases
        .iter()
        .map(|(name, problem, meant)| ((*name).to_owned(), (*problem).to_owned(), meant.map(str::to_owned)))
        .collect();
    expected.sort();
    let mut found = found(&names);
    found.sort();
    assert_eq!(found, expected);
}
