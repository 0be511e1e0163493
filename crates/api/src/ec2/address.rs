//! Elastic IP addresses.

use std::net::{IpAddr, Ipv4Addr};

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{Address, Eni, EniAddress, EniKind, Instance};
use vpc_model::{Change, Desired, ResourceRef};

use super::{address, owner, refuse, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, list};
use crate::noun::{AddressAssociation, relation};
use crate::wire::Structure;

pub(crate) const PATHS: Paths = &[];

/// Where addresses are allocated from: the block for benchmarks (RFC 2544), which is nobody's and not private.
fn pool() -> Result<Prefix, ApiError> {
    Prefix::new(Ipv4Addr::new(198, 18, 0, 0).into(), 15).map_err(|error| ApiError::internal(error.to_string()))
}

pub(crate) fn allocate_address(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["PublicIpv4Pool", "CustomerOwnedIpv4Pool", "IpamPoolId"])?;
    if input.text("Domain") == Some("standard") {
        return Err(ApiError::unsupported("EC2-Classic is not supported"));
    }
    let border = input.text("NetworkBorderGroup").filter(|group| *group != cx.caller.region.as_str());
    if let Some(group) = border {
        return Err(ApiError::invalid_value(format!("The network border group '{group}' is not of this Region")));
    }
    let public = match input.text("Address") {
        Some(text) => address(text, "address")?,
        None => free(cx)?,
    };
    if taken(&cx.desired, public) {
        let message = format!("The address {public} is in use");
        return Err(ApiError::new("InvalidAddress.InUse", message));
    }
    let new = cx.create::<Address>(input)?;
    let (account, region) = (cx.caller.account, cx.caller.region.clone());
    let address = Address { id: new.id, name: new.name.clone(), account, region, public };
    cx.apply([new.record(), Change::put(address)])?;
    Ok(Structure::new()
        .with("AllocationId", new.id.to_string())
        .with("Domain", "vpc")
        .with("NetworkBorderGroup", cx.caller.region.to_string())
        .with("PublicIp", public.to_string())
        .with("PublicIpv4Pool", "amazon"))
}

fn taken(desired: &Desired, public: Ipv4Addr) -> bool {
    desired.iter::<Address>().any(|address| address.public == public)
        || desired.iter::<Eni>().any(|eni| eni.addresses.iter().any(|a| a.public == Some(public)))
}

/// An address of the pool that nothing has.
pub(crate) fn free(cx: &mut Cx<'_>) -> Result<Ipv4Addr, ApiError> {
    let pool = pool()?;
    for _ in 0..1_000 {
        let at = u128::from(cx.random()) % (pool.size() - 2) + 1;
        if let Some(IpAddr::V4(public)) = pool.nth(at)
            && !taken(&cx.desired, public)
        {
            return Ok(public);
        }
    }
    Err(ApiError::new("InsufficientAddressCapacity", "There are not enough free public addresses"))
}

pub(crate) fn release_address(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let found = match (input.text("AllocationId"), input.text("PublicIp")) {
        (Some(_), _) => cx.named::<Address>(input, "AllocationId")?,
        (None, Some(public)) => by_public(cx, public)?,
        (None, None) => return Err(ApiError::missing_parameter("AllocationId")),
    };
    let id = found.id;
    if user(&cx.desired, found).is_some() {
        return Err(ApiError::new("InvalidIPAddress.InUse", format!("Address {id} is in use.")));
    }
    cx.apply([Change::delete(id)])?;
    Ok(Structure::new())
}

/// The interface that uses an address, and which of its private ones stands behind it.
pub(crate) fn user<'d>(desired: &'d Desired, address: &Address) -> Option<(&'d Eni, IpAddr)> {
    desired.iter::<Eni>().find_map(|eni| {
        let mut behind = eni.addresses.iter().filter(|a| a.public == Some(address.public));
        behind.next().map(|a| (eni, a.private))
    })
}

fn by_public<'c>(cx: &'c Cx<'_>, public: &str) -> Result<&'c Address, ApiError> {
    let wanted: Ipv4Addr = address(public, "publicIp")?;
    let found = cx.all::<Address>().find(|address| address.public == wanted);
    found.ok_or_else(|| ApiError::new("InvalidAddress.NotFound", format!("Address '{public}' not found.")))
}

pub(crate) fn associate_address(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let elastic = match (input.text("AllocationId"), input.text("PublicIp")) {
        (Some(_), _) => cx.named::<Address>(input, "AllocationId")?.clone(),
        (None, Some(public)) => by_public(cx, public)?.clone(),
        (None, None) => return Err(ApiError::missing_parameter("AllocationId")),
    };
    let mut eni = match (input.text("NetworkInterfaceId"), input.text("InstanceId")) {
        (Some(_), Some(_)) => {
            return Err(ApiError::combination("You may specify either an instance or a network interface"));
        }
        (Some(id), None) => cx.find::<Eni>(id)?.clone(),
        (None, Some(id)) => primary(cx, id)?,
        (None, None) => return Err(ApiError::missing_parameter("instanceId")),
    };
    let private = match input.text("PrivateIpAddress") {
        Some(text) => IpAddr::V4(address::<Ipv4Addr>(text, "privateIpAddress")?),
        None => first_v4(&eni)?,
    };
    let id = relation::<AddressAssociation>(elastic.id, eni.id);
    let mut changes = Vec::new();
    if let Some((user, behind)) = user(&cx.desired, &elastic) {
        if (user.id, behind) == (eni.id, private) {
            return Ok(Structure::new().with("AssociationId", id.to_string()));
        }
        if input.flag("AllowReassociation") == Some(false) || matches!(user.kind, EniKind::NatGateway(_)) {
            let message = format!(
                "resource {} is already associated with associate-id {}",
                elastic.id,
                relation::<AddressAssociation>(elastic.id, user.id)
            );
            return Err(ApiError::new("Resource.AlreadyAssociated", message));
        }
        if user.id == eni.id {
            set_public(&mut eni, behind, None)?;
        } else {
            let mut user = user.clone();
            set_public(&mut user, behind, None)?;
            changes.push(Change::put(user));
        }
    }
    set_public(&mut eni, private, Some(elastic.public))?;
    changes.push(Change::put(eni));
    cx.apply(changes)?;
    Ok(Structure::new().with("AssociationId", id.to_string()))
}

fn first_v4(eni: &Eni) -> Result<IpAddr, ApiError> {
    let found = eni.addresses.iter().map(|a| a.private).find(IpAddr::is_ipv4);
    found.ok_or_else(|| ApiError::invalid_value(format!("Network interface '{}' has no IPv4 address", eni.id)))
}

/// An instance's first interface.
fn primary(cx: &Cx<'_>, id: &str) -> Result<Eni, ApiError> {
    let instance = cx.find::<Instance>(id)?.id;
    let enis = cx.desired.dependents_of_kind::<Eni>(ResourceRef::Instance(instance));
    let device = |eni: &&Eni| match eni.kind {
        EniKind::Instance { device, .. } => device,
        EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => u8::MAX,
    };
    let first = enis.min_by_key(device).cloned();
    first.ok_or_else(|| ApiError::invalid_value(format!("Instance '{id}' has no network interface")))
}

fn set_public(eni: &mut Eni, private: IpAddr, public: Option<Ipv4Addr>) -> Result<(), ApiError> {
    let id = eni.id;
    let found: Option<&mut EniAddress> = eni.addresses.iter_mut().find(|a| a.private == private);
    let Some(found) = found else {
        return Err(ApiError::invalid_value(format!("{private} is not a private address of network interface '{id}'")));
    };
    found.public = public;
    Ok(())
}

pub(crate) fn disassociate_address(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let elastic = match (input.text("AssociationId"), input.text("PublicIp")) {
        (Some(id), _) => {
            let is_it = |address: &&Address| {
                user(&cx.desired, address)
                    .is_some_and(|(eni, _)| relation::<AddressAssociation>(address.id, eni.id).to_string() == id)
            };
            cx.all::<Address>().find(is_it).ok_or_else(|| {
                ApiError::new("InvalidAssociationID.NotFound", format!("The association ID '{id}' does not exist"))
            })?
        }
        (None, Some(public)) => by_public(cx, public)?,
        (None, None) => {
            return Err(ApiError::new("MissingParameter", "Either public IP or association ID must be specified"));
        }
    };
    let Some((eni, private)) = user(&cx.desired, elastic) else {
        text(input, "AssociationId")?;
        return Ok(Structure::new());
    };
    if matches!(eni.kind, EniKind::NatGateway(_)) {
        let message =
            format!("You do not have permission to access the specified resource: {} belongs to a NAT gateway", eni.id);
        return Err(ApiError::new("AuthFailure", message));
    }
    let mut eni = eni.clone();
    set_public(&mut eni, private, None)?;
    cx.apply([Change::put(eni)])?;
    Ok(Structure::new())
}

pub(crate) fn describe_addresses(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut found: Vec<&Address> = input.texts("AllocationIds").map(|id| cx.find(id)).collect::<Result<_, _>>()?;
    for public in input.texts("PublicIps") {
        found.push(by_public(cx, public)?);
    }
    if !input.has("AllocationIds") && !input.has("PublicIps") {
        found = cx.all().collect();
    }
    found.sort_by_key(|address| address.id.to_string());
    found.dedup_by_key(|address| address.id);
    let items = found.into_iter().map(|address| (address.id.to_string(), || show(cx, address)));
    list(cx, input, None, "Addresses", PATHS, items)
}

fn show(cx: &Cx<'_>, address: &Address) -> Structure {
    let shown = Structure::new()
        .with("AllocationId", address.id.to_string())
        .with("Domain", "vpc")
        .with("NetworkBorderGroup", address.region.to_string())
        .with("PublicIp", address.public.to_string())
        .with("PublicIpv4Pool", "amazon")
        .with("Tags", cx.tags(address));
    let Some((eni, private)) = user(&cx.desired, address) else {
        return shown;
    };
    let instance = match eni.kind {
        EniKind::Instance { instance, .. } => Some(instance.to_string()),
        EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => None,
    };
    shown
        .with("AssociationId", relation::<AddressAssociation>(address.id, eni.id).to_string())
        .with("InstanceId", instance)
        .with("NetworkInterfaceId", eni.id.to_string())
        .with("NetworkInterfaceOwnerId", owner(cx, eni.id))
        .with("PrivateIpAddress", private.to_string())
}

/// The association of one of an interface's addresses, as the interface shows it.
pub(crate) fn show_association(cx: &Cx<'_>, eni: &Eni, at: &EniAddress) -> Option<Structure> {
    let public = at.public?;
    let elastic = cx.desired.iter::<Address>().find(|address| address.public == public);
    let region = elastic.map_or_else(|| cx.caller.region.clone(), |address| address.region.clone());
    let allocation = elastic.map(|address| address.id.to_string());
    let association = elastic.map(|address| relation::<AddressAssociation>(address.id, eni.id).to_string());
    Some(
        Structure::new()
            .with("AllocationId", allocation)
            .with("AssociationId", association)
            .with("IpOwnerId", elastic.map_or_else(|| "amazon".to_owned(), |address| owner(cx, address.id())))
            .with("PublicDnsName", super::public_name(&region, public))
            .with("PublicIp", public.to_string()),
    )
}
