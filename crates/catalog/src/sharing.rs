//! Which files share jobs with others.

use std::collections::BTreeSet;

use super::ids::Indexed;
use super::sealed::SealedFiles;

impl SealedFiles {
    /// For each of these lists of jobs, which are hashes as of [`super::SharedJobs::hash`], ascending, the places in
    /// [`Self::files`] of those that have one of them, as far as the index knows the files. `None` where it cannot be read.
    pub fn having_jobs(&self, lists: &[&[u64]]) -> Option<Vec<BTreeSet<u32>>> {
        let of_lists = (0..).zip(lists).flat_map(|(list, hashes)| hashes.iter().map(move |hash| (*hash, list)));
        let mut wanted: Vec<(u64, usize)> = of_lists.collect();
        wanted.sort_unstable();
        let mut hashes: Vec<u64> = wanted.iter().map(|(hash, _)| *hash).collect();
        hashes.dedup();
        let mut having = vec![BTreeSet::new(); lists.len()];
        for indexed in self.runs(Indexed::Ids).values() {
            let position = |number: &u32| indexed.positions.get(*number as usize).copied().flatten();
            let mut rest = &wanted[..];
            let found = indexed.run.as_ref()?.find_all(&hashes, &mut |hash, numbers| {
                rest = &rest[rest.partition_point(|(of, _)| *of < hash)..];
                for (_, list) in rest.iter().take_while(|(of, _)| *of == hash) {
                    having[*list].extend(numbers.iter().filter_map(position));
                }
            });
            found.ok()?;
        }
        Some(having)
    }
}
