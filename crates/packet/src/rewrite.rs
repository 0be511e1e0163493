//! Changing addresses, ports and TTL in place, checksums kept right.

use crate::{FiveTuple, PacketBuf, Parsed};

/// What has to change in every packet of one direction of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    _p: (),
}

impl Rewrite {
    /// The change that turns packets of `before` into packets of `after`.
    #[must_use]
    pub fn between(before: FiveTuple, after: FiveTuple) -> Self {
        let _ = (before, after);
        Self::default()
    }

    /// Applies the change.
    #[inline]
    pub fn apply(&self, buf: &mut PacketBuf, parsed: &Parsed) {
        let _ = (buf, parsed);
    }
}
