//! Which names a lab file gives to what, and what a reference means.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Fault, hint};
use super::tree::Place;
use crate::desired::{Desired, Noun};
use crate::resource::{Name, RouteTarget, TransitAttachment, TransitTarget};
use crate::{Id, ResourceRef};

/// The id and name of a resource of a lab file.
#[derive(Clone, Debug)]
pub(super) struct Identity<K> {
    pub(super) id: Id<K>,
    pub(super) name: Option<Name>,
}

impl<K: Noun> Identity<K> {
    /// What a key stands for: a name, or the id of something that has no name.
    ///
    /// Shape: `scope` is the key of the VPC, empty outside of VPCs. The id is the given one, or follows from scope
    /// and key.
    pub(super) fn new(scope: &str, key: &str, id: Option<Id<K>>) -> Self {
        match (id, key.parse::<Id<K>>()) {
            (None, Ok(id)) => Self { id, name: None },
            (id, _) => Self { id: id.unwrap_or_else(|| Id::derived(&[scope, K::NOUN, key])), name: key.parse().ok() },
        }
    }
}

/// Everything that can be referred to.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: BTreeMap<(&'static str, String), ResourceRef>,
    places: BTreeMap<ResourceRef, Place>,
    /// What an earlier version of the lab called things that are gone.
    gone: BTreeMap<(&'static str, String), ResourceRef>,
}

/// Names of resources by kind.
pub(super) type NamesByKind = BTreeMap<(&'static str, String), ResourceRef>;

impl Names {
    /// No names but those of things that are gone.
    pub(super) fn remembering(gone: NamesByKind) -> Self {
        Self { gone, ..Self::default() }
    }

    /// Takes up a name. A second one of the same kind is a fault and changes nothing.
    pub(super) fn declare<K: Noun>(&mut self, identity: &Identity<K>, place: Place) -> Result<(), (Fault, Place)> {
        let resource = K::to_ref(identity.id);
        if let Some(name) = &identity.name {
            let key = (K::NOUN, name.to_string());
            if let Some(first) = self.by_name.get(&key).and_then(|other| self.places.get(other)) {
                let message = format!("the name '{name}' is taken by another {}", K::NOUN);
                return Err((Fault::at(place, message), *first));
            }
            if !self.places.contains_key(&resource) {
                self.by_name.insert(key, resource);
            }
        }
        match self.places.get(&resource) {
            None => {
                self.places.insert(resource, place);
                Ok(())
            }
            Some(&first) => {
                let message = format!("the id {resource} is taken by another {}", K::NOUN);
                Err((Fault::at(place, message), first))
            }
        }
    }

    /// Whether a resource is declared.
    pub(super) fn contains(&self, resource: ResourceRef) -> bool {
        self.places.contains_key(&resource)
    }

    /// Where a resource is declared.
    pub(super) fn place(&self, resource: ResourceRef) -> Option<Place> {
        self.places.get(&resource).copied()
    }

    /// What people call the resource with an id's text.
    pub(super) fn labels(&self) -> BTreeMap<String, (&str, ResourceRef)> {
        self.by_name.iter().map(|((_, name), resource)| (resource.to_string(), (name.as_str(), *resource))).collect()
    }

    /// The resource of a kind with this name or id, if there is one.
    pub(super) fn find<K: Noun>(&self, text: &str) -> Option<Id<K>> {
        let named = self.by_name.get(&(K::NOUN, text.to_owned()));
        named.and_then(|&resource| K::from_ref(resource)).or_else(|| {
            let id = text.parse().ok()?;
            self.contains(K::to_ref(id)).then_some(id)
        })
    }

    /// As [`find`](Self::find), and else what had the name before the lab was edited, or any well-formed id.
    ///
    /// For references that outlive what they refer to: targets of routes and peers of rules (R2.11, R8.4).
    pub(super) fn find_or_gone<K: Noun>(&self, text: &str) -> Option<Id<K>> {
        let gone = || self.gone.get(&(K::NOUN, text.to_owned()));
        self.find(text).or_else(|| gone().and_then(|&resource| K::from_ref(resource))).or_else(|| text.parse().ok())
    }

    /// The resource of a kind with this name or id.
    pub(super) fn resolve<K: Noun>(&self, text: &str, place: Place) -> Result<Id<K>, Fault> {
        self.find(text).ok_or_else(|| Fault::at(place, self.unknown(text, K::NOUN, &[K::NOUN])))
    }

    /// What a route's target means.
    pub(super) fn resolve_target(&self, text: &str, place: Place) -> Result<RouteTarget, Fault> {
        use crate::resource::{
            EgressOnlyGateway, Endpoint, Eni, InternetGateway, NatGateway, Peering, TransitGateway, VirtualGateway,
        };
        if text == "local" {
            return Ok(RouteTarget::Local);
        }
        let exact = self
            .find(text)
            .map(RouteTarget::Internet)
            .or_else(|| self.find(text).map(RouteTarget::EgressOnly))
            .or_else(|| self.find(text).map(RouteTarget::Nat))
            .or_else(|| self.find(text).map(RouteTarget::Eni))
            .or_else(|| self.find(text).map(RouteTarget::Peering))
            .or_else(|| self.find(text).map(RouteTarget::Transit))
            .or_else(|| self.find(text).map(RouteTarget::Virtual));
        if let Some(target) = exact {
            return Ok(target);
        }
        if self.find::<Endpoint>(text).is_some() {
            let message = format!(
                "'{text}' is an endpoint, whose routes come with it; expected its route table among the endpoint's route_tables"
            );
            return Err(Fault::at(place, message));
        }
        self.find_or_gone(text)
            .map(RouteTarget::Internet)
            .or_else(|| self.find_or_gone(text).map(RouteTarget::EgressOnly))
            .or_else(|| self.find_or_gone(text).map(RouteTarget::Nat))
            .or_else(|| self.find_or_gone(text).map(RouteTarget::Eni))
            .or_else(|| self.find_or_gone(text).map(RouteTarget::Peering))
            .or_else(|| self.find_or_gone(text).map(RouteTarget::Transit))
            .or_else(|| self.find_or_gone(text).map(RouteTarget::Virtual))
            .ok_or_else(|| {
                use crate::Kind;
                let kinds = [
                    InternetGateway::NOUN,
                    EgressOnlyGateway::NOUN,
                    NatGateway::NOUN,
                    Eni::NOUN,
                    Peering::NOUN,
                    TransitGateway::NOUN,
                    VirtualGateway::NOUN,
                ];
                Fault::at(place, self.unknown(text, "gateway, peering connection, network interface or local", &kinds))
            })
    }

    /// What a transit route's target means; an attachment may be gone, which leaves a black hole (R9.25).
    pub(super) fn resolve_transit_target(&self, text: &str, place: Place) -> Result<TransitTarget, Fault> {
        use crate::Kind;
        if text == "blackhole" {
            return Ok(TransitTarget::Blackhole);
        }
        self.find_or_gone(text).map(TransitTarget::Attachment).ok_or_else(|| {
            let expected = "transit gateway attachment or blackhole";
            Fault::at(place, self.unknown(text, expected, &[TransitAttachment::NOUN]))
        })
    }

    /// What to say about a text that names none of some kinds.
    pub(super) fn unknown(&self, text: &str, expected: &str, kinds: &[&str]) -> String {
        let names = || self.by_name.keys().filter(|(noun, _)| kinds.contains(noun)).map(|(_, name)| name.as_str());
        let others: BTreeSet<&str> =
            self.by_name.keys().filter(|(_, name)| name == text).map(|(noun, _)| *noun).collect();
        let hint = hint(text, names().collect::<Vec<_>>());
        match others.first() {
            Some(other) => format!("'{text}' is {}; expected {}{hint}", article(other), article(expected)),
            None => format!("there is no '{text}'; expected {}{hint}", article(expected)),
        }
    }
}

/// What a name means as a target, by the same precedence as [`Names::resolve_target`].
pub(super) fn target_of(desired: &Desired, name: &str) -> Option<RouteTarget> {
    use crate::resource::{
        EgressOnlyGateway, Eni, InternetGateway, NatGateway, Peering, TransitGateway, VirtualGateway,
    };
    let internet = desired.find::<InternetGateway>(name).map(|found| RouteTarget::Internet(found.id));
    internet
        .or_else(|| desired.find::<EgressOnlyGateway>(name).map(|found| RouteTarget::EgressOnly(found.id)))
        .or_else(|| desired.find::<NatGateway>(name).map(|found| RouteTarget::Nat(found.id)))
        .or_else(|| desired.find::<Eni>(name).map(|found| RouteTarget::Eni(found.id)))
        .or_else(|| desired.find::<Peering>(name).map(|found| RouteTarget::Peering(found.id)))
        .or_else(|| desired.find::<TransitGateway>(name).map(|found| RouteTarget::Transit(found.id)))
        .or_else(|| desired.find::<VirtualGateway>(name).map(|found| RouteTarget::Virtual(found.id)))
}

fn article(noun: &str) -> String {
    let an = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if an { "an" } else { "a" })
}
