//! What is wrong with a change.

use std::net::IpAddr;

use vpc_lpm::Prefix;

use super::ResourceRef;
use crate::resource::{Az, Destination, Name, PortRangeError, RuleNumberError};

/// Why a change was refused: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {resource}: {field}: {problem}", resource.noun())]
pub struct Violation {
    /// The resource that would be wrong.
    pub resource: ResourceRef,
    /// Its field, as lab files spell it.
    pub field: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a field. Messages say what would be right.
///
/// Errors: [`Problem::aws_code`] gives EC2's code (vpc-semantics §14.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message is the documentation; fields are the values in it")]
pub enum Problem {
    #[error("address {address} is used by {by}")]
    AddressInUse { address: IpAddr, by: ResourceRef },
    #[error("address {address} is not inside the subnet's {block}")]
    AddressOutside { address: IpAddr, block: Prefix },
    #[error("address {address} is reserved in {block}: the first four and the last address cannot be given out")]
    AddressReserved { address: IpAddr, block: Prefix },
    #[error("{what} belongs to another gateway than {ours}")]
    AnotherGateway { what: ResourceRef, ours: ResourceRef },
    #[error("{what} is in another VPC, {theirs} instead of {ours}")]
    AnotherVpc { what: ResourceRef, theirs: ResourceRef, ours: ResourceRef },
    #[error("{what} connects the two already")]
    AttachmentExists { what: ResourceRef },
    #[error("{block} overlaps {other} of {by}")]
    BlockConflict { block: Prefix, other: Prefix, by: ResourceRef },
    #[error("{block} is not inside any block of {vpc}")]
    BlockOutside { block: Prefix, vpc: ResourceRef },
    #[error("{what} is needed by {by}; delete that first")]
    DependencyViolation { what: ResourceRef, by: ResourceRef },
    #[error("device {device} is taken by {by}")]
    DeviceTaken { device: u8, by: ResourceRef },
    #[error("two subnets of zone {az}; an endpoint or attachment has one per zone")]
    DuplicateZone { az: Az },
    #[error(
        "an edge table leads to a whole subnet or VPC block, by local or a network interface; {destination} does not"
    )]
    EdgeRoute { destination: Destination },
    #[error("the table is also used by {by}; an edge table is for its gateway alone")]
    EdgeTableShared { by: ResourceRef },
    #[error("{entry} is in the list twice")]
    EntryDuplicate { entry: Prefix },
    #[error("{value} is {got}, but {expected} is needed here")]
    Family { value: String, got: &'static str, expected: &'static str },
    #[error("{what} already leads to {service} from this table")]
    GatewayEndpointExists { what: ResourceRef, service: String },
    #[error("{what}: {count} is more than the limit of {limit}")]
    LimitExceeded { what: &'static str, count: usize, limit: usize, code: &'static str },
    #[error("{destination} is no block of the VPC, and only its blocks can lead to local")]
    LocalElsewhere { destination: Destination },
    #[error(
        "{destination} is more specific than the local route; it must be exactly one subnet's block and lead to a network interface or a NAT gateway"
    )]
    MoreSpecificThanLocal { destination: Prefix },
    #[error("the name '{name}' is taken by {by}")]
    NameTaken { name: Name, by: ResourceRef },
    #[error("the namespace '{namespace}' is taken by {by}")]
    NamespaceTaken { namespace: String, by: ResourceRef },
    #[error("at least one {what} is needed")]
    None { what: &'static str },
    #[error("{what} is not attached to {vpc}")]
    NotAttached { what: ResourceRef, vpc: ResourceRef },
    #[error("{} {what} does not exist", what.noun())]
    NotFound { what: ResourceRef },
    #[error("{what} connects the two VPCs already")]
    PeeringExists { what: ResourceRef },
    #[error(transparent)]
    PortRange(#[from] PortRangeError),
    #[error("a route to {destination} exists already")]
    RouteExists { destination: Destination },
    #[error("the same rule is in the group twice")]
    RuleDuplicate,
    #[error(transparent)]
    RuleNumber(#[from] RuleNumberError),
    #[error("the destination {destination} belongs to link-local services and cannot be routed")]
    RoutesLinkLocal { destination: Prefix },
    #[error("a route to {destination} is written by the endpoint and cannot be written by hand")]
    RouteOfEndpoint { destination: Destination },
    #[error("{block} has length /{length}; a {what} block of its family has {expected}")]
    Size { what: &'static str, block: Prefix, length: u8, expected: &'static str },
    #[error("{0}")]
    Unsupported(&'static str),
}

impl Problem {
    /// EC2's code for it.
    ///
    /// Source: vpc-semantics §14.4. `{noun}` of an id that is not found becomes part of the code.
    #[must_use]
    pub fn aws_code(&self) -> String {
        let fixed = match self {
            Self::AddressInUse { .. } => "InvalidIPAddress.InUse",
            Self::AddressOutside { .. }
            | Self::AddressReserved { .. }
            | Self::EdgeRoute { .. }
            | Self::EdgeTableShared { .. }
            | Self::Family { .. }
            | Self::LocalElsewhere { .. }
            | Self::MoreSpecificThanLocal { .. }
            | Self::PortRange(_)
            | Self::RouteOfEndpoint { .. }
            | Self::RoutesLinkLocal { .. }
            | Self::RuleNumber(_) => "InvalidParameterValue",
            Self::AnotherVpc { .. }
            | Self::DeviceTaken { .. }
            | Self::NameTaken { .. }
            | Self::NamespaceTaken { .. }
            | Self::Unsupported(_) => "InvalidParameter",
            Self::AnotherGateway { .. } => "InvalidParameterValue",
            Self::AttachmentExists { .. } => "DuplicateTransitGatewayAttachment",
            Self::NotAttached { .. } => "InvalidTransitGatewayID.NotFound",
            Self::PeeringExists { .. } => "VpcPeeringConnectionAlreadyExists",
            Self::BlockConflict { by: ResourceRef::Vpc(_), .. } => "VpcCidrConflict",
            Self::BlockConflict { .. } => "InvalidSubnet.Conflict",
            Self::BlockOutside { .. } => "InvalidSubnet.Range",
            Self::DependencyViolation { .. } => "DependencyViolation",
            Self::DuplicateZone { .. } => "DuplicateSubnetsInSameZone",
            Self::EntryDuplicate { .. } => "InvalidParameterValue",
            Self::GatewayEndpointExists { .. } | Self::RouteExists { .. } => "RouteAlreadyExists",
            Self::LimitExceeded { code, .. } => code,
            Self::None { .. } => "MissingParameter",
            Self::NotFound { what } => return not_found(*what),
            Self::RuleDuplicate => "InvalidPermission.Duplicate",
            Self::Size { what: "VPC", .. } => "InvalidVpcRange",
            Self::Size { .. } => "InvalidSubnet.Range",
        };
        fixed.to_owned()
    }
}

/// EC2's code for an id that is not there.
fn not_found(what: ResourceRef) -> String {
    match what {
        ResourceRef::EgressOnlyGateway(_) => "InvalidGatewayID.NotFound".to_owned(),
        ResourceRef::Endpoint(_) => "InvalidVpcEndpointId.NotFound".to_owned(),
        ResourceRef::Eni(_) => "InvalidNetworkInterfaceID.NotFound".to_owned(),
        ResourceRef::Instance(_) | ResourceRef::InternetHost(_) => "InvalidInstanceID.NotFound".to_owned(),
        ResourceRef::InternetGateway(_) => "InvalidInternetGatewayID.NotFound".to_owned(),
        ResourceRef::NatGateway(_) => "NatGatewayNotFound".to_owned(),
        ResourceRef::NetworkAcl(_) => "InvalidNetworkAclID.NotFound".to_owned(),
        ResourceRef::Peering(_) => "InvalidVpcPeeringConnectionID.NotFound".to_owned(),
        ResourceRef::PrefixList(_) => "InvalidPrefixListID.NotFound".to_owned(),
        ResourceRef::RouteTable(_) => "InvalidRouteTableID.NotFound".to_owned(),
        ResourceRef::SecurityGroup(_) => "InvalidGroup.NotFound".to_owned(),
        ResourceRef::Service(_) => "InvalidVpcEndpointServiceId.NotFound".to_owned(),
        ResourceRef::Subnet(_) => "InvalidSubnetID.NotFound".to_owned(),
        ResourceRef::TransitAttachment(_) => "InvalidTransitGatewayAttachmentID.NotFound".to_owned(),
        ResourceRef::TransitGateway(_) => "InvalidTransitGatewayID.NotFound".to_owned(),
        ResourceRef::TransitRouteTable(_) => "InvalidRouteTableID.NotFound".to_owned(),
        ResourceRef::VirtualGateway(_) => "InvalidVpnGatewayID.NotFound".to_owned(),
        ResourceRef::Vpc(_) => "InvalidVpcID.NotFound".to_owned(),
    }
}
