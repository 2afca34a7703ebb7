//! The vocabulary.

use super::*;

#[test]
fn the_table_that_is_compiled_in_can_be_read_and_leaves_no_meaning_out() {
    let plain = Vocabulary::plain().unwrap();
    for (section, key, meaning) in Meaning::ALL {
        assert!(!plain.own_types(meaning).is_empty(), "{section}.{key}");
        for event_type in plain.own_types(meaning) {
            // Workers of Celery say `worker-online`.
            let is_of = event_type.strip_prefix(section).is_some_and(|rest| rest.starts_with(['.', '-']));
            assert!(is_of, "{event_type} stands in [{section}]");
        }
    }
}

#[test]
fn a_team_adds_its_own_words_and_changes_what_others_mean() {
    let mut spoken = Vocabulary::plain().unwrap();
    let before = spoken.fingerprint();
    spoken.add("[job]\nclaimed = ['render.picked']\nqueued = ['job.scheduled']\n[work]\nends = ['sealed']").unwrap();
    assert_eq!(spoken.meaning("render.picked"), Some(Meaning::Claimed));
    assert_eq!(spoken.meaning("job.scheduled"), Some(Meaning::Queued));
    assert!(spoken.ends_work("sealed") && spoken.ends_work("completed"));
    assert_ne!(spoken.fingerprint(), before);
    // What data say lies under keys, and is learned, too.
    for named in ["connector", "queue", "job_type", "error", "parent"] {
        let mut spoken = Vocabulary::plain().unwrap();
        spoken.add(&format!("[keys]\n{named} = ['ourOwnKey']")).unwrap();
        assert_ne!(spoken.fingerprint(), before, "{named}");
    }
    assert_eq!(Vocabulary::plain().unwrap().fingerprint(), before);
}

#[test]
fn what_is_no_vocabulary_is_refused_with_the_reason() {
    let said = |text: &str| Vocabulary::default().add(text).unwrap_err().to_string();
    assert!(said("[job]\ngrabbed = ['job.grabbed']").contains("[job] has no `grabbed`; it has created, submitted"));
    assert!(said("[queue]\ncreated = []").contains("[queue] has no `created`; it has paused, resumed"));
    assert!(said("[job]\nqueued = ['a.b']\nclaimed = ['a.b']").contains("`a.b` stands twice"));
    assert!(said("[jobs]\nqueued = ['a.b']").starts_with("it is no vocabulary: "));
    assert!(said("job = ").starts_with("it is no vocabulary: "));
}

/// The end of a task is the end of a job only where the job is nothing but that task.
#[test]
fn words_of_other_systems_count_where_none_of_our_own_are_said() {
    let alone = history(&[(0, "task-sent"), (10, "task-received"), (12, "task-started"), (500, "task-succeeded")], 900);
    assert_eq!((alone.state(), alone.is_completed()), (State::Ended(3), true));
    assert_eq!(history(&[(0, "task-sent"), (10, "task-received")], 900).state(), State::Claimed(1));
    let within = history(&[(0, "job.created"), (5, "job.claimed"), (7, "task.started"), (9, "task.succeeded")], 900);
    assert_eq!(within.state(), State::Working);
    let spans: Vec<&str> = within.spans().iter().map(|span| span.name.as_str()).collect();
    assert_eq!(spans, ["task"]);
    for done in ["perform.active_job", "WorkflowExecutionCompleted", "sidekiq.done"] {
        assert!(history(&[(0, done)], 900).is_completed(), "{done}");
    }
}

#[test]
fn webhooks_are_understood_by_their_last_word_and_others_are_not() {
    let meaning = |event_type| vocabulary().meaning(event_type);
    assert_eq!(meaning("webhook.delivery_started"), Some(Meaning::WebhookSending));
    assert_eq!(meaning("webhook.post_completed"), Some(Meaning::WebhookDelivered));
    assert_eq!(meaning("webhook.post_failed"), Some(Meaning::WebhookFailed));
    assert_eq!((meaning("webhook.sent"), meaning("webhook.sending")), (None, None));
    assert_eq!(vocabulary().meant_by("webhook.sent"), Some("webhook.delivered"));
    assert_eq!(vocabulary().meant_by("webhook.notification_sent"), Some("webhook.delivered"));
    assert_eq!(vocabulary().meant_by("mail.sent"), None);
}

/// Names without a dot are parted at hyphens and capitals.
#[test]
fn names_of_other_systems_are_parted_too() {
    assert_eq!(
        (entity("task-started"), entity("ActivityTaskStarted"), entity("job.created")),
        ("task", "ActivityTask", "job")
    );
    assert_eq!(role("ActivityTaskStarted", Some(Meaning::Progressed)), Role::Opens(""));
    assert_eq!(role("ActivityTaskFailed", Some(Meaning::AttemptFailed)), Role::Closes(""));
    assert_eq!(role("task-started", Some(Meaning::Started)), Role::Neither, "a job is no span of its own");
    assert_eq!(role("connector.processing_started", None), Role::Opens("processing"));
}
