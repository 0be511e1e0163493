//! What belongs to one resource alone.

use std::net::Ipv4Addr;

use super::Resource;
use crate::Id;
use crate::resource::{EndpointKind, Eni, Provider};

/// Something that a resource takes for itself without needing it to exist first; an index finds out who else has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// An interface, by the gateway or endpoint that it is a part of.
    Interface(Id<Eni>),
    /// A network namespace.
    Namespace(String),
    /// A public address.
    Public(Ipv4Addr),
}

impl Claim {
    /// Everything a resource claims.
    pub(super) fn of(resource: &Resource) -> Vec<Self> {
        match resource {
            Resource::Endpoint(r) => match &r.kind {
                EndpointKind::Gateway { .. } => Vec::new(),
                EndpointKind::Interface { enis, .. } => enis.iter().map(|&eni| Self::Interface(eni)).collect(),
            },
            Resource::Eni(r) => r.addresses.iter().filter_map(|a| a.public).map(Self::Public).collect(),
            Resource::Instance(r) => vec![Self::Namespace(r.namespace.clone())],
            Resource::InternetHost(r) => vec![Self::Namespace(r.namespace.clone())],
            Resource::NatGateway(r) => vec![Self::Interface(r.eni)],
            Resource::Service(r) => match &r.provider {
                Provider::Host { namespace, .. } => vec![Self::Namespace(namespace.clone())],
            },
            Resource::VirtualGateway(r) => vec![Self::Namespace(r.namespace.clone())],
            Resource::EgressOnlyGateway(_)
            | Resource::InternetGateway(_)
            | Resource::NetworkAcl(_)
            | Resource::Peering(_)
            | Resource::PrefixList(_)
            | Resource::RouteTable(_)
            | Resource::SecurityGroup(_)
            | Resource::Subnet(_)
            | Resource::TransitAttachment(_)
            | Resource::TransitGateway(_)
            | Resource::TransitRouteTable(_)
            | Resource::Vpc(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Change, Desired, Problem, ResourceRef};
    use crate::resource::{AccountId, Instance};

    fn instance(id: u64, namespace: &str) -> Change {
        let (id, namespace) = (Id::new(id), namespace.to_owned());
        Change::put(Instance { id, name: None, account: AccountId::DEFAULT, namespace })
    }

    #[test]
    fn what_one_resource_has_no_other_can_take_but_two_can_swap() {
        let state = Desired::new().apply([instance(1, "a"), instance(2, "b")]).unwrap();
        let violations = state.apply([instance(3, "b")]).unwrap_err();
        let by = ResourceRef::Instance(Id::new(2));
        assert_eq!(violations[0].problem, Problem::NamespaceTaken { namespace: "b".to_owned(), by });

        let swapped = state.apply([instance(1, "b"), instance(2, "a")]).unwrap();
        let freed = swapped.apply([Change::delete(Id::<Instance>::new(1))]).unwrap();
        assert!(freed.apply([instance(3, "b")]).is_ok());
        assert!(freed.apply([instance(3, "a")]).is_err());
        // The states before are what they were.
        assert!(state.apply([instance(3, "a")]).is_err());
    }
}
