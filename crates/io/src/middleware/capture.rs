use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use vpc_packet::PacketBuf;
use vpc_packet::pcap::Writer;

use crate::counters::Counters;
use crate::link::{Link, LinkError, Received, Sent};
use crate::software;

/// Writes a copy of every packet, received and sent alike, as a raw-IP pcap.
///
/// A packet is written as it crosses the link: a super-packet is one, and an unfinished checksum looks wrong
/// to whoever reads the file. When the file cannot be written any more the capture ends, with a line in the
/// log; the link goes on.
pub struct Capture {
    inner: Link,
    /// `None` once it failed.
    output: Option<Writer<Box<dyn Write + Send>>>,
    now: fn() -> Duration,
    counters: Counters,
}

impl Capture {
    /// Captures what crosses `inner` to `output`, beginning with the file's header.
    ///
    /// Shape: several small writes per packet, so hand in a `BufWriter`.
    /// Errors: the header cannot be written.
    pub fn new(inner: Link, output: impl Write + Send + 'static) -> io::Result<Self> {
        Self::with_clock(inner, output, since_1970)
    }

    fn with_clock(inner: Link, output: impl Write + Send + 'static, now: fn() -> Duration) -> io::Result<Self> {
        let output: Box<dyn Write + Send> = Box::new(output);
        Ok(Self { inner, output: Some(Writer::new(output)?), now, counters: Counters::default() })
    }

    pub(crate) const fn inner(&self) -> &Link {
        &self.inner
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn recv(&mut self, packet: &mut PacketBuf) -> Result<Received, LinkError> {
        let received = self.inner.recv(packet)?;
        if received == Received::Packet {
            self.counters.rx.count(software::segments(packet), packet.len());
            self.record(packet);
        }
        Ok(received)
    }

    pub(crate) fn send(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<Sent, LinkError> {
        self.record(packet);
        let (segments, bytes) = (software::segments(packet), packet.len());
        let sent = self.inner.send(packet, header_length)?;
        if sent == Sent::Accepted {
            self.counters.tx.count(segments, bytes);
        }
        Ok(sent)
    }

    fn record(&mut self, packet: &PacketBuf) {
        let Some(output) = &mut self.output else { return };
        // Full in 2554.
        let time = u64::try_from((self.now)().as_nanos()).unwrap_or(u64::MAX);
        if let Err(error) = output.write(time, packet.bytes()) {
            tracing::warn!(%error, "the capture ends here: it cannot be written");
            self.output = None;
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("inner", &self.inner).finish_non_exhaustive()
    }
}

fn since_1970() -> Duration {
    // A capture shows the time of day.
    #[allow(clippy::disallowed_methods)]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use vpc_packet::pcap::{LinkType, Reader};

    use super::*;
    use crate::memory::Memory;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_received_and_sent_is_in_the_file_in_order() {
        let (left, mut right) = Memory::pair(4).unwrap();
        let file = Shared::default();
        let clock = || Duration::new(7, 9);
        let mut link = Capture::with_clock(Link::Memory(left), file.clone(), clock).unwrap();
        let mut packet = PacketBuf::new();
        assert_eq!(right.send(&mut PacketBuf::from_packet(&[1; 3])), Sent::Accepted);
        assert_eq!(link.recv(&mut packet).unwrap(), Received::Packet);
        assert_eq!(link.recv(&mut packet).unwrap(), Received::Empty);
        assert_eq!(link.send(&mut PacketBuf::from_packet(&[2; 2]), 0).unwrap(), Sent::Accepted);

        let bytes = file.0.lock().unwrap();
        let records: Vec<_> = Reader::new(&bytes).unwrap().map(Result::unwrap).collect();
        assert!(records.iter().all(|r| r.time == 7_000_000_009 && r.link_type == LinkType::RAW));
        assert_eq!(records.iter().map(|r| r.bytes).collect::<Vec<_>>(), [&[1; 3][..], &[2; 2]]);
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_the_capture_and_not_the_link() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (left, _right) = Memory::pair(4).unwrap();
        let mut link = Capture::new(Link::Memory(left), Full(24)).unwrap();
        for _ in 0..2 {
            assert_eq!(link.send(&mut PacketBuf::from_packet(&[2; 2]), 0).unwrap(), Sent::Accepted);
            assert!(link.output.is_none());
        }
    }
}
