//! A line between a client and a server that does what a test wants with the bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

/// What happens to the bytes of one connection, by their direction.
pub trait Line: Send + Sync + 'static {
    /// What becomes of bytes on their way to the server.
    fn to_server(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// What becomes of bytes on their way to the client.
    fn to_client(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// After how many bytes to the client a connection breaks.
    fn breaks_after(&self) -> usize {
        usize::MAX
    }
}

/// Listens on a port of its own; the URL there. It goes on for as long as the process lives.
pub fn before(server: u16, line: impl Line) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let line = Arc::new(line);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            let (client_again, upstream_again) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            let (up, down) = (Arc::clone(&line), Arc::clone(&line));
            std::thread::spawn(move || pass(client, upstream, usize::MAX, |bytes| up.to_server(bytes)));
            let most = line.breaks_after();
            std::thread::spawn(move || pass(upstream_again, client_again, most, |bytes| down.to_client(bytes)));
        }
    });
    url
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut most: usize, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let read = read.min(most);
        most -= read;
        if to.write_all(&change(buffer[..read].to_vec())).is_err() || most == 0 {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
