//! Networks of any size, from text as people write it.

use std::fmt::Write as _;

use vpc_model::desired::{Change, Noun, Resource};
use vpc_model::resource::{
    Eni, Instance, InternetGateway, InternetHost, NatGateway, NetworkAcl, RouteTable, SecurityGroup, Subnet, Vpc,
};
use vpc_model::{Desired, lab};

/// Interfaces in one VPC.
const PER_VPC: usize = 100;
/// Subnets in one VPC; the first is public and has the NAT gateway, the others route to it.
const SUBNETS: usize = 8;
/// Routes of each table besides the local one and the default.
const ROUTES: usize = 40;
/// Rules of each security group in either direction; the one that lets the benchmarks' packets pass comes last.
const RULES: usize = 10;

/// A network of `enis` instances with an interface each: VPCs of 100 interfaces, 8 subnets, 8 tables of 41 routes, 4
/// security groups of 21 rules and a NAT gateway each, and the internet.
///
/// Shape: VPCs have the same block, as they may; instance `n` of VPC `v` is called `i-V-N` and has [`address`]`(n)`.
///
/// # Errors
/// The lab reader's or the model's, as text: a defect of the generator.
pub fn desired(enis: usize) -> Result<Desired, String> {
    let mut changes = read("internet:\n  inet: { addresses: 198.18.0.9, prefixes: 0.0.0.0/0 }\n")?;
    for vpc in 0..enis.div_ceil(PER_VPC) {
        let instances = (enis - vpc * PER_VPC).min(PER_VPC);
        let mut text = String::from("vpcs:\n");
        // Writing to a String cannot fail.
        let _ = write_vpc(&mut text, vpc, instances);
        changes.extend(read(&text)?);
    }
    Desired::new().apply(changes).map_err(|violations| violations.iter().map(|v| format!("{v}\n")).collect())
}

/// What a lab file asks for. One file for all would be longer than a lab file may be.
fn read(text: &str) -> Result<Vec<Change>, String> {
    let lab = lab::read(text, "generated.yaml").map_err(|errors| errors.render())?;
    let desired = lab.to_desired();
    let mut changes = Vec::new();
    put::<Eni>(&desired, &mut changes);
    put::<Instance>(&desired, &mut changes);
    put::<InternetGateway>(&desired, &mut changes);
    put::<InternetHost>(&desired, &mut changes);
    put::<NatGateway>(&desired, &mut changes);
    put::<NetworkAcl>(&desired, &mut changes);
    put::<RouteTable>(&desired, &mut changes);
    put::<SecurityGroup>(&desired, &mut changes);
    put::<Subnet>(&desired, &mut changes);
    put::<Vpc>(&desired, &mut changes);
    Ok(changes)
}

fn put<K: Noun + Into<Resource>>(desired: &Desired, changes: &mut Vec<Change>) {
    changes.extend(desired.iter::<K>().cloned().map(Change::put));
}

/// The address of the nth instance of a VPC, as text.
#[must_use]
pub fn address(instance: usize) -> String {
    format!("10.0.{}.{}", instance % SUBNETS, 10 + instance / SUBNETS)
}

fn write_vpc(out: &mut String, vpc: usize, instances: usize) -> std::fmt::Result {
    writeln!(out, "  vpc-{vpc}:\n    cidr: 10.0.0.0/16\n    internet_gateway: igw-{vpc}\n    subnets:")?;
    for subnet in 0..SUBNETS {
        let zone = ["a", "b"][subnet % 2];
        writeln!(
            out,
            "      s-{vpc}-{subnet}: {{ cidr: 10.0.{subnet}.0/24, az: us-east-1{zone}, routes: r-{vpc}-{subnet} }}"
        )?;
    }
    writeln!(out, "    route_tables:")?;
    for subnet in 0..SUBNETS {
        let default = if subnet == 0 { format!("igw-{vpc}") } else { format!("nat-{vpc}") };
        write!(out, "      r-{vpc}-{subnet}: {{ 0.0.0.0/0: {default}")?;
        for route in 0..ROUTES {
            write!(out, ", 172.{}.{}.0/24: {default}", 16 + route % 8, route)?;
        }
        writeln!(out, " }}")?;
    }
    writeln!(
        out,
        "    nat_gateways:\n      nat-{vpc}: {{ subnet: s-{vpc}-0, address: 10.0.0.250, public: 203.{}.{}.250 }}",
        vpc / 256,
        vpc % 256
    )?;
    writeln!(out, "    security_groups:")?;
    for group in 0..4 {
        writeln!(out, "      sg-{vpc}-{group}:")?;
        for (direction, side) in [("ingress", "from"), ("egress", "to")] {
            write!(out, "        {direction}: [ ")?;
            for rule in 1..RULES {
                write!(out, "{{ protocol: tcp, ports: {}, {side}: 192.168.{rule}.0/24 }}, ", 8_000 + rule)?;
            }
            writeln!(out, "{{ protocol: all, {side}: [ 10.0.0.0/8, 198.18.0.0/15 ] }} ]")?;
        }
    }
    writeln!(out, "    instances:")?;
    for instance in 0..instances {
        writeln!(
            out,
            "      i-{vpc}-{instance}: {{ subnet: s-{vpc}-{}, address: {}, security_groups: sg-{vpc}-{} }}",
            instance % SUBNETS,
            address(instance),
            instance % 4
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vpc_model::resource::EniKind;

    #[test]
    fn a_network_has_the_interfaces_that_were_asked_for_and_a_nat_gateway_per_vpc() {
        for enis in [10, 250] {
            let desired = desired(enis).unwrap();
            let instances = desired.iter::<Eni>().filter(|eni| matches!(eni.kind, EniKind::Instance { .. }));
            assert_eq!(instances.count(), enis);
            let vpcs = desired.iter::<Vpc>().count();
            assert_eq!((vpcs, desired.iter::<NatGateway>().count()), (enis.div_ceil(100), vpcs));
        }
    }
}
