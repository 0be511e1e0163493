//! The core in a page: a network as text, packets as text, and why each went where it went. No root, no sockets.
//!
//! `cargo run -p vpc-engine --example one_vpc`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use vpc_engine::{Action, Engine, EngineConfig, Snapshot};
use vpc_model::resource::Eni;
use vpc_model::{LinkId, Time, lab};
use vpc_packet::parse;
use vpc_packet::text::PacketSpec;

const LAB: &str = r#"
vpcs:
  vpc-a:
    cidr: 10.0.0.0/16
    internet_gateway: igw-a
    subnets:
      pub: { cidr: 10.0.1.0/24, az: us-east-1a, routes: rtb-pub }
      prv: { cidr: 10.0.2.0/24, az: us-east-1a, routes: rtb-prv }
    route_tables:
      rtb-pub: { 0.0.0.0/0: igw-a }
      rtb-prv: { 0.0.0.0/0: nat-a }
    nat_gateways:
      nat-a: { subnet: pub, address: 10.0.1.200, public: 203.0.113.200 }
    security_groups:
      sg-web: { ingress: [ { protocol: tcp, ports: 443, from: 10.0.2.0/24 } ] }
    instances:
      web: { subnet: pub, address: 10.0.1.10, security_groups: sg-web }
      app: { subnet: prv, address: 10.0.2.10, security_groups: sg-web }
internet:
  inet: { prefixes: 0.0.0.0/0 }
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let desired = lab::read(LAB, "one_vpc.yaml").map_err(|errors| errors.render())?.to_desired();
    let link = desired.find::<Eni>("app").and_then(|eni| desired.link(eni.id)).ok_or("app has no link")?;
    let mut engine = Engine::new(EngineConfig::default(), Arc::new(Snapshot::compile(&desired, None)));

    show(&mut engine, link, "tcp 10.0.2.10:40000 > 10.0.1.10:443 S")?;
    show(&mut engine, link, "tcp 10.0.2.10:40001 > 10.0.1.10:22 S")?;
    show(&mut engine, link, "tcp 10.0.2.10:40002 > 198.18.0.9:443 S")?;
    Ok(())
}

/// Asks why, then sends.
fn show(engine: &mut Engine, link: LinkId, packet: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut buf = packet.parse::<PacketSpec>()?.to_buf();
    print!("{}", engine.explain(Time::ZERO, link, &parse(&buf)?));
    match engine.process(Time::ZERO, link, &mut buf) {
        Action::Send(out) => {
            println!("  sent to {}: {}\n", engine.snapshot().sender(out), PacketSpec::dissect(buf.bytes())?);
        }
        Action::Drop(reason) => println!("  dropped: {reason}\n"),
        Action::Sent => println!("  sent in pieces\n"),
    }
    Ok(())
}
