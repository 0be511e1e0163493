//! Labs with one value changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure in a helper is the test's")]

use vpc_lpm::Prefix;
use vpc_model::lab::{self, Edit, Lab};
use vpc_model::resource::{
    Destination, Direction, Endpoint, Eni, NatGateway, NetworkAcl, Peer, RouteState, RouteTable, RouteTarget,
    SecurityGroup, Subnet, Vpc,
};

const T1: &str = include_str!("../../sim/topologies/t1.yaml");

fn t1() -> Lab {
    lab::read(T1, "t1.yaml").unwrap_or_else(|errors| panic!("{}", errors.render()))
}

#[track_caller]
fn edit(lab: &Lab, text: &str) -> Lab {
    let edit: Edit = text.parse().unwrap();
    lab.edit(&edit).unwrap_or_else(|errors| panic!("{}", errors.render()))
}

#[track_caller]
fn refused(lab: &Lab, text: &str) -> String {
    lab.edit(&text.parse().unwrap()).map(|_| text).expect_err("should be refused").to_string()
}

fn default_route(lab: &Lab, table: &str) -> (RouteTarget, RouteState) {
    let desired = lab.desired();
    let routes = desired.effective_routes(desired.find::<RouteTable>(table).unwrap());
    let default = routes.iter().find(|route| route.destination == Destination::Prefix(Prefix::DEFAULT_V4)).unwrap();
    (default.target, default.state)
}

#[test]
fn a_path_is_found_from_the_top_or_by_its_end() {
    let t1 = t1();
    for path in ["vpcs.vpc-a.subnets.a4.routes", "subnets.a4.routes", "a4.routes", "vpc-a.subnets.\"a4\".routes"] {
        let lab = edit(&t1, &format!("set {path}: rtb-prv"));
        let a4 = lab.desired().find::<Subnet>("a4").unwrap();
        assert_eq!(lab.desired().label(a4.table.unwrap()), "rtb-prv", "{path}");
    }
    assert!(edit(&t1, "delete subnets.a1.routes").desired().find::<Subnet>("a1").unwrap().table.is_none());
}

#[test]
fn keys_may_contain_dots_colons_and_slashes() {
    let t1 = t1();
    for path in ["rtb-prv.198.18.0.0/24", "rtb-prv.\"198.18.0.0/24\"", "vpcs.vpc-a.route_tables.rtb-prv.198.18.0.0/24"]
    {
        let lab = edit(&t1, &format!("set {path}: igw-a"));
        let routes = &lab.desired().find::<RouteTable>("rtb-prv").unwrap().routes;
        assert_eq!(routes.len(), 2, "{path}");
        let back = edit(&lab, &format!("delete {path}"));
        assert!(back.desired() == t1.desired());
    }
    let lab = edit(&t1, "set rtb-v6.::/0: h6");
    let target = lab.desired().find::<RouteTable>("rtb-v6").unwrap().routes.values().next().copied();
    assert_eq!(target, lab.desired().find::<Eni>("h6").map(|eni| RouteTarget::Eni(eni.id)));
}

#[test]
fn a_value_is_yaml_of_any_shape() {
    let lab = edit(&t1(), "set    security_groups.sg-open.egress: [ { protocol: tcp, to: 10.0.0.0/8 } ]");
    let rules = &lab.desired().find::<SecurityGroup>("sg-open").unwrap().rules;
    let egress: Vec<Peer> =
        rules.iter().filter(|rule| rule.direction == Direction::Egress).map(|rule| rule.peer).collect();
    assert_eq!(egress, [Peer::Prefix("10.0.0.0/8".parse().unwrap())]);
    let lab = edit(&lab, "set sg-open.ingress[0].from[1]: 2001:db8::/32");
    assert!(
        lab.desired()
            .find::<SecurityGroup>("sg-open")
            .unwrap()
            .rules
            .iter()
            .any(|rule| rule.peer.to_string() == "2001:db8::/32")
    );
    let lab = edit(&lab, "delete sg-open.ingress[0]");
    assert_eq!(lab.desired().find::<SecurityGroup>("sg-open").unwrap().rules.len(), 1);
    let lab = edit(&lab, "set vpcs.vpc-a.endpoints: { s3-gw: { service: s3, route_tables: rtb-prv } }");
    assert!(lab.desired().find::<Endpoint>("s3-gw").is_some());
    let lab = edit(&lab, "set vpc-a.network_acls: { shut: }");
    let lab = edit(&lab, "set a2.network_acl: shut");
    assert!(lab.desired().find::<NetworkAcl>("shut").is_some());
    let lab = edit(&lab, "set vpc-a.main_route_table: rtb-prv");
    let main = lab.desired().find::<Vpc>("vpc-a").unwrap().main_table;
    assert_eq!(lab.desired().label(main), "rtb-prv");
}

#[test]
fn s40_what_is_deleted_stays_as_a_black_hole_where_it_is_routed() {
    let t1 = t1();
    let nat = t1.desired().find::<NatGateway>("nat-a").unwrap().id;
    assert_eq!(default_route(&t1, "rtb-prv"), (RouteTarget::Nat(nat), RouteState::Active));
    let lab = edit(&t1, "delete nat_gateways.nat-a");
    assert_eq!(default_route(&lab, "rtb-prv"), (RouteTarget::Nat(nat), RouteState::Blackhole));
    // The name is remembered over further edits, and means the new one when there is one.
    let lab = edit(&lab, "delete h4");
    assert_eq!(default_route(&lab, "rtb-prv"), (RouteTarget::Nat(nat), RouteState::Blackhole));
    let lab = edit(&lab, "set vpc-a.nat_gateways.nat-a: { subnet: a1, public: 203.0.113.201 }");
    assert_eq!(default_route(&lab, "rtb-prv"), (RouteTarget::Nat(nat), RouteState::Active));
    // What the lab never had is a mistake.
    assert!(refused(&t1, "set rtb-prv.0.0.0.0/0: nat-b").contains("there is no 'nat-b'"));
    // So do the peers of rules (R8.4).
    let stale = edit(&t1, "set vpc-a.security_groups.sg-x: { ingress: [ { from: sg-open } ] }");
    let others = ["h1", "h1b", "h2", "h2b", "h3", "h4", "h6"];
    let stale = others.iter().fold(stale, |lab, host| edit(&lab, &format!("set {host}.security_groups: sg-x")));
    let stale = edit(&stale, "delete security_groups.sg-open");
    let gone = t1.desired().find::<SecurityGroup>("sg-open").unwrap().id;
    let rules = &stale.desired().find::<SecurityGroup>("sg-x").unwrap().rules;
    assert!(stale.desired().get(gone).is_none() && rules.iter().any(|rule| rule.peer == Peer::Group(gone)));
}

#[test]
fn a_wrong_edit_says_what_is_wrong_with_it() {
    let t1 = t1();
    let cases = [
        (
            "set subnets.a9.routes: rtb-pub",
            "edit:1:5: there is no 'a9.routes' in vpcs.vpc-a.subnets; did you mean 'a1' or 'a2' or 'a3'?",
        ),
        (
            "delete nat_gateways.nat-b",
            "edit:1:8: there is no 'nat-b' in vpcs.vpc-a.nat_gateways; did you mean 'nat-a'?",
        ),
        ("delete nowhere", "edit:1:8: there is no 'nowhere' in the lab"),
        (
            "delete cidr",
            "edit:1:8: 'cidr' could be in vpcs.vpc-a.cidr or vpcs.vpc-a.subnets.a1.cidr or vpcs.vpc-a.subnets.a2.cidr or vpcs.vpc-a.subnets.a3.cidr; expected a longer path",
        ),
        (
            "set a4.routes: rtb-pbu",
            "edit:1:16: vpcs.vpc-a.subnets.a4.routes: there is no 'rtb-pbu'; expected a route table; did you mean 'rtb-pub' or 'rtb-prv'?",
        ),
        (
            "set a4.route: rtb-pub",
            "edit:1:5: vpcs.vpc-a.subnets.a4.route: there is no field 'route'; did you mean 'routes'?",
        ),
        ("set a4.routes: [", "edit:1:16: not YAML: unclosed bracket '['"),
        (
            "delete subnets.a4.cidr",
            "t1.yaml:19:7: vpcs.vpc-a.subnets.a4: 'cidr' is missing; expected an IPv4 block such as 10.0.1.0/24",
        ),
    ];
    for (text, expected) in cases {
        assert!(refused(&t1, text).starts_with(expected), "{text}\n{}", refused(&t1, text));
    }
    for text in ["", "set", "set a", "set : x", "delete", "unset a: b"] {
        let error = text.parse::<Edit>().unwrap_err().to_string();
        assert!(error.contains("expected 'set PATH: VALUE' or 'delete PATH'"), "{error}");
    }
}

#[test]
fn an_edit_prints_what_it_was_parsed_from() {
    for edit in [Edit::set("rtb-v6.::/0", "igw-a"), Edit::set("a.\"b: c\"", "{ d: e }"), Edit::delete("subnets.a1")] {
        assert_eq!(edit.to_string().parse::<Edit>(), Ok(edit));
    }
}
