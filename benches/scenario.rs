//! One engine in one network, and the packets that take one way through it.

use std::sync::Arc;

use vpc_engine::{Action, Engine, EngineConfig, Snapshot};
use vpc_model::resource::Eni;
use vpc_model::{LinkId, Time};
use vpc_packet::text::PacketSpec;
use vpc_packet::{PacketBuf, Parsed, PartialChecksum, parse};

use crate::network;

/// The network sizes that are measured, in interfaces.
pub const SIZES: [usize; 3] = [10, 1_000, 100_000];

/// Which way the packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From one subnet of a VPC to another.
    Local,
    /// From a private subnet through the NAT gateway to the internet.
    Nat,
}

/// An engine, the packet that is given to it, and where.
pub struct Scenario {
    engine: Engine,
    senders: Vec<(LinkId, PacketBuf)>,
    buf: PacketBuf,
    next_flow: u32,
    now: Time,
}

/// Headers of the packets here: what a pass through the engine may have changed.
const HEADERS: usize = 28;

impl Scenario {
    /// An engine with no flows, in `snapshot`, and a UDP packet of `payload` bytes with a partial checksum to be sent.
    ///
    /// Shape: senders are the first and the last VPC's, so that in a large network the last tables count too.
    ///
    /// # Errors
    /// A sender that is not there: a defect of the generator.
    pub fn new(snapshot: Arc<Snapshot>, flows: usize, way: Way, payload: usize) -> Result<Self, String> {
        let vpcs = snapshot.desired().iter::<vpc_model::resource::Vpc>().count();
        let mut senders = Vec::new();
        for vpc in [0, vpcs - 1] {
            let (from, name) = (network::address(1), format!("i-{vpc}-1"));
            let desired = snapshot.desired();
            let eni = desired.find::<Eni>(&name).ok_or_else(|| format!("no interface {name}"))?;
            let link = desired.link(eni.id).ok_or_else(|| format!("{name} has no link"))?;
            let to = match way {
                Way::Local => network::address(2),
                Way::Nat => "198.18.0.9".to_owned(),
            };
            let line = format!("udp {from}:40000 > {to}:9000 len={}", HEADERS + payload);
            let spec: PacketSpec = line.parse().map_err(|error| format!("{line}: {error}"))?;
            let mut buf = spec.to_buf();
            // As the stack of the sender's own namespace hands it over.
            buf.offload.partial = Some(PartialChecksum { start: 20, offset: 6 });
            senders.push((link, buf));
        }
        let buf = senders[0].1.clone();
        let engine = Engine::new(EngineConfig { flows, ..EngineConfig::default() }, snapshot);
        Ok(Self { engine, senders, buf, next_flow: 0, now: Time::ZERO })
    }

    /// The same packet again and again.
    #[inline]
    pub fn hit(&mut self) -> Action {
        let (link, packet) = &self.senders[0];
        self.buf.bytes_mut()[..HEADERS].copy_from_slice(&packet.bytes()[..HEADERS]);
        self.engine.process(self.now, *link, &mut self.buf)
    }

    /// One packet of the nth flow of a set.
    #[inline]
    pub fn one_of(&mut self, nth: u32) -> Action {
        let (link, packet) = &self.senders[nth as usize & 1];
        let headers = &mut self.buf.bytes_mut()[..HEADERS];
        headers.copy_from_slice(&packet.bytes()[..HEADERS]);
        // Ports are not covered by a checksum that is verified on the way.
        headers[20..22].copy_from_slice(&(nth as u16).wrapping_add(1_024).to_be_bytes());
        headers[22..24].copy_from_slice(&((nth >> 16) as u16 + 9_000).to_be_bytes());
        self.engine.process(self.now, *link, &mut self.buf)
    }

    /// The first packet of a flow never seen before.
    #[inline]
    pub fn miss(&mut self) -> Action {
        self.next_flow += 1;
        self.one_of(self.next_flow - 1)
    }

    /// Ends all flows and starts counting from the first again.
    pub fn forget(&mut self) {
        self.now = Time(self.now.0 + 3_600_000_000_000);
        self.engine.handle_timeout(self.now, usize::MAX);
        self.next_flow = 0;
    }

    /// How many flows the engine remembers.
    #[must_use]
    pub fn flows(&self) -> usize {
        self.engine.flow_count()
    }

    /// The packet that [`Self::hit`] sends.
    #[must_use]
    pub fn packet(&self) -> &PacketBuf {
        &self.senders[0].1
    }

    /// Only the first step of a hit.
    #[inline]
    #[must_use]
    pub fn parse(&self) -> Option<Parsed> {
        parse(&self.buf).ok()
    }
}
