//! What an event may mean for the job that it is about.

/// What an event means for its job, for a queue, or for the webhook that tells of the job's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// The job exists.
    Created,
    /// The job exists, and waits for a worker.
    Submitted,
    /// It waits for a worker.
    Queued,
    /// It waits until a moment that it names, and then for a worker.
    Delayed,
    /// It waits for other jobs, and then for a worker.
    Blocked,
    /// A worker has taken it: an attempt begins.
    Claimed,
    /// A worker has begun to work on it; an attempt begins where none was begun by a claim.
    Started,
    /// A worker gets on with it.
    Progressed,
    /// The worker that had it has given it back unfinished, and it waits for a worker again.
    Released,
    /// The worker that had it was given up, and it waits for another one.
    Stalled,
    /// It will be tried again.
    Retried,
    /// An attempt has failed, which need not be the last one.
    AttemptFailed,
    /// It has ended well.
    Completed,
    /// It has ended with an error.
    Failed,
    /// Somebody has ended it.
    Cancelled,
    /// It has ended since it took too long.
    TimedOut,
    /// It could not be created.
    NotCreated,
    /// A worker begins its life.
    WorkerStarted,
    /// A worker ends it, as it should.
    WorkerStopped,
    /// A queue hands out no jobs.
    QueuePaused,
    /// A queue hands out jobs again.
    QueueResumed,
    /// Somebody is being told of the job's end, or will be.
    WebhookSending,
    /// They were told.
    WebhookDelivered,
    /// A try to tell them has failed.
    WebhookFailed,
    /// No further try will be made.
    WebhookGivenUp,
}

impl Meaning {
    /// Every meaning, with the section and the key by which a vocabulary's file names it.
    pub const ALL: [(&'static str, &'static str, Self); 25] = [
        ("job", "created", Self::Created),
        ("job", "submitted", Self::Submitted),
        ("job", "queued", Self::Queued),
        ("job", "delayed", Self::Delayed),
        ("job", "blocked", Self::Blocked),
        ("job", "claimed", Self::Claimed),
        ("job", "started", Self::Started),
        ("job", "progressed", Self::Progressed),
        ("job", "released", Self::Released),
        ("job", "stalled", Self::Stalled),
        ("job", "retried", Self::Retried),
        ("job", "attempt_failed", Self::AttemptFailed),
        ("job", "completed", Self::Completed),
        ("job", "failed", Self::Failed),
        ("job", "cancelled", Self::Cancelled),
        ("job", "timed_out", Self::TimedOut),
        ("job", "not_created", Self::NotCreated),
        ("worker", "started", Self::WorkerStarted),
        ("worker", "stopped", Self::WorkerStopped),
        ("queue", "paused", Self::QueuePaused),
        ("queue", "resumed", Self::QueueResumed),
        ("webhook", "sending", Self::WebhookSending),
        ("webhook", "delivered", Self::WebhookDelivered),
        ("webhook", "failed", Self::WebhookFailed),
        ("webhook", "given_up", Self::WebhookGivenUp),
    ];

    /// Is it about the job itself, not about a queue or a webhook?
    pub const fn is_of_job(self) -> bool {
        let is_beside =
            matches!(self, Self::QueuePaused | Self::QueueResumed | Self::WorkerStarted | Self::WorkerStopped);
        !is_beside && !self.is_of_webhook()
    }

    /// Is it about telling somebody of the job's end?
    pub const fn is_of_webhook(self) -> bool {
        matches!(self, Self::WebhookSending | Self::WebhookDelivered | Self::WebhookFailed | Self::WebhookGivenUp)
    }

    /// Does a job's life begin with it?
    pub const fn is_beginning(self) -> bool {
        matches!(self, Self::Created | Self::Submitted)
    }

    /// Has the job ended?
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::TimedOut | Self::NotCreated)
    }

    /// Has the job been put back, so that whatever had ended goes on?
    pub const fn is_put_back(self) -> bool {
        let waits_for_worker = matches!(self, Self::Submitted | Self::Queued | Self::Released | Self::Stalled);
        waits_for_worker || self.is_asked_wait() || matches!(self, Self::Retried)
    }

    /// Does the job wait for something else than a worker, since it was asked to?
    pub const fn is_asked_wait(self) -> bool {
        matches!(self, Self::Delayed | Self::Blocked)
    }

    /// Does nobody work on the job from then on?
    pub const fn is_wait(self) -> bool {
        self.is_put_back() || matches!(self, Self::Created | Self::AttemptFailed)
    }

    /// Does it tell of something within an attempt, which goes on or may be followed by another one?
    pub const fn is_within_attempt(self) -> bool {
        matches!(self, Self::Progressed | Self::AttemptFailed)
    }

    /// Is the next thing to come another attempt?
    pub const fn is_between_attempts(self) -> bool {
        matches!(self, Self::Retried | Self::AttemptFailed)
    }
}
