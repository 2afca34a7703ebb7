//! Any sequence of steps, beside a model that is a plain map.

use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{Step, World, view};
use super::*;

fn step() -> impl Strategy<Value = Step> {
    let entry = (prop_oneof![8 => Just(0_u8), 1 => 1_u8..3], prop::bool::weighted(0.9));
    let name = || prop_oneof![Just("w1"), Just("w2"), Just("w3")];
    prop_oneof![
        6 => (vec(entry, 1..6), prop_oneof![4 => Just(0), 1 => 1_u64..9])
            .prop_map(|(entries, lost)| Step::Commit { entries, lost }),
        2 => Just(Step::CloseSegment),
        2 => Just(Step::SealOne),
        1 => Just(Step::SealAll),
        1 => Just(Step::BeginEpoch),
        2 => Just(Step::RemoveSuperseded),
        2 => Just(Step::Compact),
        2 => name().prop_map(Step::Reopen),
        1 => name().prop_map(Step::Become),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever collectors do one after another, a reader sees what was committed, once.
    #[test]
    fn a_reader_always_sees_what_the_model_holds(steps in vec(step(), 1..40)) {
        let (_folder, layout) = layout();
        let mut world = World::new(&layout);
        for step in &steps {
            world.take(step);
            prop_assert_eq!(view(&layout), world.model(), "after {:?}", step);
        }
        drop(world);
        prop_assert_eq!(verify(&layout, &mut |_| {}).unwrap().findings, []);
    }
}
