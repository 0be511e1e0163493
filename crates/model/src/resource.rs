//! The nouns: what a VPC network is made of.
//!
//! Each is a plain value. What relates them is checked where they are put together, in [`crate::Desired`].

mod address;
mod endpoint;
mod eni;
mod gateway;
mod network_acl;
mod peering;
mod place;
mod prefix_list;
mod route;
mod security_group;
mod service;
mod traffic;
mod transit;
mod vpc;

pub use address::Address;
pub use endpoint::{Endpoint, EndpointKind, EndpointState};
pub use eni::{Eni, EniAddress, EniKind, Instance};
pub use gateway::{EgressOnlyGateway, InternetGateway, InternetHost, NatGateway, VirtualGateway};
pub use network_acl::{AclEntry, AclKey, Action, NetworkAcl, RuleNumber, RuleNumberError};
pub use peering::{Peering, PeeringState};
pub use place::{AccountId, Az, Name, NameError, Region};
pub use prefix_list::{Family, PrefixList};
pub use route::{Destination, EffectiveRoute, RouteOrigin, RouteState, RouteTable, RouteTarget};
pub use security_group::{Peer, SecurityGroup, SecurityGroupRule};
pub use service::{Provider, Service};
pub use traffic::{Direction, IcmpMatch, PortRange, PortRangeError, Traffic};
pub use transit::{
    AttachmentKind, EffectiveTransitRoute, TransitAttachment, TransitGateway, TransitRouteTable, TransitTarget,
};
pub use vpc::{Subnet, Vpc};
