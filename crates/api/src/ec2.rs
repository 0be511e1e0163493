//! The EC2 actions, one module per noun.

pub(crate) mod address;
pub(crate) mod blocks;
pub(crate) mod endpoint;
pub(crate) mod eni;
pub(crate) mod gateway;
pub(crate) mod instance;
pub(crate) mod nat;
pub(crate) mod network_acl;
pub(crate) mod peering;
pub(crate) mod permission;
pub(crate) mod place;
pub(crate) mod prefix_list;
pub(crate) mod route;
pub(crate) mod route_table;
pub(crate) mod security_group;
pub(crate) mod subnet;
pub(crate) mod vpc;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use vpc_lpm::Prefix;
use vpc_model::Id;
use vpc_model::desired::Noun;
use vpc_model::resource::{AccountId, Region, Vpc};

use crate::ApiError;
use crate::call::Cx;
use crate::noun::place;
use crate::wire::Structure;

/// A required text.
fn text<'a>(input: &'a Structure, member: &'static str) -> Result<&'a str, ApiError> {
    input.text(member).ok_or_else(|| ApiError::missing_parameter(member))
}

/// A CIDR; host bits are cleared, as EC2 does (R1.2).
fn cidr(text: &str, member: &str) -> Result<Prefix, ApiError> {
    Prefix::parse_truncating(text).map_err(|_| {
        let message = format!("Value ({text}) for parameter {member} is invalid. This is not a valid CIDR block.");
        ApiError::invalid_value(message)
    })
}

/// A CIDR of one family.
fn cidr_of(text: &str, member: &str, v4: bool) -> Result<Prefix, ApiError> {
    match cidr(text, member)? {
        prefix if prefix.is_ipv4() == v4 => Ok(prefix),
        _ => Err(ApiError::invalid_value(format!(
            "Value ({text}) for parameter {member} is invalid. This is not a valid {} CIDR block.",
            if v4 { "IPv4" } else { "IPv6" }
        ))),
    }
}

/// An address.
fn address<A: FromStr>(text: &str, member: &str) -> Result<A, ApiError> {
    text.parse().map_err(|_| {
        ApiError::invalid_value(format!("Value ({text}) for parameter {member} is invalid. Invalid IP address."))
    })
}

/// Refuses parameters that mean something on AWS and nothing here.
fn refuse(input: &Structure, members: &[&'static str]) -> Result<(), ApiError> {
    match members.iter().find(|member| input.has(member)) {
        Some(member) => Err(ApiError::unsupported(format!("The parameter {member} is not supported"))),
        None => Ok(()),
    }
}

/// `Return: true`.
fn done() -> Structure {
    Structure::new().with("Return", true)
}

/// An ARN of EC2: `arn:aws:ec2:us-east-1:111111111111:vpc/vpc-…`.
fn arn(region: &Region, account: AccountId, kind: &str, id: impl fmt::Display + Copy) -> String {
    format!("arn:aws:ec2:{region}:{account}:{kind}/{id}")
}

/// The account that owns a noun.
fn owner<K: Noun>(cx: &Cx<'_>, id: Id<K>) -> String {
    place(&cx.desired, K::to_ref(id)).0.to_string()
}

/// The public name of an address: `ec2-192-0-2-1.compute-1.amazonaws.com`.
fn public_name(region: &Region, address: Ipv4Addr) -> String {
    let dashed = address.to_string().replace('.', "-");
    match region.as_str() {
        "us-east-1" => format!("ec2-{dashed}.compute-1.amazonaws.com"),
        region => format!("ec2-{dashed}.{region}.compute.amazonaws.com"),
    }
}

/// The private name of an address: `ip-10-0-0-4.ec2.internal`.
fn private_name(vpc: &Vpc, address: IpAddr) -> String {
    let dashed = address.to_string().replace(['.', ':'], "-");
    match vpc.region.as_str() {
        "us-east-1" => format!("ip-{dashed}.ec2.internal"),
        region => format!("ip-{dashed}.{region}.compute.internal"),
    }
}
