//! One thread that speaks to buckets, whoever asks: also whoever runs on a thread of an engine, where waiting for a
//! future is forbidden.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc::channel;

use tokio::runtime::{Builder, Runtime};

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        let built = builder.worker_threads(1).max_blocking_threads(2).thread_name("bucket").enable_all().build();
        // It fails only where the system gives no thread at all, as starting one by hand would.
        built.unwrap_or_else(|error| panic!("no thread for the bucket: {error}"))
    })
}

/// Waits for what the future gives.
pub(crate) fn wait<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let task = runtime().spawn(async move {
        // Whoever waits lives until it is here.
        let _ = sender.send(future.await);
    });
    match receiver.recv() {
        Ok(value) => value,
        Err(_) => panic!("the thread of the bucket has panicked (finished: {})", task.is_finished()),
    }
}

/// Lets it run beside.
pub(crate) fn begin(future: impl Future<Output = ()> + Send + 'static) {
    runtime().spawn(future);
}
