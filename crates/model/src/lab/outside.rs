//! What is outside of VPCs: prefix lists, services and internet hosts.

use std::net::IpAddr;

use vpc_lpm::Prefix;

use super::convert::{Converter, given, internet_host, prefix_list, service, values};
use super::de::{Named, OneOrMany, Or};
use super::file;
use super::names::Identity;
use super::value::Ip;
use crate::desired::{Noun, ResourceRef};
use crate::resource::{Family, InternetHost, PrefixList, Provider, Service};

impl Converter<'_> {
    pub(super) fn prefix_list(&mut self, entry: &Named<Or<OneOrMany<Prefix>, file::PrefixList>>) {
        let Identity { id, name } = prefix_list(entry);
        let Some(value) = &entry.value else {
            return self.skip(id);
        };
        let (entries, max, family, aws_managed) = match value {
            Or::Short(entries) => (Some(entries), None, None, false),
            Or::Full(file) => (
                file.entries.as_ref(),
                given(&file.max_entries).copied(),
                given(&file.family).map(|family| family.0),
                given(&file.aws_managed).is_some_and(|&managed| managed),
            ),
        };
        let Some(entries) = values(entries) else {
            return self.skip(id);
        };
        let this = PrefixList::to_ref(id);
        for (prefix, place) in &entries {
            self.note_value(this, "entries", prefix.to_string(), *place);
        }
        let entries: Vec<Prefix> = entries.into_iter().map(|(prefix, _)| *prefix).collect();
        let family = family.or_else(|| entries.first().map(|&prefix| Family::of(prefix)));
        let most = u16::try_from(entries.len()).unwrap_or(u16::MAX).max(1);
        self.put(PrefixList {
            id,
            name,
            family: family.unwrap_or(Family::V4),
            max_entries: max.unwrap_or(most),
            aws_managed,
            entries,
        });
    }

    pub(super) fn service(&mut self, entry: &Named<file::Service>) {
        let Identity { id, name } = service(entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = Service::to_ref(id);
        let prefix_list = self.optional_reference(&file.prefix_list, this, "prefix_list");
        let region = given(&file.region).unwrap_or(&self.default_region).clone();
        let service_name = given(&file.name).cloned();
        let namespace = self.namespace(&file.namespace, &entry.key, this);
        let Some(addresses) = self.addresses(file.addresses.as_ref(), this) else {
            return self.skip(id);
        };
        let service_name = service_name.unwrap_or_else(|| format!("com.amazonaws.{region}.{}", entry.key));
        self.services.insert(service_name.clone(), id);
        self.put(Service {
            id,
            name,
            service_name,
            region,
            prefix_list,
            provider: Provider::Host { namespace, addresses },
        });
    }

    pub(super) fn internet_host(&mut self, entry: &Named<file::InternetHost>) {
        let Identity { id, name } = internet_host(entry);
        let Some(file) = &entry.value else {
            return self.skip(id);
        };
        let this = InternetHost::to_ref(id);
        let namespace = self.namespace(&file.namespace, &entry.key, this);
        let (Some(addresses), Some(prefixes)) =
            (self.addresses(file.addresses.as_ref(), this), values(file.prefixes.as_ref()))
        else {
            return self.skip(id);
        };
        self.put(InternetHost {
            id,
            name,
            namespace,
            addresses,
            prefixes: prefixes.into_iter().map(|(block, _)| block.0).collect(),
        });
    }

    pub(super) fn addresses(&mut self, list: Option<&OneOrMany<Ip>>, this: ResourceRef) -> Option<Vec<IpAddr>> {
        let addresses = values(list)?;
        for (address, place) in &addresses {
            self.note_value(this, "addresses", address.0.to_string(), *place);
        }
        Some(addresses.into_iter().map(|(address, _)| address.0).collect())
    }
}
