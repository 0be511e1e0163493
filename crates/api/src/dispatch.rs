//! Which handler answers which action, and what holds for all of them.

use vpc_model::Desired;

use crate::call::{Caller, Cx, Handler, Reply, Request, Surroundings};
use crate::ec2::{
    address, endpoint, eni, gateway, instance, nat, network_acl, peering, place, prefix_list, route, route_table,
    security_group, subnet, vpc,
};
use crate::wire::{EC2, ELBV2, STS, Service};
use crate::{ApiError, sts, tags};

/// Answers a request about a network: what to change, and what to say once that is done.
///
/// Shape: pure. The reply's changes apply to `desired` and are everything the action does.
///
/// # Errors
/// AWS's code and message. `DryRunOperation` if the request asked only whether it would succeed, and it would.
pub fn handle(
    desired: &Desired,
    caller: &Caller,
    request: &Request,
    surroundings: &mut Surroundings<'_>,
) -> Result<Reply, ApiError> {
    let Some(handler) = handler(request.service, request.operation.name) else {
        let message = format!("The action {} is not supported", request.operation.name);
        return Err(ApiError::unsupported(message));
    };
    let mut cx = Cx::new(desired, caller, request, surroundings);
    let output = handler(&mut cx, &request.input)?;
    let dry = request.operation.takes(request.service, "DryRun") && request.input.flag("DryRun") == Some(true);
    if dry {
        return Err(ApiError::new("DryRunOperation", "Request would have succeeded, but DryRun flag is set."));
    }
    Ok(Reply { changes: cx.into_changes(), output })
}

/// Whether an action has a handler.
#[must_use]
pub fn is_supported(service: &Service, action: &str) -> bool {
    handler(service, action).is_some()
}

fn handler(service: &Service, action: &str) -> Option<Handler> {
    let table: &[(&str, Handler)] = match service.name {
        name if name == EC2.name => EC2_HANDLERS,
        name if name == STS.name => STS_HANDLERS,
        name if name == ELBV2.name => &[],
        _ => &[],
    };
    let at = table.binary_search_by(|(name, _)| (*name).cmp(action)).ok()?;
    Some(table[at].1)
}

const STS_HANDLERS: &[(&str, Handler)] = &[
    ("AssumeRole", sts::assume_role),
    ("GetAccessKeyInfo", sts::get_access_key_info),
    ("GetCallerIdentity", sts::get_caller_identity),
];

const EC2_HANDLERS: &[(&str, Handler)] = &[
    ("AcceptVpcPeeringConnection", peering::accept),
    ("AllocateAddress", address::allocate_address),
    ("AssignIpv6Addresses", eni::assign_v6),
    ("AssignPrivateIpAddresses", eni::assign_private),
    ("AssociateAddress", address::associate_address),
    ("AssociateRouteTable", route_table::associate_route_table),
    ("AssociateSubnetCidrBlock", subnet::associate_subnet_cidr_block),
    ("AssociateVpcCidrBlock", vpc::associate_vpc_cidr_block),
    ("AttachInternetGateway", gateway::attach_internet_gateway),
    ("AttachNetworkInterface", eni::attach_network_interface),
    ("AuthorizeSecurityGroupEgress", security_group::authorize_egress),
    ("AuthorizeSecurityGroupIngress", security_group::authorize_ingress),
    ("CreateDefaultVpc", vpc::create_default_vpc),
    ("CreateEgressOnlyInternetGateway", gateway::create_egress_only),
    ("CreateInternetGateway", gateway::create_internet_gateway),
    ("CreateManagedPrefixList", prefix_list::create_managed_prefix_list),
    ("CreateNatGateway", nat::create_nat_gateway),
    ("CreateNetworkAcl", network_acl::create_network_acl),
    ("CreateNetworkAclEntry", network_acl::create_entry),
    ("CreateNetworkInterface", eni::create_network_interface),
    ("CreateRoute", route::create_route),
    ("CreateRouteTable", route_table::create_route_table),
    ("CreateSecurityGroup", security_group::create_security_group),
    ("CreateSubnet", subnet::create_subnet),
    ("CreateTags", tags::create_tags),
    ("CreateVpc", vpc::create_vpc),
    ("CreateVpcEndpoint", endpoint::create_vpc_endpoint),
    ("CreateVpcPeeringConnection", peering::create),
    ("DeleteEgressOnlyInternetGateway", gateway::delete_egress_only),
    ("DeleteInternetGateway", gateway::delete_internet_gateway),
    ("DeleteManagedPrefixList", prefix_list::delete_managed_prefix_list),
    ("DeleteNatGateway", nat::delete_nat_gateway),
    ("DeleteNetworkAcl", network_acl::delete_network_acl),
    ("DeleteNetworkAclEntry", network_acl::delete_entry),
    ("DeleteNetworkInterface", eni::delete_network_interface),
    ("DeleteRoute", route::delete_route),
    ("DeleteRouteTable", route_table::delete_route_table),
    ("DeleteSecurityGroup", security_group::delete_security_group),
    ("DeleteSubnet", subnet::delete_subnet),
    ("DeleteTags", tags::delete_tags),
    ("DeleteVpc", vpc::delete_vpc),
    ("DeleteVpcEndpoints", endpoint::delete_vpc_endpoints),
    ("DeleteVpcPeeringConnection", peering::delete),
    ("DescribeAccountAttributes", place::describe_account_attributes),
    ("DescribeAddresses", address::describe_addresses),
    ("DescribeAvailabilityZones", place::describe_availability_zones),
    ("DescribeEgressOnlyInternetGateways", gateway::describe_egress_only),
    ("DescribeInstanceStatus", instance::describe_instance_status),
    ("DescribeInstances", instance::describe_instances),
    ("DescribeInternetGateways", gateway::describe_internet_gateways),
    ("DescribeManagedPrefixLists", prefix_list::describe_managed_prefix_lists),
    ("DescribeNatGateways", nat::describe_nat_gateways),
    ("DescribeNetworkAcls", network_acl::describe_network_acls),
    ("DescribeNetworkInterfaceAttribute", eni::describe_attribute),
    ("DescribeNetworkInterfaces", eni::describe_network_interfaces),
    ("DescribePrefixLists", endpoint::describe_prefix_lists),
    ("DescribeRegions", place::describe_regions),
    ("DescribeRouteTables", route_table::describe_route_tables),
    ("DescribeSecurityGroupRules", security_group::describe_rules),
    ("DescribeSecurityGroups", security_group::describe_security_groups),
    ("DescribeSubnets", subnet::describe_subnets),
    ("DescribeTags", tags::describe_tags),
    ("DescribeVpcAttribute", vpc::describe_vpc_attribute),
    ("DescribeVpcEndpointServices", endpoint::describe_services),
    ("DescribeVpcEndpoints", endpoint::describe_vpc_endpoints),
    ("DescribeVpcPeeringConnections", peering::describe),
    ("DescribeVpcs", vpc::describe_vpcs),
    ("DetachInternetGateway", gateway::detach_internet_gateway),
    ("DetachNetworkInterface", eni::detach_network_interface),
    ("DisassociateAddress", address::disassociate_address),
    ("DisassociateRouteTable", route_table::disassociate_route_table),
    ("DisassociateSubnetCidrBlock", subnet::disassociate_subnet_cidr_block),
    ("DisassociateVpcCidrBlock", vpc::disassociate_vpc_cidr_block),
    ("GetManagedPrefixListAssociations", prefix_list::associations),
    ("GetManagedPrefixListEntries", prefix_list::entries_of),
    ("GetSecurityGroupsForVpc", security_group::for_vpc),
    ("ModifyManagedPrefixList", prefix_list::modify_managed_prefix_list),
    ("ModifyNetworkInterfaceAttribute", eni::modify_attribute),
    ("ModifySecurityGroupRules", security_group::modify_rules),
    ("ModifySubnetAttribute", subnet::modify_subnet_attribute),
    ("ModifyVpcAttribute", vpc::modify_vpc_attribute),
    ("ModifyVpcEndpoint", endpoint::modify_vpc_endpoint),
    ("RejectVpcPeeringConnection", peering::reject),
    ("ReleaseAddress", address::release_address),
    ("ReplaceNetworkAclAssociation", network_acl::replace_association),
    ("ReplaceNetworkAclEntry", network_acl::replace_entry),
    ("ReplaceRoute", route::replace_route),
    ("ReplaceRouteTableAssociation", route_table::replace_route_table_association),
    ("ResetNetworkInterfaceAttribute", eni::reset_attribute),
    ("RestoreManagedPrefixListVersion", prefix_list::restore_version),
    ("RevokeSecurityGroupEgress", security_group::revoke_egress),
    ("RevokeSecurityGroupIngress", security_group::revoke_ingress),
    ("RunInstances", instance::run_instances),
    ("TerminateInstances", instance::terminate_instances),
    ("UnassignIpv6Addresses", eni::unassign_v6),
    ("UnassignPrivateIpAddresses", eni::unassign_private),
    ("UpdateSecurityGroupRuleDescriptionsEgress", security_group::describe_egress_rules),
    ("UpdateSecurityGroupRuleDescriptionsIngress", security_group::describe_ingress_rules),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::{Paths, has_path, path_of};

    #[test]
    fn the_handler_tables_are_sorted_and_name_known_actions() {
        for (service, table) in [(EC2, EC2_HANDLERS), (STS, STS_HANDLERS)] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for (name, _) in table {
                assert!(service.operation(name).is_some(), "{name}");
            }
        }
    }

    /// Where the filters of each Describe action look, as far as their names do not say.
    const FILTER_PATHS: &[(&str, &str, Paths)] = &[
        ("DescribeAddresses", "Addresses", address::PATHS),
        ("DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways", &[]),
        ("DescribeInternetGateways", "InternetGateways", gateway::PATHS),
        ("DescribeManagedPrefixLists", "PrefixLists", prefix_list::PATHS),
        ("DescribeNatGateways", "NatGateways", &[]),
        ("DescribeNetworkAcls", "NetworkAcls", network_acl::PATHS),
        ("DescribeNetworkInterfaces", "NetworkInterfaces", eni::PATHS),
        ("DescribePrefixLists", "PrefixLists", &[]),
        ("DescribeRegions", "Regions", &[]),
        ("DescribeRouteTables", "RouteTables", route_table::PATHS),
        ("DescribeSecurityGroupRules", "SecurityGroupRules", security_group::RULE_PATHS),
        ("DescribeSecurityGroups", "SecurityGroups", security_group::PATHS),
        ("DescribeSubnets", "Subnets", subnet::PATHS),
        ("DescribeVpcEndpointServices", "ServiceDetails", endpoint::SERVICE_PATHS),
        ("DescribeVpcEndpoints", "VpcEndpoints", endpoint::PATHS),
        ("DescribeVpcs", "Vpcs", vpc::PATHS),
        ("DescribeVpcPeeringConnections", "VpcPeeringConnections", peering::PATHS),
        ("GetSecurityGroupsForVpc", "SecurityGroupForVpcs", security_group::FOR_VPC_PATHS),
    ];

    #[test]
    fn every_filter_looks_at_a_member_that_the_output_has() {
        for (action, list, paths) in FILTER_PATHS {
            let operation = EC2.operation(action).unwrap_or_else(|| panic!("{action}"));
            let of_tags = ["tag", "tag-key", "tag-value"];
            for filter in operation.filters.iter().filter(|filter| !of_tags.contains(filter)) {
                assert!(has_path(operation, list, &path_of(filter, paths)), "{action} {filter}");
            }
        }
    }
}
