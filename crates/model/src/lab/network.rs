//! VPCs, subnets and route tables.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vpc_lpm::Prefix;

use super::convert::{
    Converter, Scope, default_name, egress_only_gateway, given, internet_gateway, main_name, makes, subnet, values, vpc,
};
use super::de::{Named, Or, Read};
use super::error::Fault;
use super::file;
use super::names::Identity;
use super::rules::{allow_everything, rules_of_default_group};
use super::tree::Place;
use super::value::{Block, Reference};
use crate::desired::{Noun, ResourceRef};
use crate::resource::{
    Az, Destination, EgressOnlyGateway, InternetGateway, NetworkAcl, PrefixList, RouteTable, SecurityGroup, Subnet, Vpc,
};
use crate::{Id, Kind};

impl Converter<'_> {
    pub(super) fn vpc(&mut self, entry: &Named<file::Vpc>) {
        let Identity { id, name } = vpc(entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = Vpc::to_ref(id);
        let key = entry.key.as_str();
        let account = given(&file.account).copied().unwrap_or(self.default_account);
        let region = given(&file.region).unwrap_or(&self.default_region).clone();
        let main_table = self.default_of(&file.main_route_table, this, "main_table", key, &main_name(key));
        let default_acl = self.default_of(&file.default_network_acl, this, "default_acl", key, &default_name(key));
        let default_group =
            self.default_of(&file.default_security_group, this, "default_group", key, &default_name(key));
        if file.cidr.is_none() {
            self.fault(entry.place, "'cidr' is missing; expected an IPv4 block such as 10.0.0.0/16");
        }
        let scope = Scope {
            key,
            id,
            account,
            region: region.clone(),
            has_ipv6: file.ipv6_cidr.as_ref().is_some_and(|list| list.iter().len() > 0),
            default_group,
        };
        match (values(file.cidr.as_ref()), values(file.ipv6_cidr.as_ref())) {
            (Some(cidrs), Some(ipv6_cidrs)) if file.cidr.is_some() => {
                for (block, place) in cidrs.iter().chain(&ipv6_cidrs) {
                    self.note_value(this, "cidr", block.0.to_string(), *place);
                }
                let plain = |blocks: Vec<(&Block, Place)>| blocks.into_iter().map(|(block, _)| block.0).collect();
                self.put(Vpc {
                    id,
                    name,
                    account,
                    region,
                    cidrs: plain(cidrs),
                    ipv6_cidrs: plain(ipv6_cidrs),
                    main_table,
                    default_acl,
                    default_group,
                    dns_support: given(&file.dns_support).is_none_or(|&on| on),
                    dns_hostnames: given(&file.dns_hostnames).is_some_and(|&on| on),
                });
            }
            _ => self.skip(id),
        }
        if let Some((Identity { id, name }, place)) = internet_gateway(key, &file.internet_gateway) {
            self.note(InternetGateway::to_ref(id), "vpc", place);
            let edge_table = match given(&file.internet_gateway) {
                Some(Or::Full(file)) => &file.edge_table,
                Some(Or::Short(_)) | None => &None,
            };
            let edge_table = self.optional_reference(edge_table, InternetGateway::to_ref(id), "edge_table");
            self.put(InternetGateway { id, name, vpc: Some(scope.id), edge_table });
        }
        if let Some((Identity { id, name }, place)) = egress_only_gateway(key, &file.egress_only_gateway) {
            self.note(EgressOnlyGateway::to_ref(id), "vpc", place);
            self.put(EgressOnlyGateway { id, name, vpc: scope.id });
        }
        self.virtual_gateway(&scope, file);
        for inner in file.subnets.iter() {
            self.subnet(&scope, inner);
        }
        for inner in file.route_tables.iter() {
            self.route_table(&scope, inner);
        }
        for inner in file.network_acls.iter() {
            self.network_acl(&scope, inner);
        }
        for inner in file.security_groups.iter() {
            self.security_group(&scope, inner);
        }
        self.defaults(&scope, file);
        for inner in file.nat_gateways.iter() {
            self.nat_gateway(&scope, inner);
        }
        for inner in file.instances.iter() {
            self.instance(&scope, inner);
        }
        for inner in file.endpoints.iter() {
            self.endpoint(&scope, inner);
        }
    }

    /// Makes the main table and the default ACL and group that the file leaves out.
    fn defaults(&mut self, scope: &Scope<'_>, file: &file::Vpc) {
        let (main, default) = (main_name(scope.key), default_name(scope.key));
        if makes(&file.main_route_table, &file.route_tables, &main) {
            let Identity { id, name } = Identity::new(scope.key, &main, None);
            self.put(RouteTable { id, name, vpc: scope.id, routes: BTreeMap::new() });
        }
        if makes(&file.default_network_acl, &file.network_acls, &default) {
            let Identity { id, name } = Identity::new(scope.key, &default, None);
            self.put(NetworkAcl { id, name, vpc: scope.id, entries: allow_everything(scope.has_ipv6) });
        }
        if makes(&file.default_security_group, &file.security_groups, &default) {
            let Identity { id, name } = Identity::new(scope.key, &default, None);
            self.put(SecurityGroup {
                id,
                name,
                vpc: scope.id,
                rules: rules_of_default_group(scope.key, &default, id, scope.has_ipv6),
            });
        }
    }

    /// The table, ACL or group that is the VPC's default one.
    fn default_of<K: Noun>(
        &mut self,
        read: &Option<Read<Reference>>,
        this: ResourceRef,
        field: &'static str,
        scope: &str,
        name: &str,
    ) -> Id<K> {
        let made = || Identity::new(scope, name, None).id;
        if read.is_none() {
            return self.names.find(name).unwrap_or_else(made);
        }
        self.optional_reference(read, this, field).unwrap_or_else(|| {
            let id = made();
            self.broken.insert(K::to_ref(id));
            id
        })
    }

    fn subnet(&mut self, scope: &Scope<'_>, entry: &Named<file::Subnet>) {
        let Identity { id, name } = subnet(scope.key, entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = Subnet::to_ref(id);
        let table = self.optional_reference(&file.routes, this, "routes");
        let acl = self.optional_reference(&file.network_acl, this, "network_acl");
        self.note_optional(this, "az", &file.az);
        let Some(cidr) = self.required(&file.cidr, entry.place, "cidr", "an IPv4 block such as 10.0.1.0/24") else {
            return self.skip(id);
        };
        if file.ipv6_cidr.as_ref().is_some_and(|read| read.get().is_none()) {
            return self.skip(id);
        }
        for read in [Some(&file.cidr), file.ipv6_cidr.as_ref()] {
            let read = read.and_then(|read| Some((read.get()?, read.place()?)));
            if let Some((block, place)) = read {
                self.note_value(this, "cidr", block.0.to_string(), place);
            }
        }
        self.blocks.insert(id, cidr.0);
        self.put(Subnet {
            id,
            name,
            vpc: scope.id,
            az: given(&file.az).cloned().unwrap_or_else(|| Az::new(scope.region.clone(), 'a')),
            cidr: cidr.0,
            ipv6_cidr: given(&file.ipv6_cidr).map(|block| block.0),
            table,
            acl,
        });
    }

    pub(super) fn route_table_identity(&self, scope: &str, entry: &Named<file::RouteTable>) -> Identity<RouteTable> {
        let id = entry.value.as_ref().and_then(|table| {
            let entry = table.0.iter().find(|route| route.key == "id")?;
            entry.value.as_ref()?.0.parse().ok()
        });
        Identity::new(scope, &entry.key, id)
    }

    fn route_table(&mut self, scope: &Scope<'_>, entry: &Named<file::RouteTable>) {
        let Identity { id, name } = self.route_table_identity(scope.key, entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = RouteTable::to_ref(id);
        let mut routes = BTreeMap::new();
        for route in file.0.iter() {
            let Some(Reference(target)) = &route.value else {
                continue;
            };
            let value = Place::value(route.place.node);
            if route.key == "id" {
                if let Err(error) = target.parse::<Id<RouteTable>>() {
                    self.fault(value, error.to_string());
                }
                continue;
            }
            let destination = match self.destination(&route.key, route.place) {
                Ok(destination) => destination,
                Err(fault) => {
                    self.faults.push(fault);
                    continue;
                }
            };
            self.note_value(this, "routes", destination.to_string(), route.place);
            match self.names.resolve_target(target, value) {
                Ok(target) => {
                    self.note_value(this, "routes", format!("{destination} {target}"), value);
                    if routes.insert(destination, target).is_some() {
                        self.fault(route.place, format!("a route to {destination} is in the table already"));
                    }
                }
                Err(fault) => self.faults.push(fault),
            }
        }
        self.put(RouteTable { id, name, vpc: scope.id, routes });
    }

    pub(super) fn destination(&self, text: &str, place: Place) -> Result<Destination, Fault> {
        if text.contains('/') {
            return Prefix::parse_truncating(text)
                .map(Destination::Prefix)
                .map_err(|error| Fault::at(place, error.to_string()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            let message = format!("'{text}' is one address; expected a prefix such as {}", Prefix::host(address));
            return Err(Fault::at(place, message));
        }
        self.names.find(text).map(Destination::List).ok_or_else(|| {
            let expected = "prefix such as 10.0.0.0/16, or a prefix list";
            Fault::at(place, self.names.unknown(text, expected, &[PrefixList::NOUN]))
        })
    }
}
