/// What an event belongs to. An empty id counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ids {
    /// Ties together what one request caused.
    pub trace_id: Option<String>,
    /// The job.
    pub job_id: Option<String>,
    /// The worker.
    pub worker_id: Option<String>,
    /// The machine.
    pub machine_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
}

impl Ids {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the trace.
    pub fn trace_id(mut self, id: impl Into<String>) -> Self {
        self.trace_id = Some(id.into());
        self
    }

    /// Sets the job.
    pub fn job_id(mut self, id: impl Into<String>) -> Self {
        self.job_id = Some(id.into());
        self
    }

    /// Sets the worker.
    pub fn worker_id(mut self, id: impl Into<String>) -> Self {
        self.worker_id = Some(id.into());
        self
    }

    /// Sets the machine.
    pub fn machine_id(mut self, id: impl Into<String>) -> Self {
        self.machine_id = Some(id.into());
        self
    }

    /// Sets the user.
    pub fn user_id(mut self, id: impl Into<String>) -> Self {
        self.user_id = Some(id.into());
        self
    }

    /// These, and those of `others` where one is missing here.
    pub(crate) fn or(self, others: &Self) -> Self {
        let either = |own: Option<String>, other: &Option<String>| present(own).or_else(|| present(other.clone()));
        Self {
            trace_id: either(self.trace_id, &others.trace_id),
            job_id: either(self.job_id, &others.job_id),
            worker_id: either(self.worker_id, &others.worker_id),
            machine_id: either(self.machine_id, &others.machine_id),
            user_id: either(self.user_id, &others.user_id),
        }
    }

    /// Those present, by the names and in the order of the wire.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("traceId", &self.trace_id),
            ("jobId", &self.job_id),
            ("workerId", &self.worker_id),
            ("machineId", &self.machine_id),
            ("userId", &self.user_id),
        ]
        .into_iter()
        .filter_map(|(name, id)| Some((name, id.as_deref()?)))
    }

    /// How much they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.named().map(|(_, id)| id.len()).sum()
    }
}

fn present(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty())
}
