//! What is written is read again as the same.

mod generate;

use std::path::Path;

use proptest::prelude::*;
use vpc_model::lab;

const T1: &str = include_str!("../../sim/topologies/t1.yaml");

#[test]
fn what_would_be_anyway_is_left_out() {
    let lab = lab::read(T1, "t1.yaml").unwrap();
    let text = lab::write(lab.desired());
    for line in [
        "    internet_gateway: igw-a\n",
        "      a1: { cidr: 10.0.1.0/24, routes: rtb-pub }\n",
        "      a3: { cidr: 10.0.3.0/24, az: us-east-1b, routes: rtb-prv }\n",
        "      rtb-v6: { \"::/0\": eigw-a }\n",
        "      nat-a: { subnet: a1, address: 10.0.1.200, public: 203.0.113.200 }\n",
        "      h1: { subnet: a1, address: 10.0.1.10, public: 203.0.113.10, security_groups: sg-open }\n",
        "  s3: { prefix_list: pl-s3, addresses: 198.51.100.20 }\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    for absent in ["id:", "vpc-a-main", "vpc-a-default", "namespace", "region", "network_acls"] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }
    let again = lab::read(&text, "written.yaml").unwrap_or_else(|errors| panic!("{}\n{text}", errors.render()));
    assert!(again.desired() == lab.desired(), "{text}");
}

#[test]
fn every_shipped_topology_is_read_from_what_is_written_of_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sim/topologies");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display().to_string();
        let lab = lab::read(&text, &name).unwrap_or_else(|errors| panic!("{}", errors.render()));
        let written = lab::write(lab.desired());
        let again = lab::read(&written, "written.yaml").unwrap_or_else(|errors| panic!("{}", errors.render()));
        assert!(again.desired() == lab.desired(), "{name}\n{written}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_network_is_read_from_what_is_written_of_it(seed: u64) {
        let desired = generate::desired(seed);
        let text = lab::write(&desired);
        let again = lab::read(&text, "written.yaml");
        let again = again.map_err(|errors| TestCaseError::fail(format!("{}\n{text}", errors.render())))?;
        prop_assert!(again.desired() == &desired, "{text}\n{}", generate::difference(again.desired(), &desired));
        prop_assert_eq!(lab::write(again.desired()), text);
    }
}
