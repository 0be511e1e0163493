//! Routes.

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{
    Destination, EffectiveRoute, EgressOnlyGateway, Eni, EniKind, Instance, InternetGateway, NatGateway, Peering,
    PrefixList, RouteOrigin, RouteState, RouteTable, RouteTarget, TransitGateway, VirtualGateway,
};
use vpc_model::{Change, ResourceRef};

use super::{cidr_of, done, refuse};
use crate::ApiError;
use crate::call::Cx;
use crate::wire::Structure;

/// Targets of AWS's that the model has not.
const UNSUPPORTED: [&str; 5] =
    ["CarrierGatewayId", "CoreNetworkArn", "LocalGatewayId", "OdbNetworkArn", "VpcEndpointId"];

pub(crate) fn create_route(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &UNSUPPORTED)?;
    let mut table = cx.named::<RouteTable>(input, "RouteTableId")?.clone();
    let destination = destination(cx, input)?;
    let target = target(cx, input)?;
    let is_own = |r: &EffectiveRoute| r.destination == destination && r.origin != RouteOrigin::Propagated;
    if cx.desired.effective_routes(&table).iter().any(is_own) {
        let message = format!("The route identified by {destination} already exists.");
        return Err(ApiError::new("RouteAlreadyExists", message));
    }
    table.routes.insert(destination, target);
    cx.apply([Change::put(table)])?;
    Ok(done())
}

pub(crate) fn replace_route(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &UNSUPPORTED)?;
    let mut table = cx.named::<RouteTable>(input, "RouteTableId")?.clone();
    let destination = destination(cx, input)?;
    let local = input.flag("LocalTarget") == Some(true);
    let existing = cx.desired.effective_routes(&table).into_iter().find(|r| r.destination == destination);
    match existing.map(|route| (route.origin, route.target)) {
        Some((RouteOrigin::Static, _)) => {}
        // The local route of a block may lead to an appliance instead (R2.6).
        Some((RouteOrigin::Local, _)) => {}
        Some((RouteOrigin::Endpoint | RouteOrigin::Propagated, _)) | None => {
            let message =
                format!("There is no route defined for '{destination}' in the route table. Use CreateRoute instead.");
            return Err(ApiError::invalid_value(message));
        }
    }
    match local {
        true => {
            if given(input).next().is_some() {
                return Err(ApiError::combination("LocalTarget cannot be used with another target"));
            }
            table.routes.remove(&destination);
        }
        false => {
            let target = target(cx, input)?;
            table.routes.insert(destination, target);
        }
    }
    cx.apply([Change::put(table)])?;
    Ok(Structure::new())
}

pub(crate) fn delete_route(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut table = cx.named::<RouteTable>(input, "RouteTableId")?.clone();
    let destination = destination(cx, input)?;
    let effective = cx.desired.effective_routes(&table).into_iter().find(|r| r.destination == destination);
    match (table.routes.remove(&destination), effective) {
        (Some(_), _) => cx.apply([Change::put(table)])?,
        (None, Some(EffectiveRoute { origin: RouteOrigin::Local, .. })) => {
            let message = format!("cannot remove local route {destination} in route table {}", table.id);
            return Err(ApiError::invalid_value(message));
        }
        (None, Some(EffectiveRoute { origin: RouteOrigin::Endpoint, .. })) => {
            let message = format!("cannot remove VPC endpoint route {destination} in route table {}", table.id);
            return Err(ApiError::invalid_value(message));
        }
        (None, _) => {
            let message = format!("no route with destination-cidr-block {destination} in route table {}", table.id);
            return Err(ApiError::new("InvalidRoute.NotFound", message));
        }
    }
    Ok(Structure::new())
}

fn destination(cx: &Cx<'_>, input: &Structure) -> Result<Destination, ApiError> {
    let given = (
        input.text("DestinationCidrBlock"),
        input.text("DestinationIpv6CidrBlock"),
        input.text("DestinationPrefixListId"),
    );
    match given {
        (Some(v4), None, None) => cidr_of(v4, "destinationCidrBlock", true).map(Destination::Prefix),
        (None, Some(v6), None) => cidr_of(v6, "destinationIpv6CidrBlock", false).map(Destination::Prefix),
        // Routes have a spelling of their own for the code.
        (None, None, Some(list)) => match cx.find::<PrefixList>(list) {
            Ok(list) => Ok(Destination::List(list.id)),
            Err(error) => Err(ApiError { code: error.code.replace("ListID", "ListId").into(), ..error }),
        },
        (None, None, None) => Err(ApiError::missing_parameter("destinationCidrBlock")),
        _ => Err(ApiError::combination("Exactly one destination can be given")),
    }
}

/// The members that name a target.
const TARGETS: [&str; 8] = [
    "EgressOnlyInternetGatewayId",
    "GatewayId",
    "InstanceId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "LocalTarget",
];

fn given(input: &Structure) -> impl Iterator<Item = (&'static str, &str)> {
    TARGETS
        .into_iter()
        .filter(|member| *member != "LocalTarget")
        .filter_map(|member| Some((member, input.text(member)?)))
}

fn target(cx: &Cx<'_>, input: &Structure) -> Result<RouteTarget, ApiError> {
    let mut given = given(input);
    let Some((member, id)) = given.next() else {
        return Err(ApiError::missing_parameter("gatewayId"));
    };
    if given.next().is_some() {
        return Err(ApiError::combination("Exactly one target can be given"));
    }
    Ok(match member {
        "EgressOnlyInternetGatewayId" => RouteTarget::EgressOnly(cx.find::<EgressOnlyGateway>(id)?.id),
        "NatGatewayId" => RouteTarget::Nat(cx.find::<NatGateway>(id)?.id),
        "NetworkInterfaceId" => RouteTarget::Eni(cx.find::<Eni>(id)?.id),
        "TransitGatewayId" => RouteTarget::Transit(cx.find::<TransitGateway>(id)?.id),
        "VpcPeeringConnectionId" => RouteTarget::Peering(peering(cx, id)?),
        "InstanceId" => RouteTarget::Eni(only_interface(cx, id)?),
        _ if id == "local" => RouteTarget::Local,
        _ if id.starts_with("vgw-") => RouteTarget::Virtual(cx.find::<VirtualGateway>(id)?.id),
        _ if id.starts_with("vpce-") => {
            return Err(ApiError::new(
                "RouteNotSupported",
                "Routes to gateway endpoints are made by the endpoint: name the route table when creating or modifying it",
            ));
        }
        _ => RouteTarget::Internet(
            cx.find::<InternetGateway>(id)
                .map_err(|error| match error.code.as_ref() {
                    "InvalidInternetGatewayID.NotFound" => {
                        ApiError::new("InvalidGatewayID.NotFound", format!("The gateway ID '{id}' does not exist"))
                    }
                    _ => error,
                })?
                .id,
        ),
    })
}

/// A peering connection that either side may name.
fn peering(cx: &Cx<'_>, id: &str) -> Result<vpc_model::Id<Peering>, ApiError> {
    use crate::noun::ApiNoun;
    let peering: vpc_model::Id<Peering> = id.parse().map_err(|_| Peering::malformed(id))?;
    let known = cx.desired.get(peering).filter(|peering| {
        let of = |vpc| cx.sees(ResourceRef::Vpc(vpc));
        of(peering.requester) || of(peering.accepter)
    });
    known.map(|peering| peering.id).ok_or_else(|| Peering::not_found(id))
}

/// The interface of an instance that has one.
fn only_interface(cx: &Cx<'_>, id: &str) -> Result<vpc_model::Id<Eni>, ApiError> {
    let instance = cx.find::<Instance>(id)?.id;
    let mut enis = cx.desired.dependents_of_kind::<Eni>(ResourceRef::Instance(instance));
    match (enis.next(), enis.next()) {
        (Some(eni), None) => Ok(eni.id),
        (None, _) => Err(ApiError::invalid_value(format!("Instance '{id}' has no network interface"))),
        (Some(_), Some(_)) => {
            let message = format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
            );
            Err(ApiError::new("InvalidInstanceID", message))
        }
    }
}

/// Every route in force, as replies show them.
pub(crate) fn show_all(cx: &Cx<'_>, table: &RouteTable) -> Vec<Structure> {
    cx.desired.effective_routes(table).iter().map(|route| show(cx, route)).collect()
}

fn show(cx: &Cx<'_>, route: &EffectiveRoute) -> Structure {
    let prefix = |prefix: Prefix| match prefix.is_ipv4() {
        true => ("DestinationCidrBlock", prefix.to_string()),
        false => ("DestinationIpv6CidrBlock", prefix.to_string()),
    };
    let (member, text) = match route.destination {
        Destination::Prefix(destination) => prefix(destination),
        Destination::List(list) => ("DestinationPrefixListId", list.to_string()),
    };
    let origin = match route.origin {
        // An endpoint's route reads as if somebody had written it.
        RouteOrigin::Endpoint | RouteOrigin::Static => "CreateRoute",
        RouteOrigin::Local => "CreateRouteTable",
        RouteOrigin::Propagated => "EnableVgwRoutePropagation",
    };
    let state = match route.state {
        RouteState::Active => "active",
        RouteState::Blackhole => "blackhole",
    };
    let shown = Structure::new().with(member, text).with("Origin", origin).with("State", state);
    match route.target {
        RouteTarget::EgressOnly(id) => shown.with("EgressOnlyInternetGatewayId", id.to_string()),
        RouteTarget::Eni(id) => {
            let instance = match cx.desired.get(id).map(|eni| eni.kind) {
                Some(EniKind::Instance { instance, .. }) => Some(instance),
                _ => None,
            };
            shown.with("NetworkInterfaceId", id.to_string()).with("InstanceId", instance.map(|id| id.to_string())).with(
                "InstanceOwnerId",
                instance.map(|id| crate::noun::place(&cx.desired, Instance::to_ref(id)).0.to_string()),
            )
        }
        RouteTarget::GatewayEndpoint(id) => shown.with("GatewayId", id.to_string()),
        RouteTarget::Internet(id) => shown.with("GatewayId", id.to_string()),
        RouteTarget::Local => shown.with("GatewayId", "local"),
        RouteTarget::Nat(id) => shown.with("NatGatewayId", id.to_string()),
        RouteTarget::Peering(id) => shown.with("VpcPeeringConnectionId", id.to_string()),
        RouteTarget::Transit(id) => shown.with("TransitGatewayId", id.to_string()),
        RouteTarget::Virtual(id) => shown.with("GatewayId", id.to_string()),
    }
}
