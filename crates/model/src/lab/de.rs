//! Reads typed values out of a tree through serde, and goes on after what is wrong.
//!
//! A derived `Deserialize` stops at its first error. Here every [`Read`] is a place to go on from: what is wrong
//! inside is noted, the value is absent, and reading continues beside it. Fields that do not exist are noted and
//! passed over in the same way.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{BorrowedStrDeserializer, U64Deserializer};
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::error::{Fault, hint};
use super::tree::{Content, NodeId, Place, Tree};

/// Names of newtypes by which a value asks for its node to be read in a special way.
mod ask {
    /// As a sequence of its place and its value.
    pub(super) const PLACED: &str = "$placed";
    /// As a list, also when it is a single value.
    pub(super) const LIST: &str = "$list";
    /// As an enum whose variant is chosen by whether it is a map.
    pub(super) const OR: &str = "$or";
    /// The outermost map, in which keys that start with `x-` are passed over.
    pub(super) const FILE: &str = "File";
}

/// A value and where it was written; without a value when it is missing or was wrong and that was noted.
#[derive(Clone, Debug)]
pub(super) struct Read<T> {
    place: Option<Place>,
    value: Option<T>,
}

impl<T> Read<T> {
    /// Where it stands; `None` when it is missing.
    pub(super) const fn place(&self) -> Option<Place> {
        self.place
    }

    /// The value, unless it is missing or wrong.
    pub(super) const fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

/// Values under names, in the order they were written.
#[derive(Clone, Debug)]
pub(super) struct Map<T>(Vec<Named<T>>);

/// One value of a [`Map`].
#[derive(Clone, Debug)]
pub(super) struct Named<T> {
    /// The key as written.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) place: Place,
    /// What stands under it, unless that is wrong.
    pub(super) value: Option<T>,
}

impl<T> Map<T> {
    /// What it holds.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Named<T>> {
        self.0.iter()
    }
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// One value or a list of them.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany<T>(Vec<Read<T>>);

impl<T> OneOrMany<T> {
    /// The values.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Read<T>> {
        self.0.iter()
    }

    /// The values with their places; `None` when one of them is wrong.
    pub(super) fn all(&self) -> Option<Vec<(&T, Place)>> {
        self.0.iter().map(|read| Some((read.get()?, read.place()?))).collect()
    }
}

/// A short form, or a map with more to say.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "$or", rename_all = "lowercase")]
#[schemars(untagged, inline)]
pub(super) enum Or<S, F> {
    /// Anything but a map.
    Short(S),
    /// A map.
    Full(F),
}

/// Reads a tree as a type, noting whatever is wrong.
pub(super) fn read<'t, T: Deserialize<'t>>(tree: &'t Tree, faults: &'t RefCell<Vec<Fault>>) -> Option<T> {
    let cursor = Cursor { tree, faults, node: tree.root() };
    match Placed::<T>::deserialize(cursor) {
        Ok(Placed(read)) => read.value,
        Err(fault) => {
            cursor.note(fault);
            None
        }
    }
}

/// A node of a tree as serde sees it.
#[derive(Clone, Copy)]
struct Cursor<'t> {
    tree: &'t Tree,
    faults: &'t RefCell<Vec<Fault>>,
    node: NodeId,
}

impl<'t> Cursor<'t> {
    fn at(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    fn note(self, fault: Fault) {
        self.faults.borrow_mut().push(fault.or_at(Place::value(self.node)));
    }

    fn content(self) -> &'t Content {
        self.tree.content(self.node)
    }

    fn wrong<T>(self, expected: &str) -> Result<T, Fault> {
        let found = match self.content() {
            content if content.is_null() => "nothing".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
            Content::Scalar { text, .. } => format!("'{}'", shortened(text)),
        };
        Err(Fault::at(Place::value(self.node), format!("found {found}; expected {expected}")))
    }

    fn located<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| fault.or_at(Place::value(self.node)))
    }

    fn text(self, expected: &str) -> Result<&'t str, Fault> {
        match self.content() {
            content if content.is_null() => self.wrong(expected),
            Content::Scalar { text, .. } => Ok(text),
            Content::List(_) | Content::Map(_) => self.wrong(expected),
        }
    }

    fn number<T: std::str::FromStr>(self) -> Result<T, Fault> {
        self.text("a whole number")?.parse().or_else(|_| self.wrong("a whole number"))
    }

    fn children(self, expected: &str) -> Result<Children<'t>, Fault> {
        let nodes = match self.content() {
            Content::Map(nodes) => nodes.as_slice(),
            content if content.is_null() => &[],
            Content::List(_) | Content::Scalar { .. } => return self.wrong(expected),
        };
        Ok(Children { cursor: self, nodes: nodes.iter(), fields: None })
    }
}

/// Visits a number read from a scalar.
macro_rules! number {
    ($($method:ident $visit:ident $type:ty;)*) => { $(
        fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = self.number::<$type>()?;
            self.located(visitor.$visit(number))
        }
    )* };
}

impl<'t> Deserializer<'t> for Cursor<'t> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.content() {
            content if content.is_null() => self.located(visitor.visit_unit()),
            Content::Scalar { text, .. } => self.located(visitor.visit_borrowed_str(text)),
            Content::List(_) => self.deserialize_seq(visitor),
            Content::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.text("true or false")? {
            "true" => self.located(visitor.visit_bool(true)),
            "false" => self.located(visitor.visit_bool(false)),
            _ => self.wrong("true or false"),
        }
    }

    number! {
        deserialize_u8 visit_u64 u64;
        deserialize_u16 visit_u64 u64;
        deserialize_u32 visit_u64 u64;
        deserialize_u64 visit_u64 u64;
        deserialize_i8 visit_i64 i64;
        deserialize_i16 visit_i64 i64;
        deserialize_i32 visit_i64 i64;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.text("text")?;
        self.located(visitor.visit_borrowed_str(text))
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.content().is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        match name {
            ask::PLACED => visitor.visit_seq(PlaceAndValue { place: Some(Place::value(self.node)), value: self }),
            ask::LIST => match self.content() {
                Content::List(_) => self.deserialize_seq(visitor),
                content if content.is_null() => {
                    visitor.visit_seq(Items { cursor: self, nodes: Vec::new().into_iter() })
                }
                Content::Map(_) | Content::Scalar { .. } => {
                    visitor.visit_seq(Items { cursor: self, nodes: vec![self.node].into_iter() })
                }
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let nodes = match self.content() {
            Content::List(nodes) => nodes.clone(),
            content if content.is_null() => Vec::new(),
            Content::Map(_) | Content::Scalar { .. } => return self.wrong("a list"),
        };
        let nodes = nodes.into_iter();
        self.located(visitor.visit_seq(Items { cursor: self, nodes }))
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let children = self.children("a map")?;
        self.located(visitor.visit_map(children))
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let mut children = self.children(&format!("a map with {}", fields.join(", ")))?;
        children.fields = Some((fields, name == ask::FILE));
        self.located(visitor.visit_map(children))
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let variant = if name == ask::OR {
            usize::from(matches!(self.content(), Content::Map(_)))
        } else {
            let text = self.text(&variants.join(" or "))?;
            match variants.iter().position(|variant| *variant == text) {
                Some(variant) => variant,
                None => return self.wrong(&variants.join(" or ")),
            }
        };
        let name = variants.get(variant).copied().unwrap_or_default();
        self.located(visitor.visit_enum(Variant { cursor: self, name }))
    }

    forward_to_deserialize_any! {
        <W: Visitor<'t>>
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The place of a node, then its value; a wrong value is noted and left out.
struct PlaceAndValue<'t> {
    place: Option<Place>,
    value: Cursor<'t>,
}

impl<'t> SeqAccess<'t> for PlaceAndValue<'t> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if let Some(place) = self.place.take() {
            let number: U64Deserializer<Fault> = de::IntoDeserializer::into_deserializer(place.to_number());
            return seed.deserialize(number).map(Some);
        }
        match seed.deserialize(self.value) {
            Ok(value) => Ok(Some(value)),
            Err(fault) => {
                self.value.note(fault);
                Ok(None)
            }
        }
    }
}

struct Items<'t> {
    cursor: Cursor<'t>,
    nodes: std::vec::IntoIter<NodeId>,
}

impl<'t> SeqAccess<'t> for Items<'t> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(node) = self.nodes.next() else {
            return Ok(None);
        };
        seed.deserialize(self.cursor.at(node)).map(Some)
    }
}

struct Children<'t> {
    cursor: Cursor<'t>,
    nodes: std::slice::Iter<'t, NodeId>,
    /// The fields that exist, and whether others that start with `x-` are passed over in silence.
    fields: Option<(&'static [&'static str], bool)>,
}

impl Children<'_> {
    /// Whether a key is to be visited; what is none of the fields is noted.
    fn wanted(&self, node: NodeId) -> bool {
        let key = self.cursor.tree.key(node).unwrap_or_default();
        match self.fields {
            None => true,
            Some((fields, _)) if fields.contains(&key) => true,
            Some((_, true)) if key.starts_with("x-") => false,
            Some((fields, _)) => {
                let message = format!("there is no field '{}'{}", shortened(key), hint(key, fields.iter().copied()));
                self.cursor.note(Fault::at(Place::key(node), message));
                false
            }
        }
    }
}

impl<'t> MapAccess<'t> for Children<'t> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        while let Some(&node) = self.nodes.clone().next() {
            if self.wanted(node) {
                let key = self.cursor.tree.key(node).unwrap_or_default();
                return seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some);
            }
            self.nodes.next();
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some(&node) = self.nodes.next() else {
            return Err(Fault::new("a value without its key"));
        };
        seed.deserialize(self.cursor.at(node))
    }
}

struct Variant<'t> {
    cursor: Cursor<'t>,
    name: &'static str,
}

impl<'t> EnumAccess<'t> for Variant<'t> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<Fault>::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'t> VariantAccess<'t> for Variant<'t> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.cursor)
    }

    fn tuple_variant<V: Visitor<'t>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.cursor.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'t>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.cursor.deserialize_struct("", fields, visitor)
    }
}

/// A [`Read`] that takes a node as it is, also when nothing is written there.
struct Placed<T>(Read<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ask::PLACED, PlacedVisitor(PhantomData))
    }
}

struct PlacedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PlacedVisitor<T> {
    type Value = Placed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a lab file")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Placed<T>, A::Error> {
        let place = seq.next_element()?.map(Place::from_number);
        let value = seq.next_element()?;
        Ok(Placed(Read { place, value }))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Option::<Placed<T>>::deserialize(deserializer)?;
        Ok(read.map_or(Self { place: None, value: None }, |Placed(read)| read))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Placed(read) = Placed::<Entries<T>>::deserialize(deserializer)?;
        Ok(Self(read.value.map_or_else(Vec::new, |Entries(entries)| entries)))
    }
}

struct Entries<T>(Vec<Named<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    let Placed(read) = map.next_value::<Placed<T>>()?;
                    let place = read.place.map(|place| Place::key(place.node));
                    entries.extend(place.map(|place| Named { key, place, value: read.value }));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
                let mut values = Vec::new();
                while let Some(Placed(read)) = seq.next_element()? {
                    values.push(read);
                }
                Ok(OneOrMany(values))
            }
        }

        deserializer.deserialize_newtype_struct(ask::LIST, ListVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Read<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Map<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": ["object", "null"], "additionalProperties": value })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [value, { "type": "array", "items": value }] })
    }
}

/// The beginning of a text that goes into a message.
fn shortened(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
