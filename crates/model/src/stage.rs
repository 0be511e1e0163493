//! The pipeline's stages and every reason a packet can be dropped for: the one place they are named.
//!
//! Metrics, flow logs, `explain`, the API, CLI help and the reference page all read this table. Codes are stable:
//! they are metric labels, log values and API fields.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares stages with their reasons. The doc comments *are* the texts users see.
macro_rules! stages {
    ($(
        #[doc = $stage_doc:literal]
        $stage:ident = $stage_name:literal $(, logs $logs:ident)? {
            $(
                #[doc = $reason_doc:literal]
                $reason:ident = $code:literal, aws $aws:tt,
            )*
        }
    )*) => {
        /// A decision of the pipeline.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StageId {
            $( #[doc = $stage_doc] $stage, )*
        }

        impl StageId {
            /// Every stage, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$stage, )* ];

            /// The stage's stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$stage => $stage_name, )* }
            }

            /// One sentence about what the stage decides.
            #[must_use]
            pub fn doc(self) -> &'static str {
                match self { $( Self::$stage => $stage_doc.trim_ascii(), )* }
            }

            /// The reasons this stage can refuse for.
            #[must_use]
            pub const fn reasons(self) -> &'static [DropReason] {
                match self { $( Self::$stage => &[ $( DropReason::$reason, )* ], )* }
            }

            /// Whether a refusal here is a REJECT in a flow log (R11.7: not every refusal is).
            #[must_use]
            pub const fn logs_reject(self) -> bool {
                match self { $( Self::$stage => stages!(@logs $($logs)?), )* }
            }
        }

        /// Why a packet was dropped. A drop is a result, not an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $( $( #[doc = $reason_doc] $reason, )* )*
        }

        impl DropReason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( $( Self::$reason, )* )* ];

            /// The reason's stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $( $( Self::$reason => $code, )* )* }
            }

            /// One sentence about what happened.
            #[must_use]
            pub fn doc(self) -> &'static str {
                match self { $( $( Self::$reason => $reason_doc.trim_ascii(), )* )* }
            }

            /// The stage that refuses for this reason.
            #[must_use]
            pub const fn stage(self) -> StageId {
                match self { $( $( Self::$reason => StageId::$stage, )* )* }
            }

            /// The Reachability Analyzer's explanation code for the same thing, where it has one.
            #[must_use]
            pub const fn aws(self) -> Option<&'static str> {
                match self { $( $( Self::$reason => stages!(@aws $aws), )* )* }
            }
        }
    };
    (@logs) => { false };
    (@logs reject) => { true };
    (@aws none) => { None };
    (@aws $code:literal) => { Some($code) };
}

stages! {
    /// Bytes are a packet: IP, and TCP, UDP or ICMP where they say so.
    Parse = "parse" {
        /// The bytes are not a well-formed packet.
        Malformed = "malformed", aws none,
        /// A later fragment whose first fragment, with the ports, was not seen.
        FragmentUnknown = "fragment_unknown", aws none,
    }
    /// Links belong to somebody.
    Link = "link" {
        /// The link has no owner in the tables in force.
        UnknownLink = "unknown_link", aws none,
    }
    /// The packet can be remembered as part of a flow.
    FlowTable = "flow-table" {
        /// The flow table is full.
        FlowTableFull = "flow_table_full", aws none,
        /// The walk went through more hops than any sane network has.
        RoutingLoop = "routing_loop", aws none,
    }
    /// The destination is one host, not a group of them and not a link-local address.
    Unicast = "unicast" {
        /// Broadcast is not supported in a VPC.
        Broadcast = "broadcast", aws none,
        /// Multicast is not supported outside a transit gateway's multicast domain.
        Multicast = "multicast", aws none,
        /// Link-local addresses belong to services of the host and are never forwarded.
        LinkLocal = "link_local", aws none,
    }
    /// The address belongs to the interface, unless its source/destination check is off.
    SourceDestCheck = "source-dest-check" {
        /// The source (leaving) or destination (arriving) is not an address of the interface and its check is on.
        EniSourceDestCheck = "eni_source_dest_check", aws "ENI_SOURCE_DEST_CHECK_RESTRICTION",
    }
    /// Stateful rules of an interface's security groups.
    SecurityGroup = "security-group", logs reject {
        /// No egress rule permits the flow.
        SgEgress = "sg_egress", aws "ENI_SG_RULES_MISMATCH",
        /// No ingress rule permits the flow.
        SgIngress = "sg_ingress", aws "ENI_SG_RULES_MISMATCH",
    }
    /// Ordered, stateless rules at a subnet's edge.
    NetworkAcl = "network-acl", logs reject {
        /// The first matching outbound rule of the subnet's network ACL denies.
        NaclEgress = "nacl_egress", aws "SUBNET_ACL_RESTRICTION",
        /// The first matching inbound rule of the subnet's network ACL denies.
        NaclIngress = "nacl_ingress", aws "SUBNET_ACL_RESTRICTION",
    }
    /// Longest-prefix match in a route table.
    RouteLookup = "route-lookup" {
        /// No route of the table matches the destination.
        NoRoute = "no_route", aws "NO_ROUTE_TO_DESTINATION",
        /// The best route's target is gone or not usable; there is no fall-back to a worse route.
        Blackhole = "blackhole", aws "BAD_STATE_ROUTE",
    }
    /// The subnet of the VPC that holds the destination.
    SubnetOf = "subnet-of" {
        /// The destination is inside the VPC's address range but in no subnet.
        NoSuchSubnet = "no_such_subnet", aws none,
    }
    /// The interface that owns the destination.
    LocalDelivery = "local-delivery" {
        /// No interface of the subnet has the address.
        NoSuchEni = "no_such_eni", aws none,
    }
    /// What a gateway endpoint accepts.
    GatewayEndpoint = "gateway-endpoint" {
        /// A gateway endpoint carries TCP and ICMP echo only.
        VpceGatewayProtocol = "vpce_gateway_protocol", aws "VPCE_GATEWAY_PROTOCOL_RESTRICTION",
        /// A gateway endpoint serves sources of its own VPC only.
        VpceGatewaySource = "vpce_gateway_source", aws "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION",
    }
    /// What an interface endpoint accepts.
    InterfaceEndpoint = "interface-endpoint" {
        /// An interface endpoint carries TCP and UDP only.
        VpceProtocol = "vpce_protocol", aws none,
        /// The endpoint is not in the state available.
        VpceNotAvailable = "vpce_not_available", aws none,
    }
    /// The service's host that answers for an address.
    ServiceAttach = "service-attach" {
        /// No host of the service has the address.
        ServiceNoHost = "service_no_host", aws none,
        /// Every outside port towards the service is taken by another flow.
        ServicePortExhausted = "service_port_exhausted", aws none,
        /// The connection was idle for longer than the endpoint remembers it; the client gets a reset.
        VpceIdle = "vpce_idle", aws none,
    }
    /// The public address that stands for a private one at the internet gateway, and back.
    PublicAddress = "public-address" {
        /// The source has no public address, so the internet gateway drops it, silently.
        IgwNoPublic = "igw_no_public", aws "GATEWAY_REJECTS_SPOOFED_TRAFFIC",
        /// No interface behind an internet gateway has the public address.
        NoSuchPublic = "no_such_public", aws none,
    }
    /// An egress-only gateway lets IPv6 out and only replies back in.
    EgressOnly = "egress-only" {
        /// The packet belongs to no flow that was opened from inside.
        EigwUnsolicited = "eigw_unsolicited", aws none,
    }
    /// The host outside every VPC that has the destination.
    InternetHost = "internet-host" {
        /// No internet host or service of the lab has the destination.
        NoInternetHost = "no_internet_host", aws none,
    }
    /// The NAT gateway's address and a port of it take the place of the source.
    SourceNat = "source-nat" {
        /// A NAT gateway carries TCP, UDP and ICMP only.
        NatProtocol = "nat_protocol", aws none,
        /// The client is in the NAT gateway's own subnet, which is not supported.
        NatSameSubnet = "nat_same_subnet", aws none,
        /// All ports towards this destination are taken.
        NatPortAllocation = "nat_port_allocation", aws none,
        /// The connection was idle for longer than the gateway remembers it; the client gets a reset.
        NatIdle = "nat_idle", aws none,
    }
    /// The client that an answer to a NAT gateway's address is for.
    ReverseNat = "reverse-nat" {
        /// The packet answers no flow that the gateway has translated.
        NatNoBinding = "nat_no_binding", aws none,
    }
    /// The way back from a service: only answers have one.
    ServiceReturn = "service-return" {
        /// A service cannot open a flow into the VPC of an endpoint.
        VpceIntraVpc = "vpce_intra_vpc", aws "VPCE_INTRA_VPC_TRAFFIC",
    }
    /// A peering connection joins two VPCs and leads no further.
    Peering = "peering" {
        /// The destination is not an address of the VPC at the other end.
        PcxDestination = "pcx_destination", aws "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR",
        /// The source is not an address of the VPC at this end.
        PcxSource = "pcx_source", aws "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR",
    }
    /// The subnet through which a packet reaches or leaves a transit gateway: one per availability zone.
    TransitZone = "transit-zone" {
        /// The transit gateway has no attachment subnet in the sender's availability zone.
        TgwAz = "tgw_az", aws "TGW_ATTACH_VPC_AZ_RESTRICTION",
    }
    /// Longest-prefix match in the table of the attachment the packet came in by.
    TransitLookup = "transit-lookup" {
        /// The attachment has no table, or no route of it matches.
        TgwNoRoute = "tgw_no_route", aws "NO_ROUTE_TO_DESTINATION",
        /// The best route is a black hole.
        TgwBlackhole = "tgw_blackhole", aws "BAD_STATE_ROUTE",
    }
    /// Checks on one packet once its path is known: size, fragments, TTL where a hop is visible.
    Guard = "guard" {
        /// Larger than the path allows, and it may not be fragmented.
        TooBig = "too_big", aws none,
        /// An element on the path carries no fragments of this protocol.
        FragmentNotCarried = "fragment_not_carried", aws none,
        /// The TTL ran out at a hop that counts it.
        TtlExpired = "ttl_expired", aws none,
    }
}

impl DropReason {
    /// How many reasons there are, for arrays indexed by reason.
    pub const COUNT: usize = Self::ALL.len();

    /// The reason with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for DropReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl Serialize for StageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_and_names_are_unique_and_documented() {
        let codes: BTreeSet<_> = DropReason::ALL.iter().map(|r| r.code()).collect();
        let names: BTreeSet<_> = StageId::ALL.iter().map(|s| s.name()).collect();
        assert_eq!(codes.len(), DropReason::COUNT);
        assert_eq!(names.len(), StageId::ALL.len());
        assert!(DropReason::ALL.iter().all(|r| r.doc().ends_with('.') && r.stage().reasons().contains(r)));
        assert!(StageId::ALL.iter().all(|s| s.doc().ends_with('.')));
    }

    #[test]
    fn a_reason_is_found_by_its_code() {
        assert!(DropReason::ALL.iter().all(|&r| DropReason::from_code(r.code()) == Some(r)));
        assert_eq!(DropReason::from_code("because"), None);
    }
}
