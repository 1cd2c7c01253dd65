//! Connections to databases that hand out a bounded number of bytes.
//!
//! The clients' protocol libraries keep an answer whole in memory, as long as its sender says it is.
//! The bound lies below them, where every byte comes by.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Most bytes that a server may send in one look. A PostgreSQL of a thousand databases sends two
/// million.
pub(super) const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Host and port.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// What both kinds of socket can do.
trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// A connection that fails once its peer has said too much.
pub(super) struct Bounded {
    stream: Pin<Box<dyn Duplex>>,
    /// Bytes that may still come.
    left: usize,
}

/// Connects.
///
/// # Errors
/// Why not, in words.
pub(super) async fn dial(place: &Place) -> Result<Bounded, String> {
    let connected: io::Result<Pin<Box<dyn Duplex>>> = match place {
        Place::Tcp(host, port) => match TcpStream::connect((host.as_str(), *port)).await {
            Ok(stream) => Ok(Box::pin(stream)),
            Err(error) => Err(error),
        },
        Place::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::pin(stream)),
            Err(error) => Err(error),
        },
    };
    match connected {
        Ok(stream) => Ok(Bounded { stream, left: ANSWER_BYTES_MAX }),
        Err(error) => Err(format!("cannot connect to {place}: {}", plainly(&error))),
    }
}

/// What the system said, without its number.
pub(super) fn plainly(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    // "Connection refused" stands within a sentence here.
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// That the time of a look is over.
pub(super) fn late(place: &Place, timeout: Duration) -> String {
    format!(
        "{place} has not answered within {} s: it hangs, is overloaded, or is no such server",
        timeout.as_secs_f64()
    )
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.stream.as_mut().poll_read(context, buffer);
        match self.left.checked_sub(buffer.filled().len() - before) {
            Some(left) => self.left = left,
            None => {
                let said = format!("it said more than {ANSWER_BYTES_MAX} bytes");
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, said)));
            }
        }
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}
