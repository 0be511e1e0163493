//! Identifiers in AWS's form, and the names people give.

use std::any::type_name;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A noun that has identifiers of its own.
pub trait Kind: Sized + 'static {
    /// What stands before the dash: `vpc`, `rtb`.
    const PREFIX: &'static str;
    /// What people call it: `route table`.
    const NOUN: &'static str;
}

/// An identifier such as `vpc-0abcdef1234567890`: the prefix of its kind and 17 (or, of old, 8) hex digits.
///
/// Shape: `Copy`, never reused, safe to keep anywhere. The low 64 bits are what GENEVE option 1 carries (R7.8).
/// Source: EC2 API reference, "Resource IDs"; the documentation's own examples use all 17 digits and both lengths.
pub struct Id<K> {
    low: u64,
    form: Form,
    kind: PhantomData<fn() -> K>,
}

/// The digits that do not fit 64 bits, and how many there are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Form {
    /// 17 digits, of which this is the first.
    Long(u8),
    /// 8 digits.
    Short,
}

impl<K> Id<K> {
    /// The identifier with this value and 17 digits.
    #[must_use]
    pub const fn new(low: u64) -> Self {
        Self { low, form: Form::Long(0), kind: PhantomData }
    }

    /// The low 64 bits.
    #[must_use]
    pub const fn low(self) -> u64 {
        self.low
    }
}

impl<K: Kind> Id<K> {
    /// An identifier that is always the same for the same words (a lab file's names keep their ids across restarts).
    ///
    /// Source: FNV-1a 64, finished with the mixer of SplitMix64.
    #[must_use]
    pub fn derived(words: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut feed = |bytes: &[u8]| {
            for byte in bytes.iter().chain(&[0xff]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        };
        feed(K::PREFIX.as_bytes());
        words.iter().for_each(|word| feed(word.as_bytes()));
        Self::new(mix(hash))
    }
}

/// The finaliser of SplitMix64.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Why a text is not an identifier of a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no {noun} id; expected {prefix}- and 17 hex digits")]
pub struct IdError {
    /// What was given.
    pub text: String,
    /// The kind's noun.
    pub noun: &'static str,
    /// The kind's prefix.
    pub prefix: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.to_owned(), noun: K::NOUN, prefix: K::PREFIX };
        let digits = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('-')).ok_or_else(error)?;
        if !digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(error());
        }
        let hex = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| error());
        let (low, form) = match digits.len() {
            17 => (hex(&digits[1..])?, Form::Long(hex(&digits[..1])? as u8)),
            8 => (hex(digits)?, Form::Short),
            _ => return Err(error()),
        };
        Ok(Self { low, form, kind: PhantomData })
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Long(top) => write!(f, "{}-{top:x}{:016x}", K::PREFIX, self.low),
            Form::Short => write!(f, "{}-{:08x}", K::PREFIX, self.low),
        }
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = type_name::<K>().rsplit("::").next().unwrap_or_default();
        write!(f, "Id<{kind}>({:?} {:016x})", self.form, self.low)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.low == other.low && self.form == other.form
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.form, self.low).cmp(&(other.form, other.low))
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.low.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<K: Kind> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}-id", K::PREFIX).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^{}-([0-9a-f]{{17}}|[0-9a-f]{{8}})$", K::PREFIX),
            "examples": [format!("{}-0abcdef1234567890", K::PREFIX)],
        })
    }
}

/// Where packets enter and leave the process: a TUN of an ENI, of a service or of an internet host.
///
/// Shape: given by `Desired` when its owner appears, kept for the owner's life, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkId(pub u32);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link-{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Vpc;

    #[test]
    fn an_id_prints_what_it_was_read_from() {
        for text in ["vpc-0abcdef1234567890", "vpc-1234567890abcdef0", "vpc-1a2b3c4d", "vpc-00000000"] {
            assert_eq!(text.parse::<Id<Vpc>>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_an_id_is_named_in_the_error() {
        for text in
            ["vpc-", "vpc-0abcdef123456789", "vpc-0ABCDEF1234567890", "subnet-0abcdef1234567890", "vpc", "vpc-é"]
        {
            let error = text.parse::<Id<Vpc>>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("expected vpc- and 17 hex digits"), "{error}");
        }
    }

    #[test]
    fn derived_ids_depend_on_every_word() {
        let ids = [&["a", "b"][..], &["ab"], &["a", "b", ""], &["b", "a"]].map(Id::<Vpc>::derived);
        for (i, a) in ids.iter().enumerate() {
            assert!(ids[i + 1..].iter().all(|b| a != b));
        }
        assert_eq!(ids[0], Id::derived(&["a", "b"]));
    }
}
