//! Free addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{Eni, Subnet};

use crate::ApiError;
use crate::call::Cx;

/// Addresses at the start of a subnet's block that cannot be given out (R1.3); the last cannot either.
const RESERVED: u128 = 4;

/// The addresses that interfaces of a subnet have.
pub(crate) fn used(cx: &Cx<'_>, subnet: &Subnet) -> BTreeSet<IpAddr> {
    let enis = cx.desired.dependents_of_kind::<Eni>(Subnet::to_ref(subnet.id));
    enis.flat_map(|eni| eni.addresses.iter().map(|address| address.private)).collect()
}

/// How many IPv4 addresses are left in a subnet.
pub(crate) fn available(cx: &Cx<'_>, subnet: &Subnet) -> i64 {
    let taken = used(cx, subnet).iter().filter(|address| address.is_ipv4()).count();
    i64::try_from(subnet.cidr.size()).unwrap_or(i64::MAX) - RESERVED as i64 - 1 - taken as i64
}

/// The lowest free addresses of a block, besides those spoken for already.
pub(crate) fn free(
    cx: &Cx<'_>,
    subnet: &Subnet,
    block: Prefix,
    spoken_for: &[IpAddr],
    count: usize,
) -> Result<Vec<IpAddr>, ApiError> {
    let used = used(cx, subnet);
    let end = block.size().saturating_sub(1);
    // Nobody can use more than a few thousand addresses of an IPv6 block, so the search ends early in any block.
    let candidates = (RESERVED..end).map_while(|n| block.nth(n));
    let free: Vec<IpAddr> =
        candidates.filter(|address| !used.contains(address) && !spoken_for.contains(address)).take(count).collect();
    match free.len() == count {
        true => Ok(free),
        false => Err(ApiError::new(
            "InsufficientFreeAddressesInSubnet",
            format!(
                "There are not enough free addresses in subnet '{}' to satisfy the requested number of instances.",
                subnet.id
            ),
        )),
    }
}
