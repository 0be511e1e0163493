//! What `vpcctl show` prints: tables for people, values for programs. Made of [`Desired`] alone.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Map, Value};
use vpc_model::control::{ResourceKind, Table};
use vpc_model::desired::Noun;
use vpc_model::resource::{
    AttachmentKind, Destination, EgressOnlyGateway, Endpoint, EndpointKind, EndpointState, Eni, EniKind, Instance,
    InternetGateway, InternetHost, NatGateway, NetworkAcl, Peer, Peering, PrefixList, Provider, RouteOrigin,
    RouteState, RouteTable, RouteTarget, SecurityGroup, Service, Subnet, TransitAttachment, TransitGateway,
    TransitRouteTable, TransitTarget, VirtualGateway, Vpc,
};
use vpc_model::{Desired, Id, ResourceRef};

/// Rows about one kind, or how many there are of each.
pub(crate) fn table(desired: &Desired, kind: Option<ResourceKind>) -> Table {
    let Some(kind) = kind else {
        return overview(desired);
    };
    let d = desired;
    match kind {
        ResourceKind::EgressOnlyGateways => {
            rows(d, &["NAME", "ID", "VPC"], |r: &EgressOnlyGateway| vec![vec![name(r), id(r), d.label(r.vpc)]])
        }
        ResourceKind::Endpoints => {
            rows(d, &["NAME", "ID", "VPC", "TYPE", "SERVICE", "STATE", "WHERE", "SECURITY-GROUPS"], |r: &Endpoint| {
                vec![endpoint(d, r)]
            })
        }
        ResourceKind::Enis => rows(
            d,
            &["NAME", "ID", "SUBNET", "ADDRESSES", "PUBLIC", "SECURITY-GROUPS", "SRC-DST-CHECK", "OF"],
            |r: &Eni| vec![eni(d, r)],
        ),
        ResourceKind::Instances => {
            rows(d, &["NAME", "ID", "NAMESPACE", "SUBNETS", "ADDRESSES", "PUBLIC"], |r: &Instance| vec![instance(d, r)])
        }
        ResourceKind::InternetGateways => {
            rows(d, &["NAME", "ID", "VPC"], |r: &InternetGateway| vec![vec![name(r), id(r), attached(d, r.vpc)]])
        }
        ResourceKind::InternetHosts => {
            rows(d, &["NAME", "ID", "NAMESPACE", "ADDRESSES", "PREFIXES"], |r: &InternetHost| {
                vec![vec![name(r), id(r), r.namespace.clone(), list(&r.addresses), list(&r.prefixes)]]
            })
        }
        ResourceKind::NatGateways => rows(d, &["NAME", "ID", "SUBNET", "PRIVATE", "PUBLIC"], |r: &NatGateway| {
            let private = d.get(r.eni).map(|eni| list(eni.addresses.iter().map(|a| a.private)));
            vec![vec![name(r), id(r), d.label(r.subnet), private.unwrap_or_default(), maybe(r.public)]]
        }),
        ResourceKind::NetworkAcls => {
            rows(d, &["NAME", "ID", "VPC", "DIRECTION", "RULE", "ACTION", "TRAFFIC", "CIDR"], |r: &NetworkAcl| {
                network_acl(d, r)
            })
        }
        ResourceKind::Peerings => rows(d, &["NAME", "ID", "REQUESTER", "ACCEPTER", "STATE"], |r: &Peering| {
            vec![vec![name(r), id(r), d.label(r.requester), d.label(r.accepter), spelt(r.state)]]
        }),
        ResourceKind::PrefixLists => rows(d, &["NAME", "ID", "FAMILY", "MAX", "ENTRIES"], |r: &PrefixList| {
            vec![vec![name(r), id(r), spelt(r.family), r.max_entries.to_string(), list(&r.entries)]]
        }),
        ResourceKind::RouteTables => {
            rows(d, &["NAME", "ID", "VPC", "DESTINATION", "TARGET", "ORIGIN", "STATE"], |r: &RouteTable| {
                route_table(d, r)
            })
        }
        ResourceKind::SecurityGroups => {
            rows(d, &["NAME", "ID", "VPC", "DIRECTION", "TRAFFIC", "PEER"], |r: &SecurityGroup| security_group(d, r))
        }
        ResourceKind::Services => {
            rows(d, &["NAME", "ID", "SERVICE-NAME", "NAMESPACE", "ADDRESSES", "PREFIX-LIST"], |r: &Service| {
                vec![service(d, r)]
            })
        }
        ResourceKind::Subnets => {
            rows(d, &["NAME", "ID", "VPC", "AZ", "CIDR", "IPV6-CIDR", "ROUTE-TABLE", "NETWORK-ACL"], |r: &Subnet| {
                vec![subnet(d, r)]
            })
        }
        ResourceKind::TransitAttachments => rows(
            d,
            &["NAME", "ID", "GATEWAY", "TO", "SUBNETS", "ROUTE-TABLE", "PROPAGATES-TO"],
            |r: &TransitAttachment| vec![transit_attachment(d, r)],
        ),
        ResourceKind::TransitGateways => {
            rows(d, &["NAME", "ID", "REGION"], |r: &TransitGateway| vec![vec![name(r), id(r), r.region.to_string()]])
        }
        ResourceKind::TransitRouteTables => {
            rows(d, &["NAME", "ID", "GATEWAY", "DESTINATION", "TARGET", "ORIGIN", "STATE"], |r: &TransitRouteTable| {
                transit_route_table(d, r)
            })
        }
        ResourceKind::VirtualGateways => {
            rows(d, &["NAME", "ID", "VPC", "NAMESPACE", "ADDRESSES", "ANNOUNCES"], |r: &VirtualGateway| {
                let vpc = attached(d, r.vpc);
                vec![vec![name(r), id(r), vpc, r.namespace.clone(), list(&r.addresses), list(&r.announces)]]
            })
        }
        ResourceKind::Vpcs => rows(d, &["NAME", "ID", "CIDR", "IPV6-CIDR", "REGION", "ACCOUNT"], |r: &Vpc| {
            let account = r.account.to_string();
            vec![vec![name(r), id(r), list(&r.cidrs), list(&r.ipv6_cidrs), r.region.to_string(), account]]
        }),
    }
}

/// Resources with all their fields: of one kind a list, of all kinds a map of lists.
pub(crate) fn resources(desired: &Desired, kind: Option<ResourceKind>) -> Value {
    let Some(kind) = kind else {
        let kinds = ResourceKind::ALL.iter();
        let map: Map<String, Value> =
            kinds.map(|kind| (kind.name().to_owned(), resources(desired, Some(*kind)))).collect();
        return Value::Object(map);
    };
    match kind {
        ResourceKind::EgressOnlyGateways => values::<EgressOnlyGateway>(desired),
        ResourceKind::Endpoints => values::<Endpoint>(desired),
        ResourceKind::Enis => values::<Eni>(desired),
        ResourceKind::Instances => values::<Instance>(desired),
        ResourceKind::InternetGateways => values::<InternetGateway>(desired),
        ResourceKind::InternetHosts => values::<InternetHost>(desired),
        ResourceKind::NatGateways => values::<NatGateway>(desired),
        ResourceKind::NetworkAcls => values::<NetworkAcl>(desired),
        ResourceKind::Peerings => values::<Peering>(desired),
        ResourceKind::PrefixLists => values::<PrefixList>(desired),
        ResourceKind::RouteTables => values::<RouteTable>(desired),
        ResourceKind::SecurityGroups => values::<SecurityGroup>(desired),
        ResourceKind::Services => values::<Service>(desired),
        ResourceKind::Subnets => values::<Subnet>(desired),
        ResourceKind::TransitAttachments => values::<TransitAttachment>(desired),
        ResourceKind::TransitGateways => values::<TransitGateway>(desired),
        ResourceKind::TransitRouteTables => values::<TransitRouteTable>(desired),
        ResourceKind::VirtualGateways => values::<VirtualGateway>(desired),
        ResourceKind::Vpcs => values::<Vpc>(desired),
    }
}

fn overview(desired: &Desired) -> Table {
    let row = |&kind: &ResourceKind| {
        let count = resources(desired, Some(kind)).as_array().map_or(0, Vec::len);
        (count > 0).then(|| vec![kind.name().to_owned(), count.to_string()])
    };
    Table {
        columns: vec!["KIND".to_owned(), "COUNT".to_owned()],
        rows: ResourceKind::ALL.iter().filter_map(row).collect(),
    }
}

/// One or more rows per resource, in the order of names.
fn rows<K: Noun>(desired: &Desired, columns: &[&str], of: impl Fn(&K) -> Vec<Vec<String>>) -> Table {
    let mut all: Vec<&K> = desired.iter::<K>().collect();
    all.sort_by_key(|resource| desired.label(resource.id()));
    Table {
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows: all.into_iter().flat_map(of).collect(),
    }
}

fn values<K: Noun + Serialize>(desired: &Desired) -> Value {
    // The nouns have string keys only, so none fails to become JSON.
    desired.iter::<K>().filter_map(|resource| serde_json::to_value(resource).ok()).collect()
}

fn endpoint(d: &Desired, r: &Endpoint) -> Vec<String> {
    let (kind, place, groups) = match &r.kind {
        EndpointKind::Gateway { tables } => ("gateway", labels(d, tables), Vec::new()),
        EndpointKind::Interface { enis, groups, private_dns: _ } => {
            let place = |&id: &Id<Eni>| d.get(id).map(|eni| list(eni.addresses.iter().map(|a| a.private)));
            ("interface", enis.iter().filter_map(place).collect(), groups.clone())
        }
    };
    let state = match r.state {
        EndpointState::Available => "available",
        EndpointState::PendingAcceptance => "pending-acceptance",
        EndpointState::Rejected => "rejected",
    };
    let (vpc, service) = (d.label(r.vpc), d.label(r.service));
    vec![name(r), id(r), vpc, kind.to_owned(), service, state.to_owned(), list(&place), list(labels(d, &groups))]
}

fn eni(d: &Desired, r: &Eni) -> Vec<String> {
    let of = match r.kind {
        EniKind::Endpoint(id) => format!("endpoint {}", d.label(id)),
        EniKind::Instance { instance, device } => format!("instance {} eth{device}", d.label(instance)),
        EniKind::Available => "nothing".to_owned(),
        EniKind::NatGateway(id) => format!("NAT gateway {}", d.label(id)),
    };
    vec![
        name(r),
        id(r),
        d.label(r.subnet),
        list(r.addresses.iter().map(|address| address.private)),
        list(r.addresses.iter().filter_map(|address| address.public)),
        list(labels(d, &r.groups)),
        if r.source_dest_check { "on" } else { "off" }.to_owned(),
        of,
    ]
}

fn instance(d: &Desired, r: &Instance) -> Vec<String> {
    let mut enis: Vec<&Eni> = d.dependents_of_kind(ResourceRef::Instance(r.id)).collect();
    enis.sort_by_key(|eni| match eni.kind {
        EniKind::Instance { instance: _, device } => device,
        EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => u8::MAX,
    });
    let addresses = || enis.iter().flat_map(|eni| &eni.addresses);
    vec![
        name(r),
        id(r),
        r.namespace.clone(),
        list(enis.iter().map(|eni| d.label(eni.subnet))),
        list(addresses().map(|address| address.private)),
        list(addresses().filter_map(|address| address.public)),
    ]
}

fn network_acl(d: &Desired, r: &NetworkAcl) -> Vec<Vec<String>> {
    let head = [name(r), id(r), d.label(r.vpc)];
    let row = |cells: [String; 5]| head.iter().cloned().chain(cells).collect();
    let entries = r.entries.iter().map(|(key, entry)| {
        row([
            key.direction.to_string(),
            key.number.to_string(),
            spelt(entry.action),
            entry.traffic.to_string(),
            entry.cidr.to_string(),
        ])
    });
    or_one(entries.collect(), || row(dashes()))
}

fn route_table(d: &Desired, r: &RouteTable) -> Vec<Vec<String>> {
    let routes = d.effective_routes(r).into_iter().map(|route| {
        vec![
            name(r),
            id(r),
            d.label(r.vpc),
            destination(d, route.destination),
            target(d, route.target),
            spelt_origin(route.origin),
            spelt_state(route.state),
        ]
    });
    routes.collect()
}

fn transit_route_table(d: &Desired, r: &TransitRouteTable) -> Vec<Vec<String>> {
    let head = [name(r), id(r), d.label(r.gateway)];
    let row = |cells: [String; 4]| head.iter().cloned().chain(cells).collect();
    let routes = d.effective_transit_routes(r).into_iter().map(|route| {
        let target = match route.target {
            TransitTarget::Attachment(id) => d.label(id),
            TransitTarget::Blackhole => "blackhole".to_owned(),
        };
        let (origin, state) = (spelt_origin(route.origin), spelt_state(route.state));
        row([destination(d, route.destination), target, origin, state])
    });
    or_one(routes.collect(), || row(dashes()))
}

fn security_group(d: &Desired, r: &SecurityGroup) -> Vec<Vec<String>> {
    let head = [name(r), id(r), d.label(r.vpc)];
    let row = |cells: [String; 3]| head.iter().cloned().chain(cells).collect();
    let rules = r.rules.iter().map(|rule| {
        let peer = match rule.peer {
            Peer::Group(id) => d.label(id),
            Peer::List(id) => d.label(id),
            Peer::Prefix(prefix) => prefix.to_string(),
        };
        row([rule.direction.to_string(), rule.traffic.to_string(), peer])
    });
    or_one(rules.collect(), || row(dashes()))
}

fn service(d: &Desired, r: &Service) -> Vec<String> {
    let Provider::Host { namespace, addresses } = &r.provider;
    vec![
        name(r),
        id(r),
        r.service_name.clone(),
        namespace.clone(),
        list(addresses),
        maybe(r.prefix_list.map(|id| d.label(id))),
    ]
}

fn subnet(d: &Desired, r: &Subnet) -> Vec<String> {
    let acl = r.acl.or(d.get(r.vpc).map(|vpc| vpc.default_acl));
    vec![
        name(r),
        id(r),
        d.label(r.vpc),
        r.az.to_string(),
        r.cidr.to_string(),
        maybe(r.ipv6_cidr),
        maybe(d.table_of(r).map(|table| d.label(table.id))),
        maybe(acl.map(|id| d.label(id))),
    ]
}

fn transit_attachment(d: &Desired, r: &TransitAttachment) -> Vec<String> {
    let (to, subnets) = match &r.kind {
        AttachmentKind::Peering { peer } => (d.label(*peer), Vec::new()),
        AttachmentKind::Vpc { vpc, subnets, appliance_mode: _ } => (d.label(*vpc), labels(d, subnets)),
    };
    let table = maybe(r.table.map(|id| d.label(id)));
    let propagates = list(labels(d, &r.propagates_to));
    vec![name(r), id(r), d.label(r.gateway), to, list(&subnets), table, propagates]
}

fn destination(d: &Desired, destination: Destination) -> String {
    match destination {
        Destination::List(id) => d.label(id),
        Destination::Prefix(prefix) => prefix.to_string(),
    }
}

fn target(d: &Desired, target: RouteTarget) -> String {
    match target {
        RouteTarget::EgressOnly(id) => d.label(id),
        RouteTarget::Eni(id) => d.label(id),
        RouteTarget::GatewayEndpoint(id) => d.label(id),
        RouteTarget::Internet(id) => d.label(id),
        RouteTarget::Local => "local".to_owned(),
        RouteTarget::Nat(id) => d.label(id),
        RouteTarget::Peering(id) => d.label(id),
        RouteTarget::Transit(id) => d.label(id),
        RouteTarget::Virtual(id) => d.label(id),
    }
}

fn spelt_origin(origin: RouteOrigin) -> String {
    format!("{origin:?}").to_lowercase()
}

fn spelt_state(state: RouteState) -> String {
    format!("{state:?}").to_lowercase()
}

/// A value as serde spells it.
fn spelt(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => dash(),
    }
}

fn name<K: Noun>(resource: &K) -> String {
    maybe(resource.name())
}

fn id<K: Noun>(resource: &K) -> String {
    resource.id().to_string()
}

fn attached(d: &Desired, vpc: Option<Id<Vpc>>) -> String {
    maybe(vpc.map(|id| d.label(id)))
}

fn labels<'a, K: Noun>(d: &Desired, ids: impl IntoIterator<Item = &'a Id<K>>) -> Vec<String> {
    ids.into_iter().map(|&id| d.label(id)).collect()
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { dash() } else { items.join(",") }
}

fn maybe<T: Display>(value: Option<T>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

/// What stands in a cell of which there is nothing to say.
fn dash() -> String {
    "-".to_owned()
}

fn dashes<const N: usize>() -> [String; N] {
    std::array::from_fn(|_| dash())
}

/// A resource without parts still has a row.
fn or_one(rows: Vec<Vec<String>>, one: impl FnOnce() -> Vec<String>) -> Vec<Vec<String>> {
    if rows.is_empty() { vec![one()] } else { rows }
}

#[cfg(test)]
mod tests;
