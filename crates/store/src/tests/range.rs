//! A range of events against a plain list of them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Writers of sealed files; the last one is a collector with a journal.
const WRITERS: [&str; 6] = ["spool-1", "spool-2", "spool-3", "spool-4", "import-1", "w1"];

/// Runs of events that one writer after the other has stored, as they overlap where several spools
/// of one outage are imported.
fn stored(runs: &[(usize, u64)]) -> Vec<(usize, EntryId)> {
    let writers = runs.iter().flat_map(|(writer, length)| std::iter::repeat_n(*writer, *length as usize));
    writers.zip(1..).map(|(writer, seq)| (writer, at(0, seq))).collect()
}

fn store(layout: &Layout, events: &[(usize, EntryId)]) {
    let of = |wanted: usize| events.iter().filter(move |(writer, _)| *writer == wanted).map(|(_, id)| *id);
    let (collector, imports) = (WRITERS.len() - 1, 0..WRITERS.len() - 1);
    let fields = [("service", "worker"), ("eventType", "job.claimed")];
    for writer in imports {
        let mut file = PartitionWriter::create(layout, &Writer::new(WRITERS[writer]).unwrap()).unwrap();
        for id in of(writer) {
            file.push(&Row::from(&decode(id, &fields).unwrap())).unwrap();
        }
        file.finish().unwrap();
    }
    let mut journal = open(layout);
    let ids: Vec<EntryId> = of(collector).collect();
    ids.chunks(7).for_each(|ids| commit(&mut journal, ids));
}

fn read(mut range: EventRange) -> Vec<EntryId> {
    let mut ids = Vec::new();
    while let Some(event) = range.next_event().unwrap() {
        ids.push(event.id);
    }
    assert!(range.next_event().unwrap().is_none(), "the end is the end");
    ids
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// However many files overlap, and however they do, the events come in the order of their IDs.
    #[test]
    fn events_come_in_order_from_however_many_files(
        runs in vec((0..WRITERS.len(), prop_oneof![4 => 1_u64..20, 1 => 400_u64..900]), 1..40),
        (after, before) in (0_u64..2_000, 0_u64..9_000),
        wanted in 0..WRITERS.len(),
    ) {
        let (_folder, layout) = layout();
        let events = stored(&runs);
        store(&layout, &events);
        let (after, before) = (at(0, after), at(0, before));
        let within = events.iter().filter(|(_, id)| *id > after && *id < before);
        let all: Vec<EntryId> = within.clone().map(|(_, id)| *id).collect();
        prop_assert_eq!(read(EventRange::open(&layout, after, before).unwrap()), all);
        let of_one: Vec<EntryId> = within.filter(|(writer, _)| *writer == wanted).map(|(_, id)| *id).collect();
        let is_wanted = |writer: &Writer| writer.name() == WRITERS[wanted];
        prop_assert_eq!(read(EventRange::of_writers(&layout, after, before, is_wanted).unwrap()), of_one);
    }
}

#[test]
fn what_is_damaged_costs_itself_and_what_is_no_event_comes_in_its_turn() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    for hour in 0..4 {
        let ids: Vec<EntryId> = (1..=10).map(|seq| at(hour, seq)).collect();
        commit(&mut store, &ids[..5]);
        quarantine(&mut store, ids[5]);
        commit(&mut store, &ids[6..]);
        if hour < 3 {
            store.close_segment().unwrap();
            seal_all(&mut store);
        }
    }
    drop(store);
    let first_of = |path: &Path| path.file_name().unwrap().to_string_lossy().contains(&at(1, 1).to_string());
    let partitions = Snapshot::read(&layout).unwrap().partitions;
    let second = partitions.iter().find(|file| first_of(&file.path)).unwrap();
    std::fs::File::options().write(true).open(&second.path).unwrap().set_len(100).unwrap();
    let mut sidecars: Vec<_> =
        std::fs::read_dir(layout.quarantine()).unwrap().map(|file| file.unwrap().path()).collect();
    sidecars.sort();
    std::fs::write(&sidecars[2], "no record\n").unwrap();

    let mut range = EventRange::open(&layout, EntryId::ZERO, at(9, 0)).unwrap();
    let mut found = Vec::new();
    while let Some(entry) = range.next_entry().unwrap() {
        found.push((entry.id(), matches!(entry, Stored::Event(_))));
    }
    let is_left = |hour: u64, seq: u64| if seq == 6 { hour != 2 } else { hour != 1 };
    let all = (0..4).flat_map(|hour| (1..=10).map(move |seq| (hour, seq)));
    let left = all.filter(|(hour, seq)| is_left(*hour, *seq)).map(|(hour, seq)| (at(hour, seq), seq != 6));
    assert_eq!(found, left.collect::<Vec<_>>());
    assert_eq!(range.take_skipped().len(), 2);
}
