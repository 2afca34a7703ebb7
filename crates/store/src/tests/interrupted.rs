//! Work that is cut, or fails, at every operation on the disk, and is done again.

use std::ops::Range;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::simulated_disk::{Change, Cut, Disk, SimulatedDisk};
use super::*;

const CUTS: [Cut; 6] = [Cut::Kill, Cut::Kept, Cut::Lost, Cut::Torn(1), Cut::Torn(2), Cut::Torn(3)];

/// Two steps, the second of which does all of it.
pub(super) struct Work<Step: Copy> {
    /// Before the first step.
    pub none: Step,
    pub steps: [Step; 2],
    /// Does what of a step is not done yet.
    pub run: fn(&Layout, Step) -> Result<(), StoreError>,
    /// Is there what a step that was said to be done has stored?
    pub assert_kept: fn(&Layout, Step, &str),
    /// Is all there, once?
    pub assert_whole: fn(&Layout, &str),
}

/// After so many operations that step was said to be done.
type Mark<Step> = (usize, Step);

impl<Step: Copy> Work<Step> {
    /// A crash after each operation, with whatever that leaves on the disk.
    pub fn crash_after_each_operation(&self) {
        let (folder, changes, marks) = self.record(0..0);
        let mut disk = Disk::new(&folder.path().join("store"));
        for (index, change) in changes.iter().enumerate() {
            disk.apply(change);
            let acknowledged = marks.iter().rfind(|(done, _)| *done <= index + 1).unwrap().1;
            for cut in CUTS {
                self.check(&disk, cut, acknowledged, &format!("crash after operation {index} ({change:?}), {cut:?}"));
            }
        }
    }

    /// Operations that fail, one or some in a row, and a crash in the end.
    pub fn fail_at_each_operation(&self) {
        let (_, changes, _) = self.record(0..0);
        for first in 0..changes.len() {
            for width in [1, 4] {
                let (folder, changes, _) = self.record(first..first + width);
                let context = format!("operations {first} to {} fail", first + width - 1);
                (self.assert_whole)(&Layout::new(folder.path().join("store")), &context);
                let mut disk = Disk::new(&folder.path().join("store"));
                changes.iter().for_each(|change| disk.apply(change));
                for cut in [Cut::Lost, Cut::Torn(1)] {
                    self.check(&disk, cut, self.steps[1], &format!("{context}, then {cut:?}"));
                }
            }
        }
    }

    /// Does both steps, and notes what was said meanwhile.
    fn record(&self, failing: Range<usize>) -> (TempDir, Vec<Change>, Vec<Mark<Step>>) {
        let (folder, layout, disk) = SimulatedDisk::new_store(failing);
        let mut marks = vec![(0, self.none)];
        for step in self.steps {
            // Where it fails, somebody runs it again.
            while (self.run)(&layout, step).is_err() {}
            marks.push((disk.done(), step));
        }
        (folder, disk.changes(), marks)
    }

    /// What a crash left is worked on once more.
    fn check(&self, disk: &Disk, cut: Cut, acknowledged: Step, context: &str) {
        let seed = if let Cut::Torn(seed) = cut { seed } else { 0 };
        let (_folder, layout, _) = SimulatedDisk::new_store(0..0);
        disk.restore(cut, &mut ChaCha8Rng::seed_from_u64(seed), layout.root());
        (self.assert_kept)(&layout, acknowledged, context);
        (self.run)(&layout, self.steps[1]).unwrap();
        (self.assert_whole)(&layout, context);
    }
}
