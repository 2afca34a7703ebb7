//! A connection that fails: cut, stalled, slow, or cut in the middle of an answer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// Stands between collectors and Redis, until the process ends.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Connections that were opened before the last cut end.
    cuts: AtomicU64,
    is_stalled: AtomicBool,
    /// How long each piece takes, in ms.
    delay_ms: AtomicU64,
    /// After so many bytes from the server, its connection ends; 0: never.
    bytes_left: AtomicUsize,
    is_closed: AtomicBool,
}

impl Proxy {
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_closed.load(SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (state, born) = (Arc::clone(&shared), shared.cuts.load(SeqCst));
                pump(&client, &server, &state, born, false);
                pump(&server, &client, &state, born, true);
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends every connection.
    pub fn cut(&self) {
        self.state.cuts.fetch_add(1, SeqCst);
    }

    /// Ends the connection that carries the byte of that number from now, in the middle of it.
    pub fn cut_after(&self, bytes: usize) {
        self.state.bytes_left.store(bytes.max(1), SeqCst);
    }

    /// Nothing goes through, and nothing ends.
    pub fn stall(&self, is_stalled: bool) {
        self.state.is_stalled.store(is_stalled, SeqCst);
    }

    /// Every piece takes so long.
    pub fn slow_down(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis() as u64, SeqCst);
    }

    /// All is well again.
    pub fn heal(&self) {
        self.stall(false);
        self.slow_down(Duration::ZERO);
        self.state.bytes_left.store(0, SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_closed.store(true, SeqCst);
        self.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Carries bytes one way on a thread of its own.
fn pump(from: &TcpStream, to: &TcpStream, state: &Arc<State>, born: u64, is_answer: bool) {
    let (mut from, mut to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(state));
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while state.cuts.load(SeqCst) == born {
            if state.is_stalled.load(SeqCst) {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            let mut length = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    continue;
                }
                Err(_) => break,
            };
            thread::sleep(Duration::from_millis(state.delay_ms.load(SeqCst)));
            let left = state.bytes_left.load(SeqCst);
            let ends = is_answer && left > 0 && left <= length;
            if is_answer && left > 0 {
                state.bytes_left.store(left.saturating_sub(length), SeqCst);
                length = length.min(left);
            }
            if to.write_all(&buffer[..length]).is_err() || ends {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
