//! What people mean by a name.

use std::net::IpAddr;

use vpc_model::control::{Failure, FailureKind};
use vpc_model::resource::{Eni, EniKind, Instance, InternetHost, Service, VirtualGateway};
use vpc_model::{Desired, Id, LinkId, ResourceRef};

use crate::publisher::Current;

/// The link on which `sender` would send a packet from `source`.
///
/// Shape: of an instance with several interfaces, the one that has the address, or else the first.
pub(super) fn link(current: &Current, sender: &str, source: IpAddr) -> Result<LinkId, Failure> {
    let desired = &current.desired;
    let links = links(desired, sender);
    let has_source = |link: &&LinkId| {
        current
            .layout
            .interfaces()
            .any(|(_, _, interface)| interface.link == **link && interface.settings.addresses.contains(&source))
    };
    let chosen = links.iter().find(has_source).or_else(|| links.first());
    chosen.copied().ok_or_else(|| unknown(desired, sender))
}

/// The namespace that stands for `of`.
pub(super) fn namespace(current: &Current, of: &str) -> Result<String, Failure> {
    let desired = &current.desired;
    if let Some(instance) = desired.find::<Instance>(of) {
        return Ok(instance.namespace.clone());
    }
    let links = links(desired, of);
    let mut interfaces = current.layout.interfaces();
    interfaces
        .find(|(_, _, interface)| links.contains(&interface.link))
        .map(|(namespace, _, _)| namespace.to_string())
        .ok_or_else(|| unknown(desired, of))
}

/// The links of what has this name or id, in the order of devices.
fn links(desired: &Desired, name: &str) -> Vec<LinkId> {
    if let Some(instance) = desired.find::<Instance>(name) {
        let mut enis: Vec<(u8, Id<Eni>)> = desired
            .dependents_of_kind::<Eni>(ResourceRef::Instance(instance.id))
            .filter_map(|eni| match eni.kind {
                EniKind::Instance { instance: _, device } => Some((device, eni.id)),
                EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => None,
            })
            .collect();
        enis.sort_unstable();
        return enis.into_iter().filter_map(|(_, id)| desired.link(id)).collect();
    }
    let eni = || desired.find::<Eni>(name).and_then(|eni| desired.link(eni.id));
    let service = || desired.find::<Service>(name).and_then(|service| desired.link(service.id));
    let host = || desired.find::<InternetHost>(name).and_then(|host| desired.link(host.id));
    let gateway = || desired.find::<VirtualGateway>(name).and_then(|gateway| desired.link(gateway.id));
    eni().or_else(service).or_else(host).or_else(gateway).into_iter().collect()
}

fn unknown(desired: &Desired, name: &str) -> Failure {
    let names = desired
        .iter::<Instance>()
        .map(|instance| desired.label(instance.id))
        .chain(desired.iter::<Service>().map(|service| desired.label(service.id)))
        .chain(desired.iter::<InternetHost>().map(|host| desired.label(host.id)))
        .chain(desired.iter::<VirtualGateway>().map(|gateway| desired.label(gateway.id)));
    let mut known: Vec<String> = names.collect();
    known.sort_unstable();
    known.truncate(20);
    let known = if known.is_empty() {
        "nothing runs; apply a lab file first".to_owned()
    } else {
        format!("there is {}", known.join(", "))
    };
    let message =
        format!("no instance, interface, service, internet host or virtual gateway is called '{name}'; {known}");
    Failure::new(FailureKind::NotFound, message)
}
