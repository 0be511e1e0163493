//! Network ACLs.

use vpc_model::resource::{Action, Direction, NetworkAcl};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// The first matching rule of the subnet's ACL decides; it knows no connections.
///
/// Source: R8.20–R8.25, R8.30.
pub(crate) struct NetworkAclStage {
    pub acl: Idx<NetworkAcl>,
    pub direction: Direction,
}

impl Stage for NetworkAclStage {
    const ID: StageId = StageId::NetworkAcl;
    type Out = ();

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<()> {
        let acl = &view.snapshot.acls[self.acl];
        let reason = match self.direction {
            Direction::Egress => DropReason::NaclEgress,
            Direction::Ingress => DropReason::NaclIngress,
        };
        let Some(rule) = acl.first_match(self.direction, at) else {
            return Decision::refuse(reason, Evidence::FinalDeny { acl: acl.id });
        };
        let because = Evidence::NumberedRule { acl: acl.id, direction: self.direction, number: rule.number };
        match rule.action {
            Action::Allow => Decision::pass((), because),
            Action::Deny => Decision::refuse(reason, because),
        }
    }
}
