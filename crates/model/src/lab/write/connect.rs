//! What connects VPCs with each other and with networks elsewhere.

use std::collections::BTreeSet;

use super::{Fields, Writer, is_empty, named, texts};
use crate::Id;
use crate::desired::Noun;
use crate::lab::connect::{NO_TABLE, default_transit_table};
use crate::lab::emit::Yaml;
use crate::resource::{
    AttachmentKind, Peering, PeeringState, Region, TransitAttachment, TransitGateway, TransitRouteTable, TransitTarget,
    VirtualGateway,
};

impl<'d> Writer<'d> {
    pub(super) fn detached_virtual_gateway(&self, gateway: &VirtualGateway) -> (String, Yaml) {
        let (key, id) = named("", gateway);
        let mut fields: Fields = id.into_iter().collect();
        fields.extend(self.far(&key, gateway));
        (key, Yaml::Map(fields))
    }

    /// What is to be said about a virtual private gateway besides its name and id.
    pub(super) fn far(&self, key: &str, gateway: &VirtualGateway) -> Fields {
        let mut fields = Vec::new();
        if gateway.namespace != key {
            fields.push(("namespace", Yaml::text(&gateway.namespace)));
        }
        if !gateway.addresses.is_empty() {
            fields.push(("addresses", texts(&gateway.addresses)));
        }
        if !gateway.announces.is_empty() {
            fields.push(("announces", Yaml::one_or_many(gateway.announces.iter().map(Yaml::text).collect())));
        }
        if !gateway.propagates_to.is_empty() {
            fields.push(("propagates_to", self.key_set(&gateway.propagates_to)));
        }
        fields.extend(gateway.edge_table.map(|table| ("edge_table", Yaml::text(&self.key(table)))));
        fields
    }

    pub(super) fn peering(&self, peering: &Peering) -> (String, Yaml) {
        let (key, id) = named("", peering);
        let mut fields: Fields = id.into_iter().collect();
        fields.push(("requester", Yaml::text(&self.key(peering.requester))));
        fields.push(("accepter", Yaml::text(&self.key(peering.accepter))));
        let state = match peering.state {
            PeeringState::Active => None,
            PeeringState::Expired => Some("expired"),
            PeeringState::Failed => Some("failed"),
            PeeringState::PendingAcceptance => Some("pending-acceptance"),
            PeeringState::Rejected => Some("rejected"),
        };
        fields.extend(state.map(|state| ("state", Yaml::text(&state))));
        (key, Yaml::Map(fields))
    }

    pub(super) fn transit_gateway(&self, gateway: &TransitGateway) -> (String, Yaml) {
        let (key, id) = named("", gateway);
        let mut fields: Fields = id.into_iter().collect();
        if gateway.region != Region::default() {
            fields.push(("region", Yaml::text(&gateway.region)));
        }
        if gateway.group_references {
            fields.push(("group_references", Yaml::plain(&true)));
        }
        let this = TransitGateway::to_ref(gateway.id);
        let attachments: Vec<&TransitAttachment> = self.desired.dependents_of_kind(this).collect();
        let default = self.default_table(&key, gateway);
        // The default table is made wherever an attachment says nothing else.
        let is_made = default.is_some_and(|table| {
            let made = default_transit_table(&key);
            let implied = table.id == made.id && table.name == made.name;
            let uses = |attachment: &&TransitAttachment| {
                attachment.table == Some(table.id) || propagates_by_default(attachment, table.id)
            };
            implied && table.routes.is_empty() && attachments.iter().any(uses)
        });
        let default = default.map(|table| table.id);
        let print = |attachment: &TransitAttachment| self.transit_attachment(&key, default, attachment);
        let shown = |table: &&TransitRouteTable| !(is_made && Some(table.id) == default);
        let tables = self.desired.dependents_of_kind(this).filter(shown);
        let mut sections = vec![
            ("attachments", self.section(attachments.iter().copied(), print)),
            ("route_tables", self.section(tables, |table| self.transit_route_table(&key, table))),
        ];
        sections.retain(|(_, section)| !is_empty(section));
        fields.extend(sections);
        (key, Yaml::Map(fields))
    }

    /// The table that attachments of a gateway mean when they name none: the one that will have the default's key.
    fn default_table(&self, key: &str, gateway: &TransitGateway) -> Option<&'d TransitRouteTable> {
        let made = default_transit_table(key);
        let tables = self.desired.dependents_of_kind::<TransitRouteTable>(TransitGateway::to_ref(gateway.id));
        let mut named = tables.filter(|table| table.name.is_some() && table.name == made.name);
        named.next()
    }

    fn transit_route_table(&self, scope: &str, table: &TransitRouteTable) -> (String, Yaml) {
        let (key, id) = named(scope, table);
        let mut routes: Vec<(String, Yaml)> = id.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        for (destination, target) in &table.routes {
            routes.push((self.destination(*destination), Yaml::text(&self.transit_target(*target))));
        }
        (key, Yaml::Inline(routes))
    }

    fn transit_target(&self, target: TransitTarget) -> String {
        match target {
            TransitTarget::Attachment(id) => self.unless(id, "blackhole"),
            TransitTarget::Blackhole => target.to_string(),
        }
    }

    fn transit_attachment(
        &self,
        scope: &str,
        default: Option<Id<TransitRouteTable>>,
        attachment: &TransitAttachment,
    ) -> (String, Yaml) {
        let (key, id) = named(scope, attachment);
        let mut fields: Fields = id.into_iter().collect();
        let mut learnt_by_default = false;
        match &attachment.kind {
            AttachmentKind::Peering { peer } => fields.push(("peer", Yaml::text(&self.key(*peer)))),
            AttachmentKind::Vpc { vpc, subnets, appliance_mode } => {
                fields.push(("vpc", Yaml::text(&self.key(*vpc))));
                fields.push(("subnets", self.keys(subnets)));
                if *appliance_mode {
                    fields.push(("appliance_mode", Yaml::plain(&true)));
                }
                learnt_by_default = default.is_some_and(|default| propagates_by_default(attachment, default));
            }
        }
        match attachment.table {
            None => fields.push(("routes", Yaml::text(&NO_TABLE))),
            Some(table) if Some(table) == default => {}
            Some(table) => fields.push(("routes", Yaml::text(&self.unless(table, NO_TABLE)))),
        }
        let learnt = !attachment.propagates_to.is_empty() || matches!(attachment.kind, AttachmentKind::Vpc { .. });
        if learnt && !learnt_by_default {
            fields.push(("propagates_to", self.key_set(&attachment.propagates_to)));
        }
        (key, Yaml::Map(fields))
    }

    /// What people call it, or its id where its name is a word that means something else.
    fn unless<K: Noun>(&self, id: Id<K>, word: &str) -> String {
        let key = self.key(id);
        if key == word { id.to_string() } else { key }
    }

    /// Names in the order of the alphabet.
    fn key_set<K: Noun>(&self, ids: &BTreeSet<Id<K>>) -> Yaml {
        let mut keys: Vec<String> = ids.iter().map(|&id| self.key(id)).collect();
        keys.sort();
        Yaml::one_or_many(keys.into_iter().map(Yaml::Text).collect())
    }
}

fn propagates_by_default(attachment: &TransitAttachment, default: Id<TransitRouteTable>) -> bool {
    let of_vpc = matches!(attachment.kind, AttachmentKind::Vpc { .. });
    of_vpc && attachment.propagates_to == BTreeSet::from([default])
}
