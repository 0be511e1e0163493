//! What connects VPCs with each other and with networks elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::convert::{
    Converter, Scope, default_name, detached_virtual, given, peering, transit_attachment, transit_gateway, values,
    virtual_gateway,
};
use super::de::{Named, OneOrMany, Or, Read};
use super::file;
use super::names::Identity;
use super::tree::Place;
use super::value::{Block, Ip, Reference};
use crate::Id;
use crate::desired::{Noun, ResourceRef};
use crate::resource::{
    AttachmentKind, Peering, RouteTable, TransitAttachment, TransitGateway, TransitRouteTable, VirtualGateway,
};

/// The text that stands for no table where a table can be named.
pub(super) const NO_TABLE: &str = "none";

/// The fields of a virtual private gateway that do not depend on whether it is attached.
struct Far<'f> {
    namespace: &'f Option<Read<String>>,
    addresses: Option<&'f OneOrMany<Ip>>,
    announces: Option<&'f OneOrMany<Block>>,
}

impl Converter<'_> {
    pub(super) fn detached_virtual_gateway(&mut self, entry: &Named<file::DetachedVirtual>) {
        let identity = detached_virtual("", entry);
        let Some(file) = &entry.value else {
            return self.skip(identity.id);
        };
        let far =
            Far { namespace: &file.namespace, addresses: file.addresses.as_ref(), announces: file.announces.as_ref() };
        if let Some(gateway) = self.far(identity, &far) {
            self.put(gateway);
        }
    }

    /// A VPC's virtual private gateway, if it has one.
    pub(super) fn virtual_gateway(&mut self, scope: &Scope<'_>, file: &file::Vpc) {
        let Some((identity, place)) = virtual_gateway(scope.key, &file.virtual_gateway) else {
            return;
        };
        let this = VirtualGateway::to_ref(identity.id);
        self.note(this, "vpc", place);
        let full = match given(&file.virtual_gateway) {
            Some(Or::Full(file)) => Some(file),
            Some(Or::Short(_)) | None => None,
        };
        let far = Far {
            namespace: full.map_or(&None, |file| &file.namespace),
            addresses: full.and_then(|file| file.addresses.as_ref()),
            announces: full.and_then(|file| file.announces.as_ref()),
        };
        let edge_table = full.map_or(&None, |file| &file.edge_table);
        let edge_table = self.optional_reference(edge_table, this, "edge_table");
        let tables = full.and_then(|file| file.propagates_to.as_ref());
        let tables = tables.map_or(Vec::new(), |list| self.references::<RouteTable>(list, this, "propagates_to"));
        if let Some(gateway) = self.far(identity, &far) {
            let propagates_to = tables.into_iter().collect();
            self.put(VirtualGateway { vpc: Some(scope.id), propagates_to, edge_table, ..gateway });
        }
    }

    /// A virtual private gateway that is attached to nothing; `None` when something could not be read.
    fn far(&mut self, identity: Identity<VirtualGateway>, far: &Far<'_>) -> Option<VirtualGateway> {
        let Identity { id, name } = identity;
        let this = VirtualGateway::to_ref(id);
        let key = name.as_ref().map_or_else(|| id.to_string(), ToString::to_string);
        let namespace = self.namespace(far.namespace, &key, this);
        let (Some(addresses), Some(announces)) = (self.addresses(far.addresses, this), values(far.announces)) else {
            self.skip(id);
            return None;
        };
        Some(VirtualGateway {
            id,
            name,
            vpc: None,
            namespace,
            addresses,
            announces: announces.into_iter().map(|(block, _)| block.0).collect(),
            propagates_to: BTreeSet::new(),
            edge_table: None,
        })
    }

    pub(super) fn peering(&mut self, entry: &Named<file::Peering>) {
        let Identity { id, name } = peering("", entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = Peering::to_ref(id);
        self.note_optional(this, "state", &file.state);
        let requester = self.end(&file.requester, entry.place, "requester", this);
        let accepter = self.end(&file.accepter, entry.place, "accepter", this);
        let (Some(requester), Some(accepter)) = (requester, accepter) else {
            return self.skip(id);
        };
        self.put(Peering { id, name, requester, accepter, state: given(&file.state).copied().unwrap_or_default() });
    }

    /// A VPC that has to be named.
    fn end<K: Noun>(
        &mut self,
        read: &Read<Reference>,
        owner: Place,
        field: &'static str,
        this: ResourceRef,
    ) -> Option<Id<K>> {
        let Reference(text) = self.required(read, owner, field, "the name of a VPC")?;
        let place = read.place()?;
        let id = self.resolve(text, place)?;
        self.note_value(this, field, K::to_ref(id).to_string(), place);
        Some(id)
    }

    pub(super) fn declare_transit_gateway(&mut self, entry: &Named<file::TransitGateway>) {
        self.declare(&transit_gateway("", entry), entry.place);
        let Some(file) = &entry.value else { return };
        for inner in file.attachments.iter() {
            self.declare(&transit_attachment(&entry.key, inner), inner.place);
        }
        for inner in file.route_tables.iter() {
            self.declare(&transit_table(&entry.key, inner), inner.place);
        }
        if makes_default_table(entry) {
            self.declare(&default_transit_table(&entry.key), entry.place);
        }
    }

    pub(super) fn transit_gateway(&mut self, entry: &Named<file::TransitGateway>) {
        let Identity { id, name } = transit_gateway("", entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let region = given(&file.region).unwrap_or(&self.default_region).clone();
        let group_references = given(&file.group_references).is_some_and(|&on| on);
        self.put(TransitGateway { id, name, region, group_references });
        for inner in file.route_tables.iter() {
            self.transit_route_table(&entry.key, id, inner);
        }
        if makes_default_table(entry) {
            let Identity { id: table, name } = default_transit_table(&entry.key);
            self.put(TransitRouteTable { id: table, name, gateway: id, routes: BTreeMap::new() });
        }
        let default = default_name(&entry.key);
        let written = file.route_tables.iter().find(|table| table.key == default);
        let default =
            written.map_or_else(|| default_transit_table(&entry.key).id, |table| transit_table(&entry.key, table).id);
        for inner in file.attachments.iter() {
            self.transit_attachment(&entry.key, id, default, inner);
        }
    }

    fn transit_route_table(
        &mut self,
        scope: &str,
        gateway: Id<TransitGateway>,
        entry: &Named<file::TransitRouteTable>,
    ) {
        let Identity { id, name } = transit_table(scope, entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = TransitRouteTable::to_ref(id);
        let mut routes = BTreeMap::new();
        for route in file.0.iter() {
            let Some(Reference(target)) = &route.value else {
                continue;
            };
            let value = Place::value(route.place.node);
            if route.key == "id" {
                if let Err(error) = target.parse::<Id<TransitRouteTable>>() {
                    self.fault(value, error.to_string());
                }
                continue;
            }
            let destination = self.destination(&route.key, route.place);
            let target = self.names.resolve_transit_target(target, value);
            let (destination, target) = match (destination, target) {
                (Ok(destination), Ok(target)) => (destination, target),
                (destination, target) => {
                    self.faults.extend(destination.err().into_iter().chain(target.err()));
                    continue;
                }
            };
            self.note_value(this, "routes", destination.to_string(), route.place);
            self.note_value(this, "routes", target.to_string(), value);
            if routes.insert(destination, target).is_some() {
                self.fault(route.place, format!("a route to {destination} is in the table already"));
            }
        }
        self.put(TransitRouteTable { id, name, gateway, routes });
    }

    fn transit_attachment(
        &mut self,
        scope: &str,
        gateway: Id<TransitGateway>,
        default: Id<TransitRouteTable>,
        entry: &Named<file::TransitAttachment>,
    ) {
        let Identity { id, name } = transit_attachment(scope, entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = TransitAttachment::to_ref(id);
        let table = match given(&file.routes) {
            Some(Reference(text)) if text == NO_TABLE => None,
            _ if file.routes.is_none() => Some(default),
            _ => self.optional_reference(&file.routes, this, "table"),
        };
        let propagates_to = match &file.propagates_to {
            Some(list) => self.references(list, this, "propagates_to").into_iter().collect(),
            None if file.peer.is_none() => BTreeSet::from([default]),
            None => BTreeSet::new(),
        };
        let Some(kind) = self.attached(entry.place, file, this) else {
            return self.skip(id);
        };
        self.put(TransitAttachment { id, name, gateway, kind, table, propagates_to });
    }

    /// What an attachment attaches: either a VPC with subnets, or a peer.
    fn attached(&mut self, place: Place, file: &file::TransitAttachment, this: ResourceRef) -> Option<AttachmentKind> {
        match (&file.vpc, &file.peer) {
            (None, None) => {
                self.fault(place, "'vpc' is missing; expected the name of a VPC, or 'peer' and another attachment");
                None
            }
            (Some(_), Some(read)) => {
                self.fault(
                    read.place().unwrap_or(place),
                    "an attachment has either a VPC or a peer; expected one of them",
                );
                None
            }
            (None, Some(_)) => {
                let of_vpc = [
                    file.subnets.as_ref().map(|_| "subnets"),
                    file.appliance_mode.as_ref().map(|_| "appliance_mode"),
                    file.propagates_to.as_ref().map(|_| "propagates_to"),
                ];
                for field in of_vpc.into_iter().flatten() {
                    self.fault(place, format!("'{field}' is for attachments of a VPC; this one has a peer"));
                }
                let peer = self.optional_reference(&file.peer, this, "peer")?;
                Some(AttachmentKind::Peering { peer })
            }
            (Some(_), None) => {
                let vpc = self.optional_reference(&file.vpc, this, "vpc")?;
                let list = file.subnets.as_ref();
                let subnets = list.map_or(Vec::new(), |list| self.references(list, this, "subnets"));
                // That none of those named is there was said already.
                let unread = subnets.is_empty() && list.is_some_and(|list| list.iter().len() > 0);
                let appliance_mode = given(&file.appliance_mode).is_some_and(|&on| on);
                (!unread).then_some(AttachmentKind::Vpc { vpc, subnets, appliance_mode })
            }
        }
    }
}

/// The table of attachments that name none.
pub(super) fn default_transit_table(gateway: &str) -> Identity<TransitRouteTable> {
    Identity::new(gateway, &default_name(gateway), None)
}

fn transit_table(scope: &str, entry: &Named<file::TransitRouteTable>) -> Identity<TransitRouteTable> {
    let id = entry.value.as_ref().and_then(|table| {
        let entry = table.0.iter().find(|route| route.key == "id")?;
        entry.value.as_ref()?.0.parse().ok()
    });
    Identity::new(scope, &entry.key, id)
}

/// Whether a gateway's default table has to be made: an attachment uses it, and none of its name is written.
fn makes_default_table(entry: &Named<file::TransitGateway>) -> bool {
    let Some(file) = &entry.value else { return false };
    let default = default_name(&entry.key);
    let uses = |attachment: &file::TransitAttachment| {
        attachment.routes.is_none() || attachment.propagates_to.is_none() && attachment.peer.is_none()
    };
    let used = file.attachments.iter().filter_map(|entry| entry.value.as_ref()).any(uses);
    used && file.route_tables.iter().all(|table| table.key != default)
}
