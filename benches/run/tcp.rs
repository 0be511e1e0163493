//! Connections opened and closed as fast as possible.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

use crate::Result;

/// How long a client waits for a server.
const PATIENCE: Duration = Duration::from_secs(2);

/// A listener for [`accept`].
pub(crate) fn listen(at: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts and closes for so long; how many.
pub(crate) fn accept(listener: &TcpListener, length: Duration) -> Result<u64> {
    let mut poller = vpc_io::Poller::new()?;
    poller.add(listener, 0)?;
    let (start, mut accepted) = (Instant::now(), 0);
    while start.elapsed() < length {
        poller.wait(Some(Duration::from_millis(20)))?;
        while let Ok((stream, _)) = listener.accept() {
            drop(stream);
            accepted += 1;
        }
    }
    Ok(accepted)
}

/// Opens connections and resets them, in `threads` threads of the calling thread's namespace; how many per second.
pub(crate) fn connect(to: SocketAddr, length: Duration, threads: usize) -> Result<f64> {
    let start = Instant::now();
    let one = || -> Result<u64> {
        let mut opened = 0;
        while start.elapsed() < length {
            let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
            // Until the server has accepted and closed: a client that does not wait only fills the server's queue,
            // and then measures how long lost SYNs take to be sent again.
            stream.set_read_timeout(Some(PATIENCE))?;
            let end = stream.read(&mut [0; 1])?;
            debug_assert_eq!(end, 0);
            // A reset leaves no port behind in TIME_WAIT.
            setsockopt(&stream, sockopt::Linger, &linger { l_onoff: 1, l_linger: 0 })?;
            opened += 1;
        }
        Ok(opened)
    };
    let counts: Vec<Result<u64>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let ended = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client failed".into())));
        ended.collect()
    });
    let opened = counts.into_iter().sum::<Result<u64>>()?;
    Ok(opened as f64 / start.elapsed().as_secs_f64())
}
