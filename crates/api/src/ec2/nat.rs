//! NAT gateways.

use std::net::{IpAddr, Ipv4Addr};

use vpc_model::desired::Noun;
use vpc_model::resource::{Address, Eni, EniAddress, EniKind, NatGateway, Subnet};
use vpc_model::{Change, Id};

use super::{address, blocks, refuse};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::describe;
use crate::noun::{AddressAssociation, relation};
use crate::wire::{Structure, Timestamp};

pub(crate) fn create_nat_gateway(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(
        input,
        &[
            "AvailabilityMode",
            "VpcId",
            "AvailabilityZoneAddresses",
            "SecondaryAllocationIds",
            "SecondaryPrivateIpAddresses",
            "SecondaryPrivateIpAddressCount",
        ],
    )?;
    let subnet = cx.named::<Subnet>(input, "SubnetId")?.clone();
    let public = match (input.text("ConnectivityType").unwrap_or("public"), input.text("AllocationId")) {
        ("public", Some(id)) => Some(allocated(cx, id)?),
        ("public", None) => return Err(ApiError::missing_parameter("AllocationId")),
        (_, Some(_)) => {
            return Err(ApiError::combination("A private NAT gateway has no Elastic IP address"));
        }
        (_, None) => None,
    };
    let private: IpAddr = match input.text("PrivateIpAddress") {
        Some(text) => IpAddr::V4(address::<Ipv4Addr>(text, "privateIpAddress")?),
        None => blocks::free(cx, &subnet, subnet.cidr, &[], 1)?.remove(0),
    };
    let new = cx.create::<NatGateway>(input)?.fact("createTime", Some(cx.now));
    let eni = Eni {
        id: cx.fresh(),
        name: None,
        subnet: subnet.id,
        addresses: vec![EniAddress { private, public }],
        groups: Vec::new(),
        source_dest_check: false,
        kind: EniKind::NatGateway(new.id),
    };
    let gateway = NatGateway { id: new.id, name: new.name.clone(), subnet: subnet.id, eni: eni.id, public };
    cx.apply([new.record(), Change::put(gateway), Change::put(eni)])?;
    Ok(Structure::new()
        .with("ClientToken", input.text("ClientToken"))
        .with("NatGateway", cx.desired.get(new.id).map(|gateway| show(cx, gateway))))
}

/// An address of the caller's that nothing uses.
fn allocated(cx: &Cx<'_>, id: &str) -> Result<Ipv4Addr, ApiError> {
    let address = cx.find::<Address>(id).map_err(|error| match error.code.as_ref() {
        "InvalidAllocationID.NotFound" => ApiError::new(
            "InvalidElasticIpID.NotFound",
            format!("Elastic IP address could not be associated: {id} not found"),
        ),
        _ => error,
    })?;
    match super::address::user(&cx.desired, address) {
        None => Ok(address.public),
        Some((eni, _)) => {
            let message = format!("Elastic IP address [{id}] is already associated with {}", eni.id);
            Err(ApiError::new("Resource.AlreadyAssociated", message))
        }
    }
}

pub(crate) fn delete_nat_gateway(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let gateway = cx.named::<NatGateway>(input, "NatGatewayId")?;
    let (id, eni) = (gateway.id, gateway.eni);
    cx.apply([Change::delete(eni), Change::delete(id)])?;
    Ok(Structure::new().with("NatGatewayId", id.to_string()))
}

pub(crate) fn describe_nat_gateways(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<NatGateway>(cx, input, "NatGatewayIds", "NatGateways", &[], show)
}

fn show(cx: &Cx<'_>, gateway: &NatGateway) -> Structure {
    let eni = cx.desired.get(gateway.eni);
    let addresses = eni.into_iter().flat_map(|eni| &eni.addresses).enumerate().map(|(i, address)| {
        let allocation = address.public.and_then(|public| allocation_of(cx, public));
        Structure::new()
            .with("AllocationId", allocation.map(|id| id.to_string()))
            .with("AssociationId", allocation.map(|id| relation::<AddressAssociation>(id, gateway.eni).to_string()))
            .with("IsPrimary", i == 0)
            .with("NetworkInterfaceId", gateway.eni.to_string())
            .with("PrivateIp", address.private.to_string())
            .with("PublicIp", address.public.map(|public| public.to_string()))
            .with("Status", "succeeded")
    });
    let created = cx.fact(gateway.id, "createTime").and_then(|time| time.parse::<Timestamp>().ok());
    Structure::new()
        .with("ConnectivityType", if gateway.public.is_some() { "public" } else { "private" })
        .with("CreateTime", created)
        .with("NatGatewayAddresses", addresses.collect::<Vec<_>>())
        .with("NatGatewayId", gateway.id.to_string())
        .with("State", "available")
        .with("SubnetId", gateway.subnet.to_string())
        .with("Tags", cx.tags(gateway))
        .with("VpcId", cx.desired.vpc_of(gateway.subnet).map(|vpc| vpc.id.to_string()))
}

/// The allocation of a public address, if somebody allocated it.
pub(crate) fn allocation_of(cx: &Cx<'_>, public: Ipv4Addr) -> Option<Id<Address>> {
    cx.desired.iter::<Address>().find(|address| address.public == public).map(Noun::id)
}
