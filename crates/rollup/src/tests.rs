use std::collections::BTreeMap;

use proptest::prelude::*;

use super::sketch::{Sketch, each_bin};

proptest! {
    #[test]
    fn a_sketch_holds_its_bins(bins in prop::collection::btree_map(any::<u32>(), 1..=u64::MAX, 0..200)) {
        let mut found = BTreeMap::new();
        each_bin(Sketch::of(&bins).as_bytes(), |bin, count| _ = found.insert(bin, count));
        prop_assert_eq!(found, bins);
    }

    #[test]
    fn what_is_no_sketch_breaks_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bins = 0;
        each_bin(&bytes, |_, _| bins += 1);
        prop_assert!(bins <= bytes.len());
    }
}
