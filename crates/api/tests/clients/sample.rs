//! Values that fit the tables, made at random.

use proptest::prelude::*;
use vpc_api::wire::{Kind, Member, Service, Shape, Structure, Timestamp, Value};

/// A structure of these members. Inside `deep` levels optional members are left out.
pub fn structure(service: &'static Service, members: &'static [Member], deep: u32) -> BoxedStrategy<Structure> {
    // A structure with nothing in it has no spelling in a form, so something is always there.
    let scalar =
        |m: &&Member| !matches!(service.shape_of(m).kind, Kind::List { .. } | Kind::Map { .. } | Kind::Structure(_));
    let sure = members.iter().find(scalar).or(members.first()).map(|member| member.name);
    let mut all: BoxedStrategy<Structure> = Just(Structure::new()).boxed();
    for member in members {
        let required = member.required || sure == Some(member.name);
        if !required && deep == 0 {
            continue;
        }
        let value = value(service, member, deep.saturating_sub(1));
        let value = match required {
            true => value.prop_map(Some).boxed(),
            false => prop::option::weighted(0.4, value).boxed(),
        };
        all = (all, value).prop_map(|(structure, value)| structure.with(member.name, value)).boxed();
    }
    all
}

fn value(service: &'static Service, member: &'static Member, deep: u32) -> BoxedStrategy<Value> {
    of_shape(service, service.shape_of(member), deep)
}

fn of_shape(service: &'static Service, shape: &'static Shape, deep: u32) -> BoxedStrategy<Value> {
    match shape.kind {
        Kind::Blob => prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::Blob).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::Double => (-1_000_000_i32..1_000_000).prop_map(|n| Value::Double(f64::from(n) / 8.0)).boxed(),
        Kind::Enumeration(values) => prop::sample::select(values).prop_map(|v| Value::Text(v.to_owned())).boxed(),
        Kind::Integer { min, max } => {
            let (min, max) = (min.unwrap_or(-2_000_000_000), max.unwrap_or(2_000_000_000));
            (min..=max).prop_map(Value::Integer).boxed()
        }
        Kind::List { min, max, .. } => {
            let (min, max) = (min.unwrap_or(1).max(1) as usize, max.unwrap_or(4).max(1) as usize);
            let entry = of_shape(service, service.entry_of(shape), deep);
            prop::collection::vec(entry, min..=max.min(min + 3)).prop_map(Value::List).boxed()
        }
        Kind::Map { .. } => {
            let entry = of_shape(service, service.entry_of(shape), deep);
            prop::collection::btree_map("[a-z]{1,5}", entry, 1..3).prop_map(Value::Map).boxed()
        }
        Kind::Structure(members) => structure(service, members, deep).prop_map(Value::Structure).boxed(),
        Kind::Text { min, max } => {
            let (min, max) = (min.unwrap_or(1).max(1) as usize, max.unwrap_or(12).max(1) as usize);
            prop::collection::vec(
                prop::sample::select(&['a', 'Z', '0', ' ', '*', '&', '<', '=', '%', '+', 'é', '.', '"'][..]),
                min..=max.min(min + 12),
            )
            .prop_map(|chars| Value::Text(chars.into_iter().collect()))
            .prop_filter("XML parsers trim", |v| v.as_text().is_some_and(|t| t.trim() == t && !t.is_empty()))
            .boxed()
        }
        Kind::Timestamp => (0_i64..4_000_000_000).prop_map(|s| Value::Timestamp(Timestamp(s * 1000))).boxed(),
    }
}
