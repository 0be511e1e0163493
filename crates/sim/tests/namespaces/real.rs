//! A network of namespaces, as scenarios see it.

use std::collections::BTreeMap;

use vpc_model::control::{Reply, Request, Status};
use vpc_model::resource::{Instance, InternetHost, Provider, Service, VirtualGateway};
use vpc_model::{Change, Desired, DropReason, Time, lab};
use vpc_packet::{PacketBuf, PacketSpec};
use vpc_sim::net::{check_packet, routes};
use vpc_sim::run::{Expected, Net, Output, Refusal};
use vpc_sim::script::Script;
use vpc_sim::world::World;

use crate::daemon::Daemon;
use crate::tap::{Tap, within};

/// A daemon, and a hand on every interface it carries packets of.
pub(crate) struct RealNet {
    prefix: String,
    world: World,
    daemon: Daemon,
    taps: BTreeMap<String, Tap>,
    /// The daemon's counts when the packet was sent.
    before: Status,
}

impl RealNet {
    pub(crate) fn new(script: &Script) -> Result<Self, String> {
        let world = World::of(script)?;
        let prefix = Daemon::prefix();
        let mut daemon = Daemon::start(prefix.clone(), &lab_text(world.desired(), &prefix)?)?;
        let before = daemon.status()?;
        let mut net = Self { prefix, world, daemon, taps: BTreeMap::new(), before };
        net.take_over()?;
        Ok(net)
    }

    /// Takes over interfaces that are new, and lets go of those that went.
    fn take_over(&mut self) -> Result<(), String> {
        let status = self.daemon.status()?;
        self.taps.retain(|name, _| status.links.iter().any(|link| link.owner == *name));
        for link in &status.links {
            if !self.taps.contains_key(&link.owner) {
                self.taps.insert(link.owner.clone(), Tap::new(&link.namespace, &link.interface)?);
            }
        }
        // What a kernel said while its interface came up is no part of the scenario.
        let settled = within(|| {
            let first = self.daemon.status().ok()?;
            let second = self.daemon.status().ok()?;
            (first.packets == second.packets).then_some(second)
        });
        self.before = settled.ok_or("the namespaces do not become quiet")?;
        for tap in self.taps.values_mut() {
            while tap.recv()?.is_some() {}
        }
        Ok(())
    }

    /// What was dropped since the packet was sent.
    fn drops(&self, now: &Status) -> Vec<Output> {
        let mut outputs = Vec::new();
        for (code, count) in &now.drops {
            let before = self.before.drops.get(code).copied().unwrap_or(0);
            let reason = DropReason::from_code(code).into_iter();
            outputs.extend(reason.flat_map(|reason| (before..*count).map(move |_| Output::Drop(reason))));
        }
        outputs
    }
}

impl Net for RealNet {
    fn change(&mut self, edit: &str) -> Result<(), Refusal> {
        let in_words = |text: String| Refusal { codes: Vec::new(), text };
        self.world.change(edit)?;
        let text = lab_text(self.world.desired(), &self.prefix).map_err(in_words)?;
        let request = Request::Apply { file: "scenario".to_owned(), text };
        self.daemon.ask(&request).map_err(in_words)?;
        self.take_over().map_err(in_words)
    }

    /// Time passes by itself here; scenarios that are marked `lab` need no more of it than that.
    fn advance(&mut self, _: Time) -> Result<(), String> {
        Ok(())
    }

    fn send(&mut self, from: &str, packet: &PacketSpec) -> Result<(), String> {
        self.before = self.daemon.status()?;
        let tap = self.taps.get_mut(from).ok_or_else(|| format!("nobody with an interface is called {from}"))?;
        tap.send(&packet.build())
    }

    fn outputs(&mut self, expected: &[Expected<'_>]) -> Result<Vec<Output>, String> {
        let mut outputs = Vec::new();
        let sent = self.before.packets.received;
        // The daemon answers between two turns: what it had read by then has been dropped or written.
        let last = within(|| {
            let status = self.daemon.status().ok()?;
            (status.packets.received > sent || expected.is_empty()).then_some(status)
        });
        let status = last.ok_or("the daemon has not read the packet")?;
        outputs.extend(self.drops(&status));
        self.before = status;
        for (name, tap) in &mut self.taps {
            while let Some(bytes) = tap.recv()? {
                let buf = PacketBuf::from_packet(&bytes);
                check_packet(&buf).map_err(|error| format!("{name} < {error}"))?;
                let packet = PacketSpec::dissect(&bytes).map_err(|error| format!("{name} < {error}"))?;
                outputs.push(Output::Packet { at: name.clone(), packet: Box::new(packet) });
            }
        }
        Ok(outputs)
    }

    fn explain(&mut self, from: &str, packet: &PacketSpec) -> Result<String, String> {
        let request = Request::Explain { sender: from.to_owned(), packet: packet.to_string() };
        let reply = self.daemon.ask(&request)?;
        let Reply::Explained(explanation) = reply else {
            return Err(format!("asked for an explanation, got {reply:?}"));
        };
        Ok(explanation.to_string())
    }

    /// The routes of the network as the daemon prints it.
    fn routes(&mut self, table: &str) -> Result<Vec<String>, String> {
        let Reply::Lab { text } = self.daemon.ask(&Request::Lab {})? else {
            return Err("asked for the lab, got something else".to_owned());
        };
        let lab = lab::read(&text, "running").map_err(|errors| errors.render())?;
        routes(lab.desired(), table)
    }

    fn flows(&mut self) -> Result<usize, String> {
        Ok(self.daemon.status()?.flows)
    }
}

/// The network as a lab file, its namespaces under names that are this test's own.
fn lab_text(desired: &Desired, prefix: &str) -> Result<String, String> {
    let own = |namespace: &str| format!("{prefix}{namespace}");
    let mut changes = Vec::new();
    for mut instance in desired.iter::<Instance>().cloned() {
        instance.namespace = own(&instance.namespace);
        changes.push(Change::put(instance));
    }
    for mut host in desired.iter::<InternetHost>().cloned() {
        host.namespace = own(&host.namespace);
        changes.push(Change::put(host));
    }
    for mut service in desired.iter::<Service>().cloned() {
        let Provider::Host { namespace, .. } = &mut service.provider;
        *namespace = own(namespace);
        changes.push(Change::put(service));
    }
    for mut gateway in desired.iter::<VirtualGateway>().cloned() {
        gateway.namespace = own(&gateway.namespace);
        changes.push(Change::put(gateway));
    }
    let renamed = desired.apply(changes).map_err(|violations| format!("{violations:?}"))?;
    Ok(lab::write(&renamed))
}
