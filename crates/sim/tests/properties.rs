//! What has to hold for every network and every sequence of packets.
//!
//! Small by default (`PROPTEST_CASES`), 10,000 cases each with `VPC_FULL_TESTS=1`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use vpc_engine::{Action, Engine, EngineConfig, Snapshot};
use vpc_model::desired::Noun;
use vpc_model::resource::Eni;
use vpc_model::{Desired, DropReason, LinkId};
use vpc_packet::text::Kind;
use vpc_packet::{FiveTuple, PacketBuf, PacketSpec, TcpFlags, parse};
use vpc_sim::generate::{Event, Session, first_packets, sessions};
use vpc_sim::net::{Mode, SimNet};
use vpc_sim::reference::{Delivered, Reference, Size};
use vpc_sim::run::{Net, Output};
use vpc_sim::world::World;

/// Runs a property; says how often.
fn check<S: Strategy<Value: Debug>>(name: &str, strategy: S, property: impl Fn(S::Value) -> Result<(), String>) {
    let full = std::env::var_os("VPC_FULL_TESTS").is_some_and(|value| value == "1");
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = asked.unwrap_or(if full { 10_000 } else { 100 });
    let persistence = FileFailurePersistence::WithSource("regressions");
    let config = Config {
        cases,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(persistence)),
        max_shrink_iters: 4_096,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&strategy, |value| property(value).map_err(TestCaseError::fail));
    outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("{cases} cases: {name}");
}

/// Plays a session in one mode; what came out of it, a line each.
fn play(session: &Session, mode: Mode) -> Result<Vec<String>, String> {
    let mut net = SimNet::new(World::from(session.network.clone()), mode, Some(1 << 10));
    let mut received: Vec<(LinkId, FiveTuple)> = Vec::new();
    let mut lines = Vec::new();
    for event in &session.events {
        let action = match event {
            Event::Answer(number) => {
                let Some(&(link, tuple)) = received.get(number % received.len().max(1)) else { continue };
                Some((link, net.inject(link, answer(tuple).to_buf())?))
            }
            Event::Change(network) => {
                net.install((**network).clone());
                None
            }
            Event::Send(link, packet) => Some((*link, net.inject(*link, packet.to_buf())?)),
            Event::Wait(duration) => {
                net.advance(net.now() + *duration)?;
                None
            }
        };
        for output in net.outputs(&[])? {
            lines.push(output.to_string());
            if let (Output::Packet { packet, .. }, Some((_, Action::Send(link)))) = (output, action) {
                received.push((link, packet.tuple()));
            }
        }
    }
    Ok(lines)
}

/// An answer as a host would give it.
fn answer(received: FiveTuple) -> PacketSpec {
    let mut packet = PacketSpec::from(received.reversed());
    if let Kind::Tcp { flags, .. } = &mut packet.kind {
        *flags = Some(TcpFlags::SYN.with(TcpFlags::ACK));
    }
    packet
}

fn same(plain: &[String], other: &[String], mode: Mode) -> Result<(), String> {
    if plain == other {
        return Ok(());
    }
    let first = plain.iter().zip(other).position(|(a, b)| a != b).unwrap_or(plain.len().min(other.len()));
    let line = |lines: &[String]| lines.get(first).cloned().unwrap_or_else(|| "nothing".to_owned());
    Err(format!("output {first}: plain `{}`, {} `{}`", line(plain), mode.name(), line(other)))
}

#[test]
fn a_packet_does_what_its_explanation_says() {
    check("explain == process", sessions(24), |session| {
        let plain = play(&session, Mode::Plain)?;
        same(&plain, &play(&session, Mode::Explained)?, Mode::Explained)
    });
}

#[test]
fn remembering_paths_changes_nothing() {
    check("cache on == cache off", sessions(24), |session| {
        let plain = play(&session, Mode::Plain)?;
        same(&plain, &play(&session, Mode::Uncached)?, Mode::Uncached)
    });
}

#[test]
fn equal_tables_under_another_number_change_nothing() {
    check("equal tables change nothing", sessions(24), |session| {
        let plain = play(&session, Mode::Plain)?;
        same(&plain, &play(&session, Mode::Bumped)?, Mode::Bumped)
    });
}

#[test]
fn tables_compiled_again_explain_the_same() {
    check("compile is a function of the network", first_packets(8), |session| {
        let first = Arc::new(Snapshot::compile(&session.network, None));
        let mut engine = Engine::new(EngineConfig { flows: 64, ..EngineConfig::default() }, Arc::clone(&first));
        for event in &session.events {
            let Event::Send(link, packet) = event else { continue };
            let Ok(parsed) = parse(&packet.to_buf()) else { continue };
            let before = engine.explain(Default::default(), *link, &parsed);
            let again = Snapshot::compile(&session.network, Some(engine.snapshot()));
            engine.install(Arc::new(again));
            let mut after = engine.explain(Default::default(), *link, &parsed);
            if after.generation != before.generation + 1 {
                return Err(format!("generation {} after {}", after.generation, before.generation));
            }
            after.generation = before.generation;
            if before != after {
                return Err(format!("{before}\nbecame\n{after}"));
            }
        }
        Ok(())
    });
}

/// What the engine does with a packet, in the reference's words.
fn fate(engine: &mut Engine, link: LinkId, mut buf: PacketBuf) -> Result<Result<Delivered, DropReason>, String> {
    let action = engine.process(Default::default(), link, &mut buf);
    let (link, tuple, in_pieces) = match action {
        Action::Drop(reason) => {
            while engine.poll_transmit().is_some() {}
            return Ok(Err(reason));
        }
        Action::Send(link) => (link, parse(&buf).map_err(|error| error.to_string())?.tuple, false),
        Action::Sent => {
            let piece = engine.poll_transmit().ok_or("no pieces")?;
            while engine.poll_transmit().is_some() {}
            let parsed = parse(&PacketBuf::from_packet(&piece.packet)).map_err(|error| error.to_string())?;
            (piece.link, parsed.tuple, true)
        }
    };
    Ok(Ok(Delivered { link, tuple, any_source_port: false, in_pieces }))
}

/// Whether the engine did what the reference says.
fn agree(engine: Result<Delivered, DropReason>, reference: Result<Delivered, DropReason>) -> bool {
    match (engine, reference) {
        (Ok(engine), Ok(reference)) if reference.any_source_port => {
            let tuple = FiveTuple { src_port: engine.tuple.src_port, ..reference.tuple };
            engine == Delivered { tuple, any_source_port: false, ..reference }
        }
        (engine, reference) => engine == reference,
    }
}

fn size(packet: &PacketSpec) -> Size {
    let buf = packet.to_buf();
    let len = match (packet.attributes.gso, parse(&buf)) {
        (Some(_), Ok(parsed)) => parsed.packet.segment_len,
        _ => buf.len() as u16,
    };
    // A super-packet is not fragmented: its segments fit, or it does not pass.
    let dont_fragment = packet.src.is_ipv6() || packet.attributes.df == Some(true) || packet.attributes.gso.is_some();
    Size { len, dont_fragment, ttl: packet.attributes.ttl.unwrap_or(64) as u8 }
}

#[test]
fn the_engine_agrees_with_the_reference() {
    let seen = Mutex::new(BTreeMap::<String, usize>::new());
    check("engine == reference", first_packets(8), |session| {
        let tables = Arc::new(Snapshot::compile(&session.network, None));
        let reference = Reference::new(&session.network);
        for event in &session.events {
            let Event::Send(link, packet) = event else { continue };
            let mut engine = Engine::new(EngineConfig { flows: 8, ..EngineConfig::default() }, Arc::clone(&tables));
            let explanation = |engine: &Engine, link, packet: &PacketSpec| {
                parse(&packet.to_buf())
                    .map_or(String::new(), |p| engine.explain(Default::default(), link, &p).to_string())
            };
            let why = explanation(&engine, *link, packet);
            let happened = fate(&mut engine, *link, packet.to_buf())?;
            let judged = reference.first_packet(*link, packet.tuple(), size(packet));
            if !agree(happened, judged.fate) {
                return Err(format!("{packet}\nengine {happened:?}\nreference {:?}\n{why}", judged.fate));
            }
            let word =
                judged.fate.map_or_else(|reason| reason.code(), |delivered| receiver(&session.network, delivered.link));
            *seen.lock().unwrap().entry(word.to_owned()).or_default() += 1;
            let Ok(delivered) = happened else { continue };

            let answer = answer(delivered.tuple);
            let memory = judged.memory.with_source_port(delivered.tuple.src_port);
            let why = explanation(&engine, delivered.link, &answer);
            let happened = fate(&mut engine, delivered.link, answer.to_buf())?;
            let judged = reference.answer(delivered.link, answer.tuple(), size(&answer), &memory);
            if !agree(happened, judged.fate) {
                return Err(format!("answer {answer}\nengine {happened:?}\nreference {:?}\n{why}", judged.fate));
            }
            let word = judged.fate.map_or_else(|reason| reason.code(), |_| "delivered");
            *seen.lock().unwrap().entry(format!("answer {word}")).or_default() += 1;
        }
        Ok(())
    });
    let seen = seen.into_inner().unwrap();
    println!("fates: {seen:?}");
    let words =
        ["eni", "internet host", "service", "answer delivered", "sg_egress", "nacl_egress", "no_route", "too_big"];
    for word in words {
        assert!(seen.contains_key(word), "no packet of the generated ones came to {word}");
    }
}

fn receiver(network: &Desired, link: LinkId) -> &'static str {
    let owner = network.links().find(|(other, _)| *other == link).map(|(_, owner)| owner);
    match owner {
        Some(owner) if Eni::from_ref(owner).is_some() => "eni",
        Some(owner) => owner.noun(),
        None => "nobody",
    }
}

#[test]
fn no_two_live_connections_share_an_outside_tuple() {
    check("outside tuples are unique", sessions(24), |session| {
        let mut net = SimNet::new(World::from(session.network.clone()), Mode::Plain, None);
        // Who may answer to what: the receiving link and tuple, and who sent it.
        let mut outside: HashMap<(LinkId, FiveTuple), (LinkId, FiveTuple)> = HashMap::new();
        for event in &session.events {
            let Event::Send(link, packet) = event else { continue };
            // Whoever sends in other people's names shares their tuples from the start.
            if !is_own_address(&session.network, *link, packet) {
                continue;
            }
            let action = net.inject(*link, packet.to_buf())?;
            let outputs = net.outputs(&[])?;
            let (Action::Send(to), [Output::Packet { packet: out, .. }]) = (action, outputs.as_slice()) else {
                continue;
            };
            let sender = (*link, packet.tuple());
            let first = *outside.entry((to, out.tuple())).or_insert(sender);
            if first != sender {
                return Err(format!("{} comes from both {first:?} and {sender:?}", out.tuple()));
            }
        }
        Ok(())
    });
}

fn is_own_address(network: &Desired, link: LinkId, packet: &PacketSpec) -> bool {
    let owner = network.links().find(|(other, _)| *other == link).map(|(_, owner)| owner);
    owner.and_then(Eni::from_ref).and_then(|id| network.get(id)).is_some_and(|eni| eni.has(packet.src))
}

#[test]
fn generated_networks_hold_every_kind_of_resource() {
    let kinds = Mutex::new(BTreeSet::new());
    check("networks hold every kind of resource", sessions(1), |session| {
        let mut kinds = kinds.lock().unwrap();
        let network = &session.network;
        macro_rules! note {
            ($($kind:ident),*) => { $(
                kinds.extend(network.iter::<vpc_model::resource::$kind>().next().map(|_| stringify!($kind)));
            )* };
        }
        note!(
            EgressOnlyGateway,
            Endpoint,
            Eni,
            Instance,
            InternetGateway,
            InternetHost,
            NatGateway,
            NetworkAcl,
            Peering,
            PrefixList,
            RouteTable,
            SecurityGroup,
            Service,
            Subnet,
            TransitAttachment,
            TransitGateway,
            TransitRouteTable,
            VirtualGateway,
            Vpc
        );
        Ok(())
    });
    let kinds = kinds.into_inner().unwrap();
    assert_eq!(kinds.len(), 19, "only {kinds:?}");
}
