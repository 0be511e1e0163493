//! What the API needs to know of each noun: its codes, its name as a tagged resource, whose it is.

use std::fmt;

use vpc_model::desired::Noun;
use vpc_model::resource::{
    AccountId, Address, AttachmentKind, EgressOnlyGateway, Endpoint, Eni, Instance, InternetGateway, NatGateway,
    NetworkAcl, Peering, PrefixList, Region, RouteTable, SecurityGroup, Service, Subnet, TransitAttachment,
    TransitGateway, TransitRouteTable, VirtualGateway, Vpc,
};
use vpc_model::{Desired, Id, Kind, ResourceRef};

use crate::ApiError;

/// A noun with a face in the API.
pub(crate) trait ApiNoun: Noun {
    /// What tags call its kind: `route-table`.
    const TYPE: &'static str;
    /// The code for an id that is not there.
    const NOT_FOUND: &'static str;
    /// The code for an id that cannot be one.
    const MALFORMED: &'static str;
    /// What messages call it.
    const WORDS: &'static str;

    /// The error for an id that is not there.
    fn not_found(id: &str) -> ApiError {
        ApiError::new(Self::NOT_FOUND, format!("The {} '{id}' does not exist", Self::WORDS))
    }

    /// The error for an id that cannot be one.
    fn malformed(id: &str) -> ApiError {
        ApiError::new(Self::MALFORMED, format!("Invalid id: \"{id}\" (expecting \"{}-...\")", Self::PREFIX))
    }

    /// Whether every account sees it.
    fn is_public(&self) -> bool {
        false
    }
}

macro_rules! api_nouns {
    ($( $Kind:ident $type:literal $not_found:literal $malformed:literal $words:literal; )*) => {
        $(
            impl ApiNoun for $Kind {
                const TYPE: &'static str = $type;
                const NOT_FOUND: &'static str = $not_found;
                const MALFORMED: &'static str = $malformed;
                const WORDS: &'static str = $words;
            }
        )*
    };
}

// Source: EC2 API reference, "Error codes"; the messages as recorded from AWS where a recording was at hand.
api_nouns! {
    Address "elastic-ip" "InvalidAllocationID.NotFound" "InvalidAllocationID.Malformed" "allocation ID";
    EgressOnlyGateway "egress-only-internet-gateway" "InvalidGatewayID.NotFound" "InvalidEgressOnlyInternetGatewayId.Malformed" "eigw ID";
    Endpoint "vpc-endpoint" "InvalidVpcEndpointId.NotFound" "InvalidVpcEndpointId.Malformed" "Vpc Endpoint Id";
    Eni "network-interface" "InvalidNetworkInterfaceID.NotFound" "InvalidNetworkInterfaceId.Malformed" "networkInterface ID";
    Instance "instance" "InvalidInstanceID.NotFound" "InvalidInstanceID.Malformed" "instance ID";
    InternetGateway "internet-gateway" "InvalidInternetGatewayID.NotFound" "InvalidInternetGatewayId.Malformed" "internetGateway ID";
    NatGateway "natgateway" "NatGatewayNotFound" "NatGatewayMalformed" "Nat Gateway";
    NetworkAcl "network-acl" "InvalidNetworkAclID.NotFound" "InvalidNetworkAclId.Malformed" "networkAcl ID";
    Peering "vpc-peering-connection" "InvalidVpcPeeringConnectionID.NotFound" "InvalidVpcPeeringConnectionId.Malformed" "vpcPeeringConnection ID";
    RouteTable "route-table" "InvalidRouteTableID.NotFound" "InvalidRouteTableId.Malformed" "routeTable ID";
    SecurityGroup "security-group" "InvalidGroup.NotFound" "InvalidGroupId.Malformed" "security group";
    Subnet "subnet" "InvalidSubnetID.NotFound" "InvalidSubnetID.Malformed" "subnet ID";
    TransitAttachment "transit-gateway-attachment" "InvalidTransitGatewayAttachmentID.NotFound" "InvalidTransitGatewayAttachmentId.Malformed" "transitGatewayAttachment ID";
    TransitGateway "transit-gateway" "InvalidTransitGatewayID.NotFound" "InvalidTransitGatewayId.Malformed" "transitGateway ID";
    TransitRouteTable "transit-gateway-route-table" "InvalidRouteTableID.NotFound" "InvalidRouteTableId.Malformed" "transitGatewayRouteTable ID";
    VirtualGateway "vpn-gateway" "InvalidVpnGatewayID.NotFound" "InvalidVpnGatewayId.Malformed" "vpnGateway ID";
    Vpc "vpc" "InvalidVpcID.NotFound" "InvalidVpcID.Malformed" "vpc ID";
}

impl ApiNoun for PrefixList {
    const TYPE: &'static str = "prefix-list";
    const NOT_FOUND: &'static str = "InvalidPrefixListID.NotFound";
    const MALFORMED: &'static str = "InvalidPrefixListId.Malformed";
    const WORDS: &'static str = "prefix list ID";

    fn is_public(&self) -> bool {
        self.aws_managed
    }
}

impl ApiNoun for Service {
    const TYPE: &'static str = "vpc-endpoint-service";
    const NOT_FOUND: &'static str = "InvalidVpcEndpointServiceId.NotFound";
    const MALFORMED: &'static str = "InvalidVpcEndpointServiceId.Malformed";
    const WORDS: &'static str = "VpcEndpointService Id";

    /// Services that a namespace stands for are AWS's own.
    fn is_public(&self) -> bool {
        true
    }
}

/// What tags call the kind of a resource.
pub(crate) fn type_of(resource: ResourceRef) -> &'static str {
    match resource {
        ResourceRef::Address(_) => Address::TYPE,
        ResourceRef::EgressOnlyGateway(_) => EgressOnlyGateway::TYPE,
        ResourceRef::Endpoint(_) => Endpoint::TYPE,
        ResourceRef::Eni(_) => Eni::TYPE,
        ResourceRef::Instance(_) => Instance::TYPE,
        ResourceRef::InternetGateway(_) => InternetGateway::TYPE,
        ResourceRef::InternetHost(_) => "internet-host",
        ResourceRef::NatGateway(_) => NatGateway::TYPE,
        ResourceRef::NetworkAcl(_) => NetworkAcl::TYPE,
        ResourceRef::Peering(_) => Peering::TYPE,
        ResourceRef::PrefixList(_) => PrefixList::TYPE,
        ResourceRef::RouteTable(_) => RouteTable::TYPE,
        ResourceRef::SecurityGroup(_) => SecurityGroup::TYPE,
        ResourceRef::Service(_) => Service::TYPE,
        ResourceRef::Subnet(_) => Subnet::TYPE,
        ResourceRef::TransitAttachment(_) => TransitAttachment::TYPE,
        ResourceRef::TransitGateway(_) => TransitGateway::TYPE,
        ResourceRef::TransitRouteTable(_) => TransitRouteTable::TYPE,
        ResourceRef::VirtualGateway(_) => VirtualGateway::TYPE,
        ResourceRef::Vpc(_) => Vpc::TYPE,
    }
}

/// Whose a resource is, and where: its VPC's, or what it or its record says, or the default.
pub(crate) fn place(desired: &Desired, resource: ResourceRef) -> (AccountId, Region) {
    let known = own_place(desired, resource).or_else(|| of_vpc(desired, vpc_of(desired, resource)?));
    known.unwrap_or_else(|| {
        let record = desired.record(&resource.to_string());
        let account = record.and_then(|record| record.account).unwrap_or(AccountId::DEFAULT);
        (account, record.and_then(|record| record.region.clone()).unwrap_or_default())
    })
}

fn own_place(desired: &Desired, resource: ResourceRef) -> Option<(AccountId, Region)> {
    if let ResourceRef::Address(id) = resource {
        return desired.get(id).map(|address| (address.account, address.region.clone()));
    }
    None
}

fn of_vpc(desired: &Desired, vpc: Id<Vpc>) -> Option<(AccountId, Region)> {
    desired.get(vpc).map(|vpc| (vpc.account, vpc.region.clone()))
}

/// The VPC that a resource is part of.
pub(crate) fn vpc_of(desired: &Desired, resource: ResourceRef) -> Option<Id<Vpc>> {
    let of_subnet = |subnet: Id<Subnet>| desired.get(subnet).map(|subnet| subnet.vpc);
    let of_instance = |id| {
        let mut enis = desired.dependents_of_kind::<Eni>(ResourceRef::Instance(id));
        enis.next().and_then(|eni| of_subnet(eni.subnet))
    };
    match resource {
        ResourceRef::EgressOnlyGateway(id) => desired.get(id).map(|r| r.vpc),
        ResourceRef::Endpoint(id) => desired.get(id).map(|r| r.vpc),
        ResourceRef::Eni(id) => desired.get(id).and_then(|r| of_subnet(r.subnet)),
        ResourceRef::Instance(id) => of_instance(id),
        ResourceRef::InternetGateway(id) => desired.get(id).and_then(|r| r.vpc),
        ResourceRef::NatGateway(id) => desired.get(id).and_then(|r| of_subnet(r.subnet)),
        ResourceRef::NetworkAcl(id) => desired.get(id).map(|r| r.vpc),
        ResourceRef::Peering(id) => desired.get(id).map(|r| r.requester),
        ResourceRef::RouteTable(id) => desired.get(id).map(|r| r.vpc),
        ResourceRef::SecurityGroup(id) => desired.get(id).map(|r| r.vpc),
        ResourceRef::Subnet(id) => of_subnet(id),
        ResourceRef::TransitAttachment(id) => match desired.get(id)?.kind {
            AttachmentKind::Vpc { vpc, .. } => Some(vpc),
            AttachmentKind::Peering { .. } => None,
        },
        ResourceRef::VirtualGateway(id) => desired.get(id).and_then(|r| r.vpc),
        ResourceRef::Vpc(id) => Some(id),
        ResourceRef::Address(_)
        | ResourceRef::InternetHost(_)
        | ResourceRef::PrefixList(_)
        | ResourceRef::Service(_)
        | ResourceRef::TransitGateway(_)
        | ResourceRef::TransitRouteTable(_) => None,
    }
}

/// Ids of relations that the model has no noun for: derived from both ends, so they need no table.
macro_rules! relations {
    ($( $Kind:ident $prefix:literal $noun:literal; )*) => { $(
        #[doc = concat!("A ", $noun, ".")]
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum $Kind {}

        impl Kind for $Kind {
            const PREFIX: &'static str = $prefix;
            const NOUN: &'static str = $noun;
        }
    )* };
}

relations! {
    AclAssociation "aclassoc" "network ACL association";
    AddressAssociation "eipassoc" "address association";
    Attachment "eni-attach" "attachment of a network interface";
    Reservation "r" "reservation";
    SubnetBlock "subnet-cidr-assoc" "block of a subnet";
    TableAssociation "rtbassoc" "route table association";
    VpcBlock "vpc-cidr-assoc" "block of a VPC";
}

/// The id of a relation between two things.
pub(crate) fn relation<K: Kind>(one: impl fmt::Display + Copy, other: impl fmt::Display + Copy) -> Id<K> {
    Id::derived(&[&one.to_string(), &other.to_string()])
}
