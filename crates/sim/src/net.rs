//! The simulated network: an engine, a clock that only the script moves, and links that remember.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use vpc_engine::{Action, Engine, EngineConfig, Snapshot};
use vpc_model::explain::{Explanation, Verdict};
use vpc_model::resource::{
    Destination, EffectiveRoute, EffectiveTransitRoute, RouteOrigin, RouteState, RouteTable, RouteTarget,
    TransitRouteTable, TransitTarget,
};
use vpc_model::{Desired, DropReason, LinkId, Time};
use vpc_packet::checksum::{self, Verification};
use vpc_packet::segment::segment;
use vpc_packet::{PacketBuf, PacketSpec, Parsed, parse, pcap};

use crate::run::{Expected, Net, Output, Refusal};
use crate::world::World;

/// How the engine is used while a scenario plays. What happens has to be the same in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each packet finds tables with a higher number, so every path is stale.
    Bumped,
    /// Each packet is explained first, and then has to do what the explanation said.
    Explained,
    /// As it is.
    Plain,
    /// Paths are not remembered: each packet walks.
    Uncached,
}

impl Mode {
    /// Every mode, the plain one first.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Uncached, Self::Bumped, Self::Explained];

    /// Its name in messages and file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bumped => "bumped",
            Self::Explained => "explained",
            Self::Plain => "plain",
            Self::Uncached => "uncached",
        }
    }
}

/// An engine with everybody's links.
pub struct SimNet {
    world: World,
    engine: Engine,
    mode: Mode,
    now: Time,
    packets: u64,
    links: BTreeMap<String, LinkId>,
    names: BTreeMap<LinkId, String>,
    outputs: Vec<Output>,
    log: Vec<Event>,
}

/// What happened, for those who look into a failure; a super-packet is kept whole, as it was handed over.
enum Event {
    Changed(String),
    Dropped(DropReason),
    Received(LinkId, Time, Vec<u8>),
    Sent(LinkId, Time, Vec<u8>),
}

/// Packets before each of which the tables get a new number, and how seldom they get one after that: compiling tables
/// takes longer than all else, and a scenario of so many packets repeats itself.
const ALWAYS_BUMPED: u64 = 2_000;
const BUMPED_LATER: u64 = 100;
/// Most flows remembered, if the scenario does not say.
const FLOWS: usize = 1 << 17;
/// Timers handled at once: more than any scenario has.
const TIMER_BUDGET: usize = 1 << 20;

impl SimNet {
    /// The network with nothing sent yet.
    #[must_use]
    pub fn new(world: World, mode: Mode, flow_limit: Option<usize>) -> Self {
        let config = EngineConfig {
            flows: flow_limit.unwrap_or(FLOWS),
            cache: mode != Mode::Uncached,
            ..EngineConfig::default()
        };
        let snapshot = Snapshot::compile(world.desired(), None);
        let mut net = Self {
            engine: Engine::new(config, Arc::new(snapshot)),
            mode,
            now: Time::ZERO,
            packets: 0,
            links: BTreeMap::new(),
            names: BTreeMap::new(),
            outputs: Vec::new(),
            log: Vec::new(),
            world,
        };
        net.name_links();
        net
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The network as it is now.
    #[must_use]
    pub const fn desired(&self) -> &Desired {
        self.world.desired()
    }

    /// Makes the network another one, whatever it came from.
    pub fn install(&mut self, desired: Desired) {
        self.world = World::from(desired.keeping_links_of(self.world.desired()));
        self.compile();
    }

    /// The time that has passed.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The link of an interface, service or internet host.
    ///
    /// # Errors
    /// Nobody with a link is called like this.
    pub fn link(&self, name: &str) -> Result<LinkId, String> {
        self.links.get(name).copied().ok_or_else(|| {
            let names: Vec<&str> = self.links.keys().map(String::as_str).collect();
            format!("nobody with a link is called {name}; there are {}", names.join(", "))
        })
    }

    /// Sends a buffer, and checks everything that can be checked without knowing what should happen.
    ///
    /// Shape: the answer is the engine's; what came out waits in [`Net::outputs`].
    ///
    /// # Errors
    /// What contradicts itself: a bad checksum, an explanation that did not come true, packets unaccounted for.
    pub fn inject(&mut self, link: LinkId, mut buf: PacketBuf) -> Result<Action, String> {
        self.packets += 1;
        if self.mode == Mode::Bumped && (self.packets <= ALWAYS_BUMPED || self.packets.is_multiple_of(BUMPED_LATER)) {
            let bumped = self.engine.snapshot().bumped();
            self.engine.install(Arc::new(bumped));
        }
        self.log.push(Event::Sent(link, self.now, buf.bytes().to_vec()));
        let parsed = parse(&buf).ok();
        let foretold = match (&parsed, self.mode) {
            (Some(parsed), Mode::Explained) => Some(self.engine.explain(self.now, link, parsed)),
            _ => None,
        };
        let action = self.engine.process(self.now, link, &mut buf);
        let mut out = Vec::new();
        match action {
            Action::Drop(reason) => {
                self.log.push(Event::Dropped(reason));
                self.outputs.push(Output::Drop(reason));
            }
            Action::Send(to) => out.push((to, buf)),
            Action::Sent => {}
        }
        while let Some(made) = self.engine.poll_transmit() {
            out.push((made.link, PacketBuf::from_packet(&made.packet)));
        }
        for (link, buf) in &out {
            self.log.push(Event::Received(*link, self.now, buf.bytes().to_vec()));
            let parsed = check_packet(buf)?;
            if let (Some(foretold), Action::Send(_) | Action::Sent) = (&foretold, action) {
                self.came_true(foretold, *link, &parsed)?;
            }
            let at = self.names.get(link).cloned().unwrap_or_else(|| link.to_string());
            let packet = Box::new(PacketSpec::dissect_buf(buf).map_err(|error| format!("{at} < {error}"))?);
            self.outputs.push(Output::Packet { at, packet });
        }
        if let (Some(foretold), Action::Drop(reason)) = (&foretold, action) {
            dropped_as_foretold(foretold, reason)?;
        }
        self.accounts()?;
        Ok(action)
    }

    /// Writes a capture per link and the story into a folder, for those who look into a failure.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn leave_traces(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut captures: BTreeMap<LinkId, pcap::Writer<Vec<u8>>> = BTreeMap::new();
        let mut story = String::new();
        for event in &self.log {
            match event {
                Event::Changed(edit) => story.push_str(&format!("{edit}\n")),
                Event::Dropped(reason) => story.push_str(&format!("  drop {reason}\n")),
                Event::Received(link, time, bytes) | Event::Sent(link, time, bytes) => {
                    let arrow = if matches!(event, Event::Sent(..)) { '>' } else { '<' };
                    let packet = PacketSpec::dissect(bytes)
                        .map_or_else(|error| error.to_string(), |spec| spec.brief(32).to_string());
                    // Writing to a string cannot fail.
                    let _ = writeln!(story, "{time} {} {arrow} {packet}", self.name(*link));
                    let capture = match captures.remove(link) {
                        Some(capture) => capture,
                        None => pcap::Writer::new(Vec::new())?,
                    };
                    captures.entry(*link).or_insert(capture).write(time.0, bytes)?;
                }
            }
        }
        std::fs::write(folder.join("trace.txt"), story)?;
        for (link, capture) in captures {
            std::fs::write(folder.join(format!("{}.pcap", self.name(link))), capture.finish()?)?;
        }
        Ok(())
    }

    fn compile(&mut self) {
        let snapshot = Snapshot::compile(self.world.desired(), Some(self.engine.snapshot()));
        self.engine.install(Arc::new(snapshot));
        self.name_links();
    }

    fn name(&self, link: LinkId) -> String {
        self.names.get(&link).cloned().unwrap_or_else(|| link.to_string())
    }

    /// Segments in = sent + drops: nothing is lost without a reason.
    fn accounts(&self) -> Result<(), String> {
        let counters = self.engine.counters();
        let dropped: u64 = counters.drops().map(|(_, count)| count).sum();
        if counters.received == counters.forwarded + dropped {
            return Ok(());
        }
        Err(format!(
            "{} segments received, but {} sent on and {dropped} dropped",
            counters.received, counters.forwarded
        ))
    }

    fn came_true(&self, foretold: &Explanation, link: LinkId, parsed: &Parsed) -> Result<(), String> {
        let found = format!("send {} {}", self.name(link), parsed.tuple);
        match &foretold.verdict {
            Verdict::Send { to, packet, mtu: _ } => {
                let tuple = packet.parse().map_err(|error| format!("explain printed `{packet}`: {error}"))?;
                let same = match parsed.packet.fragment {
                    // Ports are in the first fragment only.
                    vpc_packet::Fragment::Later { .. } => {
                        let vpc_packet::FiveTuple { src, dst, .. } = tuple;
                        (src, dst) == (parsed.tuple.src, parsed.tuple.dst)
                    }
                    vpc_packet::Fragment::First { .. } | vpc_packet::Fragment::Whole => tuple == parsed.tuple,
                };
                if same && *to == self.name(link) {
                    return Ok(());
                }
                Err(format!("{found}\nalthough explain said: send {to} {packet}"))
            }
            Verdict::Drop { reason, .. } => Err(format!("{found}\nalthough explain said: drop {reason}")),
        }
    }

    /// Takes over who has which link. Whose link is gone keeps the name: what was read from it may still arrive.
    fn name_links(&mut self) {
        for (link, owner) in self.world.desired().links() {
            let name = self.world.desired().label_of(owner);
            self.links.insert(name.clone(), link);
            self.names.insert(link, name);
        }
    }
}

impl Net for SimNet {
    fn change(&mut self, edit: &str) -> Result<(), Refusal> {
        self.log.push(Event::Changed(edit.to_owned()));
        self.world.change(edit)?;
        self.compile();
        Ok(())
    }

    fn advance(&mut self, now: Time) -> Result<(), String> {
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now, TIMER_BUDGET);
            while let Some(made) = self.engine.poll_transmit() {
                let buf = PacketBuf::from_packet(&made.packet);
                check_packet(&buf)?;
                self.log.push(Event::Received(made.link, self.now, made.packet));
                let at = self.name(made.link);
                let packet = Box::new(PacketSpec::dissect_buf(&buf).map_err(|error| format!("{at} < {error}"))?);
                self.outputs.push(Output::Packet { at, packet });
            }
        }
        self.now = now;
        // Whoever asks for an explanation now gets one as of now.
        self.engine.handle_timeout(now, TIMER_BUDGET);
        Ok(())
    }

    fn send(&mut self, from: &str, packet: &PacketSpec) -> Result<(), String> {
        let link = self.link(from)?;
        self.inject(link, packet.to_buf()).map(|_| ())
    }

    fn outputs(&mut self, _: &[Expected<'_>]) -> Result<Vec<Output>, String> {
        Ok(std::mem::take(&mut self.outputs))
    }

    fn explain(&mut self, from: &str, packet: &PacketSpec) -> Result<String, String> {
        let link = self.link(from)?;
        let parsed = parse(&packet.to_buf()).map_err(|error| error.to_string())?;
        Ok(self.engine.explain(self.now, link, &parsed).to_string())
    }

    fn routes(&mut self, table: &str) -> Result<Vec<String>, String> {
        let desired = self.desired();
        if let Some(found) = desired.find::<RouteTable>(table) {
            return Ok(route_lines(desired, found));
        }
        let found = desired.find::<TransitRouteTable>(table);
        found
            .map(|found| transit_route_lines(desired, found))
            .ok_or_else(|| format!("no route table is called {table}"))
    }

    fn flows(&mut self) -> Result<usize, String> {
        Ok(self.engine.flow_count())
    }
}

/// A table as `routes` prints it: destination, target, why it is there, and whether it works.
fn route_lines(desired: &Desired, table: &RouteTable) -> Vec<String> {
    let line = |route: EffectiveRoute| {
        let target = match route.target {
            RouteTarget::EgressOnly(id) => desired.label(id),
            RouteTarget::Eni(id) => desired.label(id),
            RouteTarget::GatewayEndpoint(id) => desired.label(id),
            RouteTarget::Internet(id) => desired.label(id),
            RouteTarget::Local => "local".to_owned(),
            RouteTarget::Nat(id) => desired.label(id),
            RouteTarget::Peering(id) => desired.label(id),
            RouteTarget::Transit(id) => desired.label(id),
            RouteTarget::Virtual(id) => desired.label(id),
        };
        route_line(desired, route.destination, &target, route.origin, route.state)
    };
    desired.effective_routes(table).into_iter().map(line).collect()
}

/// As [`route_lines`], of a transit gateway's table.
fn transit_route_lines(desired: &Desired, table: &TransitRouteTable) -> Vec<String> {
    let line = |route: EffectiveTransitRoute| {
        let target = match route.target {
            TransitTarget::Attachment(id) => desired.label(id),
            TransitTarget::Blackhole => "-".to_owned(),
        };
        route_line(desired, route.destination, &target, route.origin, route.state)
    };
    desired.effective_transit_routes(table).into_iter().map(line).collect()
}

fn route_line(
    desired: &Desired,
    destination: Destination,
    target: &str,
    origin: RouteOrigin,
    state: RouteState,
) -> String {
    let destination = match destination {
        Destination::List(id) => desired.label(id),
        Destination::Prefix(prefix) => prefix.to_string(),
    };
    let origin = match origin {
        RouteOrigin::Endpoint => "endpoint",
        RouteOrigin::Local => "local",
        RouteOrigin::Propagated => "propagated",
        RouteOrigin::Static => "static",
    };
    let state = match state {
        RouteState::Active => "active",
        RouteState::Blackhole => "blackhole",
    };
    format!("{destination:<18} {target:<12} {origin:<10} {state}")
}

/// A packet parses and its checksums fit, those of a super-packet's segments too.
fn check_packet(buf: &PacketBuf) -> Result<Parsed, String> {
    let parsed = parse(buf).map_err(|error| format!("a packet came out that does not parse: {error}"))?;
    let mut bad = bad_checksum(buf, &parsed);
    if buf.offload.gso.is_some() {
        let mut scratch = PacketBuf::new();
        let whole = segment(buf, &parsed, &mut scratch, |piece| match parse(piece) {
            Ok(parsed) => bad = bad.or(bad_checksum(piece, &parsed)),
            Err(_) => bad = Some("segment"),
        });
        whole.map_err(|error| format!("a super-packet came out that cannot be segmented: {error:?}"))?;
    }
    match bad {
        None => Ok(parsed),
        Some(what) => {
            let packet = PacketSpec::dissect_buf(buf).map_or_else(|e| e.to_string(), |spec| spec.to_string());
            Err(format!("{packet}\nwhose {what} checksum is wrong"))
        }
    }
}

/// Which checksum does not fit, if any.
fn bad_checksum(buf: &PacketBuf, parsed: &Parsed) -> Option<&'static str> {
    let bytes = buf.bytes();
    let header = bytes.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    if parsed.tuple.src.is_ipv4() && bytes.get(..header).is_none_or(|h| checksum::checksum(h) != 0) {
        return Some("IP header");
    }
    (checksum::verify(buf, parsed) == Verification::Bad).then_some("layer-4")
}

fn dropped_as_foretold(foretold: &Explanation, reason: DropReason) -> Result<(), String> {
    let said = match &foretold.verdict {
        Verdict::Drop { reason: said, .. } if said == reason.code() => return Ok(()),
        Verdict::Drop { reason, .. } => format!("drop {reason}"),
        Verdict::Send { to, packet, mtu: _ } => format!("send {to} {packet}"),
    };
    Err(format!("drop {reason}\nalthough explain said: {said}"))
}
