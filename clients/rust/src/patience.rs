//! Waits that end, though not because this process was kept from running meanwhile.
//!
//! After SIGSTOP, a suspended machine or much other work, whatever has a time limit finds it over before it has seen what
//! came meanwhile. So patience is counted in parts: time in which nothing ran counts for one of them at most.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

const PARTS: u32 = 20;

/// What the future gives, within so long.
pub(crate) async fn in_time<F: Future>(wait: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    for _ in 1..PARTS {
        if let Ok(given) = timeout(wait / PARTS, &mut future).await {
            return Ok(given);
        }
    }
    timeout(wait / PARTS, future).await
}

/// What is received within so long, on a thread that may wait.
pub(crate) fn received_in_time<T>(wait: Duration, receiver: &Receiver<T>) -> Option<T> {
    (0..PARTS).find_map(|_| receiver.recv_timeout(wait / PARTS).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod tests {
    use std::io::Write as _;

    use tokio::sync::oneshot;

    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    #[test]
    fn an_answer_that_came_while_nothing_could_run_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let (answer, answered) = oneshot::channel();
            // As a connection's own task reads for whoever asked.
            tokio::spawn(async move {
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                stream.readable().await.unwrap();
                answer.send(stream.try_read(&mut [0; 1]).unwrap()).unwrap();
            });
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                sender.write_all(b"+").unwrap();
                std::thread::sleep(WAIT * 3);
            });
            in_time(WAIT, answered).await
        });
        assert_eq!(answer.unwrap().unwrap(), 1);
    }

    #[test]
    fn what_never_comes_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert!(runtime.block_on(in_time(WAIT, std::future::pending::<()>())).is_err());
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        assert_eq!(received_in_time(WAIT, &receiver), None);
    }
}
