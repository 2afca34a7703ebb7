use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Bins;
use super::sharing::{neighbours, sort};
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

    #[test]
    fn a_quantile_of_bins_is_within_a_percent(
        mut times in prop::collection::vec(prop_oneof![0..50_i64, 0..10_000_000_i64, any::<i64>()], 1..300),
        split in 0.0..1.0_f64,
    ) {
        // Some by themselves, the others by way of a sketch, and those of both by way of a third.
        let (alone, sketched) = times.split_at((split * times.len() as f64) as usize);
        let bins = |times: &[i64]| times.iter().fold(Bins::default(), |mut bins, ms| { bins.add(*ms); bins });
        let mut all = bins(alone);
        all.add_all(&bins(sketched).sketch());
        let mut merged = Bins::default();
        merged.merge(&all);
        prop_assert_eq!(&merged, &bins(&times));
        times.iter_mut().for_each(|ms| *ms = (*ms).max(0));
        times.sort_unstable();
        for share in [0.0, 0.25, 0.5, 0.95, 1.0] {
            let place = share * (times.len() - 1) as f64;
            let (low, high) = (times[place.floor() as usize] as f64, times[place.ceil() as usize] as f64);
            let exact = low + (high - low) * place.fract();
            let about = merged.quantile(share).unwrap();
            prop_assert!((about - exact).abs() <= exact * 0.01, "{share}: {about} for {exact}");
        }
    }

    #[test]
    fn lists_that_share_a_job_are_neighbours(
        lists in prop::collection::vec(prop::collection::vec(prop_oneof![0..40_u32, any::<u32>()], 0..20), 0..30),
    ) {
        let lists: Vec<Vec<u32>> = lists.into_iter().map(|mut list| { sort(&mut list); list }).collect();
        let found = neighbours(&lists.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        for (at, list) in lists.iter().enumerate() {
            let shares = |other: &usize| *other != at && lists[*other].iter().any(|job| list.contains(job));
            let expected: Vec<u32> = (0..lists.len()).filter(shares).map(|other| other as u32).collect();
            prop_assert_eq!(&found[at], &expected);
        }
    }
}
