//! Requests and replies as values.

use std::collections::BTreeMap;

use super::{Member, Timestamp};

/// Anything a form or a reply can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Bytes.
    Blob(Vec<u8>),
    /// A truth value.
    Boolean(bool),
    /// A floating-point number.
    Double(f64),
    /// A whole number.
    Integer(i64),
    /// A sequence; an empty one is not the same as none.
    List(Vec<Self>),
    /// Texts to values.
    Map(BTreeMap<String, Self>),
    /// Named members.
    Structure(Structure),
    /// A text, or one value of an enumeration.
    Text(String),
    /// A point in time.
    Timestamp(Timestamp),
}

/// Named members; an absent one is not there.
///
/// A decoded request knows its members. Asking it for another name is a mistake of the caller, not of the request,
/// and fails an assertion in builds that have those. A reply's names are checked when it is written.
#[derive(Clone, Debug, Default)]
pub struct Structure {
    members: BTreeMap<&'static str, Value>,
    known: Option<&'static [Member]>,
}

impl Structure {
    /// No members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) const fn of(known: &'static [Member]) -> Self {
        Self { members: BTreeMap::new(), known: Some(known) }
    }

    /// The same with one more member, unless its value is `None`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Field) -> Self {
        self.set(name, value);
        self
    }

    /// The same without a member.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.members.remove(name);
        self
    }

    /// Sets a member, unless its value is `None`.
    pub fn set(&mut self, name: &'static str, value: impl Field) {
        if let Some(value) = value.into_field() {
            self.members.insert(name, value);
        }
    }

    /// Every member that is there, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.members.iter().map(|(name, value)| (*name, value))
    }

    /// Whether a member is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// A member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        debug_assert!(
            self.known.is_none_or(|known| known.iter().any(|member| member.name == name)),
            "a request has no member {name}"
        );
        self.members.get(name)
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.member(name).and_then(Value::as_text)
    }

    /// A truth value.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        if let Some(Value::Boolean(flag)) = self.member(name) { Some(*flag) } else { None }
    }

    /// A truth value wrapped in a structure of its own, as attributes are: `EnableDnsSupport.Value`.
    #[must_use]
    pub fn attribute_flag(&self, name: &str) -> Option<bool> {
        self.structure(name)?.flag("Value")
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        if let Some(Value::Integer(number)) = self.member(name) { Some(*number) } else { None }
    }

    /// The entries of a list; none if it is not there.
    #[must_use]
    pub fn list(&self, name: &str) -> &[Value] {
        if let Some(Value::List(list)) = self.member(name) { list } else { &[] }
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> + Clone {
        self.list(name).iter().filter_map(Value::as_text)
    }

    /// A structure.
    #[must_use]
    pub fn structure(&self, name: &str) -> Option<&Self> {
        self.member(name).and_then(Value::as_structure)
    }

    /// The structures of a list.
    pub fn structures(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.list(name).iter().filter_map(Value::as_structure)
    }
}

/// Equal when the members are.
impl PartialEq for Structure {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The structure, if it is one.
    #[must_use]
    pub fn as_structure(&self) -> Option<&Structure> {
        if let Self::Structure(structure) = self { Some(structure) } else { None }
    }
}

/// What can become a member: values, and optional ones.
pub trait Field {
    /// The value, or nothing.
    fn into_field(self) -> Option<Value>;
}

impl<T: Field> Field for Option<T> {
    fn into_field(self) -> Option<Value> {
        self.and_then(Field::into_field)
    }
}

impl<T: Into<Value>> Field for Vec<T> {
    fn into_field(self) -> Option<Value> {
        Some(Value::List(self.into_iter().map(Into::into).collect()))
    }
}

/// What always is a value.
macro_rules! values {
    ($($from:ty, $value:ident => $to:expr;)*) => { $(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        }
        impl Field for $from {
            fn into_field(self) -> Option<Value> {
                Some(self.into())
            }
        }
    )* };
}
values! {
    &str, v => Value::Text(v.to_owned());
    String, v => Value::Text(v);
    bool, v => Value::Boolean(v);
    i64, v => Value::Integer(v);
    i32, v => Value::Integer(v.into());
    u16, v => Value::Integer(v.into());
    u8, v => Value::Integer(v.into());
    Timestamp, v => Value::Timestamp(v);
    Structure, v => Value::Structure(v);
}

impl Field for Value {
    fn into_field(self) -> Option<Value> {
        Some(self)
    }
}
