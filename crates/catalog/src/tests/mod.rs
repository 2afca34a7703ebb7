//! The index of ids against a plain map, over random stores that grow and shrink.

mod in_part;

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use super::{Catalog, IdScope, Indexed, IndexingPace};
use emp_event::{Draft, EntryId};
use emp_store::{Batch, Hour, Item, Layout, StoreWriter, visible_partitions};

const HOUR_MS: i64 = 3_600_000;
/// 2025-09-27T14:00:00Z.
const BASE: i64 = 1_758_981_600_000;

/// Seals an hour in which these jobs occur.
fn seal(layout: &Layout, hour: i64, jobs: &BTreeSet<u8>) {
    seal_by(layout, "c0", hour, jobs);
}

fn seal_by(layout: &Layout, writer: &str, hour: i64, jobs: &BTreeSet<u8>) {
    let mut writer = StoreWriter::open(layout, writer).unwrap();
    let drafts: Vec<Draft> = jobs
        .iter()
        .map(|job| Draft {
            timestamp: BASE + hour * HOUR_MS,
            service: format!("s{}", job % 3),
            event_type: "job.created".to_owned(),
            job_id: Some(format!("j{job}")),
            ..Draft::default()
        })
        .collect();
    let fields: Vec<_> = drafts.iter().map(Draft::fields).collect();
    let items: Vec<Item<'_>> = (0..)
        .zip(&fields)
        .map(|(seq, fields)| {
            let id = EntryId::new((BASE + hour * HOUR_MS) as u64, seq);
            Item::Event(emp_event::decode(id, fields).unwrap())
        })
        .collect();
    writer.commit(&Batch { items: &items, position: 0, loss: None }).unwrap();
    writer.close_segment().unwrap();
    while let Some(task) = writer.next_to_seal() {
        writer.sealed(&task.run().unwrap());
    }
}

/// The hours whose files may hold each job, as a new process sees it.
fn held(layout: &Layout, pace: IndexingPace) -> BTreeMap<u8, BTreeSet<Hour>> {
    let mut catalog = Catalog::load(layout);
    let files = visible_partitions(layout, |skipped| catalog.list(skipped), &mut Vec::new()).unwrap();
    catalog.learn(&files).unwrap();
    catalog.index(&files, Indexed::Ids, pace, &|_| ()).unwrap();
    catalog.save().unwrap();
    let sealed = catalog.sealed(files);
    assert_eq!(sealed.not_indexed(Indexed::Ids), 0);
    (0..=u8::MAX)
        .map(|job| {
            let holding = sealed.holding("job_id", &[&format!("j{job}")], IdScope::AllEvents).unwrap();
            let hours = sealed.files.iter().zip(holding).filter(|(_, holds)| *holds);
            (job, hours.map(|(file, _)| file.partition.hour).collect())
        })
        .collect()
}

/// A file of events that another program wrote, of the first hour.
fn write_foreign(layout: &Layout, columns: Vec<(&str, ArrayRef)>) {
    let folder = layout.partition(Hour::of_ms(BASE));
    std::fs::create_dir_all(&folder).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(folder.join(format!("other_{BASE}-0_{BASE}-2.parquet"))).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn empty_ids_and_durations_that_are_no_numbers_rule_no_file_out() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let ids = (0..3).map(|seq| format!("{BASE}-{seq}"));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(StringArray::from_iter_values(ids))),
        ("job_id", Arc::new(StringArray::from(vec!["", "j1", "j2"]))),
        ("duration_ms", Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0]))),
    ];
    write_foreign(&layout, columns);
    let mut catalog = Catalog::load(&layout);
    let files = visible_partitions(&layout, |skipped| catalog.list(skipped), &mut Vec::new()).unwrap();
    catalog.learn(&files).unwrap();
    catalog.index(&files, Indexed::Ids, IndexingPace::hurried(), &|_| ()).unwrap();
    let sealed = catalog.sealed(files);
    for (id, is_there) in [("", true), ("j1", true), ("j3", false)] {
        assert_eq!(sealed.holding("job_id", &[id], IdScope::AllEvents), Some(vec![is_there]), "`{id}`");
    }
    assert_eq!(sealed.files[0].facts.as_ref().unwrap().durations, None, "NaN is above all bounds");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Hours are sealed a few at a time, each time into runs of their own, which are merged where
    /// they get too many; hours go. Each look by a new process finds exactly what is there: no file
    /// is missed, and with so few ids none is looked into in vain.
    #[test]
    fn the_index_knows_which_file_holds_which_id(
        steps in prop::collection::vec(
            (prop::collection::vec(prop::collection::btree_set(any::<u8>(), 1..40), 1..4), prop::option::of(any::<u8>())),
            1..14,
        ),
        files in 1_usize..3,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let mut truth: BTreeMap<Hour, BTreeSet<u8>> = BTreeMap::new();
        let mut next = 0;
        for (hours, gone) in steps {
            for jobs in hours {
                seal(&layout, next, &jobs);
                truth.insert(Hour::of_ms(BASE + next * HOUR_MS), jobs);
                next += 1;
            }
            if let Some(hour) = gone.and_then(|gone| truth.keys().nth(usize::from(gone) % truth.len()).copied()) {
                std::fs::remove_dir_all(layout.partition(hour)).unwrap();
                std::fs::remove_dir_all(layout.journal()).unwrap();
                truth.remove(&hour);
            }
            let held = held(&layout, IndexingPace { threads: 2, files });
            for (job, hours) in held {
                let expected = truth.iter().filter(|(_, jobs)| jobs.contains(&job)).map(|(hour, _)| *hour);
                prop_assert_eq!(hours, expected.collect::<BTreeSet<_>>(), "job {}", job);
            }
        }
    }
}
