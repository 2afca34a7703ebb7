//! Near matches of a job that is not there.

use crate::support::*;

#[test]
fn prefixes_and_slips_are_near() {
    let store = TestStore::new();
    let sealed: Vec<_> =
        (0..).zip(["job_123", "job_124", "job_999", "import_7"]).map(|(at, job)| event(at, "w", "e.x", job)).collect();
    store.sealed(&sealed);
    store.journal(&[event(HOUR, "w", "e.x", "job_321"), event(HOUR + 1, "w", "e.x", "")]);
    let engine = store.engine();
    let similar = |job: &str| block_on(engine.similar_jobs(job)).unwrap();
    assert_eq!(similar("job_12"), ["job_123", "job_124"]);
    assert_eq!(similar("JOB_132"), ["job_123"]);
    assert_eq!(similar("import"), ["import_7"]);
    assert_eq!(similar("job"), ["job_123", "job_124", "job_321"]);
    assert_eq!(similar("zebra"), Vec::<String>::new());
    assert_eq!(similar(""), Vec::<String>::new());
    assert_eq!(similar("it's"), Vec::<String>::new());
}
