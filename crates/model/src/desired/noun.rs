//! The list of nouns, once: their tables, references and ids follow from it.

use std::fmt;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::{Serialize, Serializer};

use crate::resource::{
    Address, AttachmentKind, EgressOnlyGateway, Endpoint, EndpointKind, Eni, EniKind, Instance, InternetGateway,
    InternetHost, Name, NatGateway, NetworkAcl, Peering, PrefixList, RouteTable, SecurityGroup, SecurityGroupRule,
    Service, Subnet, TransitAttachment, TransitGateway, TransitRouteTable, VirtualGateway, Vpc,
};
use crate::{Id, Kind};

/// All resources of one kind by id; cloning shares everything.
pub type Table<K> = RedBlackTreeMapSync<Id<K>, Arc<K>>;

/// A kind that has a table in [`super::Desired`].
pub trait Noun: Kind + Clone + PartialEq + fmt::Debug + Send + Sync {
    /// Its id.
    fn id(&self) -> Id<Self>;
    /// What people call it.
    fn name(&self) -> Option<&Name>;
    /// The id, its kind remembered as a value.
    fn to_ref(id: Id<Self>) -> ResourceRef;
    /// The id, if it is of this kind.
    fn from_ref(resource: ResourceRef) -> Option<Id<Self>>;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn table(tables: &Tables) -> &Table<Self>;
}

macro_rules! nouns {
    ($( $Kind:ident $field:ident $prefix:literal $noun:literal; )*) => {
        /// The id of a resource of any kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceRef {
            $( #[doc = concat!("The id of a ", $noun, ".")] $Kind(Id<$Kind>), )*
        }

        /// A resource of any kind.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Resource {
            $( #[doc = concat!("A ", $noun, ".")] $Kind(Arc<$Kind>), )*
        }

        #[derive(Clone, Debug, Default, PartialEq)]
        pub(super) struct Tables {
            $( $field: Table<$Kind>, )*
        }

        impl ResourceRef {
            /// What people call its kind.
            #[must_use]
            pub const fn noun(self) -> &'static str {
                match self { $( Self::$Kind(_) => $noun, )* }
            }

            /// The resource of any kind that has this id.
            #[must_use]
            pub fn parse(id: &str) -> Option<Self> {
                let (prefix, _) = id.rsplit_once('-')?;
                match prefix {
                    $( $prefix => id.parse().ok().map(Self::$Kind), )*
                    _ => None,
                }
            }
        }

        impl fmt::Display for ResourceRef {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $( Self::$Kind(id) => id.fmt(f), )* }
            }
        }

        impl Resource {
            /// Its id.
            #[must_use]
            pub fn id(&self) -> ResourceRef {
                match self { $( Self::$Kind(r) => ResourceRef::$Kind(r.id), )* }
            }

            /// What people call it.
            #[must_use]
            pub fn name(&self) -> Option<&Name> {
                match self { $( Self::$Kind(r) => r.name.as_ref(), )* }
            }

            /// The same under another name, or none.
            #[must_use]
            pub fn named(&self, name: Option<Name>) -> Self {
                match self { $( Self::$Kind(r) => Self::$Kind(Arc::new($Kind { name, ..$Kind::clone(r) })), )* }
            }
        }

        impl Tables {
            pub(super) fn get(&self, id: ResourceRef) -> Option<Resource> {
                match id { $( ResourceRef::$Kind(id) => self.$field.get(&id).cloned().map(Resource::$Kind), )* }
            }

            pub(super) fn iter(&self) -> impl Iterator<Item = Resource> + '_ {
                std::iter::empty()$( .chain(self.$field.values().cloned().map(Resource::$Kind)) )*
            }

            pub(super) fn contains(&self, id: ResourceRef) -> bool {
                match id { $( ResourceRef::$Kind(id) => self.$field.contains_key(&id), )* }
            }

            pub(super) fn insert(&mut self, resource: Resource) {
                match resource { $( Resource::$Kind(r) => self.$field.insert_mut(r.id, r), )* };
            }

            pub(super) fn remove(&mut self, id: ResourceRef) {
                match id { $( ResourceRef::$Kind(id) => self.$field.remove_mut(&id), )* };
            }
        }

        $(
            impl Kind for $Kind {
                const PREFIX: &'static str = $prefix;
                const NOUN: &'static str = $noun;
            }

            impl Noun for $Kind {
                fn id(&self) -> Id<Self> {
                    self.id
                }
                fn name(&self) -> Option<&Name> {
                    self.name.as_ref()
                }
                fn to_ref(id: Id<Self>) -> ResourceRef {
                    ResourceRef::$Kind(id)
                }
                fn from_ref(resource: ResourceRef) -> Option<Id<Self>> {
                    if let ResourceRef::$Kind(id) = resource { Some(id) } else { None }
                }
                #[allow(private_interfaces)]
                fn table(tables: &Tables) -> &Table<Self> {
                    &tables.$field
                }
            }

            impl From<$Kind> for Resource {
                fn from(resource: $Kind) -> Self {
                    Self::$Kind(Arc::new(resource))
                }
            }
        )*
    };
}

nouns! {
    Address addresses "eipalloc" "Elastic IP address";
    EgressOnlyGateway egress_only_gateways "eigw" "egress-only internet gateway";
    Endpoint endpoints "vpce" "endpoint";
    Eni enis "eni" "network interface";
    Instance instances "i" "instance";
    InternetGateway internet_gateways "igw" "internet gateway";
    InternetHost internet_hosts "host" "internet host";
    NatGateway nat_gateways "nat" "NAT gateway";
    NetworkAcl network_acls "acl" "network ACL";
    Peering peerings "pcx" "peering connection";
    PrefixList prefix_lists "pl" "prefix list";
    RouteTable route_tables "rtb" "route table";
    SecurityGroup security_groups "sg" "security group";
    Service services "vpce-svc" "service";
    Subnet subnets "subnet" "subnet";
    TransitAttachment transit_attachments "tgw-attach" "transit gateway attachment";
    TransitGateway transit_gateways "tgw" "transit gateway";
    TransitRouteTable transit_route_tables "tgw-rtb" "transit gateway route table";
    VirtualGateway virtual_gateways "vgw" "virtual private gateway";
    Vpc vpcs "vpc" "VPC";
}

/// Rules have ids but live inside their group.
impl Kind for SecurityGroupRule {
    const PREFIX: &'static str = "sgr";
    const NOUN: &'static str = "security group rule";
}

impl Serialize for ResourceRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Resource {
    /// What has to exist for this to make sense, and must outlive it.
    ///
    /// Routes' targets and rules' peers are not among them: they may go, and leave a black hole or a stale rule
    /// (R2.11, R8.4).
    #[must_use]
    pub fn needs(&self) -> Vec<ResourceRef> {
        use ResourceRef as R;
        match self {
            Self::EgressOnlyGateway(r) => vec![R::Vpc(r.vpc)],
            Self::Endpoint(r) => {
                let mut needs = vec![R::Vpc(r.vpc), R::Service(r.service)];
                match &r.kind {
                    EndpointKind::Gateway { tables } => needs.extend(tables.iter().map(|&t| R::RouteTable(t))),
                    EndpointKind::Interface { enis: _, groups, private_dns: _ } => {
                        needs.extend(groups.iter().map(|&g| R::SecurityGroup(g)));
                    }
                }
                needs
            }
            Self::Eni(r) => {
                let mut needs = vec![R::Subnet(r.subnet)];
                needs.extend(r.groups.iter().map(|&g| R::SecurityGroup(g)));
                match r.kind {
                    EniKind::Available => {}
                    EniKind::Endpoint(id) => needs.push(R::Endpoint(id)),
                    EniKind::Instance { instance, device: _ } => needs.push(R::Instance(instance)),
                    EniKind::NatGateway(id) => needs.push(R::NatGateway(id)),
                }
                needs
            }
            Self::Address(_) | Self::Instance(_) | Self::InternetHost(_) | Self::PrefixList(_) => Vec::new(),
            Self::InternetGateway(r) => needs_of_edge(r.vpc, r.edge_table),
            Self::NatGateway(r) => vec![R::Subnet(r.subnet)],
            Self::NetworkAcl(r) => vec![R::Vpc(r.vpc)],
            Self::RouteTable(r) => vec![R::Vpc(r.vpc)],
            Self::SecurityGroup(r) => vec![R::Vpc(r.vpc)],
            Self::Service(r) => r.prefix_list.map(R::PrefixList).into_iter().collect(),
            Self::Subnet(r) => {
                let mut needs = vec![R::Vpc(r.vpc)];
                needs.extend(r.table.map(R::RouteTable));
                needs.extend(r.acl.map(R::NetworkAcl));
                needs
            }
            Self::Peering(r) => vec![R::Vpc(r.requester), R::Vpc(r.accepter)],
            Self::TransitAttachment(r) => {
                let mut needs = vec![R::TransitGateway(r.gateway)];
                needs.extend(r.table.iter().chain(&r.propagates_to).map(|&t| R::TransitRouteTable(t)));
                if let AttachmentKind::Vpc { vpc, subnets, appliance_mode: _ } = &r.kind {
                    needs.push(R::Vpc(*vpc));
                    needs.extend(subnets.iter().map(|&s| R::Subnet(s)));
                }
                needs
            }
            Self::TransitGateway(_) | Self::Vpc(_) => Vec::new(),
            Self::TransitRouteTable(r) => vec![R::TransitGateway(r.gateway)],
            Self::VirtualGateway(r) => {
                let mut needs = needs_of_edge(r.vpc, r.edge_table);
                needs.extend(r.propagates_to.iter().map(|&t| R::RouteTable(t)));
                needs
            }
        }
    }

    /// The same resource in its one form, so that equal ones compare equal: sets that are kept as lists are sorted, and
    /// protocols that have a name are not kept by number.
    pub(super) fn canonical(mut self) -> Self {
        if let Self::SecurityGroup(group) = &mut self {
            let rules = &mut Arc::make_mut(group).rules;
            rules.iter_mut().for_each(|rule| rule.traffic = rule.traffic.canonical());
            rules.sort_unstable_by_key(|rule| (rule.direction, rule.traffic, rule.peer, rule.id));
        } else if let Self::NetworkAcl(acl) = &mut self {
            let entries = Arc::make_mut(acl).entries.values_mut();
            entries.for_each(|entry| entry.traffic = entry.traffic.canonical());
        } else if let Self::PrefixList(list) = &mut self {
            Arc::make_mut(list).entries.sort_unstable();
        }
        self
    }

    /// Whether it is where packets enter and leave the process.
    #[must_use]
    pub fn has_link(&self) -> bool {
        match self {
            Self::Eni(eni) => match eni.kind {
                EniKind::Instance { .. } => true,
                EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => false,
            },
            Self::InternetHost(_) | Self::Service(_) | Self::VirtualGateway(_) => true,
            Self::Address(_)
            | Self::EgressOnlyGateway(_)
            | Self::Endpoint(_)
            | Self::Instance(_)
            | Self::InternetGateway(_)
            | Self::NatGateway(_)
            | Self::NetworkAcl(_)
            | Self::Peering(_)
            | Self::PrefixList(_)
            | Self::RouteTable(_)
            | Self::SecurityGroup(_)
            | Self::Subnet(_)
            | Self::TransitAttachment(_)
            | Self::TransitGateway(_)
            | Self::TransitRouteTable(_)
            | Self::Vpc(_) => false,
        }
    }
}

/// What a gateway with an edge table needs.
fn needs_of_edge(vpc: Option<Id<Vpc>>, table: Option<Id<RouteTable>>) -> Vec<ResourceRef> {
    vpc.map(ResourceRef::Vpc).into_iter().chain(table.map(ResourceRef::RouteTable)).collect()
}
