//! VPC peering connections, seen from either side.

use vpc_model::desired::Noun;
use vpc_model::resource::{AccountId, Peering, PeeringState, Vpc};
use vpc_model::{Change, Id, ResourceRef};

use super::{done, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, list};
use crate::noun::{ApiNoun, place};
use crate::wire::{Structure, Timestamp};

pub(crate) const PATHS: Paths = &[
    ("accepter-vpc-info.cidr-block", "AccepterVpcInfo.CidrBlockSet.CidrBlock"),
    ("requester-vpc-info.cidr-block", "RequesterVpcInfo.CidrBlockSet.CidrBlock"),
    ("status-code", "Status.Code"),
    ("status-message", "Status.Message"),
];

/// How long a connection waits for its accepter (R9.2).
const PATIENCE_MS: i64 = 7 * 24 * 3_600 * 1_000;

pub(crate) fn create(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let requester = cx.named::<Vpc>(input, "VpcId")?.clone();
    let wanted = input.text("PeerVpcId").ok_or_else(|| ApiError::missing_parameter("peerVpcId"))?;
    let id: Id<Vpc> = wanted.parse().map_err(|_| Vpc::malformed(wanted))?;
    let owner: AccountId = match input.text("PeerOwnerId") {
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::invalid_value(format!("Value ({text}) for parameter peerOwnerId is invalid")))?,
        None => cx.caller.account,
    };
    let region = input.text("PeerRegion").unwrap_or(cx.caller.region.as_str());
    let is_it = |vpc: &&Vpc| vpc.account == owner && vpc.region.as_str() == region;
    let accepter = cx.desired.get(id).filter(is_it).cloned().ok_or_else(|| Vpc::not_found(wanted))?;
    let overlap = requester.blocks().any(|block| accepter.blocks().any(|other| other.overlaps(block)));
    let new = cx.create::<Peering>(input)?.fact("expirationTime", Some(Timestamp(cx.now.0 + PATIENCE_MS)));
    let state = if overlap { PeeringState::Failed } else { PeeringState::PendingAcceptance };
    let peering = Peering { id: new.id, name: new.name.clone(), requester: requester.id, accepter: accepter.id, state };
    cx.apply([new.record(), Change::put(peering)])?;
    Ok(Structure::new().with("VpcPeeringConnection", cx.desired.get(new.id).map(|peering| show(cx, peering))))
}

/// A connection that the caller has an end of.
fn find(cx: &Cx<'_>, input: &Structure) -> Result<Peering, ApiError> {
    let id = text(input, "VpcPeeringConnectionId")?;
    by_id(cx, id).cloned()
}

fn by_id<'c>(cx: &'c Cx<'_>, text: &str) -> Result<&'c Peering, ApiError> {
    let id: Id<Peering> = text.parse().map_err(|_| Peering::malformed(text))?;
    cx.desired.get(id).filter(|peering| is_visible(cx, peering)).ok_or_else(|| Peering::not_found(text))
}

fn is_visible(cx: &Cx<'_>, peering: &Peering) -> bool {
    [peering.requester, peering.accepter].into_iter().any(|vpc| cx.sees(ResourceRef::Vpc(vpc)))
}

/// The connection, if the caller's is the accepting end and it waits for that.
fn pending(cx: &Cx<'_>, input: &Structure, verb: &str) -> Result<Peering, ApiError> {
    let peering = find(cx, input)?;
    if !cx.sees(ResourceRef::Vpc(peering.accepter)) {
        let message = format!("User {} cannot {verb} peering {}", cx.caller.account, peering.id);
        return Err(ApiError::new("OperationNotPermitted", message));
    }
    match peering.state {
        PeeringState::PendingAcceptance => Ok(peering),
        PeeringState::Active | PeeringState::Expired | PeeringState::Failed | PeeringState::Rejected => {
            let state = peering.state;
            let message =
                format!("VPC peering connection {} cannot be {verb}ed in its state {}", peering.id, code(state));
            Err(ApiError::new("InvalidStateTransition", message))
        }
    }
}

pub(crate) fn accept(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let peering = pending(cx, input, "accept")?;
    let id = peering.id;
    cx.apply([Change::put(Peering { state: PeeringState::Active, ..peering })])?;
    Ok(Structure::new().with("VpcPeeringConnection", cx.desired.get(id).map(|peering| show(cx, peering))))
}

pub(crate) fn reject(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let peering = pending(cx, input, "reject")?;
    cx.apply([Change::put(Peering { state: PeeringState::Rejected, ..peering })])?;
    Ok(done())
}

pub(crate) fn delete(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let peering = find(cx, input)?;
    cx.apply([Change::delete(peering.id)])?;
    Ok(done())
}

pub(crate) fn describe(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let ids = "VpcPeeringConnectionIds";
    let mut found: Vec<&Peering> = match input.has(ids) {
        true => input.texts(ids).map(|id| by_id(cx, id)).collect::<Result<_, _>>()?,
        false => cx.desired.iter::<Peering>().filter(|peering| is_visible(cx, peering)).collect(),
    };
    found.sort_by_key(|peering| peering.id().to_string());
    found.dedup_by_key(|peering| peering.id());
    let items = found.into_iter().map(|peering| (peering.id.to_string(), || show(cx, peering)));
    list(cx, input, input.has(ids).then_some(ids), "VpcPeeringConnections", PATHS, items)
}

const fn code(state: PeeringState) -> &'static str {
    match state {
        PeeringState::Active => "active",
        PeeringState::Expired => "expired",
        PeeringState::Failed => "failed",
        PeeringState::PendingAcceptance => "pending-acceptance",
        PeeringState::Rejected => "rejected",
    }
}

fn show(cx: &Cx<'_>, peering: &Peering) -> Structure {
    let requester = place(&cx.desired, ResourceRef::Vpc(peering.requester)).0;
    let accepter = place(&cx.desired, ResourceRef::Vpc(peering.accepter)).0;
    let message = match peering.state {
        PeeringState::Active => "Active".to_owned(),
        PeeringState::Expired => "Expired".to_owned(),
        PeeringState::Failed => {
            format!("Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range: {requester}, {accepter}")
        }
        PeeringState::PendingAcceptance => format!("Pending Acceptance by {accepter}"),
        PeeringState::Rejected => format!("Rejected by {accepter}"),
    };
    let expires = cx.fact(peering.id, "expirationTime").and_then(|time| time.parse::<Timestamp>().ok());
    Structure::new()
        .with("AccepterVpcInfo", show_end(cx, peering.accepter))
        .with("ExpirationTime", expires.filter(|_| peering.state == PeeringState::PendingAcceptance))
        .with("RequesterVpcInfo", show_end(cx, peering.requester))
        .with("Status", Structure::new().with("Code", code(peering.state)).with("Message", message))
        .with("Tags", cx.tags(peering))
        .with("VpcPeeringConnectionId", peering.id.to_string())
}

fn show_end(cx: &Cx<'_>, end: Id<Vpc>) -> Structure {
    let (account, region) = place(&cx.desired, ResourceRef::Vpc(end));
    let shown = Structure::new()
        .with("OwnerId", account.to_string())
        .with("Region", region.to_string())
        .with("VpcId", end.to_string());
    let Some(vpc) = cx.desired.get(end) else { return shown };
    let blocks = vpc.cidrs.iter().map(|block| Structure::new().with("CidrBlock", block.to_string()));
    let v6 = vpc.ipv6_cidrs.iter().map(|block| Structure::new().with("Ipv6CidrBlock", block.to_string()));
    shown
        .with("CidrBlock", vpc.cidrs.first().map(ToString::to_string))
        .with("CidrBlockSet", blocks.collect::<Vec<_>>())
        .with("Ipv6CidrBlockSet", (!vpc.ipv6_cidrs.is_empty()).then(|| v6.collect::<Vec<_>>()))
}
