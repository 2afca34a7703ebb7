//! Work that would keep the threads of the runtime busy.

/// Does it on a thread beside them.
pub(crate) async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // Joining fails only where the work panicked, and then the question panics with it, or while the runtime
    // is shut down.
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
