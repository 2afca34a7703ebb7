//! What producers of a world call the steps of a job.

/// Names of types and of keys, where they are others than the plan's.
#[derive(Debug, PartialEq)]
pub(super) struct Tongue {
    /// What each type is called.
    words: &'static [(&'static str, &'static str)],
    /// Types that are not told; one that ends in a dot stands for all that begin with it.
    untold: &'static [&'static str],
    /// What the keys of `data` are called.
    keys: &'static [(&'static str, &'static str)],
    /// Who speaks, in place of `api-server`, `webhook-service`, `monitor`, `worker` and `machine`.
    services: [&'static str; 5],
}

const PLAN_SERVICES: [&str; 5] = ["api-server", "webhook-service", "monitor", "worker", "machine"];

impl Tongue {
    /// What a type is called; `None` where it is not told.
    pub fn word(&self, event_type: &'static str) -> Option<&'static str> {
        let is_untold =
            |untold: &&&str| **untold == event_type || (untold.ends_with('.') && event_type.starts_with(**untold));
        if let Some((_, word)) = self.words.iter().find(|(plan, _)| *plan == event_type) {
            return Some(word);
        }
        self.untold.iter().find(is_untold).is_none().then_some(event_type)
    }

    /// `data` with its keys renamed.
    pub fn data(&self, data: String) -> String {
        self.keys.iter().fold(data, |data, (plan, key)| data.replace(&format!("\"{plan}\":"), &format!("\"{key}\":")))
    }

    /// Who speaks.
    pub fn service(&self, plan: &'static str) -> &'static str {
        PLAN_SERVICES.iter().position(|service| *service == plan).map_or(plan, |index| self.services[index])
    }
}

/// The plan's.
pub(super) static PLAN: Tongue = Tongue { words: &[], untold: &[], keys: &[], services: PLAN_SERVICES };

pub(super) static BULLMQ: Tongue = Tongue {
    words: &[
        ("job.created", "job.added"),
        ("job.queued", "job.waiting"),
        ("job.claimed", "job.active"),
        ("job.progress_updated", "job.progress"),
    ],
    untold: &["redis_function.", "health_check.", "monitor.", "machine.", "pm2."],
    keys: &[("attempt", "attemptsMade")],
    services: ["api", "webhooks", "monitor", "worker", "machine"],
};

/// Every type of the plan: what such a system tells, it has its own words for.
const ALL_OF_THE_PLAN: [&str; 13] = [
    "job.",
    "connector.",
    "webhook.",
    "queue.",
    "redis_function.",
    "health_check.",
    "monitor.",
    "machine.",
    "pm2.",
    "worker.",
    "api.",
    "server.",
    "websocket.",
];

pub(super) static CELERY: Tongue = Tongue {
    words: &[
        ("job.created", "task-sent"),
        ("job.claimed", "task-received"),
        ("connector.processing_started", "task-started"),
        ("job.completed", "task-succeeded"),
        ("job.failed", "task-failed"),
        ("job.retry_scheduled", "task-retried"),
        ("worker.starting", "worker-online"),
        ("worker.heartbeat", "worker-heartbeat"),
        ("worker.shutting_down", "worker-offline"),
    ],
    untold: &ALL_OF_THE_PLAN,
    keys: &[("error", "exception"), ("attempt", "retries"), ("jobType", "task"), ("queueName", "routing_key")],
    services: ["django", "django", "django", "celery", "celery"],
};

pub(super) static TEMPORAL: Tongue = Tongue {
    words: &[
        ("job.created", "WorkflowExecutionStarted"),
        ("job.claimed", "WorkflowTaskStarted"),
        ("connector.processing_started", "ActivityTaskStarted"),
        ("connector.processing_completed", "ActivityTaskCompleted"),
        ("connector.processing_failed", "ActivityTaskFailed"),
        ("job.completed", "WorkflowExecutionCompleted"),
        ("job.failed", "WorkflowExecutionFailed"),
    ],
    untold: &[
        "job.",
        "webhook.",
        "queue.",
        "redis_function.",
        "health_check.",
        "monitor.",
        "machine.",
        "pm2.",
        "worker.",
        "server.",
        "websocket.",
    ],
    keys: &[("connectorType", "activityType"), ("jobType", "workflowType"), ("error", "failure")],
    services: ["frontend", "frontend", "frontend", "temporal-worker", "temporal-worker"],
};

pub(super) static SIDEKIQ: Tongue = Tongue {
    words: &[
        ("job.queued", "enqueue.active_job"),
        ("job.claimed", "perform_start.active_job"),
        ("job.completed", "perform.active_job"),
        ("job.failed", "retry_stopped.active_job"),
        ("job.retry_scheduled", "enqueue_retry.active_job"),
    ],
    untold: &ALL_OF_THE_PLAN,
    keys: &[("attempt", "executions"), ("queueName", "queue"), ("jobType", "job_class")],
    services: ["rails", "rails", "rails", "sidekiq", "sidekiq"],
};

pub(super) static SPARSE: Tongue = Tongue {
    words: &[],
    untold: &[
        "connector.",
        "webhook.",
        "queue.",
        "redis_function.",
        "health_check.",
        "monitor.",
        "machine.",
        "pm2.",
        "job.queued",
        "job.progress_updated",
        "worker.",
        "websocket.",
    ],
    keys: &[],
    services: PLAN_SERVICES,
};
