//! A Redis that takes nothing new.

use super::scene::Scene;

#[test]
fn what_a_full_redis_holds_is_forwarded_by_one_that_was_never_there() {
    let scene = Scene::with_events(50);
    scene.redis.command::<()>("CONFIG SET maxmemory 1");
    scene.forward_all(&[]);
    scene.assert_arrived_once(0..50);
    assert_eq!(scene.pending(), 0);
}
