//! From what is wrong with a desired state back to where a lab file says it.

use std::collections::BTreeMap;

use super::convert::Converter;
use super::error::Fault;
use super::tree::Place;
use crate::desired::{Problem, ResourceRef, Violation};

/// Where fields of resources were written, to find the place of a violation.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) fields: BTreeMap<(ResourceRef, &'static str), Place>,
    pub(super) values: BTreeMap<(ResourceRef, &'static str, String), Place>,
}

impl Converter<'_> {
    /// Finds the places of violations, and puts names where they have ids.
    pub(super) fn take_violations(&mut self, violations: Vec<Violation>) {
        let mut pairs: BTreeMap<(ResourceRef, ResourceRef, String), (Place, Fault)> = BTreeMap::new();
        for violation in violations {
            let values = values_of(&violation.problem);
            // Doubled names and what could not be read were said already, where they stand.
            let doubled = matches!(violation.problem, Problem::NameTaken { .. });
            let unread = |what: ResourceRef| matches!(violation.problem, Problem::NotFound { what: id } if id == what);
            let said = doubled || self.broken.iter().any(|&what| unread(what));
            if said {
                continue;
            }
            let (this, field) = (violation.resource, violation.field);
            let place = values
                .iter()
                .find_map(|value| self.notes.values.get(&(this, field, value.clone())))
                .or_else(|| self.notes.fields.get(&(this, field)))
                .copied()
                .or_else(|| self.names.place(this))
                .unwrap_or_else(|| self.root());
            let fault = Fault::at(place, self.named(&violation.problem.to_string(), this))
                .with_aws_code(violation.problem.aws_code());
            match rival(&violation.problem) {
                // Two that are in each other's way are told about once, where the later one is.
                Some(by) => {
                    let (first, second) = if this < by { (this, by) } else { (by, this) };
                    let key = (first, second, field.to_owned());
                    let start = |place| self.tree.span(place);
                    match pairs.get(&key) {
                        Some((other, _)) if start(*other) >= start(place) => {}
                        Some(_) | None => {
                            pairs.insert(key, (place, fault));
                        }
                    }
                }
                None => self.faults.push(fault),
            }
        }
        self.faults.extend(pairs.into_values().map(|(_, fault)| fault));
    }

    /// A message in which names stand for ids, with the lines where other resources are.
    fn named(&self, message: &str, this: ResourceRef) -> String {
        let labels = self.names.labels();
        let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let mut named = String::new();
        let mut rest = message;
        while let Some(start) = rest.find(is_id) {
            let (before, from) = rest.split_at(start);
            let (word, after) = from.split_at(from.find(|c| !is_id(c)).unwrap_or(from.len()));
            named.push_str(before);
            match labels.get(word) {
                Some((name, resource)) => {
                    named.push_str(name);
                    if let Some(place) = self.names.place(*resource).filter(|_| *resource != this) {
                        named.push_str(&format!(" (line {})", self.line(place)));
                    }
                }
                None => named.push_str(word),
            }
            rest = after;
        }
        named.push_str(rest);
        named
    }
}

/// Values in a problem that may have a place of their own, the most telling first.
fn values_of(problem: &Problem) -> Vec<String> {
    match problem {
        Problem::AddressInUse { address, .. }
        | Problem::AddressOutside { address, .. }
        | Problem::AddressReserved { address, .. } => vec![address.to_string()],
        Problem::AnotherGateway { what, .. }
        | Problem::AnotherVpc { what, .. }
        | Problem::NotAttached { what, .. }
        | Problem::GatewayEndpointExists { what, .. }
        | Problem::NotFound { what } => vec![what.to_string()],
        Problem::BlockConflict { block, other, .. } => vec![block.to_string(), other.to_string()],
        Problem::BlockOutside { block, .. } | Problem::Size { block, .. } => vec![block.to_string()],
        Problem::EntryDuplicate { entry } => vec![entry.to_string()],
        Problem::Family { value, .. } => vec![value.clone()],
        Problem::MoreSpecificThanLocal { destination } | Problem::RoutesLinkLocal { destination } => {
            vec![destination.to_string()]
        }
        Problem::EdgeRoute { destination }
        | Problem::LocalElsewhere { destination }
        | Problem::RouteExists { destination }
        | Problem::RouteOfEndpoint { destination } => {
            vec![destination.to_string()]
        }
        Problem::AttachmentExists { .. }
        | Problem::DependencyViolation { .. }
        | Problem::DeviceTaken { .. }
        | Problem::DuplicateZone { .. }
        | Problem::EdgeTableShared { .. }
        | Problem::LimitExceeded { .. }
        | Problem::NameTaken { .. }
        | Problem::NamespaceTaken { .. }
        | Problem::None { .. }
        | Problem::PeeringExists { .. }
        | Problem::PortRange(_)
        | Problem::RuleDuplicate
        | Problem::RuleNumber(_)
        | Problem::Unsupported(_) => Vec::new(),
    }
}

/// The other one of two that are in each other's way.
fn rival(problem: &Problem) -> Option<ResourceRef> {
    match problem {
        Problem::AddressInUse { by, .. }
        | Problem::BlockConflict { by, .. }
        | Problem::DeviceTaken { by, .. }
        | Problem::NameTaken { by, .. }
        | Problem::NamespaceTaken { by, .. } => Some(*by),
        Problem::AttachmentExists { what }
        | Problem::GatewayEndpointExists { what, .. }
        | Problem::PeeringExists { what } => Some(*what),
        Problem::AddressOutside { .. }
        | Problem::AddressReserved { .. }
        | Problem::AnotherGateway { .. }
        | Problem::AnotherVpc { .. }
        | Problem::BlockOutside { .. }
        | Problem::DependencyViolation { .. }
        | Problem::DuplicateZone { .. }
        | Problem::EdgeRoute { .. }
        | Problem::EdgeTableShared { .. }
        | Problem::EntryDuplicate { .. }
        | Problem::Family { .. }
        | Problem::LimitExceeded { .. }
        | Problem::LocalElsewhere { .. }
        | Problem::MoreSpecificThanLocal { .. }
        | Problem::None { .. }
        | Problem::NotAttached { .. }
        | Problem::NotFound { .. }
        | Problem::PortRange(_)
        | Problem::RouteExists { .. }
        | Problem::RouteOfEndpoint { .. }
        | Problem::RoutesLinkLocal { .. }
        | Problem::RuleDuplicate
        | Problem::RuleNumber(_)
        | Problem::Size { .. }
        | Problem::Unsupported(_) => None,
    }
}
