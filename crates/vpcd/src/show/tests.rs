use super::*;
use vpc_model::lab;

const LAB: &str = "
vpcs:
  v:
    id: vpc-00000000000000001
    cidr: 10.0.0.0/16
    internet_gateway: igw
    subnets:
      s1: { cidr: 10.0.1.0/24, routes: rtb }
    route_tables:
      rtb: { 0.0.0.0/0: igw }
    security_groups:
      web:
        ingress: [ { protocol: tcp, ports: 443, from: 0.0.0.0/0 } ]
    instances:
      h1: { subnet: s1, address: 10.0.1.10, public: 203.0.113.10, security_groups: web }
    endpoints:
      s3: { service: store, route_tables: rtb }
      s3i: { service: store, subnets: { s1: 10.0.1.77 } }
prefix_lists:
  store-list: 198.51.100.0/24
services:
  store: { addresses: 198.51.100.10, prefix_list: store-list }
internet:
  web-host: { addresses: 203.0.113.80 }
";

fn desired() -> Desired {
    lab::read(LAB, "lab.yaml").unwrap_or_else(|errors| panic!("{}", errors.render())).to_desired()
}

/// The rows of a table, without the ids.
fn cells(kind: ResourceKind) -> Vec<String> {
    let table = table(&desired(), Some(kind));
    let id = table.columns.iter().position(|column| column == "ID").unwrap();
    let without_id = |row: &Vec<String>| {
        let cells = row.iter().enumerate().filter(|(position, _)| *position != id);
        cells.map(|(_, cell)| cell.as_str()).collect::<Vec<_>>().join(" ")
    };
    table.rows.iter().map(without_id).collect()
}

#[test]
fn every_kind_has_a_table_with_a_cell_for_every_column() {
    for &kind in ResourceKind::ALL {
        let table = table(&desired(), Some(kind));
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{kind}");
        assert!(table.rows.iter().flatten().all(|cell| !cell.is_empty() && !cell.contains('\n')), "{kind}: {table:?}");
    }
}

#[test]
fn tables_speak_of_names() {
    assert_eq!(cells(ResourceKind::Instances), ["h1 h1 s1 10.0.1.10 203.0.113.10"]);
    assert_eq!(
        cells(ResourceKind::RouteTables),
        [
            "rtb v 0.0.0.0/0 igw static active",
            "rtb v 10.0.0.0/16 local local active",
            "rtb v store-list s3 endpoint active",
            "v-main v 10.0.0.0/16 local local active",
        ]
    );
    assert_eq!(cells(ResourceKind::Subnets), ["s1 v us-east-1a 10.0.1.0/24 - rtb v-default"]);
    assert!(cells(ResourceKind::SecurityGroups).contains(&"web v ingress tcp 443 0.0.0.0/0".to_owned()));
    assert_eq!(
        cells(ResourceKind::Endpoints),
        ["s3 v gateway store available rtb -", "s3i v interface store available 10.0.1.77 v-default"]
    );
    assert_eq!(cells(ResourceKind::InternetHosts), ["web-host web-host 203.0.113.80 -"]);
}

#[test]
fn the_overview_counts_what_there_is() {
    let overview = table(&desired(), None);
    let count = |kind: &str| overview.rows.iter().find(|row| row[0] == kind).map(|row| row[1].as_str());
    assert_eq!(count("route-tables"), Some("2"));
    assert_eq!(count("enis"), Some("2"));
    assert_eq!(count("peerings"), None, "what there is none of is left out");
    assert!(table(&Desired::new(), None).rows.is_empty());
}

#[test]
fn programs_get_every_kind_and_every_field() {
    let all = resources(&desired(), None);
    assert!(ResourceKind::ALL.iter().all(|kind| all[kind.name()].is_array()));
    assert_eq!(all["vpcs"][0]["id"], "vpc-00000000000000001");
    assert_eq!(all["vpcs"], resources(&desired(), Some(ResourceKind::Vpcs)));
}
