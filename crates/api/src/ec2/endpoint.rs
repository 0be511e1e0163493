//! VPC endpoints, and the services they lead to.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use vpc_model::desired::Noun;
use vpc_model::resource::{
    Endpoint, EndpointKind, EndpointState, Eni, EniAddress, EniKind, PrefixList, Provider, RouteTable, SecurityGroup,
    Service, Subnet, Vpc,
};
use vpc_model::{Change, Id};

use super::place::{zone_id, zones};
use super::{address, blocks, done, owner, refuse, security_group, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe, list};
use crate::wire::{Structure, Timestamp};

pub(crate) const PATHS: Paths = &[("vpc-endpoint-state", "State")];

/// What may pass an endpoint of which nobody said anything (R12.1).
const DEFAULT_POLICY: &str =
    r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

pub(crate) fn create_vpc_endpoint(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["DnsOptions", "ServiceNetworkArn", "ResourceConfigurationArn"])?;
    let vpc = cx.named::<Vpc>(input, "VpcId")?.clone();
    if let Some(region) = input.text("ServiceRegion").filter(|region| *region != vpc.region.as_str()) {
        return Err(ApiError::unsupported(format!("Services of another Region ({region}) are not supported")));
    }
    if let Some(kind) = input.text("IpAddressType").filter(|kind| *kind != "ipv4") {
        return Err(ApiError::unsupported(format!("The IP address type {kind} is not supported")));
    }
    let service = service(cx, text(input, "ServiceName")?)?.clone();
    let policy = policy(input)?;
    let new = cx.create::<Endpoint>(input)?.fact("policyDocument", policy).fact("creationTimestamp", Some(cx.now));
    let (kind, enis) = match input.text("VpcEndpointType").unwrap_or("Gateway") {
        "Gateway" => (gateway(cx, input, &service)?, Vec::new()),
        "Interface" => interface(cx, input, new.id, &vpc, &service)?,
        other => {
            return Err(ApiError::unsupported(format!("Endpoints of type {other} are not supported")));
        }
    };
    let endpoint = Endpoint {
        id: new.id,
        name: new.name.clone(),
        vpc: vpc.id,
        service: service.id,
        state: EndpointState::Available,
        kind,
    };
    let enis = enis.into_iter().map(Change::put);
    cx.apply([new.record(), Change::put(endpoint)].into_iter().chain(enis))?;
    Ok(Structure::new()
        .with("VpcEndpoint", cx.desired.get(new.id).map(|endpoint| show(cx, endpoint)))
        .with("ClientToken", input.text("ClientToken")))
}

/// The service of this name in the caller's Region.
fn service<'c>(cx: &'c Cx<'_>, name: &str) -> Result<&'c Service, ApiError> {
    let found = visible(cx).find(|service| service.service_name == name);
    found
        .ok_or_else(|| ApiError::new("InvalidServiceName", format!("The Vpc Endpoint Service '{name}' does not exist")))
}

fn visible<'c>(cx: &'c Cx<'_>) -> impl Iterator<Item = &'c Service> {
    cx.all::<Service>().filter(|service| service.region == cx.caller.region)
}

fn policy(input: &Structure) -> Result<Option<&str>, ApiError> {
    match input.text("PolicyDocument").filter(|text| !text.is_empty()) {
        Some(text) if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_err() => {
            Err(ApiError::new("InvalidPolicyDocument", "The policy document is not valid JSON"))
        }
        policy => Ok(policy),
    }
}

fn gateway(cx: &Cx<'_>, input: &Structure, service: &Service) -> Result<EndpointKind, ApiError> {
    let interfaces = ["SubnetIds", "SecurityGroupIds", "SubnetConfigurations"];
    if let Some(member) = interfaces.iter().find(|member| !input.list(member).is_empty()) {
        return Err(ApiError::new("InvalidParameter", format!("{member} cannot be given for a Gateway endpoint")));
    }
    if input.flag("PrivateDnsEnabled") == Some(true) {
        return Err(ApiError::new("InvalidParameter", "Private DNS cannot be enabled for a Gateway endpoint"));
    }
    if service.prefix_list.is_none() {
        let message =
            format!("The Vpc Endpoint Service '{}' does not support endpoints of type Gateway", service.service_name);
        return Err(ApiError::new("InvalidParameter", message));
    }
    let tables = input.texts("RouteTableIds").map(|id| cx.find::<RouteTable>(id).map(|table| table.id));
    Ok(EndpointKind::Gateway { tables: tables.collect::<Result<_, _>>()? })
}

fn interface(
    cx: &mut Cx<'_>,
    input: &Structure,
    id: Id<Endpoint>,
    vpc: &Vpc,
    service: &Service,
) -> Result<(EndpointKind, Vec<Eni>), ApiError> {
    if !input.list("RouteTableIds").is_empty() {
        return Err(ApiError::new("InvalidParameter", "RouteTableIds cannot be given for an Interface endpoint"));
    }
    let able = vpc.dns_support && vpc.dns_hostnames;
    let private_dns = input.flag("PrivateDnsEnabled").unwrap_or(able);
    check_private_dns(cx, private_dns, id, vpc, service)?;
    let mut groups: Vec<Id<SecurityGroup>> = input
        .texts("SecurityGroupIds")
        .map(|group| cx.find::<SecurityGroup>(group).map(|g| g.id))
        .collect::<Result<_, _>>()?;
    if groups.is_empty() {
        groups.push(vpc.default_group);
    }
    let subnets: BTreeSet<&str> = input.texts("SubnetIds").collect();
    let mut enis = Vec::new();
    for subnet in subnets {
        enis.push(interface_in(cx, input, id, subnet, &groups)?);
    }
    let ids = enis.iter().map(|eni| eni.id).collect();
    Ok((EndpointKind::Interface { enis: ids, groups, private_dns }, enis))
}

fn check_private_dns(
    cx: &Cx<'_>,
    wanted: bool,
    id: Id<Endpoint>,
    vpc: &Vpc,
    service: &Service,
) -> Result<(), ApiError> {
    if !wanted {
        return Ok(());
    }
    if !(vpc.dns_support && vpc.dns_hostnames) {
        let message = format!(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for {}",
            vpc.id
        );
        return Err(ApiError::new("InvalidParameter", message));
    }
    let rival = |other: &&Endpoint| {
        other.id != id
            && other.service == service.id
            && matches!(other.kind, EndpointKind::Interface { private_dns: true, .. })
    };
    match cx.desired.dependents_of_kind::<Endpoint>(Vpc::to_ref(vpc.id)).find(rival) {
        None => Ok(()),
        Some(_) => {
            let message = format!(
                "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {} in the VPC {}",
                service.service_name, vpc.id
            );
            Err(ApiError::new("InvalidParameter", message))
        }
    }
}

/// An endpoint's interface in a subnet, at the address that `SubnetConfigurations` may give.
fn interface_in(
    cx: &mut Cx<'_>,
    input: &Structure,
    endpoint: Id<Endpoint>,
    subnet: &str,
    groups: &[Id<SecurityGroup>],
) -> Result<Eni, ApiError> {
    let found = cx.find::<Subnet>(subnet)?.clone();
    let mut configurations = input.structures("SubnetConfigurations");
    let configuration = configurations.find(|c| c.text("SubnetId") == Some(subnet));
    if let Some(configuration) = configuration {
        refuse(configuration, &["Ipv6"])?;
    }
    let private: IpAddr = match configuration.and_then(|c| c.text("Ipv4")) {
        Some(text) => IpAddr::V4(address::<Ipv4Addr>(text, "ipv4")?),
        None => blocks::free(cx, &found, found.cidr, &[], 1)?.remove(0),
    };
    Ok(Eni {
        id: cx.fresh(),
        name: None,
        subnet: found.id,
        addresses: vec![EniAddress { private, public: None }],
        groups: groups.to_vec(),
        source_dest_check: true,
        kind: EniKind::Endpoint(endpoint),
    })
}

pub(crate) fn modify_vpc_endpoint(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["DnsOptions"])?;
    if let Some(kind) = input.text("IpAddressType").filter(|kind| *kind != "ipv4") {
        return Err(ApiError::unsupported(format!("The IP address type {kind} is not supported")));
    }
    let mut endpoint = cx.named::<Endpoint>(input, "VpcEndpointId")?.clone();
    let given = |members: &[&'static str]| members.iter().copied().find(|member| input.has(member));
    let of_gateway = ["AddRouteTableIds", "RemoveRouteTableIds"];
    let of_interface = [
        "AddSubnetIds",
        "RemoveSubnetIds",
        "AddSecurityGroupIds",
        "RemoveSecurityGroupIds",
        "PrivateDnsEnabled",
        "SubnetConfigurations",
    ];
    let (wrong, kind) = match endpoint.kind {
        EndpointKind::Gateway { .. } => (given(&of_interface), "Gateway"),
        EndpointKind::Interface { .. } => (given(&of_gateway), "Interface"),
    };
    if let Some(member) = wrong {
        return Err(ApiError::new(
            "InvalidParameter",
            format!("{member} cannot be given for endpoint {} of type {kind}", endpoint.id),
        ));
    }
    let mut changes = Vec::new();
    match &mut endpoint.kind {
        EndpointKind::Gateway { tables } => {
            for id in input.texts("AddRouteTableIds") {
                tables.insert(cx.find::<RouteTable>(id)?.id);
            }
            for id in input.texts("RemoveRouteTableIds") {
                let table = cx.find::<RouteTable>(id)?.id;
                if !tables.remove(&table) {
                    let message = format!("Route table {table} is not associated with endpoint {}", endpoint.id);
                    return Err(ApiError::new("InvalidParameter", message));
                }
            }
        }
        EndpointKind::Interface { .. } => changes = modify_interface(cx, input, &mut endpoint)?,
    }
    let id = endpoint.id.to_string();
    changes.push(Change::put(endpoint));
    cx.apply(changes)?;
    if input.flag("ResetPolicy") == Some(true) {
        cx.set_facts(&id, [("policyDocument", None)])?;
    } else if let Some(policy) = policy(input)? {
        cx.set_facts(&id, [("policyDocument", Some(policy.to_owned()))])?;
    }
    Ok(done())
}

fn modify_interface(cx: &mut Cx<'_>, input: &Structure, endpoint: &mut Endpoint) -> Result<Vec<Change>, ApiError> {
    let (vpc, service) = (cx.desired.get(endpoint.vpc).cloned(), cx.desired.get(endpoint.service).cloned());
    let (Some(vpc), Some(service)) = (vpc, service) else {
        return Err(ApiError::internal("an endpoint without its VPC"));
    };
    let EndpointKind::Interface { mut enis, mut groups, mut private_dns } = endpoint.kind.clone() else {
        return Ok(Vec::new());
    };
    for id in input.texts("AddSecurityGroupIds") {
        let group = cx.find::<SecurityGroup>(id)?.id;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for id in input.texts("RemoveSecurityGroupIds") {
        let group = cx.find::<SecurityGroup>(id)?.id;
        groups.retain(|other| *other != group);
    }
    if let Some(wanted) = input.flag("PrivateDnsEnabled") {
        check_private_dns(cx, wanted, endpoint.id, &vpc, &service)?;
        private_dns = wanted;
    }
    let mut changes = Vec::new();
    for id in input.texts("RemoveSubnetIds") {
        let subnet = cx.find::<Subnet>(id)?.id;
        let Some(at) = enis.iter().position(|eni| cx.desired.get(*eni).is_some_and(|eni| eni.subnet == subnet)) else {
            return Err(ApiError::new(
                "InvalidParameter",
                format!("Subnet {subnet} is not one of endpoint {}", endpoint.id),
            ));
        };
        changes.push(Change::delete(enis.remove(at)));
    }
    for &eni in &enis {
        if let Some(eni) = cx.desired.get(eni) {
            changes.push(Change::put(Eni { groups: groups.clone(), ..eni.clone() }));
        }
    }
    for id in input.texts("AddSubnetIds") {
        let subnet = cx.find::<Subnet>(id)?.id;
        if enis.iter().any(|eni| cx.desired.get(*eni).is_some_and(|eni| eni.subnet == subnet)) {
            continue;
        }
        let eni = interface_in(cx, input, endpoint.id, id, &groups)?;
        enis.push(eni.id);
        changes.push(Change::put(eni));
    }
    endpoint.kind = EndpointKind::Interface { enis, groups, private_dns };
    Ok(changes)
}

pub(crate) fn delete_vpc_endpoints(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut unsuccessful = Vec::new();
    for id in input.texts("VpcEndpointIds") {
        if let Err(error) = delete(cx, id) {
            // Inside this list the code has another spelling.
            let code = error.code.replace("InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound");
            let error = Structure::new().with("Code", code).with("Message", error.message);
            unsuccessful.push(Structure::new().with("Error", error).with("ResourceId", id));
        }
    }
    Ok(Structure::new().with("Unsuccessful", unsuccessful))
}

fn delete(cx: &mut Cx<'_>, id: &str) -> Result<(), ApiError> {
    let endpoint = cx.find::<Endpoint>(id)?;
    let enis = match &endpoint.kind {
        EndpointKind::Gateway { .. } => Vec::new(),
        EndpointKind::Interface { enis, .. } => enis.clone(),
    };
    let id = endpoint.id;
    cx.apply(enis.into_iter().map(Change::delete).chain([Change::delete(id)]))
}

pub(crate) fn describe_vpc_endpoints(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<Endpoint>(cx, input, "VpcEndpointIds", "VpcEndpoints", PATHS, show)
}

fn show(cx: &Cx<'_>, endpoint: &Endpoint) -> Structure {
    let service = cx.desired.get(endpoint.service);
    let state = match endpoint.state {
        EndpointState::Available => "available",
        EndpointState::PendingAcceptance => "pendingAcceptance",
        EndpointState::Rejected => "rejected",
    };
    let created = cx.fact(endpoint.id, "creationTimestamp").and_then(|time| time.parse::<Timestamp>().ok());
    let shown = Structure::new()
        .with("CreationTimestamp", created)
        .with("OwnerId", owner(cx, endpoint.id))
        .with("PolicyDocument", cx.fact(endpoint.id, "policyDocument").unwrap_or(DEFAULT_POLICY))
        .with("RequesterManaged", false)
        .with("ServiceName", service.map(|service| service.service_name.clone()))
        .with("ServiceRegion", service.map(|service| service.region.to_string()))
        .with("State", state)
        .with("Tags", cx.tags(endpoint))
        .with("VpcEndpointId", endpoint.id.to_string())
        .with("VpcId", endpoint.vpc.to_string());
    match &endpoint.kind {
        EndpointKind::Gateway { tables } => shown
            .with("DnsEntries", Vec::<Structure>::new())
            .with("Groups", Vec::<Structure>::new())
            .with("NetworkInterfaceIds", Vec::<String>::new())
            .with("PrivateDnsEnabled", false)
            .with("RouteTableIds", tables.iter().map(Id::to_string).collect::<Vec<_>>())
            .with("SubnetIds", Vec::<String>::new())
            .with("VpcEndpointType", "Gateway"),
        EndpointKind::Interface { enis, groups, private_dns } => {
            let subnets = enis.iter().filter_map(|&eni| cx.desired.get(eni)).map(|eni| eni.subnet.to_string());
            shown
                .with("DnsEntries", dns_entries(cx, endpoint, enis, *private_dns))
                .with("Groups", security_group::show_ids(cx, groups))
                .with("IpAddressType", "ipv4")
                .with("NetworkInterfaceIds", enis.iter().map(Id::to_string).collect::<Vec<_>>())
                .with("PrivateDnsEnabled", *private_dns)
                .with("RouteTableIds", Vec::<String>::new())
                .with("SubnetIds", subnets.collect::<Vec<_>>())
                .with("VpcEndpointType", "Interface")
        }
    }
}

/// The names that lead to an endpoint: its own, one per zone, and the service's if private DNS is on (R4.10).
fn dns_entries(cx: &Cx<'_>, endpoint: &Endpoint, enis: &[Id<Eni>], private_dns: bool) -> Vec<Structure> {
    let Some(service) = cx.desired.get(endpoint.service) else {
        return Vec::new();
    };
    let region = service.region.as_str();
    let short = service.service_name.rsplit('.').next().unwrap_or("service");
    let low = endpoint.id.low();
    let word = format!("{:08x}", (low ^ (low >> 32)) as u32);
    let zones =
        enis.iter().filter_map(|&eni| cx.desired.get(cx.desired.get(eni)?.subnet)).map(|subnet| subnet.az.to_string());
    let base = |zone: &str| format!("{}-{word}{zone}.{short}.{region}.vpce.amazonaws.com", endpoint.id);
    let mut names = vec![base("")];
    names.extend(zones.map(|zone| base(&format!("-{zone}"))));
    if private_dns {
        names.push(format!("{short}.{region}.amazonaws.com"));
    }
    names.into_iter().map(|name| Structure::new().with("DnsName", name)).collect()
}

pub(crate) const SERVICE_PATHS: Paths = &[("service-type", "ServiceType.ServiceType")];

pub(crate) fn describe_services(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    if let Some(region) = input.texts("ServiceRegions").find(|region| *region != cx.caller.region.as_str()) {
        return Err(ApiError::unsupported(format!("Services of another Region ({region}) are not supported")));
    }
    let wanted: Vec<&str> = input.texts("ServiceNames").collect();
    for name in &wanted {
        service(cx, name)?;
    }
    let mut items = Vec::new();
    for service in visible(cx).filter(|s| wanted.is_empty() || wanted.contains(&s.service_name.as_str())) {
        let types: &[&'static str] =
            if service.prefix_list.is_some() { &["Gateway", "Interface"] } else { &["Interface"] };
        for kind in types {
            let cx = &*cx;
            items.push((format!("{} {kind}", service.service_name), move || show_service(cx, service, kind)));
        }
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    let output = list(cx, input, None, "ServiceDetails", SERVICE_PATHS, items)?;
    let mut names: Vec<&str> =
        output.structures("ServiceDetails").filter_map(|detail| detail.text("ServiceName")).collect();
    names.dedup();
    let names = names.into_iter().map(str::to_owned).collect::<Vec<_>>();
    Ok(output.with("ServiceNames", names))
}

fn show_service(cx: &Cx<'_>, service: &Service, kind: &'static str) -> Structure {
    let zones = zones(&service.region);
    let Provider::Host { addresses, .. } = &service.provider;
    let short = service.service_name.rsplit('.').next().unwrap_or("service");
    let region = service.region.as_str();
    let mut families = Vec::new();
    for (name, there) in
        [("ipv4", addresses.iter().any(IpAddr::is_ipv4)), ("ipv6", addresses.iter().any(IpAddr::is_ipv6))]
    {
        if there {
            families.push(name);
        }
    }
    let private = (kind == "Interface").then(|| format!("{short}.{region}.amazonaws.com"));
    Structure::new()
        .with("AcceptanceRequired", false)
        .with("AvailabilityZoneIds", zones.iter().map(zone_id).collect::<Vec<_>>())
        .with("AvailabilityZones", zones.iter().map(ToString::to_string).collect::<Vec<_>>())
        .with(
            "BaseEndpointDnsNames",
            vec![format!("{short}.{region}.{}amazonaws.com", if kind == "Interface" { "vpce." } else { "" })],
        )
        .with("ManagesVpcEndpoints", false)
        .with("Owner", "amazon")
        .with("PrivateDnsName", private.clone())
        .with("PrivateDnsNames", private.map(|name| vec![Structure::new().with("PrivateDnsName", name)]))
        .with("ServiceId", service.id.to_string())
        .with("ServiceName", service.service_name.as_str())
        .with("ServiceRegion", region)
        .with("ServiceType", vec![Structure::new().with("ServiceType", kind)])
        .with("SupportedIpAddressTypes", families)
        .with("Tags", cx.tags(service))
        .with("VpcEndpointPolicySupported", true)
}

pub(crate) fn describe_prefix_lists(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut found: Vec<&PrefixList> = match input.has("PrefixListIds") {
        true => input.texts("PrefixListIds").map(|id| cx.find(id)).collect::<Result<_, _>>()?,
        false => cx.all().collect(),
    };
    // Only AWS's own lists are here; people's are in DescribeManagedPrefixLists.
    found.retain(|list| list.aws_managed);
    found.sort_by_key(|list| list.id().to_string());
    let cx = &*cx;
    let items = found.into_iter().map(|list| {
        let show = move || {
            Structure::new()
                .with("Cidrs", list.entries.iter().map(ToString::to_string).collect::<Vec<_>>())
                .with("PrefixListId", list.id.to_string())
                .with("PrefixListName", super::prefix_list::name(cx, list))
        };
        (list.id.to_string(), show)
    });
    list(cx, input, None, "PrefixLists", &[], items)
}
