//! What a network asks of the machine: namespaces, interfaces, addresses and routes.
//!
//! A layout is a value made of [`Desired`] alone; [`Plan`] is how one becomes another. Both know nothing of the
//! kernel, so that what a change amounts to can be tested anywhere.
//!
//! An interface has its addresses as /32 and /128, since in a VPC there are no neighbours: every packet, also one to
//! the same subnet, goes through the TUN (decision 0005). Routes bring it there: to the blocks of the interface's
//! subnet, and on the first interface to everything else. Of several interfaces, each has a rule and a table of its
//! own besides, so that what is sent from one's address leaves by that one, as the tools of AWS's own images set it up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::Context;
use vpc_io::{InterfaceName, NetNsName};
use vpc_lpm::Prefix;
use vpc_model::resource::{Eni, EniKind, Instance, InternetHost, Provider, Service, VirtualGateway};
use vpc_model::{Desired, Id, LinkId, ResourceRef};

/// The MTU of everything inside a VPC (R1.14).
const VPC_MTU: u32 = 9001;
/// The MTU of the internet and of VPN connections (R1.16).
const INTERNET_MTU: u32 = 1500;
/// The kernel's table for ordinary routes.
pub(crate) const MAIN_TABLE: u32 = 254;
/// Of several interfaces, the table of each is this plus its number.
const FIRST_TABLE: u32 = 1000;
/// Of two interfaces' routes to the same place, the lower number wins: this plus the interface's number.
const FIRST_METRIC: u32 = 512;

/// Everything asked of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) namespaces: BTreeMap<NetNsName, Namespace>,
}

/// A namespace and its interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// The name of the instance, service or internet host that it stands for.
    pub(crate) owner: String,
    pub(crate) interfaces: BTreeMap<InterfaceName, Interface>,
}

/// A TUN inside a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) link: LinkId,
    /// The name of the network interface, service or internet host it belongs to.
    pub(crate) owner: String,
    pub(crate) settings: Settings,
}

/// What netlink is told about an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) mtu: u32,
    pub(crate) addresses: BTreeSet<IpAddr>,
    pub(crate) routes: BTreeMap<RouteKey, IpAddr>,
    pub(crate) rules: BTreeSet<Rule>,
}

/// What tells two routes apart; the address it leads from by default is what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteKey {
    pub(crate) table: u32,
    pub(crate) to: Prefix,
    pub(crate) metric: u32,
}

/// Packets from an address look in a table of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) from: IpAddr,
    pub(crate) table: u32,
}

impl Layout {
    /// What `desired` asks for.
    ///
    /// Errors: a namespace's name that the file system cannot have.
    pub(crate) fn of(desired: &Desired) -> anyhow::Result<Self> {
        let mut layout = Self::default();
        for instance in desired.iter::<Instance>() {
            let owner = desired.label(instance.id);
            let namespace = layout.namespace(&instance.namespace, &owner)?;
            let enis: BTreeMap<u8, &Eni> = desired
                .dependents_of_kind::<Eni>(ResourceRef::Instance(instance.id))
                .filter_map(|eni| Some((device_of(eni)?, eni)))
                .collect();
            let several = enis.len() > 1;
            let first = enis.keys().next().copied();
            for (device, eni) in enis {
                let Some(link) = desired.link(eni.id) else {
                    continue;
                };
                let place = Place { mtu: VPC_MTU, device, first: Some(device) == first, several };
                let addresses: Vec<IpAddr> = eni.addresses.iter().map(|address| address.private).collect();
                let subnet = desired.get(eni.subnet).into_iter();
                let blocks: Vec<Prefix> = subnet.flat_map(|subnet| subnet.blocks()).collect();
                let interface =
                    Interface { link, owner: desired.label(eni.id), settings: place.settings(&addresses, &blocks) };
                let name = InterfaceName::new(&format!("eth{device}"))?;
                namespace.interfaces.insert(name, interface);
            }
        }
        for service in desired.iter::<Service>() {
            let Provider::Host { namespace, addresses } = &service.provider;
            layout.host(desired, service.id, namespace, addresses, VPC_MTU)?;
        }
        for host in desired.iter::<InternetHost>() {
            layout.host(desired, host.id, &host.namespace, &host.addresses, INTERNET_MTU)?;
        }
        for gateway in desired.iter::<VirtualGateway>() {
            layout.host(desired, gateway.id, &gateway.namespace, &gateway.addresses, INTERNET_MTU)?;
        }
        Ok(layout)
    }

    /// A namespace with one interface that leads everywhere.
    fn host<K: vpc_model::desired::Noun>(
        &mut self,
        desired: &Desired,
        id: Id<K>,
        namespace: &str,
        addresses: &[IpAddr],
        mtu: u32,
    ) -> anyhow::Result<()> {
        let owner = desired.label(id);
        let namespace = self.namespace(namespace, &owner)?;
        if let Some(link) = desired.link(id) {
            let place = Place { mtu, device: 0, first: true, several: false };
            let settings = place.settings(addresses, &[]);
            let interface = Interface { link, owner, settings };
            namespace.interfaces.insert(InterfaceName::new("eth0")?, interface);
        }
        Ok(())
    }

    fn namespace(&mut self, name: &str, owner: &str) -> anyhow::Result<&mut Namespace> {
        let name = NetNsName::new(name).with_context(|| format!("the namespace of {owner}"))?;
        let namespace = self.namespaces.entry(name).or_default();
        owner.clone_into(&mut namespace.owner);
        Ok(namespace)
    }

    /// The numbers of all links.
    pub(crate) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.interfaces().map(|(_, _, interface)| interface.link)
    }

    /// Every interface with where it is.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = (&NetNsName, InterfaceName, &Interface)> {
        self.namespaces.iter().flat_map(|(name, namespace)| {
            let interfaces = namespace.interfaces.iter();
            interfaces.map(move |(&device, interface)| (name, device, interface))
        })
    }
}

const fn device_of(eni: &Eni) -> Option<u8> {
    match eni.kind {
        EniKind::Instance { instance: _, device } => Some(device),
        EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => None,
    }
}

/// Where an interface stands among the others of its namespace.
struct Place {
    mtu: u32,
    device: u8,
    first: bool,
    several: bool,
}

impl Place {
    /// Shape: the first address of a family is the one packets are sent from by default; `blocks` are what is nearer
    /// to this interface than to the others.
    fn settings(&self, addresses: &[IpAddr], blocks: &[Prefix]) -> Settings {
        let metric = FIRST_METRIC + u32::from(self.device);
        let table = FIRST_TABLE + u32::from(self.device);
        let mut settings =
            Settings { mtu: self.mtu, addresses: addresses.iter().copied().collect(), ..Settings::default() };
        for everything in [Prefix::DEFAULT_V4, Prefix::DEFAULT_V6] {
            let family = everything.is_ipv4();
            let own = || addresses.iter().copied().filter(|address| address.is_ipv4() == family);
            let Some(source) = own().next() else { continue };
            let mut add = |table, to| settings.routes.insert(RouteKey { table, to, metric }, source);
            for &block in blocks.iter().filter(|block| block.is_ipv4() == family) {
                add(MAIN_TABLE, block);
            }
            if self.first {
                add(MAIN_TABLE, everything);
            }
            if self.several {
                add(table, everything);
                settings.rules.extend(own().map(|from| Rule { from, table }));
            }
        }
        settings
    }
}

/// How one layout becomes another.
///
/// A TUN is known by its namespace and name: one that is in both layouts stays open, even when it now belongs to
/// another network interface and so has another number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Namespaces to make and to touch, with what is to be done in each.
    pub(crate) namespaces: BTreeMap<NetNsName, NamespacePlan>,
    /// Namespaces that go.
    pub(crate) delete: Vec<NetNsName>,
    /// How many devices are closed.
    pub(crate) close: usize,
    /// Links that go. A link whose device is closed may go on with another.
    pub(crate) remove: Vec<LinkId>,
    /// Links that stay under another number, from and to.
    pub(crate) renumber: Vec<(LinkId, LinkId)>,
}

/// What is to be done in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamespacePlan {
    /// Whether it is to be made first.
    pub(crate) make: bool,
    /// Devices to open.
    pub(crate) open: Vec<(InterfaceName, Interface)>,
    /// Devices whose settings change, from and to.
    pub(crate) change: Vec<(InterfaceName, Settings, Settings)>,
}

impl Plan {
    /// What leads from `old` to `new`.
    pub(crate) fn between(old: &Layout, new: &Layout) -> Self {
        let mut plan = Self::default();
        for (name, namespace) in &new.namespaces {
            let before = old.namespaces.get(name);
            let mut work = NamespacePlan { make: before.is_none(), ..NamespacePlan::default() };
            for (&device, interface) in &namespace.interfaces {
                match before.and_then(|namespace| namespace.interfaces.get(&device)) {
                    None => work.open.push((device, interface.clone())),
                    Some(earlier) => {
                        if earlier.link != interface.link {
                            plan.renumber.push((earlier.link, interface.link));
                        }
                        if earlier.settings != interface.settings {
                            let settings = (earlier.settings.clone(), interface.settings.clone());
                            work.change.push((device, settings.0, settings.1));
                        }
                    }
                }
            }
            if work != NamespacePlan::default() {
                plan.namespaces.insert(name.clone(), work);
            }
        }
        let vanished = old.namespaces.keys().filter(|name| !new.namespaces.contains_key(name));
        plan.delete = vanished.cloned().collect();
        let stays = |name: &NetNsName, device: &InterfaceName| {
            let after = new.namespaces.get(name);
            after.is_some_and(|namespace| namespace.interfaces.contains_key(device))
        };
        plan.close = old.interfaces().filter(|(name, device, _)| !stays(name, device)).count();
        let staying: BTreeSet<LinkId> = new.links().chain(plan.renumber.iter().map(|&(from, _)| from)).collect();
        plan.remove = old.links().filter(|link| !staying.contains(link)).collect();
        plan
    }
}

#[cfg(test)]
mod tests;
