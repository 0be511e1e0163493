//! Remembers what a walk met, for those who ask why.

use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use crate::stage::Evidence;
use crate::walk::{Place, Probe};

/// Everything a walk met, in order.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub events: Vec<Event>,
}

/// One thing a walk met.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Hop { place: Place, at: FiveTuple },
    Step { stage: StageId, because: Evidence, refused: Option<DropReason> },
}

impl Probe for Trace {
    fn hop(&mut self, place: Place, at: &FiveTuple) {
        self.events.push(Event::Hop { place, at: *at });
    }

    fn step(&mut self, stage: StageId, because: Evidence, refused: Option<DropReason>) {
        self.events.push(Event::Step { stage, because, refused });
    }
}
