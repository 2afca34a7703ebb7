//! Which files a question is answered from by what they contribute, and which have to be read.

use std::sync::Arc;

use datafusion::error::Result;
use tokio::sync::OnceCell;

use emp_catalog::{Sealed, SealedFiles};
use emp_rollup::{Rollups, Totals};
use emp_store::Layout;

use super::range::WholeHours;
use crate::background::in_background;
use crate::view::{Learning, OnLearning, Source};

/// One question, whose tables all see the same split.
#[derive(Debug)]
pub(super) struct Split {
    pub source: Arc<Source>,
    pub hours: WholeHours,
    /// Does the question tell hours apart?
    by_hour: bool,
    chosen: OnceCell<Arc<Chosen>>,
}

/// What was found when the first of the tables was asked.
#[derive(Debug)]
pub(super) struct Chosen {
    files: Arc<SealedFiles>,
    pub contributed: Contributed,
    /// Does a file, by position, have events outside of the whole hours?
    have_edges: Vec<bool>,
}

/// What files contribute.
#[derive(Debug)]
pub(super) enum Contributed {
    /// Hour by hour.
    ByHour(Rollups),
    /// All hours as one.
    Together(Totals),
}

impl Split {
    pub fn new(source: &Arc<Source>, hours: WholeHours, by_hour: bool) -> Self {
        Self { source: Arc::clone(source), hours, by_hour, chosen: OnceCell::new() }
    }

    pub async fn chosen(&self) -> Result<Arc<Chosen>> {
        self.chosen.get_or_try_init(|| self.choose()).await.cloned()
    }

    async fn choose(&self) -> Result<Arc<Chosen>> {
        let view = self.source.view()?;
        let files = view.sealed();
        let (layout, hours, by_hour) = (self.source.layout().clone(), self.hours, self.by_hour);
        let on_learning = Arc::clone(&self.source.on_learning);
        let choose = move || {
            let contributed = match by_hour {
                true => {
                    let tell = |done, all| on_learning(Learning::Hours, done, all);
                    Contributed::ByHour(Rollups::of(&layout, &with_rollups(&files, hours), &tell))
                }
                false => Contributed::Together(totals_of(&files, hours, &layout, &on_learning)),
            };
            let has_edges = |file: &Sealed| match &contributed {
                Contributed::ByHour(rollups) => {
                    rollups.rows(file).is_some_and(|rows| rows.iter().any(|row| !hours.contain(row.hour_ms)))
                }
                Contributed::Together(totals) => totals.has_rest(file).unwrap_or_default(),
            };
            let have_edges = files.files.iter().map(has_edges).collect();
            Chosen { files, contributed, have_edges }
        };
        let chosen = in_background(choose).await;
        // Whoever asks is told of files that differ from ours, as by a scan.
        view.usable(chosen.rolled_up().collect());
        Ok(Arc::new(chosen))
    }
}

/// What is kept of the files that may have events of these hours, all of these hours as one.
pub(super) fn totals_of(files: &SealedFiles, hours: WholeHours, layout: &Layout, on_learning: &OnLearning) -> Totals {
    let tell = |done, all| on_learning(Learning::Hours, done, all);
    Totals::of(layout, &with_rollups(files, hours), |hour_ms| hours.contain(hour_ms), &tell)
}

/// The files that may have events of these hours and are not written to any more.
fn with_rollups(files: &SealedFiles, hours: WholeHours) -> Vec<&Sealed> {
    let newest = files.files.iter().map(|file| file.partition.hour).max();
    // What is still being written to changes with each look; what lies elsewhere went there once it was over.
    let is_over =
        |file: &&Sealed| file.partition.away.is_some() || newest.is_some_and(|newest| file.partition.hour < newest);
    let touches = |file: &&Sealed| {
        let times = file.facts.as_ref().ok().and_then(|facts| facts.timestamps);
        times.is_some_and(|(first_ms, last_ms)| hours.touch(first_ms, last_ms))
    };
    files.files.iter().filter(is_over).filter(touches).collect()
}

impl Chosen {
    /// The files that are not read for whole hours.
    pub fn rolled_up(&self) -> impl Iterator<Item = &Sealed> {
        self.files.files.iter().filter(|file| self.is_rolled_up(file))
    }

    pub fn is_rolled_up(&self, file: &Sealed) -> bool {
        match &self.contributed {
            Contributed::ByHour(rollups) => rollups.rows(file).is_some(),
            Contributed::Together(totals) => totals.has_rest(file).is_some(),
        }
    }

    pub fn has_edges(&self, file: &Sealed) -> bool {
        self.have_edges.get(file.position).copied().unwrap_or_default()
    }
}
