//! What has network interfaces: instances, NAT gateways and interface endpoints.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use super::convert::{Converter, Scope, given, values};
use super::de::{Named, OneOrMany, Or, Read};
use super::file;
use super::names::Identity;
use super::tree::Place;
use super::value::{Ip, Ipv4, Reference};
use crate::Id;
use crate::desired::Noun;
use crate::resource::{
    Endpoint, EndpointKind, EndpointState, Eni, EniAddress, EniKind, Instance, Name, NatGateway, RouteTable,
    SecurityGroup, Service, Subnet,
};

/// An interface whose addresses may still have to be chosen.
///
/// All explicit addresses have to be known before free ones are given out.
pub(super) struct Draft {
    eni: Eni,
    place: Place,
    /// Whether it gets the next free IPv4 address, with the public address that stands for it.
    next_free: Option<Option<Ipv4Addr>>,
}

/// The fields that describe an interface, wherever they stand.
struct Form<'f> {
    subnet: Option<&'f Read<Reference>>,
    address: Option<&'f OneOrMany<Or<Ip, file::Address>>>,
    ipv6_address: Option<&'f OneOrMany<Ip>>,
    public: &'f Option<Read<Ipv4>>,
    groups: Option<&'f OneOrMany<Reference>>,
    source_dest_check: &'f Option<Read<bool>>,
}

impl Converter<'_> {
    /// Takes up the names of all interfaces of a VPC.
    pub(super) fn declare_interfaces(&mut self, scope: &str, file: &file::Vpc) {
        for entry in file.nat_gateways.iter() {
            self.declare_interface(&nat_interface(scope, entry), entry.place);
        }
        for entry in file.instances.iter() {
            let Some(value) = &entry.value else { continue };
            match &value.interfaces {
                None => self.declare_interface(&only_interface(scope, entry, value), entry.place),
                Some(interfaces) => {
                    for (i, read) in interfaces.iter().enumerate() {
                        if let (Some(interface), Some(place)) = (read.get(), read.place()) {
                            self.declare_interface(&interface_of(scope, entry, i, interface), place);
                        }
                    }
                }
            }
        }
        for entry in file.endpoints.iter() {
            for (subnet, place, value) in endpoint_subnets(entry) {
                self.declare_interface(&endpoint_interface(scope, entry, subnet, value), place);
            }
        }
    }

    fn declare_interface(&mut self, identity: &Identity<Eni>, place: Place) {
        self.declare(identity, place);
    }

    pub(super) fn nat_gateway(&mut self, scope: &Scope<'_>, entry: &Named<file::NatGateway>) {
        let identity = super::convert::nat_gateway(scope.key, entry);
        let interface = nat_interface(scope.key, entry);
        let skip = |converter: &mut Self| {
            converter.skip(identity.id);
            converter.skip(interface.id);
        };
        let Some(file) = &entry.value else {
            return skip(self);
        };
        let this = NatGateway::to_ref(identity.id);
        let Some(subnet) = self.subnet_of(Some(&file.subnet), this, entry.place) else {
            return skip(self);
        };
        let eni_ref = Eni::to_ref(interface.id);
        self.note_optional(eni_ref, "address", &file.address);
        self.note_optional(eni_ref, "public", &file.public);
        if [&file.address, &file.public].into_iter().flatten().any(|read| read.get().is_none()) {
            return skip(self);
        }
        let public = given(&file.public).map(|public| public.0);
        let address = given(&file.address).map(|&Ipv4(private)| EniAddress { private: private.into(), public });
        self.drafts.push(Draft {
            next_free: address.is_none().then_some(public),
            place: entry.place,
            eni: Eni {
                id: interface.id,
                name: interface.name,
                subnet,
                addresses: address.into_iter().collect(),
                groups: Vec::new(),
                source_dest_check: false,
                kind: EniKind::NatGateway(identity.id),
            },
        });
        self.put(NatGateway { id: identity.id, name: identity.name, subnet, eni: interface.id, public });
    }

    pub(super) fn instance(&mut self, scope: &Scope<'_>, entry: &Named<file::Instance>) {
        let identity = super::convert::instance(scope.key, entry);
        let Some(file) = &entry.value else {
            return self.skip(identity.id);
        };
        let this = Instance::to_ref(identity.id);
        let namespace = self.namespace(&file.namespace, &entry.key, this);
        self.put(Instance {
            id: identity.id,
            name: identity.name,
            account: given(&file.account).copied().unwrap_or(scope.account),
            namespace,
        });
        let kind = |device| EniKind::Instance { instance: identity.id, device };
        let Some(interfaces) = &file.interfaces else {
            let form = Form {
                subnet: file.subnet.as_ref(),
                address: file.address.as_ref(),
                ipv6_address: file.ipv6_address.as_ref(),
                public: &file.public,
                groups: file.security_groups.as_ref(),
                source_dest_check: &file.source_dest_check,
            };
            let interface = only_interface(scope.key, entry, file);
            return self.interface(scope, interface, entry.place, &form, kind(0));
        };
        self.refuse_beside_interfaces(file);
        if interfaces.iter().len() == 0 {
            self.fault(entry.place, "'interfaces' is empty; expected at least one interface");
        }
        for (i, read) in interfaces.iter().enumerate() {
            let (Some(interface), Some(place)) = (read.get(), read.place()) else {
                continue;
            };
            let form = Form {
                subnet: interface.subnet.as_ref(),
                address: interface.address.as_ref(),
                ipv6_address: interface.ipv6_address.as_ref(),
                public: &interface.public,
                groups: interface.security_groups.as_ref(),
                source_dest_check: &interface.source_dest_check,
            };
            let identity = interface_of(scope.key, entry, i, interface);
            self.note_optional(Eni::to_ref(identity.id), "device", &interface.device);
            let device = given(&interface.device).copied().or_else(|| u8::try_from(i).ok());
            match device {
                Some(device) => self.interface(scope, identity, place, &form, kind(device)),
                None => self.fault(place, "an instance has at most 256 interfaces"),
            }
        }
    }

    fn refuse_beside_interfaces(&mut self, file: &file::Instance) {
        let first = |place: Option<Place>, name: &'static str| place.map(|place| (place, name));
        let places = [
            first(file.subnet.as_ref().and_then(Read::place), "subnet"),
            first(file.public.as_ref().and_then(Read::place), "public"),
            first(file.interface_id.as_ref().and_then(Read::place), "interface_id"),
            first(file.source_dest_check.as_ref().and_then(Read::place), "source_dest_check"),
            first(file.address.as_ref().and_then(first_place), "address"),
            first(file.ipv6_address.as_ref().and_then(first_place), "ipv6_address"),
            first(file.security_groups.as_ref().and_then(first_place), "security_groups"),
        ];
        for (place, name) in places.into_iter().flatten() {
            self.fault(place, format!("'{name}' beside 'interfaces'; expected it inside one of them"));
        }
    }

    fn interface(&mut self, scope: &Scope<'_>, identity: Identity<Eni>, place: Place, form: &Form<'_>, kind: EniKind) {
        let this = Eni::to_ref(identity.id);
        let groups = match form.groups {
            None => vec![scope.default_group],
            Some(list) => self.references::<SecurityGroup>(list, this, "security_groups"),
        };
        let addresses = self.addresses_of(form, this);
        let (Some(subnet), Some(addresses)) = (self.subnet_of(form.subnet, this, place), addresses) else {
            return self.skip(identity.id);
        };
        let (addresses, next_free) = addresses;
        self.drafts.push(Draft {
            next_free,
            place,
            eni: Eni {
                id: identity.id,
                name: identity.name,
                subnet,
                addresses,
                groups,
                source_dest_check: given(form.source_dest_check).is_none_or(|&on| on),
                kind,
            },
        });
    }

    /// The addresses that are written, and whether a free one comes before them, with which public address.
    fn addresses_of(
        &mut self,
        form: &Form<'_>,
        this: crate::ResourceRef,
    ) -> Option<(Vec<EniAddress>, Option<Option<Ipv4Addr>>)> {
        self.note_optional(this, "public", form.public);
        let mut addresses = Vec::new();
        for (address, place) in values(form.address)? {
            let address = match address {
                Or::Short(Ip(private)) => EniAddress { private: *private, public: None },
                Or::Full(file) => {
                    let Ip(private) = *self.required(&file.private, place, "private", "an address")?;
                    self.note_optional(this, "public", &file.public);
                    EniAddress { private, public: given(&file.public).map(|public| public.0) }
                }
            };
            self.note_value(this, "address", address.private.to_string(), place);
            addresses.push(address);
        }
        for (&Ip(private), place) in values(form.ipv6_address)? {
            if private.is_ipv4() {
                self.fault(place, format!("{private} belongs into 'address'; expected an IPv6 address"));
            }
            self.note_value(this, "address", private.to_string(), place);
            addresses.push(EniAddress { private, public: None });
        }
        let public = given(form.public).map(|public| public.0);
        if form.address.is_none_or(|list| list.iter().len() == 0) {
            return Some((addresses, Some(public)));
        }
        if let (Some(public), Some(place)) = (public, form.public.as_ref().and_then(Read::place)) {
            match addresses.first_mut() {
                Some(first) if first.private.is_ipv4() && first.public.is_none() => first.public = Some(public),
                Some(first) if first.public.is_some() => {
                    self.fault(place, "the first address has a public one already");
                }
                Some(_) | None => {
                    self.fault(place, "a public address stands for an IPv4 one; the first address is IPv6");
                }
            }
        }
        Some((addresses, None))
    }

    pub(super) fn endpoint(&mut self, scope: &Scope<'_>, entry: &Named<file::Endpoint>) {
        let identity = super::convert::endpoint(scope.key, entry);
        let interfaces: Vec<Identity<Eni>> = endpoint_subnets(entry)
            .into_iter()
            .map(|(subnet, _, value)| endpoint_interface(scope.key, entry, subnet, value))
            .collect();
        let skip = |converter: &mut Self| {
            converter.skip(identity.id);
            interfaces.iter().for_each(|interface| converter.skip(interface.id));
        };
        let Some(file) = &entry.value else {
            return skip(self);
        };
        let this = Endpoint::to_ref(identity.id);
        let by_interface = match &file.kind {
            None => file.subnets.is_some(),
            Some(read) => match read.get() {
                Some(kind) => *kind == file::EndpointType::Interface,
                None => return skip(self),
            },
        };
        let kind = if by_interface {
            self.interface_endpoint(scope, entry, file, identity.id)
        } else {
            self.gateway_endpoint(file, this)
        };
        let expected = "the name of a service";
        let service: Option<Id<Service>> = self
            .required(&file.service, entry.place, "service", expected)
            .zip(file.service.place())
            .and_then(|(Reference(text), place)| {
                let id = self.resolve_service(text, place)?;
                self.note_value(this, "service", Service::to_ref(id).to_string(), place);
                Some(id)
            });
        let Some(service) = service else {
            return skip(self);
        };
        let state = match given(&file.state) {
            Some(file::EndpointState::PendingAcceptance) => EndpointState::PendingAcceptance,
            Some(file::EndpointState::Rejected) => EndpointState::Rejected,
            Some(file::EndpointState::Available) | None => EndpointState::Available,
        };
        self.put(Endpoint { id: identity.id, name: identity.name, vpc: scope.id, service, state, kind });
    }

    fn gateway_endpoint(&mut self, file: &file::Endpoint, this: crate::ResourceRef) -> EndpointKind {
        let misplaced = [
            (file.subnets.as_ref().and_then(Read::place), "subnets"),
            (file.security_groups.as_ref().and_then(first_place), "security_groups"),
            (file.private_dns.as_ref().and_then(Read::place), "private_dns"),
        ];
        for (place, name) in misplaced {
            if let Some(place) = place {
                self.fault(place, format!("'{name}' belongs to endpoints of type interface"));
            }
        }
        let tables = match &file.route_tables {
            Some(list) => self.references::<RouteTable>(list, this, "route_tables"),
            None => Vec::new(),
        };
        EndpointKind::Gateway { tables: tables.into_iter().collect() }
    }

    fn interface_endpoint(
        &mut self,
        scope: &Scope<'_>,
        entry: &Named<file::Endpoint>,
        file: &file::Endpoint,
        id: Id<Endpoint>,
    ) -> EndpointKind {
        let this = Endpoint::to_ref(id);
        if let Some(place) = file.route_tables.as_ref().and_then(first_place) {
            self.fault(place, "'route_tables' belongs to endpoints of type gateway");
        }
        let groups = match &file.security_groups {
            None => vec![scope.default_group],
            Some(list) => self.references(list, this, "security_groups"),
        };
        if let Some(place) = file.subnets.as_ref().and_then(Read::place) {
            self.note(this, "subnets", place);
        }
        let mut enis = Vec::new();
        for (text, place, value) in endpoint_subnets(entry) {
            let identity = endpoint_interface(scope.key, entry, text, value);
            let Some(subnet) = self.resolve::<Subnet>(text, place) else {
                self.skip(identity.id);
                continue;
            };
            self.note_value(this, "subnets", Subnet::to_ref(subnet).to_string(), place);
            let Some(addresses) = self.endpoint_addresses(value, &identity, place) else {
                self.skip(identity.id);
                enis.push(identity.id);
                continue;
            };
            enis.push(identity.id);
            self.drafts.push(Draft {
                next_free: addresses.1.then_some(None),
                place,
                eni: Eni {
                    id: identity.id,
                    name: identity.name,
                    subnet,
                    addresses: addresses.0,
                    groups: groups.clone(),
                    source_dest_check: true,
                    kind: EniKind::Endpoint(id),
                },
            });
        }
        EndpointKind::Interface { enis, groups, private_dns: given(&file.private_dns).is_some_and(|&on| on) }
    }

    /// The addresses an endpoint's interface has, and whether a free one comes before them.
    fn endpoint_addresses(
        &mut self,
        value: Option<&Or<Ip, file::EndpointInterface>>,
        identity: &Identity<Eni>,
        place: Place,
    ) -> Option<(Vec<EniAddress>, bool)> {
        let this = Eni::to_ref(identity.id);
        let mut written = Vec::new();
        let next_free = match value {
            None => true,
            Some(Or::Short(Ip(address))) => {
                written.push((*address, Place::value(place.node)));
                false
            }
            Some(Or::Full(file)) => {
                let addresses = values(file.address.as_ref())?;
                let next_free = addresses.is_empty();
                let ipv6 = values(file.ipv6_address.as_ref())?;
                written.extend(addresses.into_iter().chain(ipv6).map(|(address, place)| (address.0, place)));
                next_free
            }
        };
        for (address, place) in &written {
            self.note_value(this, "address", address.to_string(), *place);
        }
        let address = |(private, _)| EniAddress { private, public: None };
        Some((written.into_iter().map(address).collect(), next_free))
    }

    /// Chooses the addresses that are still missing, and puts all interfaces.
    pub(super) fn put_interfaces(&mut self) {
        let drafts = std::mem::take(&mut self.drafts);
        let mut used: HashMap<Id<Subnet>, BTreeSet<IpAddr>> = HashMap::new();
        for draft in &drafts {
            let addresses = draft.eni.addresses.iter().map(|address| address.private);
            used.entry(draft.eni.subnet).or_default().extend(addresses);
        }
        for Draft { mut eni, place, next_free } in drafts {
            if let Some(public) = next_free {
                let Some(block) = self.blocks.get(&eni.subnet).copied() else {
                    self.skip(eni.id);
                    continue;
                };
                let used = used.entry(eni.subnet).or_default();
                let free = (4..block.size().saturating_sub(1))
                    .filter_map(|n| block.nth(n))
                    .find(|address| !used.contains(address));
                let Some(private) = free else {
                    self.fault(place, format!("no address is free in {block}"));
                    self.skip(eni.id);
                    continue;
                };
                used.insert(private);
                eni.addresses.insert(0, EniAddress { private, public });
            }
            self.put(eni);
        }
    }

    fn subnet_of(
        &mut self,
        read: Option<&Read<Reference>>,
        this: crate::ResourceRef,
        place: Place,
    ) -> Option<Id<Subnet>> {
        let Some((read, at)) = read.and_then(|read| Some((read, read.place()?))) else {
            self.fault(place, "'subnet' is missing; expected the name of a subnet");
            return None;
        };
        let Reference(text) = read.get()?;
        self.note(this, "subnet", at);
        self.resolve(text, at)
    }

    fn resolve_service(&mut self, text: &str, place: Place) -> Option<Id<Service>> {
        match (self.names().find(text), self.services.get(text)) {
            (None, Some(&id)) | (Some(id), _) => Some(id),
            (None, None) => self.resolve(text, place),
        }
    }
}

fn first_place<T>(list: &OneOrMany<T>) -> Option<Place> {
    list.iter().next().and_then(Read::place)
}

fn nat_interface(scope: &str, entry: &Named<file::NatGateway>) -> Identity<Eni> {
    let file = entry.value.as_ref();
    let id = file.and_then(|file| given(&file.interface_id)).copied();
    let name = file.and_then(|file| given(&file.interface_name));
    Identity::new(scope, name.map_or(&entry.key, Name::as_str), id)
}

fn only_interface(scope: &str, entry: &Named<file::Instance>, file: &file::Instance) -> Identity<Eni> {
    Identity::new(scope, &entry.key, given(&file.interface_id).copied())
}

/// The name of an instance's interface: the instance's, with a number from the second one on.
pub(super) fn interface_name(instance: &str, index: usize) -> String {
    match index {
        0 => instance.to_owned(),
        _ => format!("{instance}.{index}"),
    }
}

fn interface_of(scope: &str, entry: &Named<file::Instance>, index: usize, file: &file::Interface) -> Identity<Eni> {
    let own = given(&file.name).map(Name::to_string);
    let key = own.unwrap_or_else(|| interface_name(&entry.key, index));
    Identity::new(scope, &key, given(&file.id).copied())
}

type EndpointSubnet<'f> = (&'f str, Place, Option<&'f Or<Ip, file::EndpointInterface>>);

/// The subnets of an endpoint, where each is named, and what is said about its interface.
fn endpoint_subnets(entry: &Named<file::Endpoint>) -> Vec<EndpointSubnet<'_>> {
    let subnets = entry.value.as_ref().and_then(|file| given(&file.subnets));
    match subnets {
        None => Vec::new(),
        Some(Or::Short(list)) => {
            list.iter().filter_map(|read| Some((read.get()?.0.as_str(), read.place()?, None))).collect()
        }
        Some(Or::Full(map)) => map
            .iter()
            .map(|entry| (entry.key.as_str(), entry.place, entry.value.as_ref().and_then(Option::as_ref)))
            .collect(),
    }
}

/// The name of an endpoint's interface in a subnet.
pub(super) fn endpoint_interface_name(endpoint: &str, subnet: &str) -> String {
    format!("{endpoint}.{subnet}")
}

fn endpoint_interface(
    scope: &str,
    entry: &Named<file::Endpoint>,
    subnet: &str,
    value: Option<&Or<Ip, file::EndpointInterface>>,
) -> Identity<Eni> {
    let file = match value {
        Some(Or::Full(file)) => Some(file),
        Some(Or::Short(_)) | None => None,
    };
    let own = file.and_then(|file| given(&file.name)).map(Name::to_string);
    let key = own.unwrap_or_else(|| endpoint_interface_name(&entry.key, subnet));
    Identity::new(scope, &key, file.and_then(|file| given(&file.id)).copied())
}
