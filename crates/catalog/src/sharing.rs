//! Which files have which jobs.

use super::ids::Indexed;
use super::sealed::SealedFiles;

impl SealedFiles {
    /// Shows each of these jobs, which are hashes as of [`super::SharedJobs::hash`], ascending, each once, with each file
    /// that has it, by its place in [`Self::files`], as far as the index knows the files. `None` where it cannot be read.
    pub fn each_having(&self, jobs: &[u64], show: &mut dyn FnMut(u64, u32)) -> Option<()> {
        for indexed in self.runs(Indexed::Ids).values() {
            let position = |number: &u32| indexed.positions.get(*number as usize).copied().flatten();
            let found = indexed.run.as_ref()?.find_all(jobs, &mut |job, numbers| {
                numbers.iter().filter_map(position).for_each(|file| show(job, file));
            });
            found.ok()?;
        }
        Some(())
    }
}
