//! The form of a lab file: what may stand where.
//!
//! The JSON Schema is made of these types and their comments, so the comments speak to people who write labs.

use schemars::JsonSchema;
use serde::Deserialize;
use vpc_lpm::Prefix;

use super::de::{Map, OneOrMany, Or, Read};
use super::value::{Block, Ip, IpFamily, Ipv4, Ports, Protocol, Reference};
use crate::Id;
use crate::resource::{self, AccountId, Action, Az, Name, Region, SecurityGroupRule};

/// A lab: networks, their instances, and what they talk to.
///
/// Keys that start with `x-` are ignored, as in compose files: a place for anchors.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "vpcd lab file", extend("patternProperties" = { "^x-": {} }))]
pub(super) struct File {
    /// What people call the lab.
    pub(super) name: Option<Read<String>>,
    /// What the lab is for.
    pub(super) description: Option<Read<String>>,
    /// What holds where nothing else is said.
    pub(super) defaults: Option<Read<Defaults>>,
    /// Networks, by name.
    #[serde(default)]
    pub(super) vpcs: Map<Vpc>,
    /// Named sets of prefixes.
    #[serde(default)]
    pub(super) prefix_lists: Map<Or<OneOrMany<Prefix>, PrefixList>>,
    /// What endpoints lead to.
    #[serde(default)]
    pub(super) services: Map<Service>,
    /// Hosts outside every VPC.
    #[serde(default)]
    pub(super) internet: Map<InternetHost>,
    /// Internet gateways that are attached to no VPC.
    #[serde(default)]
    pub(super) internet_gateways: Map<Detached>,
    /// Virtual private gateways that are attached to no VPC.
    #[serde(default)]
    pub(super) virtual_gateways: Map<DetachedVirtual>,
    /// Connections between two VPCs.
    #[serde(default)]
    pub(super) peerings: Map<Peering>,
    /// Routers between VPCs.
    #[serde(default)]
    pub(super) transit_gateways: Map<TransitGateway>,
}

/// What holds where nothing else is said.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    /// The Region of VPCs and services; `us-east-1` if not given.
    pub(super) region: Option<Read<Region>>,
    /// The account of VPCs; `111111111111` if not given.
    pub(super) account: Option<Read<AccountId>>,
}

/// A virtual private cloud.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Vpc {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Vpc>>>,
    /// IPv4 blocks, the primary one first.
    #[schemars(required)]
    pub(super) cidr: Option<OneOrMany<Block>>,
    /// IPv6 blocks.
    pub(super) ipv6_cidr: Option<OneOrMany<Block>>,
    /// Whose it is.
    pub(super) account: Option<Read<AccountId>>,
    /// Where it is.
    pub(super) region: Option<Read<Region>>,
    /// Whether the resolver at base + 2 answers; true if not given.
    pub(super) dns_support: Option<Read<bool>>,
    /// Whether instances get names and endpoints may have private ones; false if not given.
    pub(super) dns_hostnames: Option<Read<bool>>,
    /// The table of subnets that name none. If not given, the one called like the VPC with `-main` after it, which
    /// is empty unless it is under `route_tables`.
    pub(super) main_route_table: Option<Read<Reference>>,
    /// The ACL of subnets that name none. If not given, the one called like the VPC with `-default` after it, which
    /// allows everything unless it is under `network_acls`.
    pub(super) default_network_acl: Option<Read<Reference>>,
    /// The group of interfaces that name none. If not given, the one called like the VPC with `-default` after it,
    /// which allows its members in and everything out unless it is under `security_groups`.
    pub(super) default_security_group: Option<Read<Reference>>,
    /// The name of its internet gateway.
    pub(super) internet_gateway: Option<Read<Or<Name, InternetGateway>>>,
    /// The name of its egress-only internet gateway.
    pub(super) egress_only_gateway: Option<Read<Or<Name, EgressOnlyGateway>>>,
    /// The name of its virtual private gateway, which leads to a network elsewhere.
    pub(super) virtual_gateway: Option<Read<Or<Name, VirtualGateway>>>,
    /// Parts of it.
    #[serde(default)]
    pub(super) subnets: Map<Subnet>,
    /// Routes, by table: destination and target.
    #[serde(default)]
    pub(super) route_tables: Map<RouteTable>,
    /// Stateless rules at the edge of subnets.
    #[serde(default)]
    pub(super) network_acls: Map<NetworkAcl>,
    /// Stateful rules of interfaces.
    #[serde(default)]
    pub(super) security_groups: Map<SecurityGroup>,
    /// Gateways that share one address among the hosts of other subnets.
    #[serde(default)]
    pub(super) nat_gateways: Map<NatGateway>,
    /// Machines: network namespaces with interfaces.
    #[serde(default)]
    pub(super) instances: Map<Instance>,
    /// Ways to services that need no public address.
    #[serde(default)]
    pub(super) endpoints: Map<Endpoint>,
}

/// An internet gateway that has more to it than its name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InternetGateway {
    /// Its name.
    pub(super) name: Option<Read<Name>>,
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::InternetGateway>>>,
    /// The table that routes what comes in through it; none if not given.
    pub(super) edge_table: Option<Read<Reference>>,
}

/// An egress-only internet gateway that has more to it than its name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EgressOnlyGateway {
    /// Its name.
    pub(super) name: Option<Read<Name>>,
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::EgressOnlyGateway>>>,
}

/// An internet gateway that is attached to no VPC.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Detached {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::InternetGateway>>>,
}

/// A virtual private gateway, and the network elsewhere that it leads to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VirtualGateway {
    /// Its name.
    pub(super) name: Option<Read<Name>>,
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::VirtualGateway>>>,
    /// The network namespace that stands for the network elsewhere; called like the gateway if not given.
    pub(super) namespace: Option<Read<String>>,
    /// Addresses of the host that stands for it.
    pub(super) addresses: Option<OneOrMany<Ip>>,
    /// What it says is there; nothing if not given.
    pub(super) announces: Option<OneOrMany<Block>>,
    /// The VPC's tables that learn this; none if not given.
    pub(super) propagates_to: Option<OneOrMany<Reference>>,
    /// The table that routes what comes in through it; none if not given.
    pub(super) edge_table: Option<Read<Reference>>,
}

/// A virtual private gateway that is attached to no VPC.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DetachedVirtual {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::VirtualGateway>>>,
    /// The network namespace that stands for the network elsewhere; called like the gateway if not given.
    pub(super) namespace: Option<Read<String>>,
    /// Addresses of the host that stands for it.
    pub(super) addresses: Option<OneOrMany<Ip>>,
    /// What it says is there; nothing if not given.
    pub(super) announces: Option<OneOrMany<Block>>,
}

/// Part of a VPC in one availability zone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Subnet {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Subnet>>>,
    /// IPv4 block, inside one of the VPC's.
    pub(super) cidr: Read<Block>,
    /// IPv6 block, inside one of the VPC's.
    pub(super) ipv6_cidr: Option<Read<Block>>,
    /// Availability zone; the Region's first if not given.
    pub(super) az: Option<Read<Az>>,
    /// Route table; the VPC's main one if not given.
    pub(super) routes: Option<Read<Reference>>,
    /// Network ACL; the VPC's default one if not given.
    pub(super) network_acl: Option<Read<Reference>>,
}

/// Routes: a block or prefix list, and the gateway, peering, interface or `local` that it leads to.
///
/// The key `id` is the table's id; every other key is a destination.
#[derive(Debug, Deserialize)]
pub(super) struct RouteTable(pub(super) Map<Reference>);

impl JsonSchema for RouteTable {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RouteTable".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Routes: a block or the name of a prefix list, and the gateway, peering, interface or `local` that it leads to. \
                The key `id` is the table's AWS id, if it matters which.",
            "type": ["object", "null"],
            "additionalProperties": { "type": "string" },
        })
    }
}

/// Numbered rules: the first that matches decides, and nothing matching denies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkAcl {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::NetworkAcl>>>,
    /// Rules for packets into the subnet.
    pub(super) ingress: Option<OneOrMany<AclRule>>,
    /// Rules for packets out of the subnet.
    pub(super) egress: Option<OneOrMany<AclRule>>,
}

/// One rule of a network ACL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AclRule {
    /// Its number, 1 to 32766; lower ones are looked at first.
    #[schemars(range(min = 1, max = 32766))]
    pub(super) rule: Read<u32>,
    /// What happens to a packet that matches.
    pub(super) action: Read<Action>,
    /// The protocol; all if not given.
    pub(super) protocol: Option<Read<Protocol>>,
    /// Destination ports of TCP or UDP: one, or a range; all if not given.
    pub(super) ports: Option<Read<Ports>>,
    /// ICMP type; all if not given.
    #[serde(rename = "type")]
    pub(super) kind: Option<Read<u8>>,
    /// ICMP code; all if not given.
    pub(super) code: Option<Read<u8>>,
    /// Ingress: the source.
    pub(super) from: Option<Read<Block>>,
    /// Egress: the destination.
    pub(super) to: Option<Read<Block>>,
}

/// Allow rules for the interfaces that are in the group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecurityGroup {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::SecurityGroup>>>,
    /// What may come in; nothing if not given.
    pub(super) ingress: Option<OneOrMany<GroupRule>>,
    /// What may go out; everything if not given.
    pub(super) egress: Option<OneOrMany<GroupRule>>,
}

/// One permission.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupRule {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<SecurityGroupRule>>>,
    /// The protocol; all if not given.
    pub(super) protocol: Option<Read<Protocol>>,
    /// Destination ports of TCP or UDP: ports and ranges; all if not given. Several are several rules.
    pub(super) ports: Option<OneOrMany<Ports>>,
    /// ICMP type; all if not given.
    #[serde(rename = "type")]
    pub(super) kind: Option<Read<u8>>,
    /// ICMP code; all if not given.
    pub(super) code: Option<Read<u8>>,
    /// Ingress: a prefix, prefix list or security group. Several are several rules.
    pub(super) from: Option<OneOrMany<Reference>>,
    /// Egress: a prefix, prefix list or security group. Several are several rules.
    pub(super) to: Option<OneOrMany<Reference>>,
}

/// Shares one address among the hosts of other subnets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NatGateway {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::NatGateway>>>,
    /// The name of its interface, or its id if it has no name; called like the gateway if not given.
    pub(super) interface_name: Option<Read<Name>>,
    /// The AWS id of its interface, if it matters which.
    pub(super) interface_id: Option<Read<Id<resource::Eni>>>,
    /// The subnet it is in.
    pub(super) subnet: Read<Reference>,
    /// Its private address; the next free one of the subnet if not given.
    pub(super) address: Option<Read<Ipv4>>,
    /// Its public address; without one it is a private NAT gateway.
    pub(super) public: Option<Read<Ipv4>>,
}

/// A machine: a network namespace with interfaces. It has either `subnet` and what belongs to its only interface, or
/// `interfaces`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Instance {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Instance>>>,
    /// Whose it is; the VPC's account if not given.
    pub(super) account: Option<Read<AccountId>>,
    /// The network namespace, as `ip netns` knows it; called like the instance if not given.
    pub(super) namespace: Option<Read<String>>,
    /// The AWS id of its only interface, if it matters which.
    pub(super) interface_id: Option<Read<Id<resource::Eni>>>,
    /// The subnet of its only interface.
    pub(super) subnet: Option<Read<Reference>>,
    /// Private addresses, the primary one first; the next free one of the subnet if not given.
    pub(super) address: Option<OneOrMany<Or<Ip, Address>>>,
    /// IPv6 addresses; none if not given.
    pub(super) ipv6_address: Option<OneOrMany<Ip>>,
    /// The public address that stands for the first private one.
    pub(super) public: Option<Read<Ipv4>>,
    /// Security groups; the VPC's default one if not given.
    pub(super) security_groups: Option<OneOrMany<Reference>>,
    /// Whether packets that are neither from nor to its addresses are refused; true if not given.
    pub(super) source_dest_check: Option<Read<bool>>,
    /// Several interfaces. The first is called like the instance, the next like the instance with `.1` after it.
    pub(super) interfaces: Option<OneOrMany<Interface>>,
}

/// One of several interfaces of an instance.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Interface {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Eni>>>,
    /// Its name, or its id if it has no name.
    pub(super) name: Option<Read<Name>>,
    /// Its number in the instance; its place in the list if not given.
    pub(super) device: Option<Read<u8>>,
    /// Its subnet.
    pub(super) subnet: Option<Read<Reference>>,
    /// Private addresses, the primary one first; the next free one of the subnet if not given.
    pub(super) address: Option<OneOrMany<Or<Ip, Address>>>,
    /// IPv6 addresses; none if not given.
    pub(super) ipv6_address: Option<OneOrMany<Ip>>,
    /// The public address that stands for the first private one.
    pub(super) public: Option<Read<Ipv4>>,
    /// Security groups; the VPC's default one if not given.
    pub(super) security_groups: Option<OneOrMany<Reference>>,
    /// Whether packets that are neither from nor to its addresses are refused; true if not given.
    pub(super) source_dest_check: Option<Read<bool>>,
}

/// A private address and the public one that stands for it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    /// The address inside the VPC.
    pub(super) private: Read<Ip>,
    /// The public address.
    pub(super) public: Option<Read<Ipv4>>,
}

/// A way from a VPC to a service that needs no public address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Endpoint>>>,
    /// The service.
    pub(super) service: Read<Reference>,
    /// How it is reached; gateway if not given, or interface if there are subnets.
    #[serde(rename = "type")]
    pub(super) kind: Option<Read<EndpointType>>,
    /// Whether it works; available if not given.
    pub(super) state: Option<Read<EndpointState>>,
    /// Gateway: the tables that get its routes.
    pub(super) route_tables: Option<OneOrMany<Reference>>,
    /// Interface: a list of subnets, or a map of subnets and addresses. Each gets an interface called like the
    /// endpoint, a dot, and the subnet.
    pub(super) subnets: Option<Read<EndpointSubnets>>,
    /// Interface: security groups; the VPC's default one if not given.
    pub(super) security_groups: Option<OneOrMany<Reference>>,
    /// Interface: whether the service's own name leads here in the VPC; false if not given.
    pub(super) private_dns: Option<Read<bool>>,
}

/// The subnets of an interface endpoint, and what is to be said about its interfaces there.
pub(super) type EndpointSubnets = Or<OneOrMany<Reference>, Map<Option<Or<Ip, EndpointInterface>>>>;

/// How an endpoint is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum EndpointType {
    /// By routes.
    Gateway,
    /// By interfaces in subnets.
    Interface,
}

/// Where an endpoint is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum EndpointState {
    /// It works.
    Available,
    /// It waits for the provider.
    PendingAcceptance,
    /// The provider refused it.
    Rejected,
}

/// An endpoint's interface in one subnet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointInterface {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Eni>>>,
    /// Its name, or its id if it has no name.
    pub(super) name: Option<Read<Name>>,
    /// Addresses; the next free one of the subnet if not given.
    pub(super) address: Option<OneOrMany<Ip>>,
    /// IPv6 addresses; none if not given.
    pub(super) ipv6_address: Option<OneOrMany<Ip>>,
}

/// A service that endpoints lead to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Service>>>,
    /// What consumers call it; `com.amazonaws.`, the Region, a dot and its key if not given.
    pub(super) name: Option<Read<String>>,
    /// Where it is.
    pub(super) region: Option<Read<Region>>,
    /// The prefix list of its public ranges, which gateway endpoints route.
    pub(super) prefix_list: Option<Read<Reference>>,
    /// The network namespace that answers for it; called like the service if not given.
    pub(super) namespace: Option<Read<String>>,
    /// Addresses of the host that answers; interface endpoints lead to the first of a family.
    pub(super) addresses: Option<OneOrMany<Ip>>,
}

/// A host outside every VPC: a network namespace that stands for a part of the internet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InternetHost {
    /// The id, if it matters which.
    pub(super) id: Option<Read<Id<resource::InternetHost>>>,
    /// The network namespace, as `ip netns` knows it; called like the host if not given.
    pub(super) namespace: Option<Read<String>>,
    /// Addresses configured on it.
    pub(super) addresses: Option<OneOrMany<Ip>>,
    /// Whatever is inside these goes to it; the longest prefix of all hosts wins.
    pub(super) prefixes: Option<OneOrMany<Block>>,
}

/// A connection between two VPCs; it leads no further.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Peering {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::Peering>>>,
    /// The VPC that asked.
    pub(super) requester: Read<Reference>,
    /// The VPC that was asked.
    pub(super) accepter: Read<Reference>,
    /// Whether it carries packets; active if not given.
    pub(super) state: Option<Read<resource::PeeringState>>,
}

/// A router between the VPCs of a Region.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransitGateway {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::TransitGateway>>>,
    /// Where it is.
    pub(super) region: Option<Read<Region>>,
    /// Whether security groups may refer to groups across it; false if not given.
    pub(super) group_references: Option<Read<bool>>,
    /// What is connected to it.
    #[serde(default)]
    pub(super) attachments: Map<TransitAttachment>,
    /// Routes, by table. The default one, for attachments that do not say otherwise, is called like the gateway with
    /// `-default` after it, and is empty unless it is here.
    #[serde(default)]
    pub(super) route_tables: Map<TransitRouteTable>,
}

/// What is connected to a transit gateway: a VPC, or another transit gateway by its own attachment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransitAttachment {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::TransitAttachment>>>,
    /// The VPC.
    pub(super) vpc: Option<Read<Reference>>,
    /// VPC: one subnet per availability zone, by which packets come and go.
    pub(super) subnets: Option<OneOrMany<Reference>>,
    /// VPC: whether both directions of a flow use the same availability zone; false if not given.
    pub(super) appliance_mode: Option<Read<bool>>,
    /// The attachment at the other transit gateway, which names this one in turn.
    pub(super) peer: Option<Read<Reference>>,
    /// The table that routes what comes in here, or `none`; the gateway's default one if not given.
    pub(super) routes: Option<Read<Reference>>,
    /// VPC: the tables that learn its blocks; the gateway's default one if not given.
    pub(super) propagates_to: Option<OneOrMany<Reference>>,
}

/// Routes: a block or prefix list, and the attachment or `blackhole` that it leads to.
///
/// The key `id` is the table's id; every other key is a destination.
#[derive(Debug, Deserialize)]
pub(super) struct TransitRouteTable(pub(super) Map<Reference>);

impl JsonSchema for TransitRouteTable {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TransitRouteTable".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Routes: a block or the name of a prefix list, and the attachment or `blackhole` that it leads to. \
                The key `id` is the table's AWS id, if it matters which.",
            "type": ["object", "null"],
            "additionalProperties": { "type": "string" },
        })
    }
}

/// A set of prefixes that has more to it than its entries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PrefixList {
    /// The AWS id, if it matters which.
    pub(super) id: Option<Read<Id<resource::PrefixList>>>,
    /// The prefixes.
    pub(super) entries: Option<OneOrMany<Prefix>>,
    /// The family of all entries; the first entry's if not given, IPv4 if there is none.
    pub(super) family: Option<Read<IpFamily>>,
    /// How many entries it may grow to, which is what a reference to it costs against quotas; as many as it has if
    /// not given.
    pub(super) max_entries: Option<Read<u16>>,
    /// Whether AWS keeps it; false if not given.
    pub(super) aws_managed: Option<Read<bool>>,
}
