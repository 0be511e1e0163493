//! Internet gateways, both kinds.

use std::collections::BTreeMap;

use vpc_model::desired::Noun;
use vpc_model::resource::{Destination, EgressOnlyGateway, Eni, InternetGateway, RouteTarget, Vpc};
use vpc_model::{Change, Id};

use super::owner;
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe};
use crate::wire::Structure;

pub(crate) const PATHS: Paths =
    &[("attachment.state", "Attachments.State"), ("attachment.vpc-id", "Attachments.VpcId")];

pub(crate) fn create_internet_gateway(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let new = cx.create_owned::<InternetGateway>(input)?;
    let gateway = InternetGateway { id: new.id, name: new.name.clone(), vpc: None, edge_table: None };
    cx.apply([new.record(), Change::put(gateway)])?;
    Ok(Structure::new().with("InternetGateway", cx.desired.get(new.id).map(|gateway| show(cx, gateway))))
}

/// The gateway and default route that a default VPC comes with.
pub(crate) fn create_default(cx: &mut Cx<'_>, vpc: Id<Vpc>) -> Result<(), ApiError> {
    let new = cx.create_tagged::<InternetGateway>(BTreeMap::new())?;
    let gateway = InternetGateway { id: new.id, name: None, vpc: Some(vpc), edge_table: None };
    let table = cx.desired.get(vpc).and_then(|vpc| cx.desired.get(vpc.main_table)).cloned();
    let routed = table.map(|mut table| {
        let everything = Destination::Prefix(vpc_lpm::Prefix::DEFAULT_V4);
        table.routes.insert(everything, RouteTarget::Internet(new.id));
        Change::put(table)
    });
    let mut record = new.record.clone();
    record.account = Some(cx.caller.account);
    record.region = Some(cx.caller.region.clone());
    let record = Change::Record { id: new.id.to_string(), record };
    cx.apply([record, Change::put(gateway)].into_iter().chain(routed))
}

pub(crate) fn delete_internet_gateway(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let gateway = cx.named::<InternetGateway>(input, "InternetGatewayId")?;
    let id = gateway.id;
    if gateway.vpc.is_some() {
        let message = format!("The internetGateway '{id}' has dependencies and cannot be deleted.");
        return Err(ApiError::new("DependencyViolation", message));
    }
    cx.apply([Change::delete(id)])?;
    Ok(Structure::new())
}

pub(crate) fn describe_internet_gateways(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<InternetGateway>(cx, input, "InternetGatewayIds", "InternetGateways", PATHS, show)
}

pub(crate) fn attach_internet_gateway(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let gateway = cx.named::<InternetGateway>(input, "InternetGatewayId")?.clone();
    let vpc = cx.named::<Vpc>(input, "VpcId")?.id;
    if let Some(other) = gateway.vpc {
        let message = format!("resource {} is already attached to network {other}", gateway.id);
        return Err(ApiError::new("Resource.AlreadyAssociated", message));
    }
    let other = cx.desired.dependents_of_kind::<InternetGateway>(Vpc::to_ref(vpc)).next();
    if let Some(other) = other {
        let message = format!("Network {vpc} already has an internet gateway attached: {}", other.id);
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    // Attached, it belongs to the VPC's account; the record keeps it the owner's when it is detached again.
    let mut record = cx.record(&gateway.id.to_string());
    record.account.get_or_insert(cx.caller.account);
    record.region.get_or_insert_with(|| cx.caller.region.clone());
    let record = Change::Record { id: gateway.id.to_string(), record };
    cx.apply([record, Change::put(InternetGateway { vpc: Some(vpc), ..gateway })])?;
    Ok(Structure::new())
}

pub(crate) fn detach_internet_gateway(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let gateway = cx.named::<InternetGateway>(input, "InternetGatewayId")?.clone();
    let vpc = cx.named::<Vpc>(input, "VpcId")?;
    if gateway.vpc != Some(vpc.id) {
        let message = format!("resource {} is not attached to network {}", gateway.id, vpc.id);
        return Err(ApiError::new("Gateway.NotAttached", message));
    }
    let mapped = cx.desired.iter::<Eni>().any(|eni| {
        let in_vpc = cx.desired.vpc_of(eni.subnet).is_some_and(|other| other.id == vpc.id);
        in_vpc && eni.addresses.iter().any(|address| address.public.is_some())
    });
    if mapped {
        let message = format!(
            "Network {} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.",
            vpc.id
        );
        return Err(ApiError::new("DependencyViolation", message));
    }
    let mut record = cx.record(&gateway.id.to_string());
    record.account.get_or_insert(cx.caller.account);
    record.region.get_or_insert_with(|| cx.caller.region.clone());
    let record = Change::Record { id: gateway.id.to_string(), record };
    cx.apply([record, Change::put(InternetGateway { vpc: None, edge_table: None, ..gateway })])?;
    Ok(Structure::new())
}

fn show(cx: &Cx<'_>, gateway: &InternetGateway) -> Structure {
    Structure::new()
        // AWS says `available` here, where a network interface's attachment is `attached`.
        .with("Attachments", gateway.vpc.map(|vpc| attachment(vpc, "available")).into_iter().collect::<Vec<_>>())
        .with("InternetGatewayId", gateway.id.to_string())
        .with("OwnerId", owner(cx, gateway.id))
        .with("Tags", cx.tags(gateway))
}

fn attachment(vpc: Id<Vpc>, state: &'static str) -> Structure {
    Structure::new().with("State", state).with("VpcId", vpc.to_string())
}

pub(crate) fn create_egress_only(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let vpc = cx.named::<Vpc>(input, "VpcId")?.id;
    let new = cx.create::<EgressOnlyGateway>(input)?;
    let gateway = EgressOnlyGateway { id: new.id, name: new.name.clone(), vpc };
    cx.apply([new.record(), Change::put(gateway)])?;
    Ok(Structure::new()
        .with("ClientToken", input.text("ClientToken"))
        .with("EgressOnlyInternetGateway", cx.desired.get(new.id).map(|gateway| show_egress_only(cx, gateway))))
}

pub(crate) fn delete_egress_only(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let id = cx.named::<EgressOnlyGateway>(input, "EgressOnlyInternetGatewayId")?.id;
    cx.apply([Change::delete(id)])?;
    Ok(Structure::new().with("ReturnCode", true))
}

pub(crate) fn describe_egress_only(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let (ids, into) = ("EgressOnlyInternetGatewayIds", "EgressOnlyInternetGateways");
    describe::<EgressOnlyGateway>(cx, input, ids, into, &[], show_egress_only)
}

fn show_egress_only(cx: &Cx<'_>, gateway: &EgressOnlyGateway) -> Structure {
    Structure::new()
        .with("Attachments", vec![attachment(gateway.vpc, "attached")])
        .with("EgressOnlyInternetGatewayId", gateway.id.to_string())
        .with("Tags", cx.tags(gateway))
}
