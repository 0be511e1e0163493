//! What a desired state refuses, and what it answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure in a helper is the test's")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{
    AclEntry, AclKey, Action, Az, Destination, Direction, EgressOnlyGateway, Endpoint, EndpointKind, Eni, EniKind,
    Family, Instance, InternetGateway, InternetHost, NatGateway, NetworkAcl, Peer, PortRange, PrefixList, RouteOrigin,
    RouteState, RouteTable, RouteTarget, RuleNumber, SecurityGroup, SecurityGroupRule, Service, Subnet, Traffic, Vpc,
};
use vpc_model::{Change, Desired, Id, Resource, lab};

const T1: &str = include_str!("../../sim/topologies/t1.yaml");

fn t1() -> Desired {
    read(T1)
}

fn read(text: &str) -> Desired {
    lab::read(text, "lab.yaml").unwrap_or_else(|errors| panic!("{}", errors.render())).to_desired()
}

/// The first topology and a second VPC.
fn two_vpcs() -> Desired {
    let other = "  vpc-b:\n    cidr: 10.1.0.0/16\n    internet_gateway: igw-b\n    subnets:\n      b1: { cidr: 10.1.1.0/24 }\n    route_tables:\n      rtb-b:\n    security_groups:\n      sg-b:\n    instances:\n      hb: { subnet: b1, address: 10.1.1.10 }\n";
    let text = T1.replace("\nprefix_lists:", &format!("{other}\nprefix_lists:"));
    read(&text)
}

fn id<K: Noun>(desired: &Desired, name: &str) -> Id<K> {
    desired.find::<K>(name).unwrap_or_else(|| panic!("no {} {name}", K::NOUN)).id()
}

/// A change that leaves a resource a little different.
fn edit<K: Noun>(desired: &Desired, name: &str, edit: impl FnOnce(&mut K)) -> Change
where
    Resource: From<K>,
{
    let mut resource = desired.find::<K>(name).unwrap().clone();
    edit(&mut resource);
    Change::put(resource)
}

/// EC2's codes and what is said, with names for ids.
#[track_caller]
fn refused(desired: &Desired, changes: impl IntoIterator<Item = Change>) -> Vec<(String, String)> {
    let violations = desired.apply(changes).expect_err("should be refused");
    violations
        .iter()
        .map(|violation| (violation.problem.aws_code(), format!("{}: {}", violation.field, violation.problem)))
        .collect()
}

#[track_caller]
fn refused_as(desired: &Desired, changes: impl IntoIterator<Item = Change>, code: &str, said: &str) {
    let refused = refused(desired, changes);
    let fits = |(got, message): &(String, String)| got == code && message.contains(said);
    assert!(refused.iter().any(fits), "expected {code} {said:?}, got {refused:#?}");
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn route(destination: &str, target: RouteTarget) -> impl FnOnce(&mut RouteTable) {
    let destination = Destination::Prefix(prefix(destination));
    move |table| {
        table.routes.insert(destination, target);
    }
}

fn at(address: &str) -> impl FnOnce(&mut Eni) {
    let address: IpAddr = address.parse().unwrap();
    move |eni| eni.addresses[0].private = address
}

#[test]
fn s9_the_first_four_and_the_last_address_of_a_subnet_are_refused() {
    let t1 = t1();
    for address in ["10.0.2.0", "10.0.2.1", "10.0.2.2", "10.0.2.3", "10.0.2.255"] {
        refused_as(&t1, [edit(&t1, "h2", at(address))], "InvalidParameterValue", "is reserved");
    }
    assert!(t1.apply([edit(&t1, "h2", at("10.0.2.4"))]).is_ok());
    refused_as(&t1, [edit(&t1, "h2", at("10.0.3.4"))], "InvalidParameterValue", "not inside the subnet's 10.0.2.0/24");
    refused_as(&t1, [edit(&t1, "h2", at("10.0.2.11"))], "InvalidIPAddress.InUse", "10.0.2.11 is used by");
    refused_as(&t1, [edit(&t1, "h2", at("2001:db8::4"))], "InvalidParameterValue", "no IPv6 block");
}

#[test]
fn s10_s11_blocks_have_a_size_lie_inside_their_vpc_and_do_not_overlap() {
    let t1 = t1();
    let subnet = |cidr: &str| {
        edit(&t1, "a2", |subnet: &mut Subnet| {
            subnet.id = Id::new(1);
            subnet.name = None;
            subnet.cidr = prefix(cidr);
        })
    };
    refused_as(&t1, [subnet("10.0.2.128/25")], "InvalidSubnet.Conflict", "10.0.2.128/25 overlaps 10.0.2.0/24");
    refused_as(&t1, [subnet("10.1.0.0/24")], "InvalidSubnet.Range", "not inside any block");
    refused_as(&t1, [subnet("10.0.9.0/29")], "InvalidSubnet.Range", "/16 to /28");
    refused_as(&t1, [subnet("2001:db8:a:9::/64")], "InvalidParameterValue", "an IPv6 block");
    assert!(t1.apply([subnet("10.0.9.0/28")]).is_ok());
    let vpc = |cidr: &str| edit(&t1, "vpc-a", |vpc: &mut Vpc| vpc.cidrs = vec![prefix(cidr)]);
    refused_as(&t1, [vpc("10.0.0.0/15")], "InvalidVpcRange", "/16 to /28");
    refused_as(&t1, [edit(&t1, "vpc-a", |vpc: &mut Vpc| vpc.cidrs.clear())], "MissingParameter", "IPv4 block");
    let v6 = |text: &str| edit(&t1, "vpc-a", |vpc: &mut Vpc| vpc.ipv6_cidrs = vec![prefix(text)]);
    refused_as(&t1, [v6("2001:db8:a::/58")], "InvalidVpcRange", "/44 to /60 in steps of 4");
    refused_as(&t1, [v6("2001:db8:a::/64")], "InvalidVpcRange", "/44 to /60");
}

#[test]
fn a_vpc_cannot_give_up_a_block_that_a_subnet_is_in() {
    let t1 = t1();
    let change = edit(&t1, "vpc-a", |vpc: &mut Vpc| vpc.cidrs = vec![prefix("10.7.0.0/16")]);
    let refused = refused(&t1, [change]);
    assert_eq!(refused.iter().filter(|(code, _)| code == "InvalidSubnet.Range").count(), 5, "{refused:#?}");
}

#[test]
fn s13_a_new_block_of_a_vpc_is_local_in_every_table() {
    let t1 = t1();
    let change = edit(&t1, "vpc-a", |vpc: &mut Vpc| vpc.cidrs.push(prefix("10.50.0.0/16")));
    let after = t1.apply([change]).unwrap();
    for table in after.iter::<RouteTable>() {
        let routes = after.effective_routes(table);
        let local = routes.iter().find(|route| route.destination == Destination::Prefix(prefix("10.50.0.0/16")));
        let local = local.unwrap();
        assert_eq!((local.target, local.origin), (RouteTarget::Local, RouteOrigin::Local));
    }
}

#[test]
fn s15_link_local_services_cannot_be_routed_but_what_covers_them_can() {
    let t1 = t1();
    let igw = RouteTarget::Internet(id(&t1, "igw-a"));
    for destination in ["169.254.169.254/32", "169.254.168.0/22", "fd00:ec2::/32", "fd00:ec2::254/128"] {
        let change = edit(&t1, "rtb-pub", route(destination, igw));
        refused_as(&t1, [change], "InvalidParameterValue", "cannot be routed");
    }
    assert!(t1.apply([edit(&t1, "rtb-pub", route("169.254.0.0/16", igw))]).is_ok());
}

#[test]
fn s27_s29_s30_more_specific_than_local_is_a_whole_subnet_to_an_appliance() {
    let t1 = t1();
    let appliance = RouteTarget::Eni(id(&t1, "h1"));
    let (nat, igw) = (RouteTarget::Nat(id(&t1, "nat-a")), RouteTarget::Internet(id(&t1, "igw-a")));
    assert!(t1.apply([edit(&t1, "rtb-prv", route("10.0.3.0/24", appliance))]).is_ok());
    assert!(t1.apply([edit(&t1, "rtb-prv", route("10.0.3.0/24", nat))]).is_ok());
    for (destination, target) in [("10.0.3.0/25", appliance), ("10.0.3.0/24", igw), ("10.0.3.0/24", RouteTarget::Local)]
    {
        let change = edit(&t1, "rtb-prv", route(destination, target));
        refused_as(&t1, [change], "InvalidParameterValue", destination);
    }
}

#[test]
fn s31_the_target_of_a_local_route_can_be_replaced_and_restored() {
    let t1 = t1();
    let block = Destination::Prefix(prefix("10.0.0.0/16"));
    let appliance = RouteTarget::Eni(id(&t1, "h1"));
    let replaced = t1.apply([edit(&t1, "rtb-prv", route("10.0.0.0/16", appliance))]).unwrap();
    let of_block = |desired: &Desired| {
        let routes = desired.effective_routes(desired.find("rtb-prv").unwrap());
        routes.into_iter().find(|route| route.destination == block).unwrap()
    };
    assert_eq!((of_block(&replaced).target, of_block(&replaced).origin), (appliance, RouteOrigin::Static));
    let restored = edit(&replaced, "rtb-prv", |table: &mut RouteTable| table.routes.retain(|&to, _| to != block));
    assert_eq!(of_block(&replaced.apply([restored]).unwrap()).origin, RouteOrigin::Local);
    let igw = RouteTarget::Internet(id(&t1, "igw-a"));
    refused_as(&t1, [edit(&t1, "rtb-prv", route("10.0.0.0/16", igw))], "InvalidParameterValue", "10.0.0.0/16");
    refused_as(&t1, [edit(&t1, "rtb-prv", route("1.0.0.0/8", RouteTarget::Local))], "InvalidParameterValue", "local");
}

#[test]
fn s37_a_prefix_list_costs_what_it_may_grow_to() {
    let t1 = t1();
    let list = PrefixList {
        id: Id::new(1),
        name: None,
        family: Family::V4,
        entries: Vec::new(),
        max_entries: 101,
        aws_managed: false,
    };
    let nat = RouteTarget::Nat(id(&t1, "nat-a"));
    let full = |extra: Option<Id<PrefixList>>| {
        edit(&t1, "rtb-prv", |table: &mut RouteTable| {
            table.routes.clear();
            for i in 0..400_u32 {
                let network = Prefix::new(IpAddr::from((0xac10_0000 + i * 256).to_be_bytes()), 24).unwrap();
                table.routes.insert(Destination::Prefix(network), nat);
            }
            table.routes.extend(extra.map(|list| (Destination::List(list), nat)));
        })
    };
    assert!(t1.apply([full(None)]).is_ok());
    let both = [Change::put(list.clone()), full(Some(list.id))];
    refused_as(&t1, both.clone(), "RouteLimitExceeded", "501 is more than the limit of 500");
    let smaller = PrefixList { max_entries: 100, ..list.clone() };
    let after = t1.apply([Change::put(smaller), both[1].clone()]).unwrap();
    // Growing the list is refused where it is routed (R2.31), and so is deleting it.
    refused_as(&after, [Change::put(list.clone())], "RouteLimitExceeded", "501");
    refused_as(&after, [Change::delete(list.id)], "DependencyViolation", "is needed by rtb-");
    let managed = PrefixList { aws_managed: true, ..list };
    assert!(after.apply([Change::put(managed)]).is_ok());
}

#[test]
fn entries_of_a_prefix_list_are_of_its_family_once_and_not_too_many() {
    let t1 = t1();
    let list = |entries: &[&str], max_entries| {
        edit(&t1, "pl-s3", |list: &mut PrefixList| {
            list.entries = entries.iter().map(|entry| prefix(entry)).collect();
            list.max_entries = max_entries;
        })
    };
    refused_as(&t1, [list(&["10.0.0.0/8", "::/0"], 5)], "InvalidParameterValue", "::/0 is IPv6, but IPv4");
    refused_as(&t1, [list(&["10.0.0.0/8", "9.0.0.0/8", "10.0.0.0/8"], 5)], "InvalidParameterValue", "twice");
    refused_as(&t1, [list(&["10.0.0.0/8", "9.0.0.0/8"], 1)], "PrefixListMaxEntriesExceeded", "2 is more");
    refused_as(&t1, [list(&["10.0.0.0/8"], 0)], "PrefixListMaxEntriesExceeded", "1 is more");
    let after = t1.apply([list(&["10.0.0.0/8", "9.0.0.0/8"], 5)]).unwrap();
    assert_eq!(after.find::<PrefixList>("pl-s3").unwrap().entries, [prefix("9.0.0.0/8"), prefix("10.0.0.0/8")]);
}

#[test]
fn a_target_has_to_be_of_the_destinations_family_and_of_the_tables_vpc() {
    let both = two_vpcs();
    let eigw = RouteTarget::EgressOnly(id(&both, "eigw-a"));
    let nat = RouteTarget::Nat(id(&both, "nat-a"));
    refused_as(&both, [edit(&both, "rtb-prv", route("1.0.0.0/8", eigw))], "InvalidParameterValue", "an IPv6 gateway");
    refused_as(&both, [edit(&both, "rtb-prv", route("::/0", nat))], "InvalidParameterValue", "an IPv4 gateway");
    for target in [nat, RouteTarget::Internet(id(&both, "igw-a")), RouteTarget::Eni(id(&both, "h1"))] {
        refused_as(&both, [edit(&both, "rtb-b", route("1.0.0.0/8", target))], "InvalidParameter", "in another VPC");
    }
    // What does not exist is a black hole (R2.11).
    let gone = RouteTarget::Nat(Id::new(1));
    let after = both.apply([edit(&both, "rtb-b", route("1.0.0.0/8", gone))]).unwrap();
    assert_eq!(after.route_state(id(&after, "vpc-b"), gone), RouteState::Blackhole);
}

#[test]
fn parts_of_one_vpc_are_not_used_by_another() {
    let both = two_vpcs();
    let (group, table, acl) = (id(&both, "sg-b"), id(&both, "rtb-b"), id(&both, "vpc-b-default"));
    refused_as(
        &both,
        [edit(&both, "h2", |eni: &mut Eni| eni.groups = vec![group])],
        "InvalidParameter",
        "security_groups:",
    );
    refused_as(&both, [edit(&both, "a2", |a2: &mut Subnet| a2.table = Some(table))], "InvalidParameter", "routes:");
    refused_as(&both, [edit(&both, "a2", |a2: &mut Subnet| a2.acl = Some(acl))], "InvalidParameter", "network_acl:");
    refused_as(&both, [edit(&both, "vpc-a", |a: &mut Vpc| a.main_table = table)], "InvalidParameter", "main_table:");
    refused_as(&both, [edit(&both, "vpc-a", |a: &mut Vpc| a.default_acl = acl)], "InvalidParameter", "default_acl:");
    refused_as(
        &both,
        [edit(&both, "vpc-a", |a: &mut Vpc| a.default_group = group)],
        "InvalidParameter",
        "default_group:",
    );
    let second = edit(&both, "igw-b", |igw: &mut InternetGateway| igw.vpc = Some(id(&both, "vpc-a")));
    assert!(both.apply([second]).is_err());
    let second = edit(&both, "eigw-a", |eigw: &mut EgressOnlyGateway| (eigw.id, eigw.name) = (Id::new(1), None));
    assert!(both.apply([second]).is_err());
    let zone = edit(&both, "a2", |a2: &mut Subnet| a2.az = Az::new("eu-west-1".parse().unwrap(), 'a'));
    refused_as(&both, [zone], "InvalidParameter", "az: the zone is not in the VPC's Region");
}

#[test]
fn an_interface_has_addresses_groups_and_a_device_of_its_own() {
    let t1 = t1();
    let eni = |change: fn(&mut Eni)| edit(&t1, "h2", change);
    refused_as(&t1, [eni(|eni| eni.addresses.clear())], "MissingParameter", "address");
    refused_as(&t1, [eni(|eni| eni.groups.clear())], "MissingParameter", "security group");
    let group = id::<SecurityGroup>(&t1, "sg-open");
    let many = edit(&t1, "h2", |eni: &mut Eni| eni.groups = vec![group; 6]);
    refused_as(&t1, [many], "SecurityGroupsPerInterfaceLimitExceeded", "6 is more than the limit of 5");
    let public = t1.find::<Eni>("h1").unwrap().addresses[0].public;
    let taken = edit(&t1, "h2", |eni: &mut Eni| eni.addresses[0].public = public);
    refused_as(&t1, [taken], "InvalidIPAddress.InUse", "203.0.113.10 is used by");
    let instance = id(&t1, "h2");
    let same = edit(&t1, "h2b", |eni: &mut Eni| eni.kind = EniKind::Instance { instance, device: 0 });
    refused_as(&t1, [same], "InvalidParameter", "device 0 is taken by");
    let nowhere = edit(&t1, "h2", |eni: &mut Eni| eni.subnet = Id::new(1));
    refused_as(&t1, [nowhere], "InvalidSubnetID.NotFound", "subnet: subnet subnet-");
}

#[test]
fn names_are_unique_within_a_kind_and_can_be_swapped() {
    let t1 = t1();
    let name =
        |subnet: &str, name: &str| edit(&t1, subnet, |subnet: &mut Subnet| subnet.name = Some(name.parse().unwrap()));
    refused_as(&t1, [name("a1", "a2")], "InvalidParameter", "name: the name 'a2' is taken");
    let swapped = t1.apply([name("a1", "a2"), name("a2", "a1")]).unwrap();
    assert_eq!(swapped.find::<Subnet>("a1").map(|s| s.id), t1.find::<Subnet>("a2").map(|s| s.id));
    let freed = [Change::delete(id::<Instance>(&t1, "h2")), Change::delete(id::<Eni>(&t1, "h2")), {
        edit(&t1, "h2b", |eni: &mut Eni| eni.name = Some("h2".parse().unwrap()))
    }];
    assert!(t1.apply(freed).is_ok());
    // Another kind's names are its own, and a name that was given up finds nothing.
    let other = t1.apply([name("a1", "vpc-a")]).unwrap();
    assert!(other.find::<Subnet>("a1").is_none() && other.find::<Vpc>("vpc-a").is_some());
}

#[test]
fn namespaces_and_hosts_addresses_are_taken_once() {
    let t1 = t1();
    let namespace = |name: &str| edit(&t1, "h2", |h2: &mut Instance| h2.namespace = name.to_owned());
    for taken in ["h1", "s3", "inet"] {
        refused_as(&t1, [namespace(taken)], "InvalidParameter", &format!("the namespace '{taken}' is taken"));
    }
    let twin = edit(&t1, "inet", |host: &mut InternetHost| {
        (host.id, host.name, host.namespace) = (Id::new(1), None, "twin".to_owned());
    });
    refused_as(&t1, [twin], "InvalidIPAddress.InUse", "198.18.0.9");
    let deaf = edit(&t1, "s3", |service: &mut Service| {
        let vpc_model::resource::Provider::Host { addresses, .. } = &mut service.provider;
        addresses.clear();
    });
    refused_as(&t1, [deaf], "MissingParameter", "at least one address");
}

#[test]
fn what_is_needed_cannot_be_deleted() {
    let t1 = t1();
    let deletes = [
        Change::delete(id::<Subnet>(&t1, "a2")),
        Change::delete(id::<Vpc>(&t1, "vpc-a")),
        Change::delete(id::<SecurityGroup>(&t1, "sg-open")),
        Change::delete(id::<RouteTable>(&t1, "rtb-pub")),
        Change::delete(id::<RouteTable>(&t1, "vpc-a-main")),
        Change::delete(id::<NetworkAcl>(&t1, "vpc-a-default")),
        Change::delete(id::<SecurityGroup>(&t1, "vpc-a-default")),
        Change::delete(id::<Eni>(&t1, "nat-a")),
        Change::delete(id::<PrefixList>(&t1, "pl-s3")),
    ];
    for delete in deletes {
        refused_as(&t1, [delete], "DependencyViolation", "is needed by");
    }
    refused_as(&t1, [Change::delete(Id::<Subnet>::new(1))], "InvalidSubnetID.NotFound", "does not exist");
    // Together with what needs it, it can; routes and rules that name it stay (R2.11, R8.4).
    let nat = [Change::delete(id::<NatGateway>(&t1, "nat-a")), Change::delete(id::<Eni>(&t1, "nat-a"))];
    let after = t1.apply(nat).unwrap();
    let routes = after.effective_routes(after.find("rtb-prv").unwrap());
    let default = routes.iter().find(|route| route.destination == Destination::Prefix(Prefix::DEFAULT_V4)).unwrap();
    assert_eq!(default.state, RouteState::Blackhole);
    let everything: Vec<Change> = t1_ids(&t1).into_iter().map(Change::Delete).collect();
    assert!(t1.apply(everything).unwrap() == Desired::new());
}

fn t1_ids(desired: &Desired) -> Vec<vpc_model::ResourceRef> {
    fn ids<K: Noun>(desired: &Desired, into: &mut Vec<vpc_model::ResourceRef>) {
        into.extend(desired.iter::<K>().map(|resource| K::to_ref(resource.id())));
    }
    let mut all = Vec::new();
    ids::<Vpc>(desired, &mut all);
    ids::<Subnet>(desired, &mut all);
    ids::<RouteTable>(desired, &mut all);
    ids::<NetworkAcl>(desired, &mut all);
    ids::<SecurityGroup>(desired, &mut all);
    ids::<InternetGateway>(desired, &mut all);
    ids::<EgressOnlyGateway>(desired, &mut all);
    ids::<NatGateway>(desired, &mut all);
    ids::<Eni>(desired, &mut all);
    ids::<Instance>(desired, &mut all);
    ids::<Service>(desired, &mut all);
    ids::<PrefixList>(desired, &mut all);
    ids::<InternetHost>(desired, &mut all);
    all
}

const ENDPOINTS: &str = "    endpoints:\n      s3-gw: { service: s3, route_tables: rtb-prv }\n      s3-if: { service: s3, subnets: [ a1, a3 ] }\n";

fn with_endpoints() -> Desired {
    let text = T1.replace("\nprefix_lists:", &format!("{ENDPOINTS}\nprefix_lists:"));
    read(&text)
}

#[test]
fn s45_s58_a_gateway_endpoint_routes_its_service_once_per_table() {
    let lab = with_endpoints();
    let endpoint = RouteTarget::GatewayEndpoint(id(&lab, "s3-gw"));
    let list = Destination::List(id(&lab, "pl-s3"));
    let of = |desired: &Desired, table: &str| {
        let routes = desired.effective_routes(desired.find(table).unwrap());
        routes.into_iter().find(|route| route.destination == list)
    };
    let found = of(&lab, "rtb-prv").unwrap();
    assert_eq!((found.target, found.origin, found.state), (endpoint, RouteOrigin::Endpoint, RouteState::Active));
    assert_eq!(of(&lab, "rtb-pub"), None);
    let second = |table: &str| {
        let table = id(&lab, table);
        edit(&lab, "s3-gw", move |endpoint: &mut Endpoint| {
            (endpoint.id, endpoint.name) = (Id::new(1), None);
            endpoint.kind = EndpointKind::Gateway { tables: [table].into() };
        })
    };
    refused_as(&lab, [second("rtb-prv")], "RouteAlreadyExists", "already leads to com.amazonaws.us-east-1.s3");
    assert!(lab.apply([second("rtb-pub")]).is_ok());
}

#[test]
fn s59_routes_of_endpoints_are_not_written_by_hand() {
    let lab = with_endpoints();
    let (list, nat) = (Destination::List(id(&lab, "pl-s3")), RouteTarget::Nat(id(&lab, "nat-a")));
    let by_hand = edit(&lab, "rtb-prv", |table: &mut RouteTable| _ = table.routes.insert(list, nat));
    refused_as(&lab, [by_hand], "RouteAlreadyExists", "routes: a route to pl-");
    let endpoint = RouteTarget::GatewayEndpoint(id(&lab, "s3-gw"));
    refused_as(&lab, [edit(&lab, "rtb-pub", route("1.0.0.0/8", endpoint))], "InvalidParameterValue", "by the endpoint");
    let missing = edit(&lab, "rtb-pub", |table: &mut RouteTable| {
        table.routes.insert(Destination::List(Id::new(1)), nat);
    });
    refused_as(&lab, [missing], "InvalidPrefixListID.NotFound", "does not exist");
    let unlisted = edit(&lab, "s3", |service: &mut Service| service.prefix_list = None);
    refused_as(&lab, [unlisted], "InvalidParameter", "the service has no prefix list");
}

#[test]
fn an_interface_endpoint_has_one_interface_per_zone() {
    let lab = with_endpoints();
    let (eni, a2) = (lab.find::<Eni>("s3-if.a3").unwrap().clone(), id(&lab, "a2"));
    let mut moved = eni.clone();
    moved.subnet = a2;
    moved.addresses[0].private = "10.0.2.99".parse().unwrap();
    refused_as(&lab, [Change::put(moved)], "DuplicateSubnetsInSameZone", "us-east-1a");
    refused_as(&lab, [Change::delete(eni.id)], "DependencyViolation", "is needed by vpce-");
    let none = edit(&lab, "s3-if", |endpoint: &mut Endpoint| {
        if let EndpointKind::Interface { enis, .. } = &mut endpoint.kind {
            enis.clear();
        }
    });
    refused_as(&lab, [none], "MissingParameter", "at least one subnet");
}

#[test]
fn rules_are_limited_and_each_is_there_once() {
    let t1 = t1();
    let rule = |n: u32, peer: Peer| SecurityGroupRule {
        id: Id::new(n.into()),
        direction: Direction::Ingress,
        traffic: Traffic::Tcp(PortRange::one(n as u16)),
        peer,
    };
    let group =
        |rules: Vec<SecurityGroupRule>| edit(&t1, "sg-open", move |group: &mut SecurityGroup| group.rules = rules);
    let any = Peer::Prefix(Prefix::DEFAULT_V4);
    refused_as(&t1, [group(vec![rule(1, any), rule(1, any)])], "InvalidPermission.Duplicate", "ingress:");
    assert!(t1.apply([group((1..=60).map(|n| rule(n, any)).collect())]).is_ok());
    let many = group((1..=61).map(|n| rule(n, any)).collect());
    refused_as(&t1, [many], "RulesPerSecurityGroupLimitExceeded", "61 is more than the limit of 60");
    // IPv4 and IPv6 are counted apart, and a list that AWS keeps weighs what AWS says (R2.33).
    let v6 = Peer::Prefix(Prefix::DEFAULT_V6);
    assert!(t1.apply([group((1..=120).map(|n| rule(n, if n % 2 == 0 { any } else { v6 })).collect())]).is_ok());
    let list = Peer::List(id(&t1, "pl-s3"));
    assert!(t1.apply([group((1..=60).map(|n| rule(n, list)).collect())]).is_ok());

    let entries = |count: u32| -> BTreeMap<AclKey, AclEntry> {
        let key = |n| AclKey { direction: Direction::Ingress, number: RuleNumber::new(n).unwrap() };
        let entry = AclEntry { action: Action::Allow, traffic: Traffic::All, cidr: Prefix::DEFAULT_V4 };
        (1..=count).map(|n| (key(n), entry)).collect()
    };
    let acl = |count| edit(&t1, "vpc-a-default", move |acl: &mut NetworkAcl| acl.entries = entries(count));
    assert!(t1.apply([acl(20)]).is_ok());
    refused_as(&t1, [acl(21)], "NetworkAclEntryLimitExceeded", "21 is more than the limit of 20");
}

#[test]
fn equal_groups_are_equal_whatever_the_order_of_their_rules() {
    let t1 = t1();
    let turned = edit(&t1, "sg-open", |group: &mut SecurityGroup| group.rules.reverse());
    assert!(t1.apply([turned]).unwrap() == t1);
    let numbered = edit(&t1, "sg-open", |group: &mut SecurityGroup| {
        group.rules.iter_mut().for_each(|rule| rule.traffic = Traffic::Other(17));
    });
    let after = t1.apply([numbered]).unwrap();
    let rules = &after.find::<SecurityGroup>("sg-open").unwrap().rules;
    assert!(rules.iter().all(|rule| rule.traffic == Traffic::Udp(PortRange::ALL)));
}

#[test]
fn a_refused_change_changes_nothing_and_every_violation_is_told_once() {
    let t1 = t1();
    let before = t1.clone();
    let changes = [
        edit(&t1, "h2", at("10.0.2.1")),
        edit(&t1, "h3", at("10.0.3.1")),
        edit(&t1, "a4", |a4: &mut Subnet| {
            a4.cidr = prefix("10.0.3.0/24");
        }),
    ];
    let said = refused(&t1, changes);
    let mut once = said.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), said.len(), "{said:#?}");
    assert!(said.len() >= 4 && t1 == before, "{said:#?}");
}

#[test]
fn dependents_follow_every_change() {
    let t1 = t1();
    let (sg, other) = (id::<SecurityGroup>(&t1, "sg-open"), id::<SecurityGroup>(&t1, "vpc-a-default"));
    let members = |desired: &Desired, group| {
        let members = desired.dependents_of_kind::<Eni>(SecurityGroup::to_ref(group));
        let mut names: Vec<String> = members.map(|eni| desired.label(eni.id)).collect();
        names.sort();
        names
    };
    assert_eq!(members(&t1, sg), ["h1", "h1b", "h2", "h2b", "h3", "h4", "h6"]);
    let moved = t1.apply([edit(&t1, "h1", |eni: &mut Eni| eni.groups = vec![other])]).unwrap();
    assert_eq!((members(&moved, sg).len(), members(&moved, other)), (6, vec!["h1".to_owned()]));
    let gone = moved.apply([Change::delete(id::<Eni>(&moved, "h1"))]).unwrap();
    assert_eq!((members(&gone, other).len(), members(&t1, sg).len()), (0, 7));
}

#[test]
fn links_stay_with_their_owners_when_a_file_is_read_anew() {
    let t1 = t1();
    let links = |desired: &Desired, names: &[&str]| -> Vec<_> {
        names.iter().map(|name| desired.link(id::<Eni>(desired, name)).unwrap()).collect()
    };
    let names = ["h1", "h2", "h3", "h6"];
    let running = t1.apply([Change::delete(id::<Eni>(&t1, "h4")), Change::delete(id::<Instance>(&t1, "h4"))]).unwrap();
    let with_more = T1.replace("      h1:", "      h0: { subnet: a1 }\n      h1:");
    let fresh = read(&with_more);
    let next = fresh.keeping_links_of(&running);
    assert_eq!(links(&next, &names), links(&running, &names));
    assert_eq!(next.link(id::<Service>(&next, "s3")), running.link(id::<Service>(&running, "s3")));
    // New ones, and those that were gone, get numbers that nobody had.
    let new = links(&next, &["h0", "h4"]);
    assert!(new.iter().all(|link| t1.links().all(|(taken, _)| taken != *link)), "{new:?}");
    let all: std::collections::BTreeSet<_> = next.links().map(|(link, _)| link).collect();
    assert_eq!(all.len(), next.links().count());
    assert!(next.link(id::<Eni>(&next, "nat-a")).is_none());
}
