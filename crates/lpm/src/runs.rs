//! Elementary intervals: the address line cut where the answer changes.

use std::net::IpAddr;

use crate::Prefix;

/// An address as a number.
pub(crate) trait Number: Copy + Ord {
    const ZERO: Self;
    const MAX: Self;
    fn next(self) -> Option<Self>;
}

impl Number for u32 {
    const ZERO: Self = 0;
    const MAX: Self = Self::MAX;
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    const ZERO: Self = 0;
    const MAX: Self = Self::MAX;
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// From `start` up to the next run's start, every address has this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run<A> {
    pub(crate) start: A,
    pub(crate) value: u32,
}

/// One route as first address, last address, value.
pub(crate) type Span<A> = (A, A, u32);

/// The IPv4 routes as numbers, sorted so that a prefix comes before those it covers.
pub(crate) fn spans4(routes: impl IntoIterator<Item = (Prefix, u32)>) -> Vec<Span<u32>> {
    sorted(routes, |prefix| match (prefix.first(), prefix.last()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Some((first.to_bits(), last.to_bits())),
        (IpAddr::V6(_), _) | (_, IpAddr::V6(_)) => None,
    })
}

/// The IPv6 routes as numbers, sorted so that a prefix comes before those it covers.
pub(crate) fn spans6(routes: impl IntoIterator<Item = (Prefix, u32)>) -> Vec<Span<u128>> {
    sorted(routes, |prefix| match (prefix.first(), prefix.last()) {
        (IpAddr::V6(first), IpAddr::V6(last)) => Some((first.to_bits(), last.to_bits())),
        (IpAddr::V4(_), _) | (_, IpAddr::V4(_)) => None,
    })
}

/// Cuts the address line at every place where the longest match changes.
///
/// Shape: `spans` come from [`spans4`] or [`spans6`]. The first run starts at zero, neighbours differ in value,
/// and 0 stands for no route.
pub(crate) fn runs<A: Number>(spans: &[Span<A>]) -> Vec<Run<A>> {
    runs_within(A::ZERO, A::MAX, 0, spans.iter().copied())
}

/// [`runs`] of the part of the address line from `first` to `last`, where `value` holds outside all `spans`.
///
/// Shape: each of `spans` starts in that part, and they are in the order of [`spans4`].
pub(crate) fn runs_within<A: Number>(
    first: A,
    last: A,
    value: u32,
    spans: impl IntoIterator<Item = Span<A>>,
) -> Vec<Run<A>> {
    let mut line = Line { runs: vec![Run { start: first, value }], open: Vec::new(), last, outside: value };
    for (first, last, value) in spans {
        line.close_before(first);
        line.start(first, value);
        line.open.push((last, value));
    }
    line.close_all();
    line.runs
}

/// A part of the address line, cut from its beginning up to where the last span started.
struct Line<A> {
    runs: Vec<Run<A>>,
    /// The end and value of the spans around that place, the largest first.
    open: Vec<(A, u32)>,
    last: A,
    outside: u32,
}

impl<A: Number> Line<A> {
    fn close_before(&mut self, first: A) {
        while let Some((end, _)) = self.open.pop_if(|&mut (end, _)| end < first) {
            self.resume_after(end);
        }
    }

    fn close_all(&mut self) {
        while let Some((end, _)) = self.open.pop() {
            self.resume_after(end);
        }
    }

    /// After the end of a span, what is around it holds again.
    fn resume_after(&mut self, end: A) {
        if end < self.last
            && let Some(next) = end.next()
        {
            self.start(next, self.open.last().map_or(self.outside, |&(_, value)| value));
        }
    }

    /// From `at` on the value is `value`, whatever was said about `at` before.
    fn start(&mut self, at: A, value: u32) {
        self.runs.pop_if(|run| run.start == at);
        if self.runs.last().is_none_or(|run| run.value != value) {
            self.runs.push(Run { start: at, value });
        }
    }
}

/// Later duplicates win; a covering prefix (same first address, higher last) goes first.
fn sorted<A: Number>(
    routes: impl IntoIterator<Item = (Prefix, u32)>,
    number: impl Fn(Prefix) -> Option<(A, A)>,
) -> Vec<Span<A>> {
    let mut spans: Vec<Span<A>> = routes
        .into_iter()
        .filter_map(|(prefix, value)| number(prefix).map(|(first, last)| (first, last, value)))
        .collect();
    let place = |span: &Span<A>| (span.0, std::cmp::Reverse(span.1));
    if !spans.is_sorted_by_key(place) {
        spans.sort_by_key(place);
    }
    // Equal prefixes are neighbours in the order they came: the last one overwrites the kept first.
    spans.dedup_by(|later, kept| {
        let same = (later.0, later.1) == (kept.0, kept.1);
        if same {
            kept.2 = later.2;
        }
        same
    });
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(routes: &[(&str, u32)]) -> Vec<(u32, u32)> {
        let routes = routes.iter().map(|&(prefix, value)| (prefix.parse().unwrap(), value));
        runs(&spans4(routes)).iter().map(|run| (run.start, run.value)).collect()
    }

    #[test]
    fn no_route_is_one_run_of_zero() {
        assert_eq!(cut(&[]), [(0, 0)]);
    }

    #[test]
    fn a_nested_route_cuts_its_cover_in_two() {
        assert_eq!(
            cut(&[("10.0.0.0/8", 1), ("10.1.0.0/16", 2)]),
            [(0, 0), (0x0a00_0000, 1), (0x0a01_0000, 2), (0x0a02_0000, 1), (0x0b00_0000, 0)]
        );
    }

    #[test]
    fn neighbours_of_one_value_are_one_run() {
        assert_eq!(cut(&[("0.0.0.0/1", 7), ("128.0.0.0/1", 7)]), [(0, 7)]);
        assert_eq!(cut(&[("0.0.0.0/0", 7), ("10.0.0.0/8", 7)]), [(0, 7)]);
    }

    #[test]
    fn a_cover_hidden_by_its_halves_leaves_no_run() {
        assert_eq!(cut(&[("0.0.0.0/0", 1), ("0.0.0.0/1", 2), ("128.0.0.0/1", 3)]), [(0, 2), (1 << 31, 3)]);
    }

    #[test]
    fn routes_that_end_at_the_last_address_end_there() {
        assert_eq!(cut(&[("255.255.255.255/32", 1)]), [(0, 0), (u32::MAX, 1)]);
        assert_eq!(cut(&[("255.0.0.0/8", 1), ("255.255.255.255/32", 2)]), [(0, 0), (255 << 24, 1), (u32::MAX, 2)]);
    }

    #[test]
    fn the_last_value_of_a_prefix_counts_in_any_order() {
        let routes = [("10.1.0.0/16", 1), ("10.0.0.0/8", 2), ("10.1.0.0/16", 3)];
        assert_eq!(cut(&routes)[2], (0x0a01_0000, 3));
    }
}
