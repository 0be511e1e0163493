//! Route tables and what they are associated with.

use std::collections::BTreeMap;

use vpc_model::desired::Noun;
use vpc_model::resource::{InternetGateway, RouteTable, Subnet, VirtualGateway, Vpc};
use vpc_model::{Change, Desired, Id, Resource};

use super::{owner, refuse, route, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe};
use crate::noun::{TableAssociation, relation};
use crate::wire::Structure;

pub(crate) const PATHS: Paths = &[
    ("association.gateway-id", "Associations.GatewayId"),
    ("association.main", "Associations.Main"),
    ("association.route-table-association-id", "Associations.RouteTableAssociationId"),
    ("association.route-table-id", "Associations.RouteTableId"),
    ("association.subnet-id", "Associations.SubnetId"),
    ("route.destination-cidr-block", "Routes.DestinationCidrBlock"),
    ("route.destination-ipv6-cidr-block", "Routes.DestinationIpv6CidrBlock"),
    ("route.destination-prefix-list-id", "Routes.DestinationPrefixListId"),
    ("route.egress-only-internet-gateway-id", "Routes.EgressOnlyInternetGatewayId"),
    ("route.gateway-id", "Routes.GatewayId"),
    ("route.instance-id", "Routes.InstanceId"),
    ("route.nat-gateway-id", "Routes.NatGatewayId"),
    ("route.origin", "Routes.Origin"),
    ("route.state", "Routes.State"),
    ("route.transit-gateway-id", "Routes.TransitGatewayId"),
    ("route.vpc-peering-connection-id", "Routes.VpcPeeringConnectionId"),
];

pub(crate) fn create_route_table(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let vpc = cx.named::<Vpc>(input, "VpcId")?.id;
    let new = cx.create::<RouteTable>(input)?;
    let table = RouteTable { id: new.id, name: new.name.clone(), vpc, routes: BTreeMap::new() };
    cx.apply([new.record(), Change::put(table)])?;
    Ok(Structure::new()
        .with("RouteTable", cx.desired.get(new.id).map(|table| show(cx, table)))
        .with("ClientToken", input.text("ClientToken")))
}

pub(crate) fn delete_route_table(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let table = cx.named::<RouteTable>(input, "RouteTableId")?;
    let id = table.id;
    let main = cx.desired.get(table.vpc).is_some_and(|vpc| vpc.main_table == id);
    if main || cx.desired.dependents(RouteTable::to_ref(id)).next().is_some() {
        let message = format!("The routeTable '{id}' has dependencies and cannot be deleted.");
        return Err(ApiError::new("DependencyViolation", message));
    }
    cx.apply([Change::delete(id)])?;
    Ok(Structure::new())
}

pub(crate) fn describe_route_tables(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<RouteTable>(cx, input, "RouteTableIds", "RouteTables", PATHS, show)
}

/// What a table is associated with.
enum Associated {
    /// The VPC, as its main table.
    Main(Vpc),
    Subnet(Subnet),
    Internet(InternetGateway),
    Virtual(VirtualGateway),
}

impl Associated {
    fn id(&self, table: Id<RouteTable>) -> Id<TableAssociation> {
        match self {
            Self::Main(vpc) => relation(vpc.id, table),
            Self::Subnet(subnet) => relation(subnet.id, table),
            Self::Internet(gateway) => relation(gateway.id, table),
            Self::Virtual(gateway) => relation(gateway.id, table),
        }
    }

    /// The same, associated with another table, or none.
    fn with(self, table: Option<Id<RouteTable>>) -> Resource {
        match self {
            Self::Main(vpc) => Vpc { main_table: table.unwrap_or(vpc.main_table), ..vpc }.into(),
            Self::Subnet(subnet) => Subnet { table, ..subnet }.into(),
            Self::Internet(gateway) => InternetGateway { edge_table: table, ..gateway }.into(),
            Self::Virtual(gateway) => VirtualGateway { edge_table: table, ..gateway }.into(),
        }
    }

    fn show(&self, table: Id<RouteTable>) -> Structure {
        let base = Structure::new()
            .with("AssociationState", Structure::new().with("State", "associated"))
            .with("Main", matches!(self, Self::Main(_)))
            .with("RouteTableAssociationId", self.id(table).to_string())
            .with("RouteTableId", table.to_string());
        match self {
            Self::Main(_) => base,
            Self::Subnet(subnet) => base.with("SubnetId", subnet.id.to_string()),
            Self::Internet(gateway) => base.with("GatewayId", gateway.id.to_string()),
            Self::Virtual(gateway) => base.with("GatewayId", gateway.id.to_string()),
        }
    }
}

fn associations(desired: &Desired, table: &RouteTable) -> Vec<Associated> {
    let of = RouteTable::to_ref(table.id);
    let vpc = desired.get(table.vpc).filter(|vpc| vpc.main_table == table.id);
    let subnets = desired.dependents_of_kind::<Subnet>(of).filter(|subnet| subnet.table == Some(table.id));
    let internet = desired.dependents_of_kind::<InternetGateway>(of).filter(|g| g.edge_table == Some(table.id));
    let virt = desired.dependents_of_kind::<VirtualGateway>(of).filter(|g| g.edge_table == Some(table.id));
    vpc.into_iter()
        .map(|vpc| Associated::Main(vpc.clone()))
        .chain(subnets.map(|subnet| Associated::Subnet(subnet.clone())))
        .chain(internet.map(|gateway| Associated::Internet(gateway.clone())))
        .chain(virt.map(|gateway| Associated::Virtual(gateway.clone())))
        .collect()
}

/// The caller's association with this id.
fn association(cx: &Cx<'_>, id: &str) -> Result<(Associated, Id<RouteTable>), ApiError> {
    let all =
        cx.all::<RouteTable>().flat_map(|table| associations(&cx.desired, table).into_iter().map(|a| (a, table.id)));
    let mut matching = all.filter(|(associated, table)| associated.id(*table).to_string() == id);
    matching.next().ok_or_else(|| {
        ApiError::new("InvalidAssociationID.NotFound", format!("The association ID '{id}' does not exist"))
    })
}

pub(crate) fn associate_route_table(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["PublicIpv4Pool"])?;
    let table = cx.named::<RouteTable>(input, "RouteTableId")?.id;
    let already = |what: &str, have: Id<RouteTable>| {
        let message = format!(
            "the specified association for route table {have} conflicts with an existing association of {what}"
        );
        Err(ApiError::new("Resource.AlreadyAssociated", message))
    };
    let associated = match (input.text("SubnetId"), input.text("GatewayId")) {
        (Some(_), Some(_)) => {
            return Err(ApiError::combination("Only one of subnetId and gatewayId can be given"));
        }
        (None, None) => return Err(ApiError::missing_parameter("subnetId")),
        (Some(subnet), None) => {
            let subnet = cx.find::<Subnet>(subnet)?;
            match subnet.table {
                Some(have) if have != table => return already(&subnet.id.to_string(), have),
                _ => Associated::Subnet(subnet.clone()),
            }
        }
        (None, Some(id)) if id.starts_with("vgw-") => {
            let gateway = cx.find::<VirtualGateway>(id)?;
            match gateway.edge_table {
                Some(have) if have != table => return already(id, have),
                _ => Associated::Virtual(gateway.clone()),
            }
        }
        (None, Some(id)) => {
            let gateway = cx.find::<InternetGateway>(id)?;
            match gateway.edge_table {
                Some(have) if have != table => return already(id, have),
                _ => Associated::Internet(gateway.clone()),
            }
        }
    };
    let id = associated.id(table);
    cx.apply([Change::Put(associated.with(Some(table)))])?;
    Ok(Structure::new()
        .with("AssociationId", id.to_string())
        .with("AssociationState", Structure::new().with("State", "associated")))
}

pub(crate) fn disassociate_route_table(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let (associated, table) = association(cx, text(input, "AssociationId")?)?;
    if let Associated::Main(_) = associated {
        let message = format!("cannot disassociate the main route table association {}", associated.id(table));
        return Err(ApiError::invalid_value(message));
    }
    cx.apply([Change::Put(associated.with(None))])?;
    Ok(Structure::new())
}

pub(crate) fn replace_route_table_association(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let (associated, _) = association(cx, text(input, "AssociationId")?)?;
    let table = cx.named::<RouteTable>(input, "RouteTableId")?;
    if let Associated::Main(vpc) = &associated
        && vpc.id != table.vpc
    {
        return Err(ApiError::new("InvalidParameter", format!("route table {} belongs to another VPC", table.id)));
    }
    let (id, table) = (associated.id(table.id), table.id);
    cx.apply([Change::Put(associated.with(Some(table)))])?;
    Ok(Structure::new()
        .with("NewAssociationId", id.to_string())
        .with("AssociationState", Structure::new().with("State", "associated")))
}

fn show(cx: &Cx<'_>, table: &RouteTable) -> Structure {
    let gateways = cx.desired.dependents_of_kind::<VirtualGateway>(RouteTable::to_ref(table.id));
    let propagating = gateways
        .filter(|gateway| gateway.propagates_to.contains(&table.id))
        .map(|gateway| Structure::new().with("GatewayId", gateway.id.to_string()));
    let associations = associations(&cx.desired, table);
    Structure::new()
        .with("Associations", associations.iter().map(|a| a.show(table.id)).collect::<Vec<_>>())
        .with("OwnerId", owner(cx, table.id))
        .with("PropagatingVgws", propagating.collect::<Vec<_>>())
        .with("RouteTableId", table.id.to_string())
        .with("Routes", route::show_all(cx, table))
        .with("Tags", cx.tags(table))
        .with("VpcId", table.vpc.to_string())
}
