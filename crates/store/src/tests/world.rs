//! A store and what it was given: steps that a collector takes, and what must hold after each.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// An epoch and an ID: what no two entries share.
pub(super) type Key = (u32, EntryId);

/// What a collector does with a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes entries: for each the hours since the last one, and whether it is an event. Before
    /// them, so many were lost.
    Commit {
        entries: Vec<(u8, bool)>,
        lost: u64,
    },
    CloseSegment,
    SealOne,
    SealAll,
    BeginEpoch,
    RemoveSuperseded,
    /// Puts the files of each hour together.
    Compact,
    /// Dies or ends, and starts again under that name.
    Reopen(&'static str),
    /// Takes over for another, or goes back to its own name.
    Become(&'static str),
}

/// Entries that are to be committed in one step.
#[derive(Debug, Clone, Default)]
pub(super) struct Commitment {
    pub entries: Vec<(Key, bool)>,
    pub lost: u64,
}

/// What a collector knows at a moment.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// How many operations the disk had done.
    pub done: usize,
    own: &'static str,
    present: &'static str,
    epoch: u32,
    pub committed: BTreeMap<Key, bool>,
    pub lost: u64,
    pub under_way: Commitment,
}

/// The store's side, and the model beside it.
pub(super) struct World {
    pub layout: Layout,
    store: Option<StoreWriter>,
    own: &'static str,
    present: &'static str,
    epoch: u32,
    last: EntryId,
    /// What was committed, and so may have been acknowledged. The value says whether it is an event.
    pub committed: BTreeMap<Key, bool>,
    pub lost: u64,
    /// What is just being committed.
    pub under_way: Commitment,
}

/// What a reader sees: events, other entries, and the sum of losses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View {
    pub entries: Vec<(Key, bool)>,
    pub lost: u64,
}

impl World {
    pub fn new(layout: &Layout) -> Self {
        Self {
            layout: layout.clone(),
            store: None,
            own: "w1",
            present: "w1",
            epoch: 0,
            last: at(0, 0),
            committed: BTreeMap::new(),
            lost: 0,
            under_way: Commitment::default(),
        }
    }

    /// Takes a step, as often as it takes: where the disk refuses, the store is opened again, as
    /// the daemon does, and what was not committed is delivered once more.
    pub fn take(&mut self, step: &Step) {
        self.begin(step);
        self.finish(step);
    }

    /// What the collector knows once it has begun the step.
    pub fn begin(&mut self, step: &Step) {
        if let Step::Commit { entries, lost } = step {
            self.under_way = self.plan(entries, *lost);
        }
        if *step == Step::BeginEpoch {
            self.epoch += 1;
            self.last = at(0, 0);
        }
        if let Step::Reopen(name) = step {
            self.store = None;
            (self.own, self.present) = (name, name);
        }
        if let Step::Become(name) = step {
            self.present = name;
        }
    }

    pub fn finish(&mut self, step: &Step) {
        for _ in 0..100 {
            match self.try_step(step) {
                Ok(()) => return,
                Err(_) => self.store = None,
            }
        }
        panic!("{step:?} fails for ever");
    }

    /// A world as it may be after a crash: the folder, and what the collector knows of it.
    pub fn after_crash(layout: &Layout, mark: &Mark) -> Self {
        Self {
            layout: layout.clone(),
            own: mark.own,
            present: mark.present,
            epoch: mark.epoch,
            committed: mark.committed.clone(),
            lost: mark.lost,
            under_way: mark.under_way.clone(),
            ..Self::new(layout)
        }
    }

    /// What the collector knows now.
    pub fn mark(&self, done: usize) -> Mark {
        Mark {
            done,
            own: self.own,
            present: self.present,
            epoch: self.epoch,
            committed: self.committed.clone(),
            lost: self.lost,
            under_way: self.under_way.clone(),
        }
    }

    /// Delivers once more what was under way when the crash came.
    pub fn redeliver(&mut self) {
        let step = Step::Commit { entries: Vec::new(), lost: 0 };
        for _ in 0..100 {
            match self.try_step(&step) {
                Ok(()) => return,
                Err(_) => self.store = None,
            }
        }
        panic!("the store cannot be opened again");
    }

    /// What the collector would say is stored.
    pub fn model(&self) -> View {
        View { entries: self.committed.iter().map(|(key, is_event)| (*key, *is_event)).collect(), lost: self.lost }
    }

    /// Goes away without a word.
    pub fn die(&mut self) {
        self.store = None;
    }

    fn plan(&mut self, entries: &[(u8, bool)], lost: u64) -> Commitment {
        let mut planned = Vec::new();
        for (hours, is_event) in entries {
            let next = EntryId::new(self.last.ms + u64::from(*hours) * HOUR_MS, self.last.seq + 1);
            planned.push(((self.epoch, next), *is_event));
            self.last = next;
        }
        Commitment { lost: if planned.is_empty() { 0 } else { lost }, entries: planned }
    }

    fn try_step(&mut self, step: &Step) -> Result<(), StoreError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => StoreWriter::open(&self.layout, self.own)?,
        };
        if store.writer().epoch() < self.epoch {
            store.begin_epoch(EntryId::ZERO, 0)?;
        }
        store.become_writer(self.present, None)?;
        match step {
            Step::Commit { .. } => {
                deliver(&mut store, &self.under_way, self.lost, &self.layout)?;
                let done = std::mem::take(&mut self.under_way);
                self.lost += done.lost;
                self.committed.extend(done.entries);
            }
            Step::CloseSegment => store.close_segment()?,
            Step::SealOne => {
                if let Some(task) = store.next_to_seal() {
                    store.sealed(&task.run()?);
                }
            }
            Step::SealAll => {
                store.close_segment()?;
                while let Some(task) = store.next_to_seal() {
                    store.sealed(&task.run()?);
                }
            }
            Step::RemoveSuperseded => {
                store.remove_superseded(Duration::ZERO)?;
                remove_superseded_files(&self.layout, Duration::ZERO)?;
            }
            Step::Compact => {
                let failed = compact(&self.layout, i64::MAX, &mut BTreeSet::new(), &mut |_| ())?;
                failed.into_iter().next().map_or(Ok(()), Err)?;
            }
            Step::BeginEpoch | Step::Reopen(_) | Step::Become(_) => {}
        }
        self.store = Some(store);
        Ok(())
    }
}

/// Commits what the writer has not got yet; `lost_before` is what was lost before this.
fn deliver(store: &mut StoreWriter, what: &Commitment, lost_before: u64, layout: &Layout) -> Result<(), StoreError> {
    let all_lost: u64 = view(layout).lost;
    let owed = (lost_before + what.lost).saturating_sub(all_lost);
    let new: Vec<_> = what.entries.iter().filter(|((_, id), _)| *id > store.watermark()).collect();
    let Some(((_, first), _)) = new.first() else { return Ok(()) };
    let loss = (owed > 0).then(|| Loss { from: store.watermark(), to: *first, lost: owed, noticed_at: 0 });
    let fields = [("service", "worker"), ("eventType", "job.claimed"), ("jobId", "job_1")];
    let items: Vec<Item<'_>> = new
        .iter()
        .map(|((_, id), is_event)| match is_event {
            true => Item::Event(decode(*id, &fields).unwrap()),
            false => {
                Item::Quarantined(Quarantined { id: *id, reason: "no event".into(), entry: "{}".into(), noticed_at: 7 })
            }
        })
        .collect();
    store.commit(&Batch { items: &items, position: store.position().unwrap_or_default(), loss })
}

/// What a reader sees now, doubles left in.
pub(super) fn view(layout: &Layout) -> View {
    if !layout.root().exists() {
        return View { entries: Vec::new(), lost: 0 };
    }
    let snapshot = Snapshot::read(layout).unwrap();
    assert!(snapshot.skipped.is_empty(), "{:?}", snapshot.skipped);
    let mut entries = Vec::new();
    for segment in &snapshot.segments {
        entries.extend(ids_of(&segment.batches).into_iter().map(|id| ((segment.name.writer.epoch(), id), true)));
    }
    for partition in &snapshot.partitions {
        let epoch = partition.name.writer.epoch();
        entries.extend(ids_in(&partition.path).into_iter().map(|id| ((epoch, id), true)));
    }
    let quarantine = snapshot.quarantine.iter().map(Result::unwrap);
    entries.extend(quarantine.map(|(writer, entry)| ((writer.epoch(), entry.id), false)));
    entries.sort_unstable();
    View { entries, lost: snapshot.losses.iter().map(|record| record.unwrap().1.lost).sum() }
}
