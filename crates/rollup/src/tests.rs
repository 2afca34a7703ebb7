use std::collections::{BTreeMap, BTreeSet};

use emp_catalog::Storage;
use emp_store::{Hour, Layout};
use proptest::prelude::*;

use super::brief::Id;
use super::part::{Kind, Part, Record, file_name};
use super::sharing::{FILES_MAX, Found, Links};
use super::sketch::{DROPPED_BITS, Sketch, each_bin};
use super::{Bins, Durations, ErrorRow, HOUR_MS, LongEvent, LongJob, Spread, StepRows};

proptest! {
    #[test]
    fn a_sketch_holds_its_bins(bins in prop::collection::btree_map(any::<u32>(), 1..=u64::MAX, 0..200)) {
        let mut found = BTreeMap::new();
        each_bin(Sketch::of(&bins).as_bytes(), |bin, count| _ = found.insert(bin, count));
        prop_assert_eq!(found, bins);
    }

    #[test]
    fn durations_are_kept_as_they_are(
        times in prop::collection::vec(
            prop_oneof![3 => (0..9_000_u32).prop_map(f64::from), 1 => any::<f64>().prop_filter("a number", |ms| !ms.is_nan())],
            1..4,
        ),
    ) {
        let bins = times.iter().fold(BTreeMap::new(), |mut bins, ms| {
            *bins.entry((ms.to_bits() >> DROPPED_BITS) as u32).or_default() += 1;
            bins
        });
        let durations = Durations {
            count: times.len() as u64,
            sum_ms: times.iter().sum(),
            least_ms: times.iter().copied().fold(f64::INFINITY, f64::min),
            greatest_ms: times.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            sketch: Sketch::of(&bins),
        };
        prop_assume!(!durations.sum_ms.is_nan());
        let kept = postcard::to_stdvec(&durations).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Durations>(&kept).unwrap(), durations);
        prop_assert!(times.len() > 1 || kept.len() <= 12);
    }

    #[test]
    fn steps_are_kept_as_they_are(times in prop::collection::vec(prop_oneof![0..9_000_i64, any::<i64>()], 1..4)) {
        let bins = times.iter().fold(Bins::default(), |mut bins, ms| { bins.add(*ms); bins });
        let longest = times.iter().max().map(|ms| (*ms, "job".into()));
        let sum_ms = times.iter().fold(0_i64, |sum, ms| sum.saturating_add(*ms));
        let spread = Spread { count: times.len() as u64, sum_ms, longest, sketch: bins.sketch() };
        let kept = postcard::to_stdvec(&spread).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Spread>(&kept).unwrap(), spread);
    }

    #[test]
    fn ids_are_kept_as_they_are(
        id in prop_oneof![
            "[0-9a-f]{0,20}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[0-9a-fA-F-]{30,40}", ".*",
        ],
    ) {
        let kept = postcard::to_stdvec(&Id(id.as_str().into())).unwrap();
        prop_assert!(kept.len() <= id.len() + 3);
        prop_assert_eq!(postcard::from_bytes::<Id>(&kept).unwrap(), Id(id.into()));
    }

    #[test]
    fn rows_are_kept_as_they_are(
        (longest_gaps, times) in (prop::collection::vec(any::<i64>(), 0..4), any::<(i64, i64)>()),
        (hours, events) in (prop::collection::vec(any::<(i64, u64)>(), 0..3), any::<u64>()),
        is_of_one_hour in any::<bool>(),
    ) {
        let hours = if is_of_one_hour { vec![(times.0.div_euclid(HOUR_MS), events)] } else { hours };
        prop_assume!(!hours.is_empty());
        let error = ErrorRow { kind: [1, 2, 3], events, times, hours, alone: 5, shared: vec![7] };
        let rows = StepRows { longest_gaps, errors: vec![error], ..StepRows::default() };
        prop_assert_eq!(postcard::from_bytes::<StepRows>(&postcard::to_stdvec(&rows).unwrap()).unwrap(), rows);
    }

    #[test]
    fn events_of_long_jobs_are_kept_as_they_are(
        events in prop::collection::vec((any::<i64>(), any::<(i64, u64)>(), any::<[u32; 2]>()), 0..4),
    ) {
        let event = |(timestamp_ms, arrived, names)| LongEvent { timestamp_ms, arrived, names };
        let long = LongJob { job: "job".into(), events: events.into_iter().map(event).collect() };
        prop_assert_eq!(postcard::from_bytes::<LongJob>(&postcard::to_stdvec(&long).unwrap()).unwrap(), long);
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
    fn files_that_share_a_job_are_pairs_unless_it_is_in_very_many(
        files in prop::collection::vec(
            prop::collection::btree_set(prop_oneof![0..40_u64, 0..1_u64 << 48], 0..20), 0..30,
        ),
        known_long in prop::collection::btree_set(0..40_u64, 0..3),
    ) {
        let places = (0..).zip(&files).flat_map(|(file, jobs)| jobs.iter().map(move |job| (*job, file)));
        let mut found = Found::default();
        found.add(places.collect(), &known_long).unwrap();
        let files_of = |job: &u64| files.iter().filter(|jobs| jobs.contains(job)).count();
        let is_long = |job: &u64| known_long.contains(job) || files_of(job) > FILES_MAX;
        let shares = |a: usize, b: usize| files[a].intersection(&files[b]).any(|job| !is_long(job));
        let pairs = (0..files.len()).flat_map(|a| (a + 1..files.len()).map(move |b| (a, b)));
        let expected: Vec<(u32, u32)> =
            pairs.filter(|(a, b)| shares(*a, *b)).map(|(a, b)| (a as u32, b as u32)).collect();
        prop_assert_eq!(found.pairs, expected);
        let long: BTreeSet<u64> = files.iter().flatten().copied().filter(is_long).collect();
        prop_assert_eq!(found.long.iter().map(|(job, _)| *job).collect::<BTreeSet<_>>(), long);
    }

    #[test]
    fn how_a_file_hangs_together_with_others_is_kept_as_it_is(
        long in prop::collection::vec(any::<u64>(), 0..5),
        near in prop::collection::vec(any::<u32>(), 0..9),
        cut in 0..20_usize,
    ) {
        let links = Links { long, near };
        let bytes = links.encode();
        prop_assert!(Links::decode(&bytes[..cut.min(bytes.len())]).is_none_or(|cut| cut.long.len() <= links.long.len()));
        prop_assert_eq!(Links::decode(&bytes), Some(links));
    }

    #[test]
    fn records_are_there_however_often_some_are_added(
        batches in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..30), 1..8),
        torn in 0..9_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let (storage, day) = (Storage::of(&layout), Hour::of_ms(0));
        let mut expected: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for (at, batch) in (0..).zip(batches) {
            let records: Vec<Record> = (100 * at..).zip(batch).collect();
            expected.extend(records.iter().cloned());
            let live: BTreeSet<u64> = expected.keys().copied().collect();
            let stale = Part::read(&storage, Kind::Events, day);
            stale.add(&storage, &records[..records.len() / 2], &live).unwrap();
            stale.add(&storage, &records[records.len() / 2..], &live).unwrap();
            let part = Part::read(&storage, Kind::Events, day);
            let found: BTreeMap<u64, Vec<u8>> = part.records().map(|(number, bytes)| (number, bytes.to_vec())).collect();
            prop_assert_eq!(&found, &expected);
        }
        // What is torn is no longer there, and nothing else is.
        let path = layout.index().join(file_name(&day.date()));
        let mut bytes = std::fs::read(&path).unwrap();
        prop_assert_eq!(Part::read(&storage, Kind::Events, day).records().count(), expected.len());
        bytes.truncate(bytes.len().saturating_sub(torn));
        std::fs::write(&path, bytes).unwrap();
        let part = Part::read(&storage, Kind::Events, day);
        prop_assert!(part.records().all(|(number, bytes)| expected[&number] == bytes));
        part.add(&storage, &[(7_777, vec![1])], &BTreeSet::from([7_777])).unwrap();
        prop_assert!(Part::read(&storage, Kind::Events, day).records().any(|(number, _)| number == 7_777));
    }
}
