//! Which files have jobs in common.

use emp_system::{all_threads, for_each_share, share};
use xxhash_rust::xxh3::xxh3_64;

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use emp_store::Partition;

/// Rows decoded at once.
const READ_ROWS: usize = 8_192;
/// Hashes are compared in so many slices, by their first bits.
const SLICES: usize = 64;
const SLICE_BITS: u32 = SLICES.trailing_zeros();
/// Where so many pairs of files share jobs, going through all of them is no longer.
const PAIRS_MAX: usize = 4_000_000;

/// What is kept of a job's id: enough that hardly two jobs are taken for one, and then more is read and not less.
pub fn job_hash(job_id: &str) -> u32 {
    (job_number(job_id) >> 32) as u32
}

/// What tells one job from another where they are counted.
pub fn job_number(job_id: &str) -> u64 {
    xxh3_64(job_id.as_bytes())
}

/// The jobs of a file, by their hashes, ascending, each once; `None` where it cannot be read.
pub(super) fn jobs_of(file: &Partition) -> Option<Vec<u32>> {
    let file = file.open().ok()?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).ok()?;
    let index = metadata.schema().column_with_name("job_id")?.0;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), [index]);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let mut hashes = Vec::new();
    for batch in reader.with_projection(mask).with_batch_size(READ_ROWS).build().ok()? {
        let ids = cast(batch.ok()?.column(0), &DataType::Utf8).ok()?;
        let ids = ids.as_string::<i32>();
        hashes.extend((0..ids.len()).filter(|row| ids.is_valid(*row)).map(|row| job_hash(ids.value(row))));
        if hashes.len() > 1 << 20 {
            sort(&mut hashes);
        }
    }
    sort(&mut hashes);
    Some(hashes)
}

/// Each once, ascending.
pub(super) fn sort(hashes: &mut Vec<u32>) {
    hashes.sort_unstable();
    hashes.dedup();
}

/// For each list of jobs the numbers of the others that have one of them, ascending; `None` where too many do.
pub(super) fn neighbours(lists: &[&[u32]]) -> Option<Vec<Vec<u32>>> {
    let slices: Vec<usize> = (0..SLICES).collect();
    let pairs = for_each_share(slices.chunks(share(SLICES, all_threads())), |slices| {
        let mut pairs = Vec::new();
        slices.iter().for_each(|slice| pairs_in(*slice, lists, &mut pairs));
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    });
    let mut neighbours = vec![Vec::new(); lists.len()];
    let mut all = 0;
    for pairs in pairs {
        all += pairs.len();
        if all > PAIRS_MAX {
            return None;
        }
        for (a, b) in pairs {
            neighbours[a as usize].push(b);
            neighbours[b as usize].push(a);
        }
    }
    neighbours.iter_mut().for_each(sort);
    Some(neighbours)
}

/// The pairs of lists that share a hash of a slice. Some of them come up more than once.
fn pairs_in(slice: usize, lists: &[&[u32]], pairs: &mut Vec<(u32, u32)>) {
    let slice_of = |hash: &u32| (*hash >> (u32::BITS - SLICE_BITS)) as usize;
    let mut found: Vec<(u32, u32)> = Vec::new();
    for (number, list) in (0..).zip(lists) {
        let begin = list.partition_point(|hash| slice_of(hash) < slice);
        let end = begin + list[begin..].partition_point(|hash| slice_of(hash) == slice);
        found.extend(list[begin..end].iter().map(|hash| (*hash, number)));
    }
    found.sort_unstable();
    for same in found.chunk_by(|(a, _), (b, _)| a == b).filter(|same| same.len() > 1) {
        for (at, (_, a)) in same.iter().enumerate() {
            pairs.extend(same[at + 1..].iter().map(|(_, b)| (*a, *b)));
            if pairs.len() > 2 * PAIRS_MAX {
                pairs.sort_unstable();
                pairs.dedup();
                if pairs.len() > PAIRS_MAX {
                    return;
                }
            }
        }
    }
}
