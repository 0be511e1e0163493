//! Lab files that are right, and what they describe.

use vpc_model::lab;
use vpc_model::resource::{Eni, Instance, Subnet};

const T1: &str = include_str!("../../sim/topologies/t1.yaml");

#[test]
fn the_first_topology_is_what_the_semantics_sheet_describes() {
    let lab = lab::read(T1, "t1.yaml").unwrap_or_else(|errors| panic!("{}", errors.render()));
    let desired = lab.desired();
    let names: Vec<String> = desired.iter::<Instance>().map(|i| desired.label(i.id)).collect();
    assert_eq!(names.len(), 7);
    let table = |subnet: &str| {
        let table = desired.table_of(desired.find::<Subnet>(subnet).unwrap()).unwrap();
        table.name.as_ref().unwrap().to_string()
    };
    let tables = ["a1", "a2", "a3", "a4", "a6"].map(table);
    assert_eq!(tables, ["rtb-pub", "rtb-prv", "rtb-prv", "vpc-a-main", "rtb-v6"]);
    let nat = desired.find::<Eni>("nat-a").unwrap();
    assert_eq!(nat.addresses[0].public, Some([203, 0, 113, 200].into()));
}
