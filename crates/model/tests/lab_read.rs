//! Lab files that are right, and what they describe.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure in a helper is the test's")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use vpc_model::desired::Noun;
use vpc_model::resource::{
    Az, Destination, Direction, Endpoint, EndpointKind, EndpointState, Eni, EniKind, IcmpMatch, Instance,
    InternetGateway, InternetHost, NatGateway, NetworkAcl, Peer, PortRange, PrefixList, Provider, RouteTable,
    RouteTarget, SecurityGroup, Service, Subnet, Traffic, TransitAttachment, TransitRouteTable, VirtualGateway, Vpc,
};
use vpc_model::{Desired, Id, lab};

const T1: &str = include_str!("../../sim/topologies/t1.yaml");

fn read(text: &str) -> Desired {
    lab::read(text, "lab.yaml").unwrap_or_else(|errors| panic!("{}", errors.render())).to_desired()
}

/// A VPC with two subnets, and more lines of it.
fn vpc(more: &str) -> Desired {
    let base = "vpcs:\n  v:\n    cidr: 10.0.0.0/16\n    subnets:\n      s1: { cidr: 10.0.1.0/24 }\n      s2: { cidr: 10.0.2.0/24, az: us-east-1b }\n";
    read(&format!("{base}{more}"))
}

fn find<'d, K: Noun>(desired: &'d Desired, name: &str) -> &'d K {
    desired.find::<K>(name).unwrap_or_else(|| panic!("no {} {name}", K::NOUN))
}

fn addresses(desired: &Desired, eni: &str) -> Vec<String> {
    find::<Eni>(desired, eni).addresses.iter().map(|address| address.private.to_string()).collect()
}

#[test]
fn the_first_topology_is_what_the_semantics_sheet_describes() {
    let lab = lab::read(T1, "t1.yaml").unwrap_or_else(|errors| panic!("{}", errors.render()));
    assert_eq!(lab.name(), Some("t1"));
    let desired = lab.desired();
    let places = ["h1", "h1b", "h2", "h2b", "h3", "h4", "h6"].map(|name| {
        let eni = find::<Eni>(desired, name);
        let zone = desired.get(eni.subnet).unwrap().az.to_string();
        format!("{} {} {}", eni.addresses[0].private, desired.label(eni.subnet), zone)
    });
    let expected = [
        "10.0.1.10 a1 us-east-1a",
        "10.0.1.11 a1 us-east-1a",
        "10.0.2.10 a2 us-east-1a",
        "10.0.2.11 a2 us-east-1a",
        "10.0.3.10 a3 us-east-1b",
        "10.0.4.10 a4 us-east-1a",
        "10.0.6.10 a6 us-east-1a",
    ];
    assert_eq!(places, expected);
    let tables = ["a1", "a2", "a3", "a4", "a6"].map(|subnet| {
        let table = desired.table_of(find::<Subnet>(desired, subnet)).unwrap();
        desired.label(table.id)
    });
    assert_eq!(tables, ["rtb-pub", "rtb-prv", "rtb-prv", "vpc-a-main", "rtb-v6"]);
    let (nat, eni) = (find::<NatGateway>(desired, "nat-a"), find::<Eni>(desired, "nat-a"));
    assert_eq!((nat.eni, eni.kind, nat.public), (eni.id, EniKind::NatGateway(nat.id), Some([203, 0, 113, 200].into())));
    let open: Vec<String> = find::<SecurityGroup>(desired, "sg-open")
        .rules
        .iter()
        .map(|rule| format!("{} {} {}", rule.direction, rule.traffic, rule.peer))
        .collect();
    assert_eq!(open, ["egress all 0.0.0.0/0", "egress all ::/0", "ingress all 0.0.0.0/0", "ingress all ::/0"]);
    let host = find::<InternetHost>(desired, "inet");
    assert_eq!((host.namespace.as_str(), host.prefixes.len()), ("inet", 2));
    let Provider::Host { namespace, addresses } = &find::<Service>(desired, "s3").provider;
    assert_eq!((namespace.as_str(), addresses.as_slice()), ("s3", &["198.51.100.20".parse::<IpAddr>().unwrap()][..]));
    assert_eq!(find::<Service>(desired, "s3").service_name, "com.amazonaws.us-east-1.s3");
}

#[test]
fn nothing_is_an_empty_lab() {
    for text in ["", "# nothing\n", "vpcs:\n", "vpcs: {}\nservices: ~\n", "---\n...\n"] {
        assert!(read(text) == Desired::new(), "{text}");
    }
}

#[test]
fn a_vpc_comes_with_its_defaults() {
    let desired = vpc("");
    let (v, subnet) = (find::<Vpc>(&desired, "v"), find::<Subnet>(&desired, "s1"));
    assert_eq!((desired.label(v.main_table), desired.label(v.default_acl)), ("v-main".into(), "v-default".into()));
    assert_eq!(desired.label(v.default_group), "v-default");
    assert_eq!((v.account.to_string(), v.region.to_string()), ("111111111111".into(), "us-east-1".into()));
    assert_eq!((v.dns_support, v.dns_hostnames), (true, false));
    assert_eq!((subnet.az.clone(), subnet.table, subnet.acl), (Az::default(), None, None));
    let entries = &find::<NetworkAcl>(&desired, "v-default").entries;
    let numbers: Vec<u16> = entries.keys().map(|key| key.number.get()).collect();
    assert_eq!(numbers, [100, 100]);
    let group = find::<SecurityGroup>(&desired, "v-default");
    let rules: Vec<(Direction, Peer)> = group.rules.iter().map(|rule| (rule.direction, rule.peer)).collect();
    let everywhere = Peer::Prefix("0.0.0.0/0".parse().unwrap());
    assert_eq!(rules, [(Direction::Egress, everywhere), (Direction::Ingress, Peer::Group(group.id))]);
}

#[test]
fn defaults_can_be_written_or_be_others() {
    let written = vpc(
        "    route_tables: { v-main: { 0.0.0.0/0: igw } }\n    internet_gateway: igw\n    network_acls: { v-default: }\n    security_groups: { v-default: { egress: [] } }\n",
    );
    let v = find::<Vpc>(&written, "v");
    assert_eq!(written.get(v.main_table).unwrap().routes.len(), 1);
    assert!(written.get(v.default_acl).unwrap().entries.is_empty());
    assert!(written.get(v.default_group).unwrap().rules.is_empty());
    let others = vpc(
        "    main_route_table: rtb\n    default_network_acl: acl\n    default_security_group: sg\n    route_tables: { rtb: }\n    network_acls: { acl: }\n    security_groups: { sg: }\n",
    );
    let v = find::<Vpc>(&others, "v");
    assert_eq!(
        [others.label(v.main_table), others.label(v.default_acl), others.label(v.default_group)],
        ["rtb", "acl", "sg"]
    );
    assert_eq!((others.iter::<RouteTable>().count(), others.iter::<SecurityGroup>().count()), (1, 1));
    let account = read(
        "defaults: { region: eu-west-1, account: 222222222222 }\nvpcs: { v: { cidr: 10.0.0.0/16, subnets: { s: { cidr: 10.0.0.0/24 } } } }\n",
    );
    assert_eq!(find::<Subnet>(&account, "s").az.to_string(), "eu-west-1a");
    assert_eq!(find::<Vpc>(&account, "v").account.to_string(), "222222222222");
}

#[test]
fn s12_host_bits_of_blocks_are_cleared() {
    let desired = vpc("    internet_gateway: igw\n    route_tables: { r: { 100.68.0.18/18: igw } }\n");
    let routes = &find::<RouteTable>(&desired, "r").routes;
    assert_eq!(routes.keys().next(), Some(&Destination::Prefix("100.68.0.0/18".parse().unwrap())));
}

#[test]
fn ids_follow_from_names_and_can_be_pinned() {
    let desired = vpc(
        "    instances:\n      h: { subnet: s1 }\n      k: { id: i-0abcdef1234567890, interface_id: eni-1a2b3c4d, subnet: s1 }\n    security_groups:\n      sg-00000000000000001: { ingress: [ { from: sg-00000000000000001 } ] }\n    route_tables: { r: { id: rtb-00000000000000002, 0.0.0.0/0: eni-1a2b3c4d } }\n",
    );
    assert_eq!(find::<Instance>(&desired, "h").id, Id::derived(&["v", "instance", "h"]));
    assert_eq!(find::<Instance>(&desired, "k").id.to_string(), "i-0abcdef1234567890");
    let k = find::<Eni>(&desired, "k");
    assert_eq!(k.id.to_string(), "eni-1a2b3c4d");
    let group = find::<SecurityGroup>(&desired, "sg-00000000000000001");
    assert_eq!((group.name.as_ref(), group.rules.last().unwrap().peer), (None, Peer::Group(group.id)));
    let table = find::<RouteTable>(&desired, "r");
    assert_eq!(table.id, Id::new(2));
    assert_eq!(table.routes.values().collect::<Vec<_>>(), [&RouteTarget::Eni(k.id)]);
}

#[test]
fn an_instance_without_an_address_gets_the_next_free_one() {
    let desired = vpc(
        "    instances:\n      a: { subnet: s1 }\n      b: { subnet: s1, address: 10.0.1.5 }\n      c: { subnet: s1, public: 203.0.113.1 }\n      d: { subnet: s2 }\n    nat_gateways: { n: { subnet: s1, address: 10.0.1.4 } }\n",
    );
    let got = ["n", "a", "b", "c", "d"].map(|eni| addresses(&desired, eni).concat());
    assert_eq!(got, ["10.0.1.4", "10.0.1.6", "10.0.1.5", "10.0.1.7", "10.0.2.4"]);
    assert_eq!(find::<Eni>(&desired, "c").addresses[0].public, Some([203, 0, 113, 1].into()));
}

#[test]
fn an_instance_can_have_several_interfaces_and_addresses() {
    let text = "    ipv6_cidr: \"2001:db8::/56\"\n    instances:\n      m:\n        interfaces:\n          - { subnet: s1, source_dest_check: false }\n          - { subnet: s2, address: [ 10.0.2.9, { private: 10.0.2.10, public: 203.0.113.9 } ] }\n          - { name: tap, subnet: s3, device: 7, ipv6_address: \"2001:db8::9\" }\n      n: { subnet: s3, address: [ \"2001:db8::a\", 10.0.3.8 ] }\n";
    let desired = vpc(&format!("      s3: {{ cidr: 10.0.3.0/24, ipv6_cidr: \"2001:db8::/64\" }}\n{text}"));
    let instance = find::<Instance>(&desired, "m").id;
    let enis = ["m", "m.1", "tap"].map(|name| find::<Eni>(&desired, name));
    let kinds = [0, 1, 7].map(|device| EniKind::Instance { instance, device });
    assert_eq!(enis.map(|eni| eni.kind), kinds);
    assert!(!enis[0].source_dest_check && enis[1].source_dest_check);
    assert_eq!(addresses(&desired, "m.1"), ["10.0.2.9", "10.0.2.10"]);
    assert_eq!(enis[1].addresses[1].public, Some([203, 0, 113, 9].into()));
    assert_eq!(addresses(&desired, "tap"), ["10.0.3.4", "2001:db8::9"]);
    assert_eq!(addresses(&desired, "n"), ["2001:db8::a", "10.0.3.8"]);
}

#[test]
fn rules_have_short_forms() {
    let desired = vpc(
        "    security_groups:\n      web:\n        ingress:\n          - { protocol: tcp, ports: [ 80, 443, 8000-8080 ], from: [ 10.0.0.0/8, pl ] }\n          - { protocol: icmp, type: 8, from: web }\n          - { protocol: 47, from: v-default }\n          - { from: pl }\n        egress: { protocol: udp, ports: all, to: 0.0.0.0/0 }\n    network_acls:\n      strict:\n        ingress: [ { rule: 5, action: deny, protocol: 6, ports: 22, from: 0.0.0.0/0 } ]\nprefix_lists: { pl: 192.0.2.0/24 }\n",
    );
    let group = find::<SecurityGroup>(&desired, "web");
    let list = find::<PrefixList>(&desired, "pl");
    assert_eq!(group.rules.len(), 1 + 6 + 3);
    let has = |direction, traffic, peer| {
        group.rules.iter().any(|rule| (rule.direction, rule.traffic, rule.peer) == (direction, traffic, peer))
    };
    let tcp = Traffic::Tcp(PortRange::new(8000, 8080).unwrap());
    assert!(has(Direction::Ingress, tcp, Peer::List(list.id)));
    let echo = Traffic::Icmp(IcmpMatch { kind: Some(8), code: None });
    assert!(has(Direction::Ingress, echo, Peer::Group(group.id)));
    assert!(has(Direction::Ingress, Traffic::Other(47), Peer::Group(find::<Vpc>(&desired, "v").default_group)));
    assert!(has(Direction::Egress, Traffic::Udp(PortRange::ALL), Peer::Prefix("0.0.0.0/0".parse().unwrap())));
    let (key, entry) = find::<NetworkAcl>(&desired, "strict").entries.iter().next().unwrap();
    assert_eq!((key.number.get(), entry.traffic), (5, Traffic::Tcp(PortRange::one(22))));
}

#[test]
fn endpoints_are_of_two_types() {
    let desired = vpc(
        "    route_tables: { r: }\n    endpoints:\n      gw: { service: com.amazonaws.us-east-1.s3, route_tables: [ r, v-main ] }\n      if: { service: s3, subnets: [ s1, s2 ], private_dns: true, state: pending_acceptance }\n      at: { service: s3, type: interface, subnets: { s1: 10.0.1.99, s2: } }\nservices: { s3: { prefix_list: pl, addresses: 192.0.2.1 } }\nprefix_lists: { pl: 192.0.2.0/24 }\n",
    );
    let EndpointKind::Gateway { tables } = &find::<Endpoint>(&desired, "gw").kind else { panic!("a gateway") };
    assert_eq!(tables.len(), 2);
    let endpoint = find::<Endpoint>(&desired, "if");
    assert_eq!(endpoint.state, EndpointState::PendingAcceptance);
    let EndpointKind::Interface { enis, groups, private_dns } = &endpoint.kind else { panic!("interfaces") };
    assert!(*private_dns && *groups == [find::<Vpc>(&desired, "v").default_group]);
    assert_eq!(enis.iter().map(|&eni| desired.label(eni)).collect::<Vec<_>>(), ["if.s1", "if.s2"]);
    assert_eq!(
        (addresses(&desired, "at.s1"), addresses(&desired, "at.s2")),
        (vec!["10.0.1.99".into()], vec!["10.0.2.5".into()])
    );
    assert_eq!(find::<Eni>(&desired, "at.s1").kind, EniKind::Endpoint(find::<Endpoint>(&desired, "at").id));
}

#[test]
fn anchors_and_merges_save_writing() {
    let desired = read(
        "x-small: &small { cidr: 10.0.1.0/24, az: us-east-1b }\nvpcs:\n  v:\n    cidr: &block 10.0.0.0/16\n    subnets:\n      s1: *small\n      s2: { <<: *small, cidr: 10.0.2.0/24 }\n  w: { cidr: *block }\n",
    );
    let (s1, s2) = (find::<Subnet>(&desired, "s1"), find::<Subnet>(&desired, "s2"));
    assert_eq!(
        (s1.az.clone(), s1.cidr.to_string(), s2.cidr.to_string()),
        (s2.az.clone(), "10.0.1.0/24".into(), "10.0.2.0/24".into())
    );
}

#[test]
fn a_route_to_an_id_that_is_not_there_is_a_black_hole() {
    let desired = vpc("    route_tables: { r: { 0.0.0.0/0: nat-0abcdef1234567890 } }\n");
    let routes = &find::<RouteTable>(&desired, "r").routes;
    assert!(matches!(routes.values().next(), Some(RouteTarget::Nat(_))), "{routes:?}");
}

#[test]
fn gateways_can_have_more_than_a_name_and_be_detached() {
    let desired = vpc(
        "    internet_gateway: { name: igw, edge_table: edge }\n    egress_only_gateway: { id: eigw-00000000000000005 }\n    route_tables: { edge: { 10.0.1.0/24: local } }\ninternet_gateways: { spare: }\n",
    );
    let gateway = find::<InternetGateway>(&desired, "igw");
    assert_eq!(gateway.edge_table, Some(find::<RouteTable>(&desired, "edge").id));
    assert_eq!(find::<InternetGateway>(&desired, "spare").vpc, None);
}

#[test]
fn attachments_use_the_default_table_where_they_name_none() {
    let text = "
vpcs:
  a: { cidr: 10.0.0.0/16, subnets: { a1: { cidr: 10.0.1.0/24 } } }
  b: { cidr: 10.1.0.0/16, subnets: { b1: { cidr: 10.1.1.0/24 } } }
transit_gateways:
  t:
    attachments:
      att-a: { vpc: a, subnets: a1 }
      att-b: { vpc: b, subnets: b1, routes: none, propagates_to: [] }
      att-u: { peer: att-t }
  u:
    attachments: { att-t: { peer: att-u, routes: u-own } }
    route_tables: { u-own: { 10.0.0.0/8: att-t } }
";
    let desired = read(text);
    let attachment = |name| find::<TransitAttachment>(&desired, name);
    let default = find::<TransitRouteTable>(&desired, "t-default");
    assert_eq!(attachment("att-a").table, Some(default.id));
    assert_eq!(attachment("att-a").propagates_to, BTreeSet::from([default.id]));
    assert_eq!((attachment("att-b").table, attachment("att-b").propagates_to.len()), (None, 0));
    // What is behind a peer is written by hand (R9.30).
    assert_eq!((attachment("att-u").table, attachment("att-u").propagates_to.len()), (Some(default.id), 0));
    assert!(desired.find::<TransitRouteTable>("u-default").is_none(), "nobody uses it");
}

#[test]
fn a_far_network_is_called_like_its_gateway() {
    let text = "
vpcs:
  a: { cidr: 10.0.0.0/16, virtual_gateway: office }
  b:
    cidr: 10.1.0.0/16
    virtual_gateway: { name: vgw, namespace: far, addresses: 172.31.0.5, announces: 172.31.0.9/24, propagates_to: b-main }
virtual_gateways:
  spare: {}
";
    let desired = read(text);
    let gateway = |name| find::<VirtualGateway>(&desired, name);
    assert_eq!(gateway("office").namespace, "office");
    assert_eq!((gateway("spare").namespace.as_str(), gateway("spare").vpc), ("spare", None));
    assert_eq!(gateway("vgw").namespace, "far");
    assert_eq!(gateway("vgw").announces, BTreeSet::from(["172.31.0.0/24".parse().unwrap()]));
    assert_eq!(gateway("vgw").propagates_to.len(), 1);
}

#[test]
fn an_edge_table_leads_subnets_and_blocks_to_an_interface_or_local() {
    let more = "    internet_gateway: { name: igw, edge_table: edge }\n    route_tables:\n      edge: { 10.0.0.0/16: i, 10.0.1.0/24: local, 10.0.2.0/24: i }\n    instances: { i: { subnet: s2 } }\n";
    let desired = vpc(more);
    let edge = find::<RouteTable>(&desired, "edge");
    assert_eq!(find::<InternetGateway>(&desired, "igw").edge_table, Some(edge.id));
    assert_eq!(edge.routes.values().filter(|target| **target == RouteTarget::Local).count(), 1);
}

#[test]
fn the_labs_of_the_readme_are_right() {
    let readme = include_str!("../README.md");
    let labs: Vec<&str> =
        readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```").map(|(lab, _)| lab)).collect();
    assert!(labs.len() >= 2);
    for lab in labs {
        read(lab);
    }
}
