//! From the form of a lab file to changes of the desired state.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use vpc_lpm::Prefix;

use super::de::{Map, Named, OneOrMany, Or, Read};
use super::error::{Fault, LabErrors};
use super::file::{self, File};
use super::interfaces::Draft;
use super::names::{Identity, Names, NamesByKind};
use super::tree::{Place, Tree};
use super::value::Reference;
use super::violations::Notes;
use crate::Id;
use crate::desired::{Change, Desired, Noun, Resource, ResourceRef};
use crate::resource::{
    AccountId, EgressOnlyGateway, Endpoint, Instance, InternetGateway, InternetHost, Name, NatGateway, NetworkAcl,
    Peering, PrefixList, Region, RouteTable, SecurityGroup, Service, Subnet, TransitAttachment, TransitGateway,
    VirtualGateway, Vpc,
};

/// A tree as changes that were found to be valid together.
pub(super) struct Converted {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) changes: Vec<Change>,
    pub(super) desired: Desired,
}

/// Reads a tree and checks it, reporting everything that is wrong at once.
///
/// Shape: `gone` names what an earlier version of the lab had; routes and rules may still refer to it.
pub(super) fn convert(tree: &Tree, faults: Vec<Fault>, gone: NamesByKind) -> Result<Converted, LabErrors> {
    let faults = RefCell::new(faults);
    let file: Option<File> = super::de::read(tree, &faults);
    let Some(file) = file else {
        return Err(LabErrors::new(faults.into_inner(), tree));
    };
    let mut converter = Converter {
        tree,
        faults: faults.into_inner(),
        names: Names::remembering(gone),
        notes: Notes::default(),
        broken: BTreeSet::new(),
        changes: Vec::new(),
        put: BTreeSet::new(),
        drafts: Vec::new(),
        blocks: BTreeMap::new(),
        services: BTreeMap::new(),
        default_account: AccountId::DEFAULT,
        default_region: Region::default(),
    };
    converter.file(&file);
    let text = |read: &Option<Read<String>>| read.as_ref().and_then(|read| read.get().cloned());
    match Desired::new().apply(converter.changes.iter().cloned()) {
        Ok(desired) if converter.faults.is_empty() => Ok(Converted {
            name: text(&file.name),
            description: text(&file.description),
            changes: converter.changes,
            desired,
        }),
        Ok(_) => Err(LabErrors::new(converter.faults, tree)),
        Err(violations) => {
            converter.take_violations(violations);
            Err(LabErrors::new(converter.faults, tree))
        }
    }
}

pub(super) struct Converter<'a> {
    pub(super) tree: &'a Tree,
    pub(super) faults: Vec<Fault>,
    pub(super) names: Names,
    pub(super) notes: Notes,
    /// Resources that are not among the changes because something about them could not be read.
    pub(super) broken: BTreeSet<ResourceRef>,
    changes: Vec<Change>,
    /// Resources that are among the changes.
    put: BTreeSet<ResourceRef>,
    pub(super) drafts: Vec<Draft>,
    /// Blocks of the subnets, to give out addresses.
    pub(super) blocks: BTreeMap<Id<Subnet>, Prefix>,
    /// Services by what consumers call them.
    pub(super) services: BTreeMap<String, Id<Service>>,
    pub(super) default_account: AccountId,
    pub(super) default_region: Region,
}

/// The VPC that something is inside of.
pub(super) struct Scope<'a> {
    pub(super) key: &'a str,
    pub(super) id: Id<Vpc>,
    pub(super) account: AccountId,
    pub(super) region: Region,
    pub(super) has_ipv6: bool,
    pub(super) default_group: Id<SecurityGroup>,
}

impl Converter<'_> {
    fn file(&mut self, file: &File) {
        if let Some(defaults) = file.defaults.as_ref().and_then(Read::get) {
            if let Some(account) = given(&defaults.account) {
                self.default_account = *account;
            }
            if let Some(region) = given(&defaults.region) {
                self.default_region = region.clone();
            }
        }
        self.declare_all(file);
        for entry in file.prefix_lists.iter() {
            self.prefix_list(entry);
        }
        for entry in file.services.iter() {
            self.service(entry);
        }
        for entry in file.internet.iter() {
            self.internet_host(entry);
        }
        for entry in file.internet_gateways.iter() {
            let Identity { id, name } = detached(entry);
            self.put(InternetGateway { id, name, vpc: None, edge_table: None });
        }
        for entry in file.virtual_gateways.iter() {
            self.detached_virtual_gateway(entry);
        }
        for entry in file.vpcs.iter() {
            self.vpc(entry);
        }
        for entry in file.peerings.iter() {
            self.peering(entry);
        }
        for entry in file.transit_gateways.iter() {
            self.transit_gateway(entry);
        }
        self.put_interfaces();
    }

    /// Takes up every name before anything refers to one.
    fn declare_all(&mut self, file: &File) {
        for entry in file.prefix_lists.iter() {
            self.declare(&prefix_list(entry), entry.place);
        }
        for entry in file.services.iter() {
            self.declare(&service(entry), entry.place);
        }
        for entry in file.internet.iter() {
            self.declare(&internet_host(entry), entry.place);
        }
        for entry in file.internet_gateways.iter() {
            self.declare(&detached(entry), entry.place);
        }
        for entry in file.virtual_gateways.iter() {
            self.declare(&detached_virtual("", entry), entry.place);
        }
        for entry in file.peerings.iter() {
            self.declare(&peering("", entry), entry.place);
        }
        for entry in file.transit_gateways.iter() {
            self.declare_transit_gateway(entry);
        }
        for entry in file.vpcs.iter() {
            self.declare(&vpc(entry), entry.place);
            let Some(file) = &entry.value else { continue };
            let scope = entry.key.as_str();
            for inner in file.subnets.iter() {
                self.declare(&subnet(scope, inner), inner.place);
            }
            for inner in file.route_tables.iter() {
                let identity = self.route_table_identity(scope, inner);
                self.declare(&identity, inner.place);
            }
            for inner in file.network_acls.iter() {
                self.declare(&network_acl(scope, inner), inner.place);
            }
            for inner in file.security_groups.iter() {
                self.declare(&security_group(scope, inner), inner.place);
            }
            if let Some((identity, place)) = internet_gateway(scope, &file.internet_gateway) {
                self.declare(&identity, place);
            }
            if let Some((identity, place)) = egress_only_gateway(scope, &file.egress_only_gateway) {
                self.declare(&identity, place);
            }
            if let Some((identity, place)) = virtual_gateway(scope, &file.virtual_gateway) {
                self.declare(&identity, place);
            }
            for inner in file.nat_gateways.iter() {
                self.declare(&nat_gateway(scope, inner), inner.place);
            }
            for inner in file.instances.iter() {
                self.declare(&instance(scope, inner), inner.place);
            }
            for inner in file.endpoints.iter() {
                self.declare(&endpoint(scope, inner), inner.place);
            }
            self.declare_interfaces(scope, file);
            self.declare_defaults(entry.place, scope, file);
        }
    }

    /// The main table and the default ACL and group, where the file leaves them to be made.
    fn declare_defaults(&mut self, place: Place, scope: &str, file: &file::Vpc) {
        let (main, default) = (main_name(scope), default_name(scope));
        if makes(&file.main_route_table, &file.route_tables, &main) {
            self.declare(&Identity::<RouteTable>::new(scope, &main, None), place);
        }
        if makes(&file.default_network_acl, &file.network_acls, &default) {
            self.declare(&Identity::<NetworkAcl>::new(scope, &default, None), place);
        }
        if makes(&file.default_security_group, &file.security_groups, &default) {
            self.declare(&Identity::<SecurityGroup>::new(scope, &default, None), place);
        }
    }

    pub(super) fn declare<K: Noun>(&mut self, identity: &Identity<K>, place: Place) {
        if identity.name.is_none() && self.tree.key(place.node).is_some_and(|key| key.parse::<Id<K>>().is_err()) {
            let key = self.tree.key(place.node).unwrap_or_default();
            if let Err(error) = key.parse::<crate::resource::Name>() {
                self.fault(place, error.to_string());
            }
        }
        if let Err((fault, first)) = self.names.declare(identity, place) {
            let line = self.line(first);
            self.faults.push(fault.and(&format!(" in line {line}")));
            self.broken.insert(K::to_ref(identity.id));
        }
    }

    /// A namespace that was named, or else the key.
    pub(super) fn namespace(&mut self, read: &Option<Read<String>>, key: &str, this: ResourceRef) -> String {
        if let Some(place) = read.as_ref().and_then(Read::place) {
            self.note(this, "namespace", place);
        }
        let Some(namespace) = given(read) else {
            return key.to_owned();
        };
        if namespace.is_empty() || namespace.contains(['/', '\0']) || namespace.starts_with('.') {
            let message = format!("'{namespace}' is no name of a namespace; expected a file name");
            self.fault(read.as_ref().and_then(Read::place).unwrap_or_else(|| self.root()), message);
        }
        namespace.clone()
    }

    /// Puts a resource, unless its name or id is another one's, which was said where it is declared.
    pub(super) fn put(&mut self, resource: impl Into<Resource>) {
        let resource = resource.into();
        if self.names.contains(resource.id()) && self.put.insert(resource.id()) {
            self.changes.push(Change::Put(resource));
        }
    }

    /// Leaves out what could not be read, and what is said about its absence.
    pub(super) fn skip<K: Noun>(&mut self, id: Id<K>) {
        self.broken.insert(K::to_ref(id));
    }

    pub(super) fn fault(&mut self, place: Place, message: impl Into<String>) {
        self.faults.push(Fault::at(place, message));
    }

    pub(super) fn note(&mut self, this: ResourceRef, field: &'static str, place: Place) {
        self.notes.fields.entry((this, field)).or_insert(place);
    }

    pub(super) fn note_value(&mut self, this: ResourceRef, field: &'static str, value: String, place: Place) {
        self.note(this, field, place);
        self.notes.values.entry((this, field, value)).or_insert(place);
    }

    pub(super) const fn root(&self) -> Place {
        Place::value(self.tree.root())
    }

    /// A field that has to be there.
    pub(super) fn required<'r, T>(
        &mut self,
        read: &'r Read<T>,
        owner: Place,
        field: &str,
        expected: &str,
    ) -> Option<&'r T> {
        if read.place().is_none() {
            self.fault(owner, format!("'{field}' is missing; expected {expected}"));
        }
        read.get()
    }

    /// What a field refers to; `None` when it is absent or a fault was noted.
    pub(super) fn optional_reference<K: Noun>(
        &mut self,
        read: &Option<Read<Reference>>,
        this: ResourceRef,
        field: &'static str,
    ) -> Option<Id<K>> {
        let read = read.as_ref()?;
        let (Reference(text), place) = (read.get()?, read.place()?);
        let id = self.resolve(text, place)?;
        self.note_value(this, field, K::to_ref(id).to_string(), place);
        Some(id)
    }

    /// What a list of references means, without those for which a fault was noted.
    pub(super) fn references<K: Noun>(
        &mut self,
        list: &OneOrMany<Reference>,
        this: ResourceRef,
        field: &'static str,
    ) -> Vec<Id<K>> {
        let mut ids = Vec::new();
        for read in list.iter() {
            let (Some(Reference(text)), Some(place)) = (read.get(), read.place()) else {
                continue;
            };
            let Some(id) = self.resolve::<K>(text, place) else {
                continue;
            };
            if ids.contains(&id) {
                self.fault(place, format!("'{text}' is in the list twice"));
                continue;
            }
            self.note_value(this, field, K::to_ref(id).to_string(), place);
            ids.push(id);
        }
        ids
    }

    pub(super) fn resolve<K: Noun>(&mut self, text: &str, place: Place) -> Option<Id<K>> {
        match self.names.resolve(text, place) {
            Ok(id) => Some(id),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    pub(super) const fn names(&self) -> &Names {
        &self.names
    }

    /// The line of a place, for messages about another one.
    pub(super) fn line(&self, place: Place) -> usize {
        let span = self.tree.span(place);
        self.tree.source(span).map_or(0, |source| source.line(span.start).0)
    }

    pub(super) fn note_optional<T>(&mut self, this: ResourceRef, field: &'static str, read: &Option<Read<T>>) {
        if let Some(place) = read.as_ref().and_then(Read::place) {
            self.note(this, field, place);
        }
    }
}

/// The value of an optional field, unless it is absent or wrong.
pub(super) fn given<T>(read: &Option<Read<T>>) -> Option<&T> {
    read.as_ref().and_then(Read::get)
}

/// The values of an optional list; none when it is absent, `None` when one of them is wrong.
pub(super) fn values<T>(list: Option<&OneOrMany<T>>) -> Option<Vec<(&T, Place)>> {
    list.map_or(Some(Vec::new()), OneOrMany::all)
}

pub(super) fn main_name(vpc: &str) -> String {
    format!("{vpc}-main")
}

pub(super) fn default_name(vpc: &str) -> String {
    format!("{vpc}-default")
}

pub(super) fn prefix_list(entry: &Named<Or<OneOrMany<Prefix>, file::PrefixList>>) -> Identity<PrefixList> {
    let id = match &entry.value {
        Some(Or::Full(file)) => given(&file.id).copied(),
        Some(Or::Short(_)) | None => None,
    };
    Identity::new("", &entry.key, id)
}

pub(super) fn internet_gateway(
    scope: &str,
    read: &Option<Read<Or<Name, file::InternetGateway>>>,
) -> Option<(Identity<InternetGateway>, Place)> {
    let read = read.as_ref()?;
    let identity = match read.get()? {
        Or::Short(name) => gateway(scope, Some(name), None),
        Or::Full(file) => gateway(scope, given(&file.name), given(&file.id).copied()),
    };
    Some((identity, read.place()?))
}

pub(super) fn egress_only_gateway(
    scope: &str,
    read: &Option<Read<Or<Name, file::EgressOnlyGateway>>>,
) -> Option<(Identity<EgressOnlyGateway>, Place)> {
    let read = read.as_ref()?;
    let identity = match read.get()? {
        Or::Short(name) => gateway(scope, Some(name), None),
        Or::Full(file) => gateway(scope, given(&file.name), given(&file.id).copied()),
    };
    Some((identity, read.place()?))
}

pub(super) fn virtual_gateway(
    scope: &str,
    read: &Option<Read<Or<Name, file::VirtualGateway>>>,
) -> Option<(Identity<VirtualGateway>, Place)> {
    let read = read.as_ref()?;
    let identity = match read.get()? {
        Or::Short(name) => gateway(scope, Some(name), None),
        Or::Full(file) => gateway(scope, given(&file.name), given(&file.id).copied()),
    };
    Some((identity, read.place()?))
}

/// What stands for a VPC's gateway, which may have neither name nor id.
fn gateway<K: Noun>(scope: &str, name: Option<&Name>, id: Option<Id<K>>) -> Identity<K> {
    match (name, id) {
        (Some(name), id) => Identity::new(scope, name.as_str(), id),
        (None, id) => Identity { id: id.unwrap_or_else(|| Id::derived(&[scope, K::NOUN])), name: None },
    }
}

/// What the entries of a map stand for.
macro_rules! identities {
    ($($function:ident $form:ident $Kind:ident;)*) => { $(
        pub(super) fn $function(scope: &str, entry: &Named<file::$form>) -> Identity<$Kind> {
            Identity::new(scope, &entry.key, entry.value.as_ref().and_then(|file| given(&file.id)).copied())
        }
    )* };
}

identities! {
    detached_virtual DetachedVirtual VirtualGateway;
    endpoint Endpoint Endpoint;
    instance Instance Instance;
    nat_gateway NatGateway NatGateway;
    network_acl NetworkAcl NetworkAcl;
    peering Peering Peering;
    security_group SecurityGroup SecurityGroup;
    subnet Subnet Subnet;
    top_detached Detached InternetGateway;
    top_internet_host InternetHost InternetHost;
    top_service Service Service;
    top_vpc Vpc Vpc;
    transit_attachment TransitAttachment TransitAttachment;
    transit_gateway TransitGateway TransitGateway;
}

/// Whether a VPC's default one has to be made: none is named, and none has the default name.
pub(super) fn makes<T>(named: &Option<Read<Reference>>, written: &Map<T>, default: &str) -> bool {
    named.is_none() && !written.iter().any(|entry| entry.key == default)
}

pub(super) fn detached(entry: &Named<file::Detached>) -> Identity<InternetGateway> {
    top_detached("", entry)
}

pub(super) fn internet_host(entry: &Named<file::InternetHost>) -> Identity<InternetHost> {
    top_internet_host("", entry)
}

pub(super) fn service(entry: &Named<file::Service>) -> Identity<Service> {
    top_service("", entry)
}

pub(super) fn vpc(entry: &Named<file::Vpc>) -> Identity<Vpc> {
    top_vpc("", entry)
}
