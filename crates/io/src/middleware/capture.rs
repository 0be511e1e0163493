use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use vpc_packet::PacketBuf;

use crate::counters::Counters;
use crate::link::{Link, LinkError, Received, Sent};
use crate::software;

/// Nanosecond timestamps, in the byte order of whoever writes.
const MAGIC: u32 = 0xA1B2_3C4D;
/// Packets begin with the IP header.
const LINKTYPE_RAW: u32 = 101;
/// The largest packet; none is cut.
const SNAP_LENGTH: u32 = 65_535;

/// Writes a copy of every packet, received and sent alike, as a raw-IP pcap.
///
/// A packet is written as it crosses the link: a super-packet is one, and an unfinished checksum looks wrong
/// to whoever reads the file.
/// Source: draft-ietf-opsawg-pcap §4, §5.
pub struct Capture {
    inner: Link,
    output: Box<dyn Write + Send>,
    now: fn() -> Duration,
    counters: Counters,
}

impl Capture {
    /// Captures what crosses `inner` to `output`, beginning with the file's header.
    ///
    /// Shape: one small write per packet, so hand in a `BufWriter`; it is flushed when the capture is
    /// dropped.
    /// Errors: the header cannot be written.
    pub fn new(inner: Link, output: impl Write + Send + 'static) -> io::Result<Self> {
        Self::with_clock(inner, output, since_1970)
    }

    fn with_clock(
        inner: Link,
        mut output: impl Write + Send + 'static,
        now: fn() -> Duration,
    ) -> io::Result<Self> {
        let mut header = [0; 24];
        header[0..4].copy_from_slice(&MAGIC.to_ne_bytes());
        // Version 2.4; the two fields behind it are always 0.
        header[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        header[6..8].copy_from_slice(&4_u16.to_ne_bytes());
        header[16..20].copy_from_slice(&SNAP_LENGTH.to_ne_bytes());
        header[20..24].copy_from_slice(&LINKTYPE_RAW.to_ne_bytes());
        output.write_all(&header)?;
        Ok(Self {
            inner,
            output: Box::new(output),
            now,
            counters: Counters::default(),
        })
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
            self.record(packet)?;
        }
        Ok(received)
    }

    pub(crate) fn send(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<Sent, LinkError> {
        self.record(packet)?;
        let (segments, bytes) = (software::segments(packet), packet.len());
        let sent = self.inner.send(packet, header_length)?;
        if sent == Sent::Accepted {
            self.counters.tx.count(segments, bytes);
        }
        Ok(sent)
    }

    fn record(&mut self, packet: &PacketBuf) -> Result<(), LinkError> {
        let now = (self.now)();
        // The field ends in 2106; a packet is no longer than 65535.
        let seconds = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let mut header = [0; 16];
        let fields = [seconds, now.subsec_nanos(), length, length];
        for (room, field) in header.chunks_exact_mut(4).zip(fields) {
            room.copy_from_slice(&field.to_ne_bytes());
        }
        self.output
            .write_all(&header)
            .and_then(|()| self.output.write_all(packet.bytes()))
            .map_err(|source| LinkError::Capture { source })
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Err(error) = self.output.flush() {
            tracing::warn!(%error, "the end of a capture is lost");
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
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
        assert_eq!(
            link.send(&mut PacketBuf::from_packet(&[2; 2]), 0).unwrap(),
            Sent::Accepted
        );

        let words = |words: &[u32]| words.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<_>>();
        let mut expected = words(&[0xA1B2_3C4D]);
        expected.extend([2_u16.to_ne_bytes(), 4_u16.to_ne_bytes()].concat());
        expected.extend(words(&[0, 0, 65_535, 101]));
        expected.extend([words(&[7, 9, 3, 3]), vec![1; 3], words(&[7, 9, 2, 2]), vec![2; 2]].concat());
        assert_eq!(*file.0.lock().unwrap(), expected);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_of_the_link() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self
                    .0
                    .checked_sub(bytes.len())
                    .ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (left, _right) = Memory::pair(4).unwrap();
        let mut link = Capture::new(Link::Memory(left), Full(24)).unwrap();
        let sent = link.send(&mut PacketBuf::from_packet(&[2; 2]), 0);
        assert!(matches!(sent, Err(LinkError::Capture { .. })));
    }
}
