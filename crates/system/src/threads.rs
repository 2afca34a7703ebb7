//! Sharing work among threads that end with it.

/// As many threads as there are processors.
pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many of so many things each of the threads gets: never none.
pub fn share(of: usize, threads: usize) -> usize {
    of.div_ceil(threads.max(1)).max(1)
}

/// Does the work for each share on a thread of its own, a single one on this thread; the results in
/// the order of the shares.
pub fn for_each_share<S: Send, R: Send>(
    shares: impl ExactSizeIterator<Item = S>,
    work: impl Fn(S) -> R + Sync,
) -> Vec<R> {
    if shares.len() <= 1 {
        return shares.map(work).collect();
    }
    let work = &work;
    std::thread::scope(|scope| {
        let tasks: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
        tasks.into_iter().map(|task| task.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Does what may have to wait, as for a line to somewhere else, for all of these at the same time; the results in their order.
pub fn at_once<'a, T: Sync, R: Send>(all: &'a [T], wait: impl Fn(&'a T) -> R + Sync) -> Vec<R> {
    for_each_share(all.iter(), wait)
}
