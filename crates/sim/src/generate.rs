//! Networks and packets for property tests, as proptest strategies.
//!
//! A network is built by a builder that asks a list of numbers whenever there is something to choose. Proptest makes
//! the list and, when a test fails, makes it shorter and its numbers smaller: what is left is a small network, because
//! the first choice is always the plain one.

mod network;
mod traffic;

use std::fmt;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use vpc_model::{Desired, LinkId};
use vpc_packet::PacketSpec;

/// A network, and things that happen in it.
#[derive(Clone)]
pub struct Session {
    /// The network at the start.
    pub network: Desired,
    /// What happens, in order.
    pub events: Vec<Event>,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// Whoever received the packet with this number, counted round, answers it.
    Answer(usize),
    /// The network becomes another one.
    Change(Box<Desired>),
    /// A packet is sent.
    Send(LinkId, Box<PacketSpec>),
    /// Time passes.
    Wait(Duration),
}

/// Networks with up to `most` events.
pub fn sessions(most: usize) -> impl Strategy<Value = Session> {
    let choices = (vec(any::<u16>(), 0..500), vec(vec(any::<u16>(), 0..40), 1..=most));
    choices.prop_map(|(network, events)| {
        let network = network::build(&mut Choices::new(&network));
        let mut now = network.clone();
        let events = events.iter().map(|words| traffic::event(&mut Choices::new(words), &mut now)).collect();
        Session { network, events }
    })
}

/// Networks with packets that begin flows.
pub fn first_packets(most: usize) -> impl Strategy<Value = Session> {
    let choices = (vec(any::<u16>(), 0..500), vec(vec(any::<u16>(), 0..40), 1..=most));
    choices.prop_map(|(network, packets)| {
        let network = network::build(&mut Choices::new(&network));
        let packets = packets.iter().filter_map(|words| traffic::packet(&mut Choices::new(words), &network));
        let events = packets.map(|(link, packet)| Event::Send(link, Box::new(packet))).collect();
        Session { network, events }
    })
}

/// The network as a lab file, as far as a lab file can describe it, then the events.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", vpc_model::lab::write(&self.network))?;
        for resource in not_in_labs(&self.network) {
            writeln!(f, "# and {resource}")?;
        }
        for event in &self.events {
            match event {
                Event::Send(link, packet) => {
                    let owner = self.network.links().find(|(other, _)| other == link).map(|(_, owner)| owner);
                    let name = owner.map_or_else(|| link.to_string(), |owner| self.network.label_of(owner));
                    writeln!(f, "{name} > {packet}")?;
                }
                Event::Answer(_) | Event::Change(_) | Event::Wait(_) => writeln!(f, "{event:?}")?,
            }
        }
        Ok(())
    }
}

/// What a lab file cannot describe.
fn not_in_labs(network: &Desired) -> Vec<String> {
    use vpc_model::resource::{Peering, TransitAttachment, TransitGateway, TransitRouteTable, VirtualGateway};
    let mut all = Vec::new();
    all.extend(network.iter::<Peering>().map(|r| format!("{r:?}")));
    all.extend(network.iter::<TransitGateway>().map(|r| format!("{r:?}")));
    all.extend(network.iter::<TransitRouteTable>().map(|r| format!("{r:?}")));
    all.extend(network.iter::<TransitAttachment>().map(|r| format!("{r:?}")));
    all.extend(network.iter::<VirtualGateway>().map(|r| format!("{r:?}")));
    all
}

/// Numbers that decide; when they run out, everything is decided plainly.
pub(crate) struct Choices<'a> {
    words: std::slice::Iter<'a, u16>,
}

impl<'a> Choices<'a> {
    fn new(words: &'a [u16]) -> Self {
        Self { words: words.iter() }
    }

    /// A number below `n`; 0 if there is nothing to choose.
    fn below(&mut self, n: usize) -> usize {
        usize::from(*self.words.next().unwrap_or(&0)).checked_rem(n).unwrap_or(0)
    }

    /// One of these; `None` if there are none.
    fn of<T: Copy>(&mut self, these: &[T]) -> Option<T> {
        let index = self.below(these.len());
        these.get(index).copied()
    }

    /// Whether something rather unusual happens, so many times in a hundred.
    fn is(&mut self, percent: usize) -> bool {
        self.below(100) + percent >= 100
    }
}
