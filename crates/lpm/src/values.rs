//! A frozen array of look-up values, as narrow as the values allow.

/// The values by position: two bytes each where every value fits, else four.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl Values {
    #[inline(always)]
    pub(crate) fn at(&self, at: usize) -> u32 {
        match self {
            Self::Narrow(values) => values[at].into(),
            Self::Wide(values) => values[at],
        }
    }

    /// Units: bytes.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Narrow(values) => size_of_val(&**values),
            Self::Wide(values) => size_of_val(&**values),
        }
    }
}

impl FromIterator<u32> for Values {
    fn from_iter<I: IntoIterator<Item = u32>>(values: I) -> Self {
        let wide: Box<[u32]> = values.into_iter().collect();
        match wide.iter().map(|&value| u16::try_from(value)).collect() {
            Ok(narrow) => Self::Narrow(narrow),
            Err(_) => Self::Wide(wide),
        }
    }
}
