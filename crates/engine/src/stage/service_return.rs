//! The way back from a service.

use vpc_model::desired::Noun;
use vpc_model::resource::{Endpoint, Eni, Service};
use vpc_model::{DropReason, Id, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// Answers go back the way the question came; nothing else leaves a service.
///
/// Source: R4.11 (the service cannot initiate).
pub(crate) struct ServiceReturn {
    pub service: Idx<Service>,
}

/// The way back, and the answer before and after translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// Through a gateway endpoint.
    Endpoint(Id<Endpoint>, FiveTuple, FiveTuple),
    /// Through an interface of an interface endpoint.
    Eni(Id<Eni>, FiveTuple, FiveTuple),
    /// Over the internet.
    Internet,
}

impl Stage for ServiceReturn {
    const ID: StageId = StageId::ServiceReturn;
    type Out = Back;

    #[inline(always)]
    fn decide(&self, view: View<'_>, _: &FiveTuple) -> Decision<Back> {
        let Some(connection) = view.answered() else {
            let owner = Service::to_ref(view.snapshot.services[self.service].id);
            return Decision::refuse(DropReason::VpceIntraVpc, Evidence::Property { owner });
        };
        // The last translation is the one that led to the service.
        let Some(binding) = connection.bindings().last() else {
            return Decision::pass(Back::Internet, Evidence::NoTranslation);
        };
        let (before, after) = (binding.after.reversed(), binding.before.reversed());
        let endpoint = Endpoint::from_ref(binding.owner).map(|id| Back::Endpoint(id, before, after));
        let back = endpoint.or_else(|| Eni::from_ref(binding.owner).map(|id| Back::Eni(id, before, after)));
        match back {
            Some(back) => Decision::pass(back, Evidence::Bound { owner: binding.owner }),
            None => Decision::pass(Back::Internet, Evidence::NoTranslation),
        }
    }
}
